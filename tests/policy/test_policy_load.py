"""What is refused as it is loaded, how slices are cut, and what changes a slice's hash."""

import pytest
from inline_snapshot import snapshot
from policy_world import CONSENTS, LOOKUP, PERMIT, READ, REFUND, loaded, question, rule, shape

from interlock.core.decision import Allow, Ask, Deny, Requirement
from interlock.core.effect import EffectClass, Tier
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Micros, Role, RuleId, ToolName
from interlock.core.value import replace
from interlock.policy.cedar import cedar_of
from interlock.policy.decide import decide
from interlock.policy.load import load
from interlock.policy.rule import Above, Before, FactIsNot, OneOf, Outside, Rule, RuleEffect
from interlock.policy.vocabulary import ToolShape

FORBID = "forbid(principal, action, resource) when { context.hour > 25 };"


@pytest.mark.parametrize(
    ("native", "message"),
    [
        ("forbid(principal, action, resource)", "not Cedar"),
        (FORBID, "without an `@id`"),
        (f"@id {FORBID}", "without an `@id`"),
        (f'@id("a") @efect("ask") {FORBID}', "unknown annotation `@efect`"),
        (f'@id("a") @effect("approve") {FORBID}', "unknown effect `approve`"),
        (f'@id("a") @effect("ask") {FORBID}', "names nobody who may agree"),
        (f'@id("a") @effect("ask") @approvers(" , ") {FORBID}', "names nobody who may agree"),
        (f'@id("a") @effect("ask") @approvers("x") @quorum("0") {FORBID}', "no usable quorum"),
        (f'@id("a") @effect("ask") @approvers("x") @quorum("-1") {FORBID}', "no usable quorum"),
        (f'@id("a") @effect("ask") @approvers("x") @quorum("1000") {FORBID}', "no usable quorum"),
        (f'@id("a") @effect("ask") @approvers("x") @quorum("²") {FORBID}', "no usable quorum"),
        (f'@id("a") @effect("ask") @approvers("x") @expires("soon") {FORBID}', "no usable expiry"),
        (f'@id("a") @effect("ask") @approvers("x") @expires("0h") {FORBID}', "no usable expiry"),
        (f'@id("a") @effect("ask") @approvers("x") @each("yes") {FORBID}', "an unclear `@each`"),
        (f'@id("a") @effect("ask") @approvers("x") @step_up {FORBID}', "an unclear `@step_up`"),
        (f'@id("a") @effect("ask") @approvers("x") @on_change("stop") {FORBID}', "an unknown `@on_change`"),
        (f'@id("a") @effect("deny") @approvers("x") {FORBID}', "and asks nobody"),
        (f'@id("a") @quorum("2") {FORBID}', "and asks nobody"),
        (f'@id("mode:ask") {FORBID}', "begins as the ids of modes"),
        ('@id("a") permit(principal, action, resource);', "this file may only tighten"),
        ('@id("a") forbid(principal == ?principal, action, resource);', "a template"),
        ('@id("a") forbid(principal, action == Action::"creat_refund", resource);', "does not fit the vocabulary"),
        ('@id("a") forbid(principal, action in Action::"writes", resource);', "does not fit the vocabulary"),
        ('@id("a") forbid(principal is Person, action, resource);', "does not fit the vocabulary"),
        ('@id("a") forbid(principal, action is Action, resource);', "not Cedar"),
    ],
)
def test_a_policy_file_that_cannot_be_honoured_is_refused(native: str, message: str) -> None:
    with pytest.raises(ContractInvalid, match=message) as raised:
        loaded(PERMIT, native=native)
    assert str(raised.value).startswith("rules/ours.cedar")
    assert raised.value.fix


def test_the_place_of_a_policy_in_a_file_is_its_line() -> None:
    native = f'// @id("b") is below\n@id("a")\n{FORBID}\n\n@note("late")\n@id("b")\n{FORBID}\n'
    policies = loaded(PERMIT, native=native).policies
    assert {id: str(policy.place) for id, policy in policies.items() if policy.rule is None} == snapshot(
        {"a": "rules/ours.cedar:2:1", "b": "rules/ours.cedar:6:1"}
    )


