"""Tables of cases for policies: a call, and what must become of it. Plain values in, the differences out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from interlock.core.action import Caller
from interlock.core.canonical import Json, JsonObject, canonical
from interlock.core.decision import Allow, Ask, Decision, Deny, Suggest
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.fact import Fact, Known, Unknown
from interlock.core.ids import AgentId, Environment, Instant, PrincipalId, RuleId, TenantId, ToolName, WorkflowId
from interlock.policy.arguments import Record, quantities_of
from interlock.policy.decide import decide
from interlock.policy.explain import explain
from interlock.policy.load import Policies
from interlock.policy.vocabulary import Question

Verdict = Literal["allow", "ask", "suggest", "draft", "deny"]


def _anyone() -> Caller:
    return Caller(
        tenant=TenantId("tenant"),
        workflow=WorkflowId("workflow"),
        environment=Environment("staging"),
        agent=AgentId("agent"),
        principal=PrincipalId("principal"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call and what must become of it. A fact that is not given is unknown."""

    name: str
    tool: ToolName
    args: JsonObject = field(default_factory=dict[str, object])
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    mode: Mode = Mode.ACT
    expect: Verdict
    rules: frozenset[RuleId] | None = None
    """Exactly the rules that must have decided; nothing said is any."""
    caller: Caller = field(default_factory=_anyone)
    now: Instant = Instant(0)
    tainted: bool = False
    corroborated: bool = False
    undo: bool = False
    by_operator: bool = False
    started_by_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A case that came out in another way."""

    case: Case
    found: Verdict
    rules: frozenset[RuleId]
    why: tuple[str, ...]

    def __str__(self) -> str:
        wanted = f"{self.case.expect} {_listed(self.case.rules)}".strip()
        return f"`{self.case.name}`: expected {wanted}, found {self.found} {_listed(self.rules)}".strip()


def differences(policies: Policies, cases: Iterable[Case]) -> tuple[Difference, ...]:
    """Judge each case and return those that did not come out as expected."""
    found: list[Difference] = []
    for case in cases:
        question = question_for(policies, case)
        judgement = decide(policies, question)
        verdict, rules = verdict_of(judgement.decision), frozenset(judgement.rules)
        if verdict != case.expect or (case.rules is not None and rules != case.rules):
            why = explain(policies, question, judgement)
            found.append(Difference(case=case, found=verdict, rules=rules, why=why))
    return tuple(found)


def question_for(policies: Policies, case: Case) -> Question:
    """Ask what a case describes, as the gateway would."""
    slice = policies.slices.get(case.tool)
    shape = slice.shape if slice else None
    looked_up: dict[str, Fact] = {name: Unknown(why="nobody said it") for name in policies.facts_of(case.tool)}
    looked_up |= {name: Known(value=value, as_of=case.now) for name, value in case.facts.items()}
    return Question(
        caller=case.caller,
        tool=case.tool,
        effect=shape.effect if shape else EffectClass.OPAQUE,
        tier=shape.tier if shape else Tier.RED,
        arguments=canonical(case.args),
        quantities=quantities_of(shape.arguments if shape else Record(), case.args),
        facts=looked_up,
        now=case.now,
        mode=case.mode,
        tainted=case.tainted,
        corroborated=case.corroborated,
        undo=case.undo,
        by_operator=case.by_operator,
        started_by_person=case.started_by_person,
    )


def verdict_of(decision: Decision) -> Verdict:
    """Name a decision in one word."""
    match decision:
        case Allow():
            return "allow"
        case Ask():
            return "ask"
        case Suggest(draft=draft):
            return "draft" if draft else "suggest"
        case Deny():
            return "deny"
        case _:
            assert_never(decision)


def _listed(rules: frozenset[RuleId] | None) -> str:
    return f"({', '.join(sorted(rules))})" if rules else ""
