"""Random small contracts and calls, for a proof and the policy to decide both."""

import json
from typing import Any

from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, RegexOptions
from policy_world import CALLER, CONSENTS, NOON, rule

from interlock.contract.arguments import Schema
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.fact import Fact, Known, Unknown
from interlock.core.ids import Instant, ToolName
from interlock.policy.arguments import arguments_of, quantities_of
from interlock.policy.load import Policies, load
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    Rule,
    RuleEffect,
    Uncorroborated,
)
from interlock.policy.vocabulary import Question, ToolShape

TOOL = ToolName("pay")
SHOP: dict[str, Any] = {"total": {"type": "number"}, "shop": {"type": "string"}, "count": {"type": "integer"}}
CLOSED_ORDER = {"type": "object", "properties": SHOP, "additionalProperties": False, "required": ["total"]}
QUANTITIES = ["usd", "order.total"]
PARTS: dict[str, list[Any]] = {
    "usd": [
        {"type": "number"},
        {"type": "number", "minimum": 0.01, "maximum": 100},
        {"type": ["number", "null"], "exclusiveMaximum": 50},
        {"type": "integer", "multipleOf": 5},
        {"enum": [10, 25.5, "30"]},
        {"anyOf": [{"type": "number"}, {"type": "string"}]},
        {"type": "number", "default": 20},
    ],
    "to": [
        {"type": "string"},
        {"type": "string", "enum": ["ann", "sam", "x"]},
        {"enum": ["ann", "kim"]},
        {"type": ["string", "null"], "maxLength": 3},
        {"type": "string", "pattern": "^[a-s]+$", "minLength": 2},
        {"const": "ann"},
    ],
    "tags": [
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "minItems": 1},
    ],
    "order": [{"type": "object", "properties": SHOP}, CLOSED_ORDER, {"$ref": "#/$defs/order"}],
    "copies": [{"type": "integer"}, {"type": "integer", "minimum": 1}, {"type": ["integer", "null"]}],
    "urgent": [{"type": "boolean"}, {"type": "boolean", "default": False}],
}


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    properties = {name: draw(st.sampled_from(kinds)) for name, kinds in PARTS.items()}
    required = [name for name in PARTS if draw(st.booleans())]
    more = draw(st.sampled_from([{}, {}, {"additionalProperties": False}, {"additionalProperties": True}]))
    whole = {"type": "object", "properties": properties, "required": required, "$defs": {"order": CLOSED_ORDER}}
    return {**whole, **more}


AMOUNTS: tuple[Json, ...] = (
    10, 25, 50, 50, 100, 10, 25, 50, 100, 0, 5, 20, 25.5, 49.99, 50.000001, 50.0000001,
    1e-7, -0.01, -5, 1e13, 1e20, 2e25, 2**53 - 1,
)  # fmt: skip
WORDS: tuple[Json, ...] = (
    "",
    "a",
    "ann",
    "sam",
    "kim",
    "x",
    "zoe",
    "long enough",
    "\u00e9",
    "\U0001f600",
    "12.5",
    "30",
)
ODD: tuple[Json, ...] = (None, True, False, [], {}, ["a"], ["a", "b"], ["c", 1], 7)
COUNTS: tuple[Json, ...] = (0, 1, 2, 5, -3, 2**53 - 1, 1e18, 1e19, 1e22, 2.0, 2.5)


ORDERS: tuple[Json, ...] = (
    {}, {"total": 10}, {"total": 50.000001, "shop": "x"}, {"total": 1e-7}, {"total": 25, "shop": "ann", "count": 2},
    {"total": "10"}, {"shop": "x"}, {"total": 100, "count": 1e19}, {"total": 11, "more": 1},
)  # fmt: skip
LISTS: tuple[Json, ...] = ([], ["a"], ["a", "b"], ["c"], ["b", "b"], ["c", 1])
VALUES: dict[str, tuple[Json, ...]] = {
    "usd": AMOUNTS, "to": WORDS, "tags": LISTS, "order": ORDERS, "copies": COUNTS, "urgent": (True, False),
}  # fmt: skip


@st.composite
def arguments(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Json]:
    """Make arguments that pass a schema, the odd ones among them."""
    found: dict[str, Json] = {}
    for name, values in VALUES.items():
        part = {**schema["properties"][name], "$defs": schema["$defs"]}
        check = Draft202012Validator(part, pattern_options=RegexOptions())
        fitting = [value for value in (*values, *ODD, *WORDS[:3], *AMOUNTS[:3]) if check.is_valid(value)]
        if fitting and (name in schema["required"] or draw(st.booleans())):
            found[name] = draw(st.sampled_from(fitting))
    return found


@st.composite
def conditions(draw: st.DrawFn, types: dict[str, str]) -> Condition:
    low, high = sorted(draw(st.sampled_from([10, 25, 50, 50, 100, -1])) * 1_000_000 for _ in range(2))
    path = draw(st.sampled_from(QUANTITIES))
    fact = draw(
        st.sampled_from(
            [
                FactIsNot(name="flag", value=draw(st.booleans())),
                FactIsNot(name="age", value=draw(st.integers(0, 2))),
                FactIsNot(name="level", value=draw(st.sampled_from(["gold", "tin"]))),
            ]
        )
    )
    each: list[Condition] = [
        Always(),
        AsUndo(),
        Uncorroborated(),
        # Amounts are what most depends on, and they have the most edges.
        *[Above(path=path, micros=high), Outside(path=path, low=low, high=high)] * 3,
        fact,
        Before(instant=Instant(NOON + draw(st.integers(-1, 1)))),
    ]
    if types["to"] == "string":
        each.append(OneOf(path="to", values=tuple(draw(st.lists(st.sampled_from(["ann", "sam", "zoe"]), max_size=2)))))
    each.append(OneOf(path="tags", values=tuple(draw(st.lists(st.sampled_from("ab"), max_size=2)))))
    return draw(st.sampled_from(each))


