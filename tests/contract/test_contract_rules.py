from contract_files import HEAD, READ, WRITE, full, wrong
from interlock.contract.read import loads
from interlock.core.ids import Instant, Role
from interlock.policy.rule import Above, Always, Before, FactIsNot, OneOf, Outside, RuleEffect

TOOLS = f"tools: {{ pay: {WRITE}, look: {READ} }}\n"


def rules_of(text: str) -> dict[str, tuple[RuleEffect, object]]:
    return {str(rule.id): (rule.effect, rule.when) for rule in full(TOOLS + text).rules}


def test_a_tool_that_is_allowed_has_one_permit() -> None:
    assert rules_of("permissions: { allowed_tools: [look, pay] }\n") == {
        "allow.look": (RuleEffect.PERMIT, Always()),
        "allow.pay": (RuleEffect.PERMIT, Always()),
    }


def test_each_key_of_a_tools_permissions_becomes_a_rule() -> None:
    rules = rules_of(
        """\
permissions:
  allowed_tools: [pay]
  pay:
    max_amount_usd: 100
    require_human_approval_over_usd: 49.99
    deny_if_fraud: true
    deny_unless_known_customer: true
    require_human_approval_if_new: true
    require_human_approval_unless_quiet: true
facts: { fraud: unknown, known_customer: unknown, new: unknown, quiet: unknown }
"""
    )
    assert rules == {
        "allow.pay": (RuleEffect.PERMIT, Always()),
        "pay.max_amount": (RuleEffect.DENY, Outside(path="args.usd", low=0, high=100_000_000)),
        "pay.approval_over": (RuleEffect.ASK, Above(path="args.usd", micros=49_990_000)),
        "pay.fraud": (RuleEffect.DENY, FactIsNot(name="fraud", value=False)),
        "pay.unless_known_customer": (RuleEffect.DENY, FactIsNot(name="known_customer", value=True)),
        "pay.approval_if_new": (RuleEffect.ASK, FactIsNot(name="new", value=False)),
        "pay.approval_unless_quiet": (RuleEffect.ASK, FactIsNot(name="quiet", value=True)),
    }


def test_a_tool_may_ask_always_or_for_some_values_of_an_argument() -> None:
    rules = rules_of("permissions: { approval_required_tools: [look, pay: { usd: ['1'], kinds: [a, b] }] }\n")

    assert rules == {
        "look.approval": (RuleEffect.ASK, Always()),
        "pay.approval_usd": (RuleEffect.ASK, OneOf(path="args.usd", values=("1",))),
        "pay.approval_kinds": (RuleEffect.ASK, OneOf(path="args.kind", values=("a", "b"))),
    }


def test_an_asking_rule_creates_no_permission_and_says_so() -> None:
    contract = full(TOOLS + "permissions: { allowed_tools: [look], pay: { require_human_approval_over_usd: 5 } }\n")

    assert [rule.tool for rule in contract.rules if rule.effect is RuleEffect.PERMIT] == ["look"]
    assert "`pay` has rules and is not in `allowed_tools`: it stays denied" in {
        each.text for each in contract.assumptions
    }


def test_the_first_weeks_end_after_the_day_that_is_named() -> None:
    first = "approvals: { first_weeks: { tools: [pay], ask_always_until: 1970-01-02 },"
    rules = loads(HEAD.replace("approvals: {", first) + TOOLS, "c.yaml").rules

    assert [(rule.id, rule.effect, rule.when) for rule in rules] == [
        ("first_weeks.pay", RuleEffect.ASK, Before(instant=Instant(2 * 86_400_000_000)))
    ]


def test_without_approvals_nobody_may_agree() -> None:
    head = HEAD.split("approvals:")[0]
    contract = loads(head + TOOLS + "permissions: { approval_required_tools: [pay] }\n", "c.yaml")

    assert [rule.approvers for rule in contract.rules] == [frozenset()]
    assert "nobody is named who may agree: whatever asks is never done" in {each.text for each in contract.assumptions}


def test_a_fact_rule_that_is_not_true_says_nothing() -> None:
    said = wrong(TOOLS + "permissions: { pay: { deny_if_x: false } }\nfacts: { x: unknown }\n")

    assert said == ["`deny_if_x: false` says nothing"]


def test_a_limit_on_money_needs_one_argument_that_says_how_much() -> None:
    said = wrong(TOOLS + "permissions: { look: { max_amount_usd: 5 } }\n")

    assert said == ["`look` has 0 arguments with the role `quantity` and the unit `usd`"]


def test_a_rule_that_is_there_twice_is_refused() -> None:
    assert wrong(TOOLS + "permissions: { allowed_tools: [pay, pay] }\n") == [
        "the rule `allow.pay` is there twice, first in line 9"
    ]


def test_a_red_tool_asks_those_of_red_and_others_those_of_yellow() -> None:
    tools = f"tools: {{ red: {WRITE.replace('yellow', 'red')}, green: {WRITE.replace('yellow', 'green')} }}\n"
    contract = full(tools + "permissions: { approval_required_tools: [red, green] }\n")
    asked = {str(rule.tool): (rule.approvers, rule.quorum, rule.step_up) for rule in contract.rules}

    assert asked == {
        "red": (frozenset({Role("lead"), Role("boss")}), 2, True),
        "green": (frozenset({Role("lead")}), 1, False),
    }
