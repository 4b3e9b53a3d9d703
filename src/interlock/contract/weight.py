"""How much work a schema makes: how often, at most, one place of a value is looked at, by how deep it lies.

Alternatives within alternatives multiply, and references let a few lines say it a million times. Schemas of other
servers are foreign text, and what is held against them is chosen by a model.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast
from urllib.parse import unquote

from interlock.core.canonical import Json, JsonObject
from interlock.core.errors import InterlockError
from interlock.core.limits import ARGUMENT_DEPTH_MAX

_MOST = 10**9  # more than that is as much
_PLACES_MAX = 10_000  # that are told apart
_TOGETHER_MAX = 2_000  # schemas that apply to one place
_HERE = ("$ref", "$dynamicRef", "not", "if", "then", "else")
_HERE_MANY = ("allOf", "anyOf", "oneOf")
_ITEMS = ("items", "contains", "unevaluatedItems")
_MEMBERS = ("additionalProperties", "unevaluatedProperties")

_Counts = Mapping[int, int]
"""How often each schema, by its number, applies to a place."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How often one place is looked at, at most, by its depth; deeper ones as often as the last."""

    by_depth: tuple[int, ...]

    def of(self, value: Json) -> int:
        """Return how many looks a value takes, at most."""
        looks, layer, depth = 0, [value], 0
        while layer and looks < _MOST:
            looks += len(layer) * self.by_depth[min(depth, len(self.by_depth) - 1)]
            layer, depth = list(chain.from_iterable(map(_inside, layer))), depth + 1
        return looks


def _inside(value: Json) -> Iterable[Json]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def weight_of(schema: JsonObject) -> Weight:
    """Weigh a schema.

    Raises:
        InterlockError: it refers to what cannot be found, or too much of it applies to one place.
    """
    try:
        return Weight(tuple(_by_depth(_Weighing(schema), schema)))
    except RecursionError as error:
        raise InterlockError("the schema refers from one part to the next too often", fix="write it shorter") from error


def _by_depth(weighing: "_Weighing", schema: JsonObject) -> Iterator[int]:
    places: set[frozenset[tuple[int, int]]] = {frozenset({(weighing.number(schema), 1)})}
    known = 0
    for _ in range(ARGUMENT_DEPTH_MAX + 1):
        whole = [weighing.together(dict(place)) for place in places]
        yield max(min(sum(each.values()), _MOST) for each in whole)
        below = {frozenset(inner.items()) for each in whole for inner in weighing.below(each)} - places
        known += len(below)
        if not below:
            return
        if known > _PLACES_MAX:
            below = {frozenset(_either(map(dict, below)).items())}  # as if it all applied to one
        places = below


def _either(places: Iterable[_Counts]) -> _Counts:
    most = Counter[int]()
    for each in places:
        most |= Counter(each)
    return most


