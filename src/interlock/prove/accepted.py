"""What a JSON Schema lets through, as a formula over places: never less than it does, and what is left out is named."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, cast

from interlock.contract.formats import are_named, format_of
from interlock.core.canonical import Json, JsonObject
from interlock.policy.arguments import DEPTH_MAX
from interlock.prove.formula import (
    NO,
    YES,
    Compare,
    Counts,
    Formula,
    Long,
    Matches,
    Operator,
    compare,
    every,
    holds,
    negated,
    some,
)
from interlock.prove.pattern import parse
from interlock.prove.slot import Kind, Slot, fraction_of, kind_of

_Table = Mapping[str, Any]

_TYPES: Mapping[str, Kind] = {
    "null": Kind.NULL,
    "boolean": Kind.FLAG,
    "number": Kind.NUMBER,
    "string": Kind.TEXT,
    "array": Kind.LIST,
    "object": Kind.TABLE,
}
_READ = frozenset(
    {
        "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "pattern", "properties", "required", "additionalProperties", "allOf", "anyOf",
        "oneOf", "$ref",
    }
)  # fmt: skip
_SAYS_NOTHING = frozenset(
    {
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format",
        "$defs", "definitions", "$comment", "$schema", "$id",
        # What is in a list no rule sees but as texts, and those are asked about one by one.
        "items", "minItems", "maxItems", "uniqueItems",
    }
)  # fmt: skip
_HIDES_MORE = frozenset({"patternProperties", "prefixItems", "unevaluatedItems", "unevaluatedProperties", "contains"})
"""With these, arguments that the schema lets through may be of a type that rules cannot take, and are then refused."""
_REFERENCES_MAX = 16
_SLOTS_MAX = 300  # types that hold themselves would go on for ever


@dataclass(slots=True)
class Accepted:
    """What one schema says of the places in the arguments of a tool."""

    root: JsonObject
    checks_formats: bool = False
    """Whether texts must have the `format` that the schema names."""
    formats: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    """What is named of the places, as far as it is checked."""
    arbitrary: dict[str, None] = field(default_factory=dict[str, None])
    """What is taken to be anything, in words."""
    may_not_fit: bool = False
    """Whether arguments may pass the schema and still be of a type that no rule can take."""
    _slots: dict[tuple[str, ...], Slot] = field(default_factory=dict[tuple[str, ...], Slot])
    _own_base: bool = field(init=False)

    def __post_init__(self) -> None:
        self._own_base = _has_own_base(self.root)
        if self.checks_formats and are_named(self.root):
            self.arbitrary["which texts have the `format` that the schema names"] = None

    def slots(self) -> Mapping[tuple[str, ...], Slot]:
        """Return every place, by its path."""
        return self._slots

    def add(self, path: tuple[str, ...]) -> None:
        """Make a place, with those that it lies in."""
        for end in range(1, len(path) + 1):
            self._slots.setdefault(path[:end], Slot(path[:end]))

    def collect(self, schema: Any, path: tuple[str, ...], depth: int = 0) -> None:  # noqa: ANN401  a JSON Schema
        """Make every place that the schema names."""
        self.add(path)
        for part, _ in self._parts(schema, 0):
            named = format_of(part)
            if self.checks_formats and named is not None:
                self.formats[path] = named
            if not _HIDES_MORE.isdisjoint(part):
                self.may_not_fit = True
            if depth >= DEPTH_MAX or len(self._slots) >= _SLOTS_MAX:
                continue
            for name in [*part.get("required", ()), *part.get("properties", {})]:
                self.collect(part.get("properties", {}).get(name, True), (*path, str(name)), depth + 1)

    def formula(self) -> Formula:
        """Say what holds of every place, whatever the arguments are, once they have passed the schema."""
        parts = [slot.some_kind() for slot in self._slots.values()]
        for path, slot in self._slots.items():
            if len(path) > 1:
                above = self._slots[path[:-1]]
                parts.append(some(above.one_of(Kind.TABLE), slot.one_of(Kind.ABSENT)))
        return every(*parts, *self._filled(self.root, ("args",), ()), self.fits(self.root, ("args",)))

    def _filled(self, schema: Any, path: tuple[str, ...], defaults: Sequence[_Table]) -> Iterator[Formula]:  # noqa: ANN401
        """Say what is never left out, because a default is filled in. That is done before references are followed.

        Args:
            schema: of the place.
            path: the place.
            defaults: what may stand there as a default. Nothing is filled into one.
        """
        for name, part in table_of(table_of(schema).get("properties")).items():
            slot = self._slots.get((*path, name))
            if slot is None or not isinstance(part, Mapping):
                continue
            inside = [each[name] for each in defaults if name in each]
            if "default" in part:
                inside.append(part["default"])
                if all(name in each for each in defaults):
                    yield some(negated(self._slots[path].one_of(Kind.TABLE)), negated(slot.one_of(Kind.ABSENT)))
                else:
                    self.arbitrary[f"whether `{slot.name}` is there, which a default around it leaves out"] = None
            yield from self._filled(
                part, (*path, name), [table_of(each) for each in inside if isinstance(each, Mapping)]
            )

    def fits(self, schema: Any, path: tuple[str, ...], references: int = 0) -> Formula:  # noqa: ANN401
        """Say that what stands in a place passes a schema."""
        if not isinstance(schema, Mapping):
            return NO if schema is False else YES
        known, slot = cast("_Table", schema), self._slots.get(path, Slot(path))
        for keyword in known.keys() - _READ - _SAYS_NOTHING:
            self.arbitrary[f"`{keyword}` in the schema of `{slot.name}`"] = None
        parts = [*self._of_value(known, slot), *self._of_members(known, path, references)]
        for keyword in ("allOf", "anyOf", "oneOf"):
            each = [self.fits(one, path, references) for one in known.get(keyword, ())]
            if each:
                parts.append(every(*each) if keyword == "allOf" else some(*each))
            if keyword == "oneOf" and len(each) > 1:
                self.arbitrary[f"which one of `oneOf` in the schema of `{slot.name}`"] = None
        if "$ref" in known:
            target = self._referred(str(known["$ref"]))
            if target is None or references >= _REFERENCES_MAX:
                self.arbitrary[f"`{known['$ref']}` in the schema of `{slot.name}`"] = None
            else:
                parts.append(self.fits(target, path, references + 1))
        return every(*parts)

    def _of_value(self, schema: _Table, slot: Slot) -> Iterator[Formula]:
        if "type" in schema:
            types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            yield some(*(_of_type(str(each), slot) for each in types))
        for values in ([schema["const"]] if "const" in schema else None, schema.get("enum")):
            if values is not None:
                yield some(*(self.is_value(slot, value) for value in values))
        yield from (some(negated(slot.one_of(Kind.NUMBER)), each) for each in self._of_number(schema, slot))
        yield from (some(negated(slot.one_of(Kind.TEXT)), each) for each in self._of_text(schema, slot))

    def is_value(self, slot: Slot, value: Json) -> Formula:
        """Say that a place holds a value. Of a list or an object only that it is one."""
        kind = kind_of(value)
        match kind:
            case Kind.FLAG:
                return every(slot.one_of(kind), slot.flag if value else negated(slot.flag))
            case Kind.NUMBER:
                return every(slot.one_of(kind), compare(slot.number, "==", fraction_of(value)))
            case Kind.TEXT:
                return every(slot.one_of(kind), compare(slot.text, "==", str(value)))
            case Kind.LIST | Kind.TABLE:
                self.arbitrary[f"what is in the values of `{slot.name}`"] = None
                return slot.one_of(kind)
            case _:
                return slot.one_of(kind)

    def _of_number(self, schema: _Table, slot: Slot) -> Iterator[Formula]:
        for keyword, operator, below in _BOUNDS:
            if keyword in schema:
                bound = fraction_of(schema[keyword])
                yield Compare(bound, operator, slot.number) if below else Compare(slot.number, operator, bound)
        step = schema.get("multipleOf")
        if isinstance(step, int):
            yield Counts(slot.number, Fraction(step))
        elif step is not None:
            # Whoever checks it divides floats, and may round.
            self.arbitrary[f"`multipleOf` in the schema of `{slot.name}`"] = None

    def _of_text(self, schema: _Table, slot: Slot) -> Iterator[Formula]:
        if "minLength" in schema:
            yield Long(slot.text, int(schema["minLength"]))
        if "maxLength" in schema:
            yield negated(Long(slot.text, int(schema["maxLength"]) + 1))
        if "pattern" in schema:
            pattern = parse(str(schema["pattern"]))
            if pattern is None:
                self.arbitrary[f"`pattern` in the schema of `{slot.name}`"] = None
            else:
                yield Matches(slot.text, pattern)

    def _of_members(self, schema: _Table, path: tuple[str, ...], references: int) -> Iterator[Formula]:
        """Say what an object has in it; what is no object has nothing in it."""
        properties: _Table = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        table = self._slots.get(path, Slot(path)).one_of(Kind.TABLE)
        loose = "patternProperties" in schema or path not in self._slots
        for inner, slot in self._slots.items():
            if inner[:-1] != path or not path:
                continue
            name = inner[-1]
            absent = slot.one_of(Kind.ABSENT)
            if name in properties:
                yield some(negated(table), absent, self.fits(properties[name], inner, references))
            elif rest is not True and not loose:
                yield some(negated(table), absent, self.fits(rest, inner, references))
            if name in schema.get("required", ()):
                yield some(negated(table), negated(absent))

    def may_have(self, path: tuple[str, ...], text: str) -> bool:
        """Tell whether a list in a place may have a text in it, by what the schema says of its items."""
        return self._may_have(self.at(path), Slot((*path, "[]")), text, 0)

    def _may_have(self, schema: Any, item: Slot, text: str, references: int) -> bool:  # noqa: ANN401
        if not isinstance(schema, Mapping):
            return schema is not False
        part, inner = cast("_Table", schema), partial(self._may_have, item=item, text=text)
        if "prefixItems" not in part and not self._may_be(part.get("items", True), item, text):
            return False
        if not all(inner(one, references=references) for one in part.get("allOf", ())):
            return False
        for keyword in ("anyOf", "oneOf"):
            if keyword in part:
                self.arbitrary[
                    f"what goes together in the lists of `{keyword}` in the schema of `{Slot(item.path[:-1]).name}`"
                ] = None
                if not any(inner(one, references=references) for one in part[keyword]):
                    return False
        target = self._referred(str(part["$ref"])) if "$ref" in part and references < _REFERENCES_MAX else None
        return target is None or inner(target, references=references + 1)

    def _may_be(self, items: Any, item: Slot, text: str) -> bool:  # noqa: ANN401
        try:
            return holds(self.fits(items, item.path), dict(item.holding(text)))
        except KeyError:
            return True  # it says something of what is inside the items

    def filling(self, path: tuple[str, ...], there: int, without: Collection[str]) -> list[Json]:
        """Return what a list needs beside so many items, as far as that can be told: none of some texts."""
        schema = table_of(self.at(path))
        missing = [_sample(schema.get("items"), number, without) for number in range(there, schema.get("minItems", 0))]
        if any(each in without for each in missing):
            self.arbitrary[f"which texts are enough for `{Slot(path).name}`"] = None
        return missing

    def at(self, path: tuple[str, ...]) -> Any:  # noqa: ANN401  a JSON Schema
        """Return what the schema says of a place by itself."""
        here: Any = self.root
        for name in path[1:]:
            here = table_of(table_of(here).get("properties")).get(name, True)
        return here

    def _parts(self, schema: Any, references: int) -> Iterator[tuple[_Table, int]]:  # noqa: ANN401
        """Return a schema and all that it is put together from for the same place."""
        if not isinstance(schema, Mapping):
            return
        known = cast("_Table", schema)
        yield known, references
        for keyword in ("allOf", "anyOf", "oneOf"):
            for one in known.get(keyword, ()):
                yield from self._parts(one, references)
        if "$ref" in known and references < _REFERENCES_MAX:
            yield from self._parts(self._referred(str(known["$ref"])), references + 1)

    def _referred(self, reference: str) -> Any:  # noqa: ANN401
        """Return what is referred to, or nothing where that takes more than names one after the other."""
        if not reference.startswith("#/") or not {"~", "%"}.isdisjoint(reference) or self._own_base:
            return None
        found: Any = self.root
        for part in reference.removeprefix("#/").split("/"):
            found = table_of(found).get(part)
        return found


def _has_own_base(root: JsonObject) -> bool:
    """Whether anything inside a schema may be a schema of its own, to which the references in it are relative."""
    below: list[Any] = list(root.values())
    while below:
        found = below.pop()
        inside = table_of(found)
        if "$id" in inside:
            return True
        below += inside.values() if inside else found if isinstance(found, list) else ()
    return False


def table_of(schema: Any) -> _Table:  # noqa: ANN401  a JSON Schema, or nothing
    """Return a schema as a table; one that says yes or no to everything has none."""
    return cast("_Table", schema) if isinstance(schema, Mapping) else {}


def _sample(schema: Any, number: int, without: Collection[str]) -> Json:  # noqa: ANN401  a JSON Schema
    """Make a value of some kind that a schema may let through."""
    known = table_of(schema)
    if known.get("enum"):
        values = [each for each in known["enum"] if each not in without] or known["enum"]
        return values[number % len(values)]
    samples: Mapping[str, Json] = {"number": number, "integer": number, "boolean": True, "array": [], "object": {}}
    return samples.get(str(known.get("type")), f"other{number}")


def _of_type(name: str, slot: Slot) -> Formula:
    if name == "integer":
        return every(slot.one_of(Kind.NUMBER), Counts(slot.number, Fraction(1)))
    return slot.one_of(_TYPES[name]) if name in _TYPES else NO


_BOUNDS: tuple[tuple[str, Operator, bool], ...] = (
    ("minimum", "<=", True),
    ("exclusiveMinimum", "<", True),
    ("maximum", "<=", False),
    ("exclusiveMaximum", "<", False),
)
