"""One workflow to judge calls of: a refund, a read, and whatever a test adds."""

from collections.abc import Iterable, Mapping

import orjson

from interlock.core.action import Caller
from interlock.core.canonical import Json
from interlock.core.decision import Requirement
from interlock.core.door import BreakGlass, Switch
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.fact import Fact, Known
from interlock.core.ids import (
    AgentId,
    Environment,
    Instant,
    PrincipalId,
    Role,
    RuleId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.policy.arguments import Record, arguments_of, quantities_of
from interlock.policy.load import Policies, load
from interlock.policy.rule import Always, Condition, Group, Place, Rule, RuleEffect
from interlock.policy.vocabulary import FactKind, Question, ToolShape

NOON = Instant(1_767_268_800_000_000)  # Thursday, 1 January 2026, 12:00 UTC
REFUND = ToolName("create_refund")
LOOKUP = ToolName("lookup_customer")
CALLER = Caller(
    tenant=TenantId("acme"),
    workflow=WorkflowId("support-refunds"),
    environment=Environment("prod"),
    agent=AgentId("refund-bot"),
    principal=PrincipalId("ann"),
)
REFUND_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["customer_id", "amount_usd"],
    "properties": {
        "customer_id": {"type": "string"},
        "amount_usd": {"type": "number"},
        "channel": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "urgent": {"type": "boolean"},
        "copies": {"type": "integer"},
        "ratio": {"type": "number"},
        "order": {"type": "object", "properties": {"total_usd": {"type": "number"}, "shop": {"type": "string"}}},
    },
}
REFUND_ARGS = arguments_of(REFUND_SCHEMA, ["amount_usd", "args.order.total_usd"])
CONSENTS = {
    Tier.YELLOW: Requirement(rule=RuleId(""), approvers=frozenset({Role("support-lead")})),
    Tier.RED: Requirement(
        rule=RuleId(""), approvers=frozenset({Role("support-lead"), Role("finance-lead")}), quorum=2, step_up=True
    ),
}


def shape(
    name: str = REFUND,
    effect: EffectClass = EffectClass.IDEMPOTENT_KEY,
    tier: Tier = Tier.GREEN,
    kind: str = "refund",
    arguments: Record = REFUND_ARGS,
) -> ToolShape:
    return ToolShape(name=ToolName(name), effect=effect, tier=tier, kind=kind, arguments=arguments)


READ = shape(LOOKUP, EffectClass.READ, kind="", arguments=Record(open=True))


def rule(
    id: str,
    effect: RuleEffect,
    when: Condition | None = None,
    *,
    tool: str | None = REFUND,
    kind: str = "",
    group: Group = "any",
    approvers: Iterable[str] = ("support-lead",),
    quorum: int = 1,
) -> Rule:
    asks = effect is RuleEffect.ASK
    return Rule(
        id=RuleId(id),
        effect=effect,
        place=Place(file="contract.yaml", line=7, column=3),
        tool=ToolName(tool) if tool is not None else None,
        kind=kind,
        group=group,
        when=when or Always(),
        approvers=frozenset(Role(role) for role in approvers) if asks else frozenset(),
        quorum=quorum,
    )


PERMIT = rule("refund.allow", RuleEffect.PERMIT)


def loaded(
    *rules: Rule,
    native: str | Mapping[str, str] = "",
    shapes: Iterable[ToolShape] = (shape(), READ),
    facts: Mapping[str, FactKind] | None = None,
    consents: Mapping[Tier, Requirement] = CONSENTS,
) -> Policies:
    files = {"rules/ours.cedar": native} if isinstance(native, str) else native
    return load(rules, native=files, shapes=shapes, facts=facts or {}, consents=consents)


def question(
    of: ToolShape | None = None,
    *,
    facts: Mapping[str, Fact] | None = None,
    mode: Mode = Mode.ACT,
    switches: tuple[Switch, ...] = (),
    glass: tuple[BreakGlass, ...] = (),
    now: Instant = NOON,
    tainted: bool = False,
    undo: bool = False,
    by_operator: bool = False,
    started_by_person: bool = False,
    named: Mapping[str, Json] | None = None,
    **args: Json,
) -> Question:
    """Ask for a call; of a refund, unless a shape is given. `named` are arguments that Python has no name for."""
    tool = of or shape()
    refund: dict[str, Json] = {"customer_id": "C1", "amount_usd": 30} if tool.kind == "refund" else {}
    arguments = {**refund, **args, **(named or {})}
    return Question(
        caller=CALLER,
        tool=tool.name,
        effect=tool.effect,
        tier=tool.tier,
        arguments=orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS),
        quantities=quantities_of(tool.arguments, arguments),
        facts=facts or {},
        now=now,
        mode=mode,
        switches=switches,
        glass=glass,
        tainted=tainted,
        undo=undo,
        by_operator=by_operator,
        started_by_person=started_by_person,
    )


def known(value: Json) -> Known:
    return Known(value=value, as_of=NOON)
