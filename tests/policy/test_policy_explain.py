"""Operators read which rule, where, what it says and what met it; tables of cases name what came out otherwise."""

from inline_snapshot import snapshot
from policy_world import LOOKUP, NOON, PERMIT, READ, REFUND, known, loaded, question, rule, shape

from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import Mode, Tier
from interlock.core.fact import Unknown
from interlock.core.ids import Instant, PersonId, RuleId, ToolName
from interlock.core.value import replace
from interlock.policy.cases import Case, differences
from interlock.policy.decide import decide
from interlock.policy.explain import explain
from interlock.policy.load import Policies
from interlock.policy.rule import (
    Above,
    AsUndo,
    Before,
    FactIsNot,
    OneOf,
    Outside,
    RuleEffect,
    Uncorroborated,
)
from interlock.policy.vocabulary import Question


def _lines(policies: Policies, asked: Question) -> list[str]:
    return list(explain(policies, asked, decide(policies, asked)))


def test_a_call_that_goes_on() -> None:
    assert _lines(loaded(PERMIT), question()) == snapshot(
        ["`create_refund` goes on", "rule `refund.allow` at contract.yaml:7:3 permits", "  it is about every call"]
    )


def test_a_limit_that_was_passed() -> None:
    limit = rule("refund.max", RuleEffect.DENY, Outside(path="amount_usd", low=0, high=100_000_000))
    assert _lines(loaded(PERMIT, limit), question(amount_usd=170.5)) == snapshot(
        [
            "`create_refund` is refused as `policy`: denied by `refund.max` (contract.yaml:7:3)",
            "rule `refund.max` at contract.yaml:7:3 denies",
            "  `amount_usd` is 170.5; the range is 0 to 100",
            "fix: change the call, or the rule at contract.yaml:7:3",
        ]
    )


def test_everything_that_a_rule_may_say() -> None:
    rules = [
        rule("a", RuleEffect.ASK, Above(path="order.total_usd", micros=1_500_000), quorum=2),
        rule("b", RuleEffect.ASK, OneOf(path="channel", values=("#a", "#b"))),
        rule("c", RuleEffect.ASK, FactIsNot(name="tier", value="gold")),
        rule("d", RuleEffect.ASK, Before(instant=Instant(NOON + 1))),
        rule("e", RuleEffect.ASK, AsUndo()),
        rule("f", RuleEffect.ASK, Uncorroborated(), approvers=["a", "b"]),
        rule("g", RuleEffect.ASK),
    ]
    asked = question(facts={"tier": known("basic")}, undo=True, tainted=True, channel="#a")
    assert _lines(loaded(PERMIT, *rules), asked) == snapshot(
        [
            "`create_refund` waits for a person",
            "rule `a` at contract.yaml:7:3 asks, 2 people of support-lead within 2d",
            "  `order.total_usd` is not there; the limit is 1.5",
            "rule `b` at contract.yaml:7:3 asks, one person of support-lead within 2d",
            '  `channel` is "#a"; it speaks of `#a`, `#b`',
            "rule `c` at contract.yaml:7:3 asks, one person of support-lead within 2d",
            '  `tier` is "basic"; it speaks of anything but "gold"',
            "rule `d` at contract.yaml:7:3 asks, one person of support-lead within 2d",
            "  it is 1767268800000000; the end is 1767268800000001 (microseconds since 1970)",
            "rule `e` at contract.yaml:7:3 asks, one person of support-lead within 2d",
            "  the call reverses an earlier one; it speaks of undos",
            "rule `f` at contract.yaml:7:3 asks, one person of a or b within 2d",
            "  the run has read text from outside, and its arguments are not vouched for by trusted sources",
            "rule `g` at contract.yaml:7:3 asks, one person of support-lead within 2d",
            "  it is about every call",
        ]
    )


def test_a_fact_that_is_unknown() -> None:
    fact = rule("refund.chargeback", RuleEffect.DENY, FactIsNot(name="chargeback", value=False))
    asked = question(facts={"chargeback": Unknown(why="`list_chargebacks` did not answer")})
    assert _lines(loaded(PERMIT, fact), asked) == snapshot(
        [
            "`create_refund` is refused as `policy`: denied by `refund.chargeback` (contract.yaml:7:3)",
            "rule `refund.chargeback` at contract.yaml:7:3 denies",
            "  `chargeback` is unknown (`list_chargebacks` did not answer); it speaks of anything but false",
            "fix: change the call, or the rule at contract.yaml:7:3",
        ]
    )


def test_a_policy_of_the_organisation() -> None:
    native = """
    @id("org.night") @note("no refunds around noon")
    forbid(principal, action, resource) when { context.hour == 12 && context.facts has vip };
    """
    asked = question(facts={"vip": known(True)})
    assert _lines(loaded(PERMIT, native=native, facts={"vip": "bool"}), asked) == snapshot(
        [
            "`create_refund` is refused as `policy`: denied by `org.night` (rules/ours.cedar:2:5)",
            "rule `org.night` at rules/ours.cedar:2:5 denies",
            "  no refunds around noon",
            "  `vip` is true; `context.hour` is 12",
            '  @id("org.night")',
            '  @note("no refunds around noon")',
            "  forbid(principal, action, resource) when { ((context.hour) == 12) && ((context.facts) has vip) };",
            "fix: change the call, or the rule at rules/ours.cedar:2:5",
        ]
    )


