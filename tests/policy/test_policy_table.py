"""Mode x tier cell by cell, and what switches and break-glass make of it."""

import pytest
from policy_world import CALLER, CONSENTS, NOON, PERMIT, READ, loaded, question, rule, shape

from interlock.core.decision import Allow, Ask, Deny, Suggest
from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import AgentId, Environment, Instant, PersonId, Role, RuleId, ToolName, WorkflowId
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.policy.cases import verdict_of
from interlock.policy.decide import decide
from interlock.policy.rule import Above, AsUndo, Before, Rule, RuleEffect, Uncorroborated
from interlock.policy.vocabulary import ToolShape

GREEN, YELLOW, RED = (shape(tier=tier) for tier in (Tier.GREEN, Tier.YELLOW, Tier.RED))
YELLOW_READ, RED_READ = (replace(READ, tier=tier) for tier in (Tier.YELLOW, Tier.RED))
MAY_READ = rule("read.allow", RuleEffect.PERMIT, tool=None, group="read")
LARGE = rule("refund.large", RuleEffect.ASK, Above(path="amount_usd", micros=50_000_000), approvers=["finance-lead"])


def _switch(kind: SwitchKind, scope: Scope | None = None, *, undo_too: bool = False) -> Switch:
    return Switch(id="s1", kind=kind, scope=scope or Scope(), by=PersonId("eve"), at=NOON, undo_too=undo_too)


def _glass(scope: Scope | None = None, *, at: int = NOON - 1, until: int = NOON + 1) -> BreakGlass:
    return BreakGlass(id="g1", scope=scope or Scope(), by=PersonId("eve"), at=Instant(at), until=Instant(until))


@pytest.mark.parametrize(
    ("mode", "tool", "verdict", "rules"),
    [
        (Mode.READ_ONLY, READ, "allow", {"read.allow"}),
        (Mode.READ_ONLY, YELLOW_READ, "allow", {"read.allow"}),
        (Mode.READ_ONLY, RED_READ, "allow", {"read.allow"}),
        (Mode.READ_ONLY, GREEN, "deny", {"mode:read_only"}),
        (Mode.READ_ONLY, YELLOW, "deny", {"mode:read_only"}),
        (Mode.READ_ONLY, RED, "deny", {"mode:read_only"}),
        (Mode.SUGGEST, READ, "allow", {"read.allow"}),
        (Mode.SUGGEST, YELLOW_READ, "allow", {"read.allow"}),
        (Mode.SUGGEST, RED_READ, "allow", {"read.allow"}),
        (Mode.SUGGEST, GREEN, "suggest", {"mode:suggest"}),
        (Mode.SUGGEST, YELLOW, "suggest", {"mode:suggest"}),
        (Mode.SUGGEST, RED, "suggest", {"mode:suggest"}),
        (Mode.ASK, READ, "allow", {"read.allow"}),
        (Mode.ASK, YELLOW_READ, "allow", {"read.allow"}),
        (Mode.ASK, RED_READ, "allow", {"read.allow"}),
        (Mode.ASK, GREEN, "ask", {"mode:ask"}),
        (Mode.ASK, YELLOW, "ask", {"mode:ask"}),
        (Mode.ASK, RED, "draft", {"tier:red"}),
        (Mode.ACT, READ, "allow", {"read.allow"}),
        (Mode.ACT, YELLOW_READ, "allow", {"read.allow"}),
        (Mode.ACT, RED_READ, "allow", {"read.allow"}),
        (Mode.ACT, GREEN, "allow", {"refund.allow"}),
        (Mode.ACT, YELLOW, "ask", {"tier:yellow"}),
        (Mode.ACT, RED, "draft", {"tier:red"}),
    ],
)
def test_every_cell_of_mode_and_tier(mode: Mode, tool: ToolShape, verdict: str, rules: set[str]) -> None:
    may_refund = [PERMIT] if tool.name == PERMIT.tool else []
    judgement = decide(loaded(MAY_READ, *may_refund, shapes=[tool]), question(tool, mode=mode))
    assert (verdict_of(judgement.decision), set(judgement.rules)) == (verdict, rules)


def test_a_yellow_tool_asks_only_where_its_own_rule_asks() -> None:
    policies = loaded(PERMIT, LARGE, shapes=[YELLOW])
    assert decide(policies, question(YELLOW, amount_usd=50)).decision == Allow(rules=(RuleId("refund.allow"),))
    assert decide(policies, question(YELLOW, amount_usd=51)).rules == (RuleId("refund.large"),)


@pytest.mark.parametrize(
    "general",
    [
        rule("writes", RuleEffect.ASK, Uncorroborated(), tool=None, group="write"),
        rule("first-weeks", RuleEffect.ASK, Before(instant=NOON)),
        rule("limit", RuleEffect.DENY, Above(path="amount_usd", micros=50_000_000)),
    ],
)
def test_a_rule_that_says_nothing_of_the_calls_of_a_yellow_tool_does_not_free_it(general: Rule) -> None:
    judgement = decide(loaded(PERMIT, general, shapes=[YELLOW]), question(YELLOW))
    assert judgement.rules == (RuleId("tier:yellow"),)


