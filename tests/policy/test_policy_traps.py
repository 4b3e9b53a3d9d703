"""Each of these once opened a door in some engine or gateway. None may here."""

import cedarpy
import orjson
import pytest
from policy_world import CALLER, NOON, PERMIT, REFUND, REFUND_ARGS, known, loaded, question, rule, shape

from interlock.core.canonical import Json
from interlock.core.decision import Allow, Ask, Deny, Suggest
from interlock.core.errors import ContractInvalid
from interlock.core.fact import Known, Unknown
from interlock.core.ids import RuleId
from interlock.core.reason import Reason
from interlock.policy.decide import decide
from interlock.policy.explain import explain
from interlock.policy.rule import Above, FactIsNot, OneOf, RuleEffect
from interlock.policy.vocabulary import Question


def _asked_with(arguments: bytes, quantities: dict[str, int]) -> Question:
    whole = question()
    return Question(
        caller=CALLER,
        tool=REFUND,
        effect=whole.effect,
        tier=whole.tier,
        arguments=arguments,
        quantities=quantities,
        now=NOON,
        mode=whole.mode,
        tainted=False,
    )


def test_cedar_alone_allows_where_a_forbid_fails() -> None:
    """Kept so that we notice if the engine ever changes: this is why errors are a no here."""
    policies = "permit(principal, action, resource);\nforbid(principal, action, resource) when { context.chargeback };"
    request = {"principal": 'A::"a"', "action": 'Action::"x"', "resource": 'A::"r"', "context": "{}"}
    result = cedarpy.is_authorized(request, policies, "[]")  # pyright: ignore[reportUnknownMemberType]
    assert result.allowed and result.diagnostics.errors


def test_a_rule_that_fails_while_it_is_evaluated_refuses_the_call() -> None:
    overflowing = (
        '@id("boom") forbid(principal, action, resource) when { context.args has copies && '
        "context.args.copies * 9223372036854775807 > 5 };"
    )
    policies = loaded(PERMIT, native=overflowing, shapes=[shape()])
    judgement = decide(policies, question(copies=424242))
    assert isinstance(judgement.decision, Deny)
    assert judgement.decision.reason is Reason.INTERNAL
    # Cedar says with which values it failed. They are the caller's, so the rule is named and they are not.
    assert "`boom`" in judgement.decision.why
    assert "424242" not in judgement.decision.why


def test_a_rule_that_fails_among_the_rules_that_ask_refuses_the_call() -> None:
    overflowing = (
        '@id("boom") @effect("ask") @approvers("lead") forbid(principal, action, resource) when '
        "{ context.args has copies && context.args.copies * 9223372036854775807 > 5 };"
    )
    ask = rule("refund.ask", RuleEffect.ASK)
    judgement = decide(loaded(PERMIT, ask, native=overflowing, shapes=[shape()]), question(copies=7))
    assert isinstance(judgement.decision, Deny)


@pytest.mark.parametrize("effect", [RuleEffect.DENY, RuleEffect.ASK])
def test_an_amount_that_is_missing_matches_every_rule_about_it(effect: RuleEffect) -> None:
    order = rule("order.limit", effect, Above(path="order.total_usd", micros=50_000_000))
    policies = loaded(PERMIT, order)
    assert not isinstance(decide(policies, question()).decision, Allow)
    assert not isinstance(decide(policies, question(order={"shop": "s"})).decision, Allow)
    assert isinstance(decide(policies, question(order={"total_usd": 49.5})).decision, Allow)


@pytest.mark.parametrize(
    "arguments",
    [
        {"customer_id": "C1", "amount_usd": 30, "copies": 1.5},
        {"customer_id": "C1", "amount_usd": 30, "copies": "1"},
        {"customer_id": "C1", "amount_usd": 30, "copies": True},
        {"customer_id": 1, "amount_usd": 30},
        {"customer_id": {"__entity": {"type": "Tenant", "id": "acme"}}, "amount_usd": 30},
        {"customer_id": "C1", "amount_usd": 30, "order": "o"},
        {"customer_id": "C1", "amount_usd": 30, "tags": ["a", 1]},
        {"customer_id": "C1", "amount_usd": 30, "undeclared": "x"},
        {"customer_id": "C1", "amount_usd": 30, "__entity": {"type": "Tenant", "id": "acme"}},
        {"amount_usd": 30},
        {"customer_id": None, "amount_usd": 30},
    ],
)
def test_arguments_that_are_not_of_the_declared_type_are_refused(arguments: dict[str, object]) -> None:
    asked = _asked_with(orjson.dumps(arguments), {"amount_usd": 30_000_000})
    decision = decide(loaded(PERMIT), asked).decision
    assert isinstance(decision, Deny)
    assert decision.reason is Reason.INTERNAL


