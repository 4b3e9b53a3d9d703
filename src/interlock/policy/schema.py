"""The vocabulary of the policies as a Cedar schema, and one question in that vocabulary."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import cast

import orjson
from msgspec import Struct

from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Mode
from interlock.core.fact import Known
from interlock.core.ids import ToolName
from interlock.core.value import replace
from interlock.policy.arguments import Plain, Record, fits, shown
from interlock.policy.cedar import kind_group
from interlock.policy.engine import Request
from interlock.policy.vocabulary import FactKind, Question, ToolShape

GROUPS = ("any", "read", "write")
_CEDAR = {
    Plain.STRING: {"type": "String"},
    Plain.BOOL: {"type": "Boolean"},
    Plain.LONG: {"type": "Long"},
    Plain.QUANTITY: {"type": "Long"},
    Plain.STRINGS: {"type": "Set", "element": {"type": "String"}},
}
_FACTS = {"bool": {"type": "Boolean"}, "long": {"type": "Long"}, "string": {"type": "String"}}
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_FIRST_WEEKDAY = 3  # 1970 began on a Thursday, and weeks on Mondays


def groups_of(shape: ToolShape) -> tuple[str, ...]:
    """Name every group that a rule may reach the tool by."""
    direct = "read" if shape.effect is EffectClass.READ else "write"
    return ("any", direct, kind_group(shape.kind)) if shape.kind else ("any", direct)


_CALLERS_KEPT = 1_024

EVERYTHING = frozenset(
    {"args", "facts", "run", "trust", "now", "hour", "weekday", "mode", "tier", "environment", "on_behalf_of", "undo"}
)
"""What a policy can find in its context."""


class View(Struct, frozen=True, kw_only=True):
    """What some policies look at in a question. Cedar is shown this and no more, as it checks all that it is shown."""

    shape: ToolShape
    """The tool, with those of its arguments that are looked at."""
    declared: Record
    """All arguments that it has. They must be of their types, looked at or not."""
    facts: Mapping[str, FactKind]
    parts: frozenset[str] = EVERYTHING


def view_of(shape: ToolShape, facts: Mapping[str, FactKind], looks_at: Iterable[tuple[str, ...]]) -> View:
    """Cut a question to what policies look at.

    Args:
        shape: the tool that it is about.
        facts: the facts that they look at.
        looks_at: the places in the context that they name; an empty one is all of it.
    """
    paths = frozenset(looks_at)
    if () in paths:
        return View(shape=shape, declared=shape.arguments, facts=facts)
    named = {path[1] for path in paths if path[0] == "args" and len(path) > 1}
    arguments = shape.arguments
    if ("args",) not in paths:
        seen = {name: attribute for name, attribute in arguments.attributes.items() if name in named}
        arguments = Record(attributes=seen, open=True)
    # `context has facts` is no place that is looked at, and holds.
    parts = frozenset({"facts", *(path[0] for path in paths)})
    return View(shape=replace(shape, arguments=arguments), declared=shape.arguments, facts=facts, parts=parts)


def schema_of(
    shapes: Iterable[ToolShape], facts: Mapping[str, FactKind], parts: frozenset[str] = EVERYTHING
) -> JsonObject:
    """Write the schema in Cedar's JSON form, where a name is a key and cannot be anything else.

    Args:
        shapes: the tools.
        facts: the facts, and what they are.
        parts: what there is in the context.
    """
    known = tuple(shapes)
    kinds = {kind_group(shape.kind) for shape in known if shape.kind}
    actions: dict[str, object] = {"any": {}, "read": _member_of("any"), "write": _member_of("any")}
    actions |= {kind: _member_of("any") for kind in sorted(kinds)}
    actions |= {shape.name: _action(shape, facts, parts) for shape in known}
    agents = {"Agent": {"memberOfTypes": ["Workflow"]}, "Workflow": {"memberOfTypes": ["Tenant"]}, "Tenant": {}}
    return {"": {"entityTypes": agents, "actions": actions}}


def stand_ins(shapes: Iterable[ToolShape], named: Iterable[str]) -> tuple[ToolShape, ...]:
    """Make tools that exist only while policies are validated, so that a rule about tools that are not here may stand.

    Args:
        shapes: the tools that are here.
        named: tools and groups that a policy may name although nothing of that name is here.
    """
    known = tuple(shapes)
    there = {shape.name for shape in known} | {group for shape in known for group in groups_of(shape)}
    missing = [name for name in sorted({"read", "write", *named}) if name not in there and name != "any"]
    return tuple(_stand_in(name) for name in missing)


def _stand_in(name: str) -> ToolShape:
    if name in GROUPS or name.startswith(kind_group("")):
        # No tool may begin like a kind, so this name is free.
        effect = EffectClass.READ if name == "read" else EffectClass.OPAQUE
        kind = name.removeprefix(kind_group("")) if name not in GROUPS else ""
        return ToolShape(name=ToolName(kind_group(f"\n{name}")), effect=effect, kind=kind)
    return ToolShape(name=ToolName(name))


def _member_of(*groups: str) -> dict[str, object]:
    return {"memberOf": [{"id": group} for group in groups]}


def _action(shape: ToolShape, facts: Mapping[str, FactKind], parts: frozenset[str]) -> JsonObject:
    context: dict[str, object] = {
        "args": _record(shape.arguments),
        "facts": _parts({name: (_FACTS[kind], False) for name, kind in facts.items()}),
        "run": _parts({unit.value: ({"type": "Long"}, False) for unit in Unit}),
        "trust": _parts({"tainted": ({"type": "Boolean"}, True), "corroborated": ({"type": "Boolean"}, True)}),
        **{name: {"type": "Long"} for name in ("now", "hour", "weekday")},
        **{name: {"type": "String"} for name in ("mode", "tier", "environment", "on_behalf_of")},
        "undo": {"type": "Boolean"},
    }
    return {
        **_member_of(*groups_of(shape)),
        "appliesTo": {
            "principalTypes": ["Agent"],
            "resourceTypes": ["Tenant"],
            "context": {"type": "Record", "attributes": {name: context[name] for name in sorted(parts)}},
        },
    }


def _record(record: Record) -> JsonObject:
    parts: dict[str, tuple[JsonObject, bool]] = {}
    for name, attribute in record.attributes.items():
        if isinstance(attribute.type, Record):
            parts[name] = (_record(attribute.type), attribute.required)
        elif attribute.type is not Plain.HIDDEN:
            parts[name] = (_CEDAR[attribute.type], attribute.required)
    return _parts(parts)


def _parts(parts: Mapping[str, tuple[JsonObject, bool]]) -> JsonObject:
    attributes = {name: {**type, "required": required} for name, (type, required) in parts.items()}
    return {"type": "Record", "attributes": attributes}


def request_of(question: Question, view: View, mode: Mode) -> Request:
    """Put a question as Cedar takes it: what is unknown, or what no rule looks at, is not there.

    Raises:
        ValueError: the arguments are not a JSON object, or one of them is not of its type.
        TypeError: a value has no form as JSON.
    """
    arguments = orjson.loads(question.arguments)
    if not isinstance(arguments, dict):
        raise ValueError("the arguments are not a JSON object")
    if not fits(view.declared, cast("JsonObject", arguments), question.quantities):
        raise ValueError("an argument is not of its type")
    context: dict[str, object] = {
        "args": shown(view.shape.arguments, cast("JsonObject", arguments), question.quantities),
        "facts": {
            name: fact.value
            for name in view.facts
            if (fact := question.facts.get(name)) is not None and isinstance(fact, Known)
        },
        "run": {unit.value: amount for unit, amount in question.counters.items()},
        "trust": {"tainted": question.tainted, "corroborated": question.corroborated},
        "now": question.now,
        "hour": question.now % _DAY // _HOUR,
        "weekday": (question.now // _DAY + _FIRST_WEEKDAY) % 7 + 1,
        "mode": mode.value,
        "tier": view.shape.tier.value,
        "environment": question.caller.environment,
        "on_behalf_of": question.caller.principal,
        "undo": question.undo,
    }
    caller = question.caller
    return Request(
        principal=caller.agent,
        action=view.shape.name,
        resource=caller.tenant,
        context=orjson.dumps({name: context[name] for name in view.parts}, option=orjson.OPT_SORT_KEYS).decode(),
        entities=_entities(caller),
    )


@lru_cache(_CALLERS_KEPT)
def _entities(caller: Caller) -> str:
    """Write the caller as Cedar entities: an agent in a workflow in a tenant."""
    agent = {"type": "Agent", "id": caller.agent}
    workflow = {"type": "Workflow", "id": caller.workflow}
    tenant = {"type": "Tenant", "id": caller.tenant}
    lines = [(agent, [workflow]), (workflow, [tenant]), (tenant, list[dict[str, str]]())]
    return orjson.dumps([{"uid": uid, "attrs": {}, "parents": parents} for uid, parents in lines]).decode()