@st.composite
def contracts(draw: st.DrawFn, *, native: bool = False) -> tuple[Policies, dict[str, Any]]:
    """Make the policies of one tool, with its schema."""
    schema = draw(schemas())
    record = arguments_of(schema, QUANTITIES)
    shape = ToolShape(
        name=TOOL,
        effect=draw(st.sampled_from([EffectClass.OPAQUE, EffectClass.IDEMPOTENT, EffectClass.READ])),
        tier=draw(st.sampled_from([Tier.GREEN, Tier.GREEN, Tier.YELLOW, Tier.YELLOW, Tier.RED])),
        kind="money",
        arguments=record,
    )
    known = record.at(("to",))
    types = {"to": "string" if known is not None and str(known).endswith("STRING") else "hidden"}
    # Without a total of its own kind, nothing may look at it.
    rules = [_rule(draw, at, types) for at in range(draw(st.integers(0, 3)))]
    rules = [each for each in rules if _fits(each, record)]
    if draw(st.integers(0, 4)):
        rules.append(rule("opens", RuleEffect.PERMIT, tool=TOOL))
    texts = {"rules/ours.cedar": draw(st.sampled_from(_NATIVE))} if native else {}
    consents = draw(st.sampled_from([CONSENTS, CONSENTS, CONSENTS, {}]))
    facts = {"flag": "bool", "age": "long", "level": "string"}
    return load(rules, native=texts, shapes=[shape], facts=facts, consents=consents), schema  # pyright: ignore[reportArgumentType]


_NATIVE = (
    '@id("n.hour") forbid(principal, action, resource) when { context.hour < 6 };',
    '@id("n.all") @effect("ask") @approvers("a") forbid(principal, action in Action::"write", resource);',
    '@id("n.copies") @effect("suggest") forbid(principal, action, resource) when '
    "{ context.args has copies && context.args.copies * 4 > 4 };",
)


def _fits(each: Rule, record: Any) -> bool:
    path = getattr(each.when, "path", "")
    return not path or record.at(tuple(path.split("."))) is not None


def _rule(draw: st.DrawFn, at: int, types: dict[str, str]) -> Rule:
    return rule(
        f"r{at}",
        draw(st.sampled_from(RuleEffect)),
        draw(conditions(types)),
        tool=TOOL,
        approvers=draw(st.sampled_from([("a",), ("a",), ("a", "b"), ()])),
    )


@st.composite
def questions(draw: st.DrawFn, policies: Policies, schema: dict[str, Any]) -> Question:
    """Ask for a call, as the gateway would."""
    read = Schema.compile(schema).read(json.dumps(draw(arguments(schema))))
    assert not isinstance(read, tuple), read
    facts: dict[str, Fact] = {}
    for name, values in FACTS.items():
        value = draw(st.sampled_from(values))
        facts[name] = Unknown(why="down") if value is None else Known(value=value, as_of=NOON)
    shape = policies.slices[TOOL].shape
    return Question(
        caller=CALLER,
        tool=TOOL,
        effect=shape.effect,
        tier=shape.tier,
        arguments=read.text,
        quantities=quantities_of(shape.arguments, read.values),
        facts=facts,
        now=Instant(NOON + draw(st.integers(-1, 1))),
        mode=draw(st.sampled_from([Mode.ACT, Mode.ACT, Mode.ACT, Mode.ASK, Mode.SUGGEST, Mode.READ_ONLY])),
        tainted=draw(st.booleans()),
        corroborated=draw(st.booleans()),
        undo=draw(st.booleans()),
        by_operator=draw(st.booleans()),
        started_by_person=draw(st.booleans()),
    )


FACTS: dict[str, tuple[Json, ...]] = {
    "flag": (True, False, True, False, None, "no"),
    "age": (0, 1, 2, 1, None, True),
    "level": ("gold", "tin", "gold", "tin", None, ""),
}
EXPRESSIONS = st.sampled_from(
    [
        "args.usd > 50",
        "args.usd >= 50 and args.usd != 100",
        "args.usd == 25.5 or args.to == 'ann'",
        "not (args.usd <= 25)",
        "args.to in ['ann', 'sam', 3]",
        "not (args.to in ['ann', 'sam'])",
        "args.to < 'b'",
        "'a' in args.tags",
        "args.order.total > 10 and args.order.shop == 'x'",
        "args.order.total == args.usd",
        "args.urgent",
        "not args.urgent",
        "args.urgent == false",
        "args.copies > 1 and facts.age >= 1",
        "facts.flag",
        "not facts.flag or facts.level == 'gold'",
        "args.to == args.order.shop",
        "[args.to, args.copies] == ['ann', 1]",
        "args.to == 7",
        "args.nothing == 1",
        "args.usd in [10, 20, args.copies]",
        "true and args.usd > 0",
    ]
)