def test_a_native_rule_that_asks_does_not_free_a_yellow_tool() -> None:
    native = (
        '@id("native") @effect("ask") @approvers("a") forbid(principal, action, resource) when { context.hour > 22 };'
    )
    judgement = decide(loaded(PERMIT, native=native, shapes=[YELLOW]), question(YELLOW))
    assert judgement.rules == (RuleId("tier:yellow"),)


def test_a_rule_about_the_kind_of_a_yellow_tool_speaks_of_it() -> None:
    by_kind = rule("kind", RuleEffect.ASK, Above(path="amount_usd", micros=50_000_000), tool=None, kind="refund")
    policies = loaded(PERMIT, by_kind, shapes=[YELLOW])
    assert isinstance(decide(policies, question(YELLOW)).decision, Allow)
    assert isinstance(decide(policies, question(YELLOW, amount_usd=51)).decision, Ask)


def test_mode_ask_adds_its_own_requirement_to_that_of_a_rule() -> None:
    policies = loaded(PERMIT, LARGE, shapes=[YELLOW])
    decision = decide(policies, question(YELLOW, mode=Mode.ASK, amount_usd=60)).decision
    assert isinstance(decision, Ask)
    assert [(one.rule, sorted(one.approvers)) for one in decision.requirements] == [
        ("mode:ask", ["support-lead"]),
        ("refund.large", ["finance-lead"]),
    ]


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.ACT])
def test_a_person_who_starts_a_red_draft_needs_the_red_consent(mode: Mode) -> None:
    decision = decide(loaded(PERMIT, shapes=[RED]), question(RED, mode=mode, started_by_person=True)).decision
    assert decision == Ask(requirements=(replace(CONSENTS[Tier.RED], rule=RuleId("tier:red")),))


@pytest.mark.parametrize("mode", [Mode.READ_ONLY, Mode.SUGGEST])
def test_no_person_starts_a_draft_while_the_mode_forbids_it(mode: Mode) -> None:
    decision = decide(loaded(PERMIT, shapes=[RED]), question(RED, mode=mode, started_by_person=True)).decision
    assert isinstance(decision, Deny | Suggest)
    assert decision != Suggest(rules=decision.rules, draft=True)


def test_a_person_who_starts_something_yellow_gets_no_other_answer() -> None:
    policies = loaded(PERMIT, shapes=[YELLOW])
    assert decide(policies, question(YELLOW, started_by_person=True)) == decide(policies, question(YELLOW))


@pytest.mark.parametrize(
    ("asked", "mode", "by_person"),
    [(YELLOW, Mode.ACT, False), (GREEN, Mode.ASK, False), (YELLOW, Mode.ASK, False), (RED, Mode.ACT, True)],
)
def test_where_nobody_may_consent_it_is_a_no_with_a_fix(asked: ToolShape, mode: Mode, by_person: bool) -> None:
    nobody = replace(CONSENTS[Tier.RED], approvers=frozenset[Role]())
    for consents in ({}, {Tier.YELLOW: nobody, Tier.RED: nobody}):
        policies = loaded(PERMIT, shapes=[asked], consents=consents)
        judgement = decide(policies, question(asked, mode=mode, started_by_person=by_person))
        assert isinstance(judgement.decision, Deny)
        assert "approvals." in judgement.fix


def test_a_rule_that_suggests_makes_a_red_draft_one_that_nobody_starts() -> None:
    policies = loaded(PERMIT, rule("refund.show", RuleEffect.SUGGEST), shapes=[RED])
    expected = Suggest(rules=(RuleId("tier:red"), RuleId("refund.show")), draft=False)
    assert decide(policies, question(RED)).decision == expected


@pytest.mark.parametrize(
    ("kind", "tool", "verdict"),
    [
        (SwitchKind.STOP, READ, "deny"),
        (SwitchKind.STOP, GREEN, "deny"),
        (SwitchKind.READ_ONLY, READ, "allow"),
        (SwitchKind.READ_ONLY, GREEN, "deny"),
        (SwitchKind.SUGGEST, READ, "allow"),
        (SwitchKind.SUGGEST, GREEN, "suggest"),
    ],
)
def test_every_kind_of_switch(kind: SwitchKind, tool: ToolShape, verdict: str) -> None:
    judgement = decide(loaded(PERMIT, MAY_READ), question(tool, switches=(_switch(kind),)))
    assert verdict_of(judgement.decision) == verdict
    if isinstance(judgement.decision, Deny):
        assert judgement.decision.reason is Reason.STOPPED
        assert judgement.rules == (RuleId("switch:s1"),)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(), True),
        (Scope(workflow=CALLER.workflow), True),
        (Scope(workflow=WorkflowId("other")), False),
        (Scope(environment=CALLER.environment), True),
        (Scope(environment=Environment("staging")), False),
        (Scope(agent=CALLER.agent), True),
        (Scope(agent=AgentId("other")), False),
        (Scope(tool=GREEN.name), True),
        (Scope(tool=ToolName("other")), False),
        (Scope(effect=GREEN.effect), True),
        (Scope(effect=EffectClass.OPAQUE), False),
        (Scope(workflow=CALLER.workflow, tool=ToolName("other")), False),
    ],
)
def test_a_switch_holds_back_its_scope_and_break_glass_lifts_its_scope(scope: Scope, covered: bool) -> None:
    stopped = decide(loaded(PERMIT), question(switches=(_switch(SwitchKind.STOP, scope),)))
    assert isinstance(stopped.decision, Deny) is covered
    lifted = decide(loaded(PERMIT), question(mode=Mode.READ_ONLY, glass=(_glass(scope),)))
    assert isinstance(lifted.decision, Allow) is covered