@pytest.mark.parametrize("arguments", [b"[]", b"null", b"", b"{", b'"x"', b"\xff"])
def test_arguments_that_are_no_object_are_refused(arguments: bytes) -> None:
    assert isinstance(decide(loaded(PERMIT), _asked_with(arguments, {})).decision, Deny)


@pytest.mark.parametrize("micros", [2**63, -(2**63) - 1, 10**30])
def test_a_quantity_beyond_64_bits_is_refused(micros: int) -> None:
    asked = _asked_with(b'{"amount_usd":1,"customer_id":"C1"}', {"amount_usd": micros})
    assert isinstance(decide(loaded(PERMIT), asked).decision, Deny)


def test_an_amount_sent_as_text_meets_the_same_limit() -> None:
    ask = rule("refund.over", RuleEffect.ASK, Above(path="amount_usd", micros=49_000_000))
    assert isinstance(decide(loaded(PERMIT, ask), question(amount_usd="49.5")).decision, Ask)
    assert isinstance(decide(loaded(PERMIT, ask), question(amount_usd="48.5")).decision, Allow)


def test_an_optional_argument_that_is_null_is_not_there() -> None:
    only = rule("channel", RuleEffect.DENY, OneOf(path="channel", values=("#customers",)))
    policies = loaded(PERMIT, only)
    assert isinstance(decide(policies, question(channel=None)).decision, Deny)
    assert isinstance(decide(policies, question(channel="#other")).decision, Allow)


def test_an_argument_that_rules_cannot_see_may_be_sent() -> None:
    assert isinstance(decide(loaded(PERMIT), question(ratio=0.25)).decision, Allow)


@pytest.mark.parametrize("fact", [known(True), known(0), known("false"), known(None), known(1.5), Unknown(why="down")])
def test_only_the_one_good_value_of_a_fact_opens(fact: Known | Unknown) -> None:
    chargeback = rule("refund.chargeback", RuleEffect.DENY, FactIsNot(name="chargeback", value=False))
    policies = loaded(PERMIT, chargeback)
    assert isinstance(decide(policies, question(facts={"chargeback": fact})).decision, Deny)
    assert isinstance(decide(policies, question()).decision, Deny)
    assert isinstance(decide(policies, question(facts={"chargeback": known(False)})).decision, Allow)


@pytest.mark.parametrize(("value", "wrong"), [(0, False), (1, True), (False, 0), (True, 1)])
def test_a_truth_is_never_a_number(value: bool | int, wrong: Json) -> None:
    policies = loaded(PERMIT, rule("fact", RuleEffect.DENY, FactIsNot(name="f", value=value)))
    assert isinstance(decide(policies, question(facts={"f": known(wrong)})).decision, Deny)
    assert isinstance(decide(policies, question(facts={"f": known(value)})).decision, Allow)


def test_a_native_rule_that_skips_an_unknown_fact_does_not_open() -> None:
    native = '@id("vip") forbid(principal, action, resource) when { context.facts has vip && context.facts.vip };'
    policies = loaded(PERMIT, native=native, facts={"vip": "bool"})
    unknown = decide(policies, question())
    assert isinstance(unknown.decision, Deny)
    assert unknown.decision.rules == (RuleId("vip"),)
    assert isinstance(decide(policies, question(facts={"vip": known(False)})).decision, Allow)
    assert isinstance(decide(policies, question(facts={"vip": known(True)})).decision, Deny)


def test_a_fact_that_an_asking_rule_looks_at_must_be_known_too() -> None:
    policies = loaded(PERMIT, rule("old", RuleEffect.ASK, FactIsNot(name="tier", value="basic")))
    assert isinstance(decide(policies, question()).decision, Deny)
    assert isinstance(decide(policies, question(facts={"tier": known("gold")})).decision, Ask)


def test_a_fact_that_only_other_tools_need_need_not_be_known() -> None:
    other = rule("other", RuleEffect.DENY, FactIsNot(name="chargeback", value=False), tool="close_account")
    policies = loaded(PERMIT, other, shapes=[shape(), shape("close_account")])
    assert isinstance(decide(policies, question()).decision, Allow)