def test_a_tool_that_nothing_permits_and_one_with_a_name_like_it() -> None:
    may_look_up = rule("lookup.allow", RuleEffect.PERMIT, tool=LOOKUP)
    asked = replace(question(READ), tool=ToolName("lookup_customers"))
    assert _lines(loaded(may_look_up), asked) == snapshot(
        [
            "`lookup_customers` is refused as `tool_not_allowed`: no rule knows the tool `lookup_customers`",
            "nearest permit `lookup.allow` at contract.yaml:7:3 is about `lookup_customer`",
            "fix: declare `lookup_customers` under `tools` and allow it in `permissions.allowed_tools`",
        ]
    )


def test_a_permit_that_does_not_hold() -> None:
    assert _lines(loaded(rule("undo.allow", RuleEffect.PERMIT, AsUndo())), question()) == snapshot(
        [
            "`create_refund` is refused as `tool_not_allowed`: no rule allows `create_refund`",
            "nearest permit `undo.allow` at contract.yaml:7:3 does not hold",
            "  the call does not reverse an earlier one; it speaks of undos",
            "fix: change the call, or add a rule that allows it",
        ]
    )
    native = {"org/a.cedar": '@id("org.allow") permit(principal, action, resource) when { context.hour < 3 };'}
    assert _lines(loaded(native=native), question()) == snapshot(
        [
            "`create_refund` is refused as `tool_not_allowed`: no rule allows `create_refund`",
            "nearest permit `org.allow` at org/a.cedar:1:1 does not hold",
            "  `context.hour` is 12",
            '  @id("org.allow")',
            "  permit(principal, action, resource) when { (context.hour) < 3 };",
            "fix: change the call, or add a rule that allows it",
        ]
    )


def test_modes_tiers_switches_and_break_glass() -> None:
    yellow, red = shape(tier=Tier.YELLOW), shape(tier=Tier.RED)
    switch = Switch(id="s1", kind=SwitchKind.STOP, scope=Scope(tool=REFUND), by=PersonId("eve"), at=NOON)
    glass = BreakGlass(id="g1", scope=Scope(), by=PersonId("eve"), at=NOON, until=Instant(NOON + 1))
    asked = [
        question(mode=Mode.READ_ONLY),
        question(mode=Mode.SUGGEST),
        question(mode=Mode.ASK),
        question(switches=(switch,)),
        question(mode=Mode.SUGGEST, glass=(glass,)),
    ]
    lines = [_lines(loaded(PERMIT), one) for one in asked]
    lines += [_lines(loaded(PERMIT, shapes=[tool]), question(tool)) for tool in (yellow, red)]
    lines.append(_lines(loaded(PERMIT, shapes=[red]), question(red, started_by_person=True)))
    assert lines == snapshot(
        [
            [
                "`create_refund` is refused as `policy`: the workflow may only read today",
                "mode `read_only` is in force",
                "fix: raise the mode with `interlock mode support-refunds suggest --env prod`",
            ],
            ["`create_refund` is shown and not done", "mode `suggest` is in force"],
            ["`create_refund` waits for a person", "mode `ask` is in force, one person of support-lead within 2d"],
            [
                "`create_refund` is refused as `stopped`: eve threw switch `s1` (stop) for tool=create_refund",
                "switch `s1` (stop) was thrown by eve for tool=create_refund",
                "fix: take it back with `interlock switch resume s1`",
            ],
            [
                "`create_refund` goes on",
                "rule `refund.allow` at contract.yaml:7:3 permits",
                "  it is about every call",
                "break-glass `g1` of eve lets tenant act",
            ],
            ["`create_refund` waits for a person", "tier `yellow` in mode `act`, one person of support-lead within 2d"],
            ["`create_refund` is drafted; a person may start it", "tier `red` in mode `act` never starts by itself"],
            [
                "`create_refund` waits for a person",
                "tier `red` in mode `act`, 2 people of finance-lead or support-lead within 2d, with step-up",
            ],
        ]
    )


def test_a_table_of_cases_names_what_came_out_otherwise() -> None:
    limit = rule("refund.max", RuleEffect.DENY, Outside(path="amount_usd", low=0, high=100_000_000))
    over = rule("refund.over", RuleEffect.ASK, Above(path="amount_usd", micros=50_000_000))
    fact = rule("refund.chargeback", RuleEffect.DENY, FactIsNot(name="chargeback", value=False))
    policies = loaded(PERMIT, limit, over, fact, shapes=[shape(tier=Tier.YELLOW), READ])
    clean = {"chargeback": False}
    args = {"customer_id": "C1"}
    cases = [
        Case(name="small", tool=REFUND, args={**args, "amount_usd": 30}, facts=clean, expect="allow"),
        Case(name="over", tool=REFUND, args={**args, "amount_usd": 70}, facts=clean, expect="ask"),
        Case(
            name="over, by the wrong rule",
            tool=REFUND,
            args={**args, "amount_usd": 70},
            facts=clean,
            expect="ask",
            rules=frozenset({RuleId("refund.max")}),
        ),
        Case(name="too much", tool=REFUND, args={**args, "amount_usd": 170}, facts=clean, expect="ask"),
        Case(name="nobody knows", tool=REFUND, args={**args, "amount_usd": 30}, expect="deny"),
        Case(
            name="shown", tool=REFUND, args={**args, "amount_usd": 70}, facts=clean, mode=Mode.SUGGEST, expect="suggest"
        ),
        Case(name="no such tool", tool=ToolName("x"), expect="deny", rules=frozenset()),
    ]
    assert [str(one) for one in differences(policies, cases)] == snapshot(
        [
            "`over, by the wrong rule`: expected ask (refund.max), found ask (refund.over)",
            "`too much`: expected ask, found deny (refund.max)",
        ]
    )