@pytest.mark.parametrize(
    ("file", "may"),
    [
        ("org/base.cedar", True),
        ("org/deep/base.cedar", True),
        ("base.cedar", False),
        ("organisation/base.cedar", False),
        ("org/../base.cedar", False),
        ("./org/base.cedar", False),
        ("/org/base.cedar", False),
    ],
)
def test_only_the_organisations_directory_may_permit(file: str, may: bool) -> None:
    native = {file: '@id("a") permit(principal, action == Action::"create_refund", resource);'}
    if may:
        assert isinstance(decide(loaded(native=native), question()).decision, Allow)
        with pytest.raises(ContractInvalid):
            load([], native=native, shapes=[shape()], facts={}, consents={}, permits_from=frozenset())
    else:
        with pytest.raises(ContractInvalid, match="may only tighten"):
            loaded(native=native)


def test_a_permit_has_no_effect_annotation() -> None:
    native = {"org/a.cedar": '@id("a") @effect("ask") permit(principal, action, resource);'}
    with pytest.raises(ContractInvalid, match="permits and has an `@effect`"):
        loaded(native=native)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (rule("r", RuleEffect.DENY, tool="nothing"), "names `nothing`, which is no tool"),
        (rule("r", RuleEffect.DENY, tool=None, kind="nothing"), "the kind `nothing`, which no tool is of"),
        (rule("r", RuleEffect.DENY, Above(path="amount", micros=1)), "needs a quantity at `amount`"),
        (rule("r", RuleEffect.DENY, Above(path="customer_id", micros=1)), "needs a quantity at `customer_id`"),
        (rule("r", RuleEffect.DENY, Outside(path="copies", low=0, high=1)), "needs a quantity at `copies`"),
        (rule("r", RuleEffect.DENY, OneOf(path="urgent", values=("a",))), "needs a text at `urgent`"),
        (rule("r", RuleEffect.DENY, Above(path="amount_usd", micros=2**63)), "beyond 64 bits"),
        (rule("r", RuleEffect.DENY, FactIsNot(name="f", value=-(2**64))), "beyond 64 bits"),
        (rule("r", RuleEffect.ASK, approvers=["a,b"]), "a role with a comma"),
        (rule("r", RuleEffect.ASK, approvers=[" a"]), "a role with a comma or a space"),
        (rule("r", RuleEffect.ASK, quorum=0), "no usable quorum"),
        (rule("", RuleEffect.DENY), "without an `@id`"),
        (rule("tier:red", RuleEffect.DENY), "begins as the ids of modes"),
    ],
)
def test_a_rule_of_the_contract_that_cannot_be_honoured_is_refused_where_it_stands(wrong: Rule, message: str) -> None:
    with pytest.raises(ContractInvalid, match=message) as raised:
        loaded(PERMIT, wrong)
    assert str(raised.value).startswith("contract.yaml:7:3: ")


def test_a_fact_has_one_kind() -> None:
    as_bool = rule("a", RuleEffect.DENY, FactIsNot(name="f", value=False))
    as_text = rule("b", RuleEffect.DENY, FactIsNot(name="f", value="no"))
    with pytest.raises(ContractInvalid, match="fact `f` is bool and is compared as string"):
        loaded(PERMIT, as_bool, as_text)
    with pytest.raises(ContractInvalid, match="fact `f` is string and is compared as bool"):
        loaded(PERMIT, as_bool, facts={"f": "string"})


@pytest.mark.parametrize("name", ["any", "read", "write", "kind:refund", "kind:", ""])
def test_a_tool_cannot_have_the_name_of_a_group(name: str) -> None:
    with pytest.raises(ContractInvalid, match="has the name of a group of tools"):
        loaded(shapes=[shape(name)])


def test_two_tools_cannot_have_one_name() -> None:
    with pytest.raises(ContractInvalid, match="tool `create_refund` is there twice"):
        loaded(shapes=[shape(), shape(tier=Tier.RED)])


def test_rules_about_groups_stand_where_a_group_is_empty() -> None:
    native = '@id("night") forbid(principal, action in Action::"write", resource) when { context.hour > 25 };'
    policies = loaded(rule("reads", RuleEffect.PERMIT, tool=None, group="read"), native=native, shapes=[READ])
    assert isinstance(decide(policies, question(READ)).decision, Allow)
    assert list(loaded(native=native, shapes=[]).slices) == []