@dataclass(slots=True)
class _Weighing:
    """One schema, and each schema in it by its number."""

    root: JsonObject
    schemas: list[JsonObject] = field(default_factory=list[JsonObject])
    numbers: dict[int, int] = field(default_factory=dict[int, int])
    applied: dict[int, _Counts] = field(default_factory=dict[int, _Counts])
    """What applies where a schema does."""
    named: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])

    def __post_init__(self) -> None:
        for each in _all(self.root):
            for key in ("$id", "$anchor", "$dynamicAnchor"):
                if isinstance(each.get(key), str):
                    self.named[each[key] if key == "$id" else f"#{each[key]}"] = each

    def number(self, schema: JsonObject) -> int:
        found = self.numbers.setdefault(id(schema), len(self.schemas))
        if found == len(self.schemas):
            self.schemas.append(schema)
        return found

    def together(self, place: _Counts) -> _Counts:
        """Say what applies to a place, with all that is beside it there."""
        whole: Counter[int] = Counter()
        for number, times in place.items():
            for each, more in self._applied(number).items():
                whole[each] = min(whole[each] + times * more, _MOST)
        return whole

    def _applied(self, number: int) -> _Counts:
        if number not in self.applied:
            self.applied[number] = {}  # what refers to itself in one place says nothing more
            whole = Counter({number: 1})
            for inner in self._here(self.schemas[number]):
                for each, times in self._applied(self.number(inner)).items():
                    whole[each] = min(whole[each] + times, _MOST)
            if len(whole) > _TOGETHER_MAX:
                raise InterlockError("the schema lets too much apply to one place", fix="write a shorter one")
            self.applied[number] = whole
        return self.applied[number]

    def _here(self, schema: JsonObject) -> Iterator[JsonObject]:
        for key in _HERE:
            inner = schema.get(key)
            if key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield from _schemas([self._found(inner)])
            else:
                yield from _schemas([inner])
        for key in _HERE_MANY:
            yield from _schemas(schema.get(key))
        yield from _schemas(_values(schema.get("dependentSchemas")))

    def below(self, place: _Counts) -> Iterator[_Counts]:
        """Say what applies to each place one level below: to each member that is named, to others, to items."""
        found = [(self.schemas[number], times) for number, times in place.items()]
        names = {name for schema, _ in found for name in _object(schema.get("properties"))}
        for name in (*names, None):
            yield self._counted((inner, times) for schema, times in found for inner in _member(schema, name))
        first = max((len(_list(schema.get("prefixItems"))) for schema, _ in found), default=0)
        for at in range(first + 1):
            yield self._counted((inner, times) for schema, times in found for inner in _item(schema, at))
        yield self._counted((inner, n) for schema, n in found for inner in _schemas([schema.get("propertyNames")]))

    def _counted(self, found: Iterable[tuple[JsonObject, int]]) -> _Counts:
        counts: Counter[int] = Counter()
        for schema, times in found:
            number = self.number(schema)
            counts[number] = min(counts[number] + times, _MOST)
        return counts

    def _found(self, reference: str) -> object:
        """Return what a reference leads to, in the schema itself."""
        if reference in self.named:
            return self.named[reference]
        at: object = self.root
        base, _, pointer = reference.partition("#")
        if base:
            at = self.named.get(base)
        for part in unquote(pointer).split("/")[1:] if pointer.startswith("/") else ():
            name = part.replace("~1", "/").replace("~0", "~")
            at = _object(at).get(name, _at(_list(at), name))
        if at is None or pointer and not pointer.startswith("/"):
            raise InterlockError("the schema refers to what it does not have", fix="write `#/$defs/NAME` there")
        return at


def _member(schema: JsonObject, name: str | None) -> Iterator[JsonObject]:
    """Return what of a schema can apply to a member of this name; of any other, where there is none."""
    named = _object(schema.get("properties"))
    yield from _schemas(_values(schema.get("patternProperties")))
    yield from _schemas([named[name]] if name is not None and name in named else [schema.get(key) for key in _MEMBERS])


def _item(schema: JsonObject, at: int) -> Iterator[JsonObject]:
    first = _list(schema.get("prefixItems"))
    yield from _schemas([first[at], schema.get("contains")] if at < len(first) else [schema.get(key) for key in _ITEMS])


def _schemas(found: object) -> Iterator[JsonObject]:
    for each in _list(found):
        if isinstance(each, dict):
            yield cast("JsonObject", each)


def _values(found: object) -> list[Any]:
    return list(_object(found).values())


def _object(found: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _list(found: object) -> list[Any]:
    return cast("list[Any]", found) if isinstance(found, list) else []


def _at(found: list[Any], place: str) -> object:
    return found[int(place)] if place.isascii() and place.isdecimal() and int(place) < len(found) else None


def _all(root: object) -> Iterator[JsonObject]:
    """Return every object in a schema, whatever its depth."""
    left = [root]
    while left:
        each = left.pop()
        if isinstance(each, Mapping):
            yield cast("JsonObject", each)
            left.extend(cast("Mapping[str, object]", each).values())
        else:
            left.extend(_list(each))