def test_two_policies_with_one_id_are_refused() -> None:
    twice = '@id("a") forbid(principal, action, resource) when { context.hour > 25 };'
    with pytest.raises(ContractInvalid, match="`a` is the id of another policy too"):
        loaded(PERMIT, native={"one.cedar": twice, "two.cedar": twice})
    with pytest.raises(ContractInvalid, match="is the id of another policy too"):
        loaded(PERMIT, PERMIT)
    with pytest.raises(ContractInvalid, match="is the id of another policy too"):
        loaded(PERMIT, native=twice.replace('"a"', '"refund.allow"'))


@pytest.mark.parametrize(
    "condition",
    [
        "context.facts.vip",
        "!(context.facts has vip) || context.facts.vip",
        "context.args.copies > 1",
        'context.args.amount_usd == "much"',
        'context.facts has vip && context.facts.vip == "yes"',
        "context.nothing == 1",
    ],
)
def test_a_policy_that_cedar_could_stumble_over_is_refused_as_it_is_loaded(condition: str) -> None:
    native = f'@id("bad") forbid(principal, action == Action::"create_refund", resource) when {{ {condition} }};'
    with pytest.raises(ContractInvalid, match="`bad`"):
        loaded(PERMIT, native=native, facts={"vip": "bool"})


@pytest.mark.parametrize(
    "condition",
    [
        "context.facts has vpi && context.facts.vpi",
        "context.args has amuont_usd && context.args.amuont_usd > 5",
        "context.args has ratio",
        "context has truts",
    ],
)
def test_a_misspelt_name_that_cedar_would_hold_false_for_ever_is_refused(condition: str) -> None:
    native = f'@id("typo") forbid(principal, action, resource) when {{ {condition} }};'
    with pytest.raises(ContractInvalid, match="which no call ever has"):
        loaded(PERMIT, native=native, facts={"vip": "bool"})


@pytest.mark.parametrize("whole", ["context.facts == context.facts", "context == context", "{a: context}.a.hour > 1"])
def test_a_policy_that_may_look_at_every_fact_needs_them_all(whole: str) -> None:
    native = f'@id("all") forbid(principal, action, resource) when {{ {whole} }};'
    policies = loaded(PERMIT, native=native, facts={"vip": "bool", "age": "long"})
    assert policies.facts_of(REFUND) == {"vip", "age"}
    lines = explain(policies, question(), decide(policies, question()))
    assert '  @id("all")' in lines


def test_a_rule_that_asks_never_permits() -> None:
    for effect in (RuleEffect.ASK, RuleEffect.SUGGEST):
        decision = decide(loaded(rule("soft", effect)), question()).decision
        assert isinstance(decision, Deny)
        assert decision.reason is Reason.TOOL_NOT_ALLOWED


def test_a_rule_that_asks_opens_no_permit_that_does_not_hold() -> None:
    permit = rule("small.allow", RuleEffect.PERMIT, OneOf(path="channel", values=("#a",)))
    for effect in (RuleEffect.ASK, RuleEffect.SUGGEST):
        policies = loaded(permit, rule("soft", effect))
        assert isinstance(decide(policies, question(channel="#a")).decision, Ask | Suggest)
        decision = decide(policies, question(channel="#b")).decision
        assert isinstance(decision, Deny)
        assert decision.reason is Reason.TOOL_NOT_ALLOWED


def test_no_hard_rule_hides_behind_one_that_asks() -> None:
    ask = rule("a.ask", RuleEffect.ASK)
    deny = rule("z.deny", RuleEffect.DENY)
    decision = decide(loaded(PERMIT, ask, deny), question()).decision
    assert decision == Deny(
        rules=(RuleId("z.deny"),), why="denied by `z.deny` (contract.yaml:7:3)", reason=Reason.POLICY
    )


def test_a_missing_value_opens_no_permit() -> None:
    above = rule("order.big", RuleEffect.PERMIT, Above(path="order.total_usd", micros=5_000_000))
    policies = loaded(above)
    assert isinstance(decide(policies, question()).decision, Deny)
    assert isinstance(decide(policies, question(order={"total_usd": 6})).decision, Allow)
    assert REFUND_ARGS.at(("order", "total_usd")) is not None


def test_a_lone_surrogate_anywhere_is_refused() -> None:
    policies = loaded(PERMIT, rule("fact", RuleEffect.DENY, FactIsNot(name="f", value="x")))
    assert isinstance(decide(policies, question(facts={"f": known("\ud800")})).decision, Deny)
