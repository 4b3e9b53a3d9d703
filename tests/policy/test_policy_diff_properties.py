"""What a diff calls tighter is so: whatever is asked, no decision is looser under the new contract than it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from interlock.contract.bundle import encode
from interlock.contract.diff import differences, opens
from interlock.contract.ir import Approvals, Argument, Consent, Contract, Hook, Tool
from interlock.core.action import Caller
from interlock.core.canonical import Json
from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.errors import ContractInvalid
from interlock.core.fact import Fact, Known, Unknown
from interlock.core.ids import (
    AgentId,
    Environment,
    Instant,
    Micros,
    PersonId,
    PrincipalId,
    Role,
    RuleId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.core.value import replace
from interlock.gateway.force import compiled
from interlock.gateway.reask import judged_by
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    Place,
    Rule,
    RuleEffect,
    Uncorroborated,
)
from interlock.policy.strictness import looser
from interlock.policy.vocabulary import Question
from world import HERE, NOON

pytestmark = pytest.mark.slow


PROD, TEST = Environment("prod"), Environment("test")
PAY, CLOSE, LOOK = ToolName("pay"), ToolName("close"), ToolName("look")
TOOLS = (PAY, CLOSE, LOOK)
HOUR = Micros(3_600_000_000)
NATIVES = (
    '@id("n.big") forbid(principal, action == Action::"pay", resource) when { context.args.usd > 60000000 };',
    '@id("n.ask") @effect("ask") @approvers("b") forbid(principal, action in Action::"write", resource);',
    '@id("n.mode") forbid(principal, action, resource) when { context.mode == "ask" };',
    '@id("n.tier") forbid(principal, action, resource) when { context.tier == "yellow" };',
    '@id("n.kind") @effect("suggest") forbid(principal, action in Action::"kind:refund", resource);',
    '@id("n.read") forbid(principal, action in Action::"read", resource) unless { context.undo };',
    '@id("n.all") permit(principal, action, resource);',
)


def _schema(**usd: Any) -> dict[str, Any]:
    properties = {
        "usd": {"type": "number", **usd},
        "to": {"type": "string", "enum": ["a", "b", "c"]},
        "copies": {"type": "integer"},
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


SCHEMAS = (
    _schema(),
    _schema(maximum=60),
    _schema(default=10),
    {**_schema(), "required": ["usd"]},
    {**_schema(), "properties": {**_schema()["properties"], "to": {"type": "string", "enum": ["a"]}}},
    {**_schema(), "properties": {**_schema()["properties"], "to": {"type": ["integer", "string"]}}},
)


@st.composite
def _whom(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "approvers": frozenset(map(Role, draw(st.sets(st.sampled_from("ab"))))),
        "quorum": draw(st.integers(1, 2)),
        "each": draw(st.booleans()),
        "expires": Micros(HOUR * draw(st.integers(1, 2))),
        "step_up": draw(st.booleans()),
        "on_change": draw(st.sampled_from(["ask", "go_on"])),
    }


@st.composite
def _conditions(draw: st.DrawFn) -> Condition:
    low, high = draw(st.integers(-1, 3)) * 25_000_000, draw(st.integers(-1, 3)) * 25_000_000
    each: list[Condition] = [
        Always(),
        Above(path="usd", micros=low),
        Outside(path="usd", low=low, high=high),
        OneOf(path="to", values=tuple(sorted(draw(st.sets(st.sampled_from("abc")))))),
        FactIsNot(name="fraud", value=draw(st.booleans())),
        Before(instant=Instant(NOON + draw(st.integers(-1, 1)))),
        AsUndo(),
        Uncorroborated(),
    ]
    return draw(st.sampled_from(each))


@st.composite
def _rules(draw: st.DrawFn) -> Rule:
    effect = draw(st.sampled_from([*RuleEffect, RuleEffect.ASK, RuleEffect.ASK, RuleEffect.DENY]))
    tool = draw(st.sampled_from([PAY, PAY, PAY, CLOSE, None]))
    general = [Always(), AsUndo(), FactIsNot(name="fraud", value=False)]
    when = draw(_conditions()) if tool else draw(st.sampled_from(general))
    return Rule(
        id=RuleId(f"r{draw(st.integers(0, 5))}"),
        effect=effect,
        place=Place(file="contract.yaml", line=draw(st.integers(1, 9))),
        tool=tool,
        kind="" if tool else draw(st.sampled_from(["", "refund"])),
        group=draw(st.sampled_from(["any", "read", "write"])),
        when=when,
        **(draw(_whom()) if effect is RuleEffect.ASK else {}),
    )


@st.composite
def _tools(draw: st.DrawFn, name: ToolName) -> Tool:
    return Tool(
        name=name,
        source=f"script:{name}",
        place=HERE,
        effect=draw(
            st.sampled_from([EffectClass.OPAQUE, EffectClass.QUERYABLE, EffectClass.IDEMPOTENT, EffectClass.READ])
        ),
        tier=draw(st.sampled_from([*Tier, Tier.YELLOW, Tier.YELLOW])),
        kind=draw(st.sampled_from(["refund", "refund", ""])),
        price=draw(st.sampled_from([None, 0, 1])),
        schema=draw(st.sampled_from([*SCHEMAS, *SCHEMAS[:1] * 4])),
        arguments={"usd": Argument(role="quantity", unit="usd")},
        retries=draw(st.integers(0, 1)),
        only_for_facts=draw(st.integers(0, 9)) == 0,
        only_as_undo=draw(st.integers(0, 9)) == 0,
    )


@st.composite
def _contracts(draw: st.DrawFn) -> Contract:
    consents = [Consent(**draw(_whom())) if draw(st.integers(0, 4)) else None for _ in range(2)]
    everything = Rule(id=RuleId("everything"), effect=RuleEffect.PERMIT, place=HERE)
    return Contract(
        workflow=WorkflowId("w"),
        tenant=TenantId("t"),
        place=HERE,
        modes={PROD: draw(st.sampled_from([Mode.ACT, Mode.ACT, Mode.ACT, Mode.ACT, *Mode])), TEST: Mode.ACT},
        agents={AgentId(name): "" for name in draw(st.sampled_from(["", "", "x", "xy"]))},
        tools={name: draw(_tools(name)) for name in TOOLS if name == PAY or draw(st.integers(0, 4))},
        rules=(everything, *draw(st.lists(_rules(), max_size=3, unique_by=lambda rule: rule.id))),
        cedar={"org/n.cedar": "\n".join(draw(st.lists(st.sampled_from(NATIVES), max_size=1)))},
        facts={"fraud": Hook(tool=LOOK)} if draw(st.booleans()) else {},
        approvals=Approvals(yellow=consents[0], red=consents[1]),
    )


@st.composite
def _changed(draw: st.DrawFn, contract: Contract) -> Contract:
    """Draw one change of a contract."""
    name = draw(
        st.sampled_from(["tool", "tools", "rule", "more", "less", "modes", "agents", "facts", "approvals", "cedar"])
    )
    match name:
        case "tool" if contract.tools:
            one = draw(st.sampled_from(sorted(contract.tools)))
            field = draw(
                st.sampled_from(["tier", "effect", "kind", "schema", "price", "only_as_undo", "only_for_facts"])
            )
            tool = replace(contract.tools[one], **{field: getattr(draw(_tools(one)), field)})
            return replace(contract, tools={**contract.tools, one: tool})
        case "tools":
            kept = draw(st.sets(st.sampled_from(TOOLS)))
            tools = {name: contract.tools.get(name) or draw(_tools(name)) for name in TOOLS if name in kept}
            return replace(contract, tools=tools)
        case "rule" if len(contract.rules) > 1:
            one = draw(st.sampled_from(contract.rules[1:]))
            made = draw(_rules())
            changes: dict[str, Any] = {"when": made.when if one.tool else one.when}
            if one.effect is made.effect is RuleEffect.ASK and draw(st.booleans()):
                changes = {
                    key: getattr(made, key)
                    for key in ("approvers", "quorum", "each", "expires", "step_up", "on_change")
                }
            return replace(contract, rules=tuple(replace(r, **changes) if r is one else r for r in contract.rules))
        case "more":
            added = [rule for rule in draw(st.lists(_rules(), max_size=2, unique_by=lambda rule: rule.id))]
            known = {rule.id for rule in contract.rules}
            return replace(contract, rules=(*contract.rules, *(rule for rule in added if rule.id not in known)))
        case "less":
            return replace(contract, rules=draw(st.permutations(contract.rules))[: draw(st.integers(0, 4))])
        case "tool" | "rule":
            return contract
        case _:
            return replace(contract, **{name: getattr(draw(_contracts()), name)})


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A call and the world around it, whatever contract is in force."""

    question: Question
    fraud: Fact

    def under(self, contract: Contract) -> Question:
        facts = {"fraud": self.fraud if "fraud" in contract.facts else Unknown(why="nobody looks it up")}
        return replace(self.question, mode=contract.modes[PROD], facts=facts)