@pytest.mark.parametrize("kind", list(SwitchKind))
@pytest.mark.parametrize("mode", list(Mode))
def test_an_undo_by_an_operator_passes_switches_and_modes(kind: SwitchKind, mode: Mode) -> None:
    asked = question(YELLOW, mode=mode, switches=(_switch(kind),), undo=True, by_operator=True)
    assert isinstance(decide(loaded(PERMIT, shapes=[YELLOW]), asked).decision, Allow)


@pytest.mark.parametrize(("undo", "by_operator"), [(True, False), (False, True)])
def test_neither_an_agents_undo_nor_another_call_of_an_operator_passes_a_stop(undo: bool, by_operator: bool) -> None:
    asked = question(switches=(_switch(SwitchKind.STOP),), undo=undo, by_operator=by_operator)
    assert isinstance(decide(loaded(PERMIT), asked).decision, Deny)


def test_a_switch_thrown_against_undos_holds_back_an_operators_undo() -> None:
    switch = _switch(SwitchKind.STOP, undo_too=True)
    decision = decide(loaded(PERMIT), question(switches=(switch,), undo=True, by_operator=True)).decision
    assert isinstance(decision, Deny)


def test_an_operators_undo_is_judged_by_the_rules() -> None:
    policies = loaded(PERMIT, rule("no", RuleEffect.DENY))
    assert isinstance(decide(policies, question(undo=True, by_operator=True)).decision, Deny)


def test_a_tool_may_be_permitted_as_an_undo_alone() -> None:
    policies = loaded(rule("undo.allow", RuleEffect.PERMIT, AsUndo()))
    assert isinstance(decide(policies, question(undo=True)).decision, Allow)
    assert isinstance(decide(policies, question()).decision, Deny)


@pytest.mark.parametrize("mode", [Mode.READ_ONLY, Mode.SUGGEST, Mode.ASK])
def test_break_glass_lifts_a_mode_and_is_named(mode: Mode) -> None:
    judgement = decide(loaded(PERMIT), question(mode=mode, glass=(_glass(),)))
    assert judgement.decision == Allow(rules=(RuleId("refund.allow"), RuleId("glass:g1")))


@pytest.mark.parametrize("kind", [SwitchKind.READ_ONLY, SwitchKind.SUGGEST])
def test_break_glass_lifts_a_switch_that_is_no_stop(kind: SwitchKind) -> None:
    judgement = decide(loaded(PERMIT), question(switches=(_switch(kind),), glass=(_glass(),)))
    assert judgement.decision == Allow(rules=(RuleId("refund.allow"), RuleId("glass:g1")))


def test_break_glass_never_lifts_a_stop() -> None:
    switches = (_switch(SwitchKind.STOP), replace(_switch(SwitchKind.SUGGEST), id="s2"))
    judgement = decide(loaded(PERMIT), question(switches=switches, glass=(_glass(),)))
    assert isinstance(judgement.decision, Deny)


@pytest.mark.parametrize(("at", "until", "covered"), [(0, 0, False), (0, 1, True), (-1, 0, False), (1, 2, False)])
def test_break_glass_covers_its_time_alone(at: int, until: int, covered: bool) -> None:
    glass = _glass(at=NOON + at, until=NOON + until)
    judgement = decide(loaded(PERMIT), question(mode=Mode.READ_ONLY, glass=(glass,)))
    assert isinstance(judgement.decision, Allow) is covered


def test_break_glass_opens_no_rule_and_no_tier() -> None:
    denied = decide(loaded(PERMIT, rule("no", RuleEffect.DENY)), question(mode=Mode.ASK, glass=(_glass(),)))
    assert isinstance(denied.decision, Deny)
    red = decide(loaded(PERMIT, shapes=[RED]), question(RED, mode=Mode.SUGGEST, glass=(_glass(),)))
    assert red.decision == Suggest(rules=(RuleId("tier:red"),), draft=True)
    yellow = decide(loaded(PERMIT, shapes=[YELLOW]), question(YELLOW, mode=Mode.SUGGEST, glass=(_glass(),)))
    assert yellow.rules == (RuleId("tier:yellow"), RuleId("glass:g1"))


def test_break_glass_that_changes_nothing_is_not_named() -> None:
    assert decide(loaded(PERMIT), question(glass=(_glass(),))).rules == (RuleId("refund.allow"),)