def test_a_shared_file_may_name_what_another_workflow_has() -> None:
    shared = """
    @id("late") @shared("true")
    forbid(principal, action in [Action::"create_refund", Action::"wire_money", Action::"kind:payout"], resource)
    when { context.args has iban || context.hour == 12 };
    """
    policies = loaded(PERMIT, native=shared)
    assert decide(policies, question()).rules == (RuleId("late"),)
    with pytest.raises(ContractInvalid):
        loaded(PERMIT, native=shared.replace("true", "false"))


def test_requirements_of_a_native_policy_stand_in_its_annotations() -> None:
    native = (
        '@id("big") @effect("ask") @approvers("support-lead, finance-lead") @quorum("2") @each("true") '
        '@expires("36h") @on_change("go_on") @step_up("true") forbid(principal, action, resource);'
    )
    decision = decide(loaded(PERMIT, native=native), question()).decision
    expected = Requirement(
        rule=RuleId("big"),
        approvers=frozenset({Role("support-lead"), Role("finance-lead")}),
        quorum=2,
        each=True,
        expires=Micros(36 * 3_600_000_000),
        on_change="go_on",
        step_up=True,
    )
    assert decision == Ask(requirements=(expected,))


def test_an_asking_policy_says_no_more_than_it_must() -> None:
    native = '@id("big") @effect("ask") @approvers("lead") forbid(principal, action, resource);'
    decision = decide(loaded(PERMIT, native=native), question()).decision
    assert decision == Ask(requirements=(Requirement(rule=RuleId("big"), approvers=frozenset({Role("lead")})),))


def test_requirements_of_several_rules_are_listed_and_not_merged() -> None:
    first = rule("a", RuleEffect.ASK, approvers=["support-lead"])
    second = rule("b", RuleEffect.ASK, approvers=["finance-lead"], quorum=2)
    decision = decide(loaded(PERMIT, second, first), question()).decision
    assert isinstance(decision, Ask)
    assert [(one.rule, set(one.approvers), one.quorum) for one in decision.requirements] == [
        ("a", {"support-lead"}, 1),
        ("b", {"finance-lead"}, 2),
    ]


def test_an_asking_rule_of_the_contract_that_names_nobody_is_a_no() -> None:
    judgement = decide(loaded(PERMIT, rule("a", RuleEffect.ASK, approvers=[])), question())
    assert isinstance(judgement.decision, Deny)
    assert judgement.rules == (RuleId("a"),)
    assert judgement.fix.startswith("name who may agree: `approvals: {")


@pytest.mark.parametrize(
    ("scope", "refund", "lookup"),
    [
        ("action", True, True),
        ('action == Action::"create_refund"', True, False),
        ('action in Action::"create_refund"', True, False),
        ('action in Action::"any"', True, True),
        ('action in Action::"write"', True, False),
        ('action in Action::"read"', False, True),
        ('action in Action::"kind:refund"', True, False),
        ('action in [Action::"read", Action::"close_account"]', False, True),
        ('action in [Action::"write", Action::"lookup_customer"]', True, True),
    ],
)
def test_a_slice_keeps_whatever_may_be_about_its_tool(scope: str, refund: bool, lookup: bool) -> None:
    native = f'@id("n") forbid(principal is Agent in Workflow::"support-refunds", {scope}, resource is Tenant);'
    policies = loaded(
        PERMIT,
        rule("read.allow", RuleEffect.PERMIT, tool=LOOKUP),
        native=native,
        shapes=[shape(), READ, shape("close_account", kind="")],
    )
    for tool, name, reached in ((shape(), REFUND, refund), (READ, LOOKUP, lookup)):
        assert (RuleId("n") in policies.slices[name].policies) is reached
        assert isinstance(decide(policies, question(tool)).decision, Deny) is reached


def test_who_calls_and_for_whom_can_be_told() -> None:
    permit = 'permit(principal == Agent::"refund-bot", action, resource) when { context.on_behalf_of == "ann" };'
    assert isinstance(decide(loaded(native={"org/a": f'@id("a") {permit}'}), question()).decision, Allow)
    for wrong in ('Agent::"x"', "on_behalf_of != "):
        other = permit.replace('Agent::"refund-bot"' if "Agent" in wrong else "on_behalf_of == ", wrong)
        assert isinstance(decide(loaded(native={"org/a": f'@id("a") {other}'}), question()).decision, Deny)


