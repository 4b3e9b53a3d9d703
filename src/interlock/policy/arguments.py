"""The arguments of a tool as Cedar can see them: typed from JSON Schema, quantities in millionths, the rest hidden."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never, cast

from interlock.core.canonical import JsonObject
from interlock.core.money import micros_of

LONG_MAX = 2**63 - 1  # Cedar counts in 64 bits
DEPTH_MAX = 8  # no rule we saw looks deeper; below it, arguments are hidden


class Plain(Enum):
    """A type without parts."""

    STRING = "string"
    BOOL = "bool"
    LONG = "long"
    QUANTITY = "quantity"  # a decimal number, shown to rules as a whole number of millionths
    STRINGS = "strings"
    HIDDEN = "hidden"  # it may be sent, and no rule can look at it


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One argument, or one part of an argument."""

    type: "ArgumentType"
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Named parts. What an open record has beyond them is hidden; beyond a closed one it is refused."""

    attributes: Mapping[str, Attribute] = field(default_factory=dict[str, Attribute])
    open: bool = False

    def at(self, parts: tuple[str, ...]) -> "ArgumentType | None":
        """Return the type at a path, or nothing where the tool has no such argument."""
        here: ArgumentType = self
        for part in parts:
            attribute = here.attributes.get(part) if isinstance(here, Record) else None
            if attribute is None:
                return None
            here = attribute.type
        return here


ArgumentType = Plain | Record


def parts_of(path: str) -> tuple[str, ...]:
    """Split a path. `$.args.order.total`, `args.order.total` and `order.total` are the same."""
    parts = path.removeprefix("$.").split(".")
    return tuple(parts[1:] if parts[0] == "args" and len(parts) > 1 else parts)


def dotted(path: str) -> str:
    """Write a path in its one form."""
    return ".".join(parts_of(path))


def arguments_of(schema: JsonObject | None, quantities: Iterable[str] = ()) -> Record:
    """Type the arguments of a tool from its JSON Schema. What the schema leaves unclear is hidden.

    Args:
        schema: JSON Schema of an object; nothing said is an object of which no rule sees anything.
        quantities: the paths that the contract declares as quantities.
    """
    if schema is None:
        return Record(open=True)
    return _record(schema, (), frozenset(dotted(path) for path in quantities))


def _record(schema: JsonObject, path: tuple[str, ...], quantities: frozenset[str]) -> Record:
    properties = _object(schema.get("properties"))
    named = schema.get("required")
    required = cast("list[object]", named) if isinstance(named, list) else []
    return Record(
        attributes={
            name: Attribute(
                type=_type(_object(part), (*path, name), quantities),
                required=name in required and not _nullable(_object(part)),
            )
            for name, part in properties.items()
        },
        open=schema.get("additionalProperties", True) is not False,
    )


def _type(schema: JsonObject, path: tuple[str, ...], quantities: frozenset[str]) -> ArgumentType:
    # A dot would read as a path, and Cedar takes `__entity` and its like in JSON for more than a name.
    if "." in path[-1] or path[-1].startswith("__") or len(path) > DEPTH_MAX:
        return Plain.HIDDEN
    if ".".join(path) in quantities:
        return Plain.QUANTITY
    match [name for name in _types(schema) if name != "null"]:
        case ["string"]:
            return Plain.STRING
        case ["boolean"]:
            return Plain.BOOL
        case ["integer"]:
            return Plain.LONG
        case ["object"]:
            return _record(schema, path, quantities)
        case ["array"] if _types(_object(schema.get("items"))) == ["string"]:
            return Plain.STRINGS
        case _:
            return Plain.HIDDEN


def _types(schema: JsonObject) -> list[str]:
    declared = schema.get("type")
    if isinstance(declared, str):
        return [declared]
    if isinstance(declared, list):
        return [str(name) for name in cast("list[object]", declared)]
    listed = schema.get("enum")
    values = cast("list[object]", listed) if isinstance(listed, list) else [schema.get("const")]
    return ["string"] if values and all(isinstance(value, str) for value in values) else []


def _nullable(schema: JsonObject) -> bool:
    return "null" in _types(schema)


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, Mapping) else {}


def quantities_of(record: Record, arguments: JsonObject, path: tuple[str, ...] = ()) -> dict[str, int]:
    """Read the declared quantities as millionths, by path. One that is not exactly a count of them is left out."""
    found: dict[str, int] = {}
    for name, attribute in record.attributes.items():
        value = arguments.get(name)
        match attribute.type:
            case Record() as inner if isinstance(value, dict):
                found |= quantities_of(inner, cast("JsonObject", value), (*path, name))
            case Plain.QUANTITY if isinstance(value, int | float | str) and not isinstance(value, bool):
                micros = micros_of(str(value))
                found |= {} if micros is None else {".".join((*path, name)): micros}
            case _:
                pass
    return found


def fits(record: Record, arguments: JsonObject, quantities: Mapping[str, int], path: tuple[str, ...] = ()) -> bool:
    """Tell whether arguments are of their declared types, whether or not any rule looks at them."""
    for name, attribute in record.attributes.items():
        value = arguments.get(name)
        match attribute.type:
            case Plain.HIDDEN:
                whole = True
            case Plain.QUANTITY:
                micros = quantities.get(".".join((*path, name)))
                whole = not attribute.required if micros is None else -LONG_MAX - 1 <= micros <= LONG_MAX
            case _ if value is None:
                whole = not attribute.required
            case Record() as inner:
                whole = isinstance(value, dict) and fits(inner, cast("JsonObject", value), quantities, (*path, name))
            case plain:
                whole = _is(plain, value)
        if not whole:
            return False
    return record.open or arguments.keys() <= record.attributes.keys()


def _is(plain: Plain, value: object) -> bool:
    match plain:
        case Plain.STRING:
            return isinstance(value, str)
        case Plain.BOOL:
            return isinstance(value, bool)
        case Plain.LONG:
            return isinstance(value, int) and not isinstance(value, bool) and -LONG_MAX - 1 <= value <= LONG_MAX
        case Plain.STRINGS:
            return isinstance(value, list) and all(isinstance(each, str) for each in cast("list[object]", value))
        case Plain.QUANTITY | Plain.HIDDEN:
            raise AssertionError("these are looked at elsewhere")
        case _:
            assert_never(plain)


def shown(
    record: Record, arguments: JsonObject, quantities: Mapping[str, int], path: tuple[str, ...] = ()
) -> dict[str, object]:
    """Return what rules may look at, of arguments that are of their types."""
    seen: dict[str, object] = {}
    for name, value in arguments.items():
        attribute = record.attributes.get(name)
        if attribute is None:
            seen |= {} if record.open else {name: value}
            continue
        match attribute.type:
            case Plain.HIDDEN:
                pass
            case Plain.QUANTITY:
                micros = quantities.get(".".join((*path, name)))
                if micros is not None:
                    seen[name] = micros
            case Record() as inner if isinstance(value, dict):
                seen[name] = shown(inner, cast("JsonObject", value), quantities, (*path, name))
            case _ if value is not None:
                seen[name] = value
            case _:
                pass
    return seen