@st.composite
def _situations(draw: st.DrawFn) -> Situation:
    args: Mapping[str, Json] = {
        "usd": draw(st.sampled_from([None, -25, 10, 25, 50, 75])),
        "to": draw(st.sampled_from([None, "a", "b", "c"])),
        "copies": draw(st.sampled_from([None, 1])),
    }
    scope = Scope(effect=draw(st.sampled_from([None, EffectClass.OPAQUE, EffectClass.READ])))
    eve = PersonId("eve")
    switch = Switch(id="s", kind=draw(st.sampled_from(SwitchKind)), scope=scope, by=eve, at=NOON, undo_too=True)
    glass = BreakGlass(id="g", scope=scope, by=eve, at=NOON, until=Instant(NOON + 1))
    agent = AgentId(draw(st.sampled_from("xxxyz")))
    caller = Caller(
        tenant=TenantId("t"), workflow=WorkflowId("w"), environment=PROD, agent=agent, principal=PrincipalId("p")
    )
    text = orjson.dumps({name: value for name, value in args.items() if value is not None}, option=orjson.OPT_SORT_KEYS)
    question = Question(
        caller=caller,
        tool=draw(st.sampled_from([PAY, PAY, PAY, CLOSE, LOOK])),
        effect=EffectClass.OPAQUE,
        tier=Tier.RED,
        arguments=text,
        now=NOON,
        mode=Mode.ACT,
        switches=(switch,) if draw(st.integers(0, 6)) == 0 else (),
        glass=(glass,) if draw(st.integers(0, 6)) == 0 else (),
        tainted=draw(st.booleans()),
        undo=draw(st.integers(0, 4)) == 0,
        by_operator=draw(st.integers(0, 4)) == 0,
        started_by_person=draw(st.integers(0, 2)) == 0,
    )
    fraud = draw(st.sampled_from([Known(value=True, as_of=NOON), Known(value=False, as_of=NOON), Unknown(why="down")]))
    return Situation(question=question, fraud=fraud)


def _compiles(contract: Contract) -> bool:
    try:
        compiled(contract, encode(contract)[0])
    except ContractInvalid:
        return False
    return True


@pytest.mark.promise("door", "explain")
@settings(max_examples=80, deadline=None, report_multiple_bugs=False)
@given(st.data())
def test_where_every_line_is_tighter_no_decision_is_looser(data: st.DataObject) -> None:
    old = data.draw(_contracts().filter(_compiles))
    new, lines = old, ()
    for _ in range(data.draw(st.integers(1, 6))):
        changed = data.draw(_changed(new))
        found = differences(old, changed)
        if not opens(found):
            new, lines = changed, found
    assume(lines and _compiles(new))
    before, after = (compiled(contract, encode(contract)[0]) for contract in (old, new))
    for situation in data.draw(st.lists(_situations(), min_size=12, max_size=12)):
        was, _ = judged_by(before, situation.under(old))
        will, _ = judged_by(after, situation.under(new))
        assert not looser(was.decision, will.decision), (lines, was.decision, will.decision)


@settings(max_examples=50, deadline=None)
@given(_contracts())
def test_a_contract_does_not_differ_from_itself(contract: Contract) -> None:
    assert differences(contract, contract) == ()