def test_the_hour_and_weekday_are_those_of_utc() -> None:
    native = '@id("n") forbid(principal, action, resource) unless { context.hour == 12 && context.weekday == 4 };'
    assert isinstance(decide(loaded(PERMIT, native=native), question()).decision, Allow)


BASE = (PERMIT, rule("refund.max", RuleEffect.DENY, Outside(path="amount_usd", low=0, high=9)))


@pytest.mark.parametrize(
    ("rules", "tools", "same"),
    [
        (BASE, [shape()], True),
        (tuple(reversed(BASE)), [shape()], True),
        ((*BASE, rule("read", RuleEffect.DENY, tool=LOOKUP)), [shape(), READ], True),
        ((*BASE, rule("f", RuleEffect.DENY, FactIsNot(name="f", value=1), tool=LOOKUP)), [READ, shape()], True),
        (tuple(replace(one, place=replace(one.place, line=99)) for one in BASE), [shape()], True),
        ((*BASE, rule("w", RuleEffect.DENY, tool=None, group="write")), [shape()], False),
        ((PERMIT, replace(BASE[1], when=Outside(path="amount_usd", low=0, high=10))), [shape()], False),
        (BASE, [shape(tier=Tier.YELLOW)], False),
        (BASE, [shape(effect=EffectClass.OPAQUE)], False),
        (BASE, [shape(kind="payout")], False),
    ],
)
def test_only_what_decides_about_a_tool_changes_its_hash(
    rules: tuple[Rule, ...], tools: list[ToolShape], same: bool
) -> None:
    before = loaded(*BASE, shapes=[shape()]).slices[REFUND].hash
    after = loaded(*rules, shapes=tools).slices[REFUND].hash
    assert (before == after) is same


def test_whom_a_tier_asks_changes_the_hash_of_its_tools() -> None:
    yellow = replace(CONSENTS[Tier.YELLOW], quorum=2)
    tools = [shape(), shape("close_account", tier=Tier.RED)]
    before = loaded(PERMIT, shapes=tools).slices
    after = loaded(PERMIT, shapes=tools, consents={**CONSENTS, Tier.YELLOW: yellow}).slices
    assert before[REFUND].hash != after[REFUND].hash
    assert before[ToolName("close_account")].hash == after[ToolName("close_account")].hash


def test_a_comment_in_a_file_changes_no_hash() -> None:
    native = '@id("a") forbid(principal, action, resource) when { context.hour > 25 };'
    plain, commented = loaded(PERMIT, native=native), loaded(PERMIT, native=f"// why\n  {native}")
    assert plain.slices[REFUND].hash == commented.slices[REFUND].hash


def test_a_rule_is_written_as_cedar_that_can_be_read() -> None:
    max_amount = rule("refund.max", RuleEffect.DENY, Outside(path="amount_usd", low=0, high=100_000_000))
    ask = rule("refund.over", RuleEffect.ASK, Above(path="$.args.amount_usd", micros=50_000_000), quorum=2)
    weeks = rule("weeks", RuleEffect.SUGGEST, Before(instant=question().now), tool=None, group="write")
    assert cedar_of(PERMIT) + cedar_of(max_amount) + cedar_of(ask) + cedar_of(weeks) == snapshot("""\
@id("refund.allow")
permit(principal, action == Action::"create_refund", resource);
@id("refund.max")
@effect("deny")
forbid(principal, action == Action::"create_refund", resource)
unless { context.args has "amount_usd" && !(context.args["amount_usd"] < 0 || context.args["amount_usd"] > 100000000) };
@id("refund.over")
@effect("ask")
@approvers("support-lead")
@quorum("2")
@each("false")
@expires("2d")
@on_change("ask")
@step_up("false")
forbid(principal, action == Action::"create_refund", resource)
unless { context.args has "amount_usd" && !(context.args["amount_usd"] > 50000000) };
@id("weeks")
@effect("suggest")
forbid(principal, action in Action::"write", resource)
unless { !(context.now < 1767268800000000) };
""")
