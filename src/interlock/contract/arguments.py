"""Arguments: parsed once, checked against the pinned schema, defaults filled, written in the one canonical form."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn, cast

import jsonschema_rs
import rfc8785
from msgspec import Struct

from interlock.contract.weight import Weight, weight_of
from interlock.core.canonical import Json, JsonObject, canonical
from interlock.core.errors import InterlockError
from interlock.core.limits import (
    ARGUMENT_BYTES_MAX,
    ARGUMENT_DEPTH_MAX,
    SAFE_INTEGER,
    SCHEMA_LOOKS_MAX,
    SCHEMA_LOOKS_TOLD_MAX,
)
from interlock.core.outcome import Wrong


class Arguments(Struct, frozen=True, kw_only=True):
    """What was asked for, in the one form that is judged, shown, approved, recorded and sent."""

    text: bytes
    """RFC 8785."""
    values: Mapping[str, Json]


class _Bad(Exception):
    def __init__(self, kind: str) -> None:
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Schema:
    """A compiled JSON Schema (2020-12) of the arguments of one tool."""

    source: JsonObject
    validator: jsonschema_rs.Validator
    names: frozenset[str]
    """The names that the schema itself gives to properties: only these may be told."""
    weight: Weight

    @classmethod
    def compile(cls, source: JsonObject, *, formats: bool = False) -> "Schema":
        """Compile a schema; properties that it does not name are refused, unless it says otherwise.

        Args:
            source: the schema.
            formats: whether texts must have the `format` that it names.

        Raises:
            InterlockError: it is not a JSON Schema, or it refers to something outside itself.
        """
        strict: dict[str, Any] = {"type": "object", "additionalProperties": False, **source}
        return cls(strict, _validator(strict, formats=formats), frozenset(_names(strict)), weight_of(strict))

    @classmethod
    def of_result(cls, source: JsonObject, *, formats: bool = False) -> "Schema":
        """Compile the schema of what comes back, which may be anything and have more than is named.

        Args:
            source: the schema.
            formats: whether texts must have the `format` that it names.

        Raises:
            InterlockError: it is not a JSON Schema, or it refers to something outside itself.
        """
        return cls(source, _validator(source, formats=formats), frozenset(_names(source)), weight_of(source))

    def fits(self, value: Json) -> bool:
        """Tell whether a value is as the schema says. What takes too long to find out is not."""
        return self.weight.of(value) <= SCHEMA_LOOKS_MAX and self.validator.is_valid(value)

    def wrong_at(self, steps: Iterable[object], kind: str) -> Wrong:
        """Say that something is wrong at a place, with those names alone that the schema has."""
        return Wrong(path=_path([step for step in steps if isinstance(step, str | int)], self.names), kind=kind)

    def read(self, raw: bytes | str) -> Arguments | tuple[Wrong, ...]:
        """Return the arguments, or all that is wrong with them: where and which kind, never what stood there."""
        try:
            values = _parse(raw)
        except _Bad as bad:
            return (Wrong(path="$", kind=bad.kind),)
        _fill_defaults(values, self.source)
        try:
            text = canonical(values)
        except InterlockError:
            return (Wrong(path="$", kind="not_canonical"),)
        looks = self.weight.of(values)
        if looks > SCHEMA_LOOKS_MAX:
            return (Wrong(path="$", kind="too_large"),)
        if self.validator.is_valid(values):
            return Arguments(text=text, values=values)
        if looks > SCHEMA_LOOKS_TOLD_MAX:
            return (Wrong(path="$", kind="unfit"),)
        return tuple(_wrong(error, self.names) for error in self.validator.iter_errors(values))


def in_words(wrong: Wrong) -> str:
    """Say what is wrong with arguments, in words for whoever reads a refusal."""
    words = _WORDS.get(wrong.kind)
    return f"{wrong.path}: {wrong.kind}" if words is None else f"{wrong.path} {words} ({wrong.kind})"


_WORDS = {
    "AdditionalProperties": "has a name that the schema does not know",
    "AnyOf": "is none of the things that the schema lets it be",
    "Constant": "is not the value that the schema names",
    "Enum": "is none of the values that the schema names",
    "ExclusiveMaximum": "is too large",
    "ExclusiveMinimum": "is too small",
    "Format": "is not of the `format` that the schema names",
    "MaxItems": "has too many items",
    "MaxLength": "is too long",
    "MaxProperties": "has too many members",
    "Maximum": "is too large",
    "MinItems": "has too few items",
    "MinLength": "is too short",
    "MinProperties": "has too few members",
    "Minimum": "is too small",
    "MultipleOf": "is no multiple of what the schema names, or has too many decimals",
    "OneOfMultipleValid": "is several of the things of which the schema lets it be one",
    "OneOfNotValid": "is none of the things that the schema lets it be",
    "Pattern": "is not of the form that is wanted",
    "Required": "is missing",
    "Type": "is of another type than the schema says",
    "UnevaluatedProperties": "has a name that the schema does not know",
    "UniqueItems": "has an item twice",
    "duplicate_key": "has a name twice",
    "inexact_number": "has a number of more digits than JSON keeps",
    "not_json": "is no JSON",
    "too_deep": "is nested too deeply",
    "too_large": "is too large",
    "type": "is no JSON object",
    "unfit": "is not as the schema says, and too large to say where",
    "unsafe_integer": "has an integer beyond 2^53 - 1",
}


def _validator(source: JsonObject, *, formats: bool) -> jsonschema_rs.Validator:
    try:
        # RE2-like matching, so that no pattern of a foreign schema can take exponential time. For the same reason
        # nothing is compiled that comes in an argument, which `format: regex` would do.
        return jsonschema_rs.Draft202012Validator(
            dict(source),
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=formats,
            formats={"regex": _any_text},
            retriever=_refuse_to_fetch,
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise InterlockError("the schema is not valid", fix="correct it at its source") from error


def _any_text(_: str) -> bool:
    return True


def as_sent(raw: bytes | str) -> Mapping[str, Json] | None:
    """Read arguments as they came, with no default filled in; nothing if they are no JSON object."""
    try:
        return _parse(raw)
    except _Bad:
        return None


def parsed(text: bytes) -> Mapping[str, Json]:
    """Read canonical arguments again, as they were stored."""
    return cast("Mapping[str, Json]", json.loads(text))


def _parse(text: bytes | str) -> dict[str, Any]:
    if len(text) > ARGUMENT_BYTES_MAX:
        raise _Bad("too_large")
    try:
        raw = text.decode("utf-8", "strict") if isinstance(text, bytes) else text
        if raw.count("[") + raw.count("{") > ARGUMENT_DEPTH_MAX and _depth(raw) > ARGUMENT_DEPTH_MAX:
            raise _Bad("too_deep")
        value = _strict().decode(raw)
    except (ValueError, RecursionError) as error:
        raise _Bad("not_json") from error
    if not isinstance(value, dict):
        raise _Bad("type")
    return cast("dict[str, Any]", value)


@cache
def _strict() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_unique, parse_float=_exact, parse_int=_safe, parse_constant=_no_constant)


def _depth(raw: str) -> int:
    deepest = depth = 0
    inside = escaped = False
    for char in raw:
        if inside:
            inside, escaped = (escaped or char != '"'), (char == "\\" and not escaped)
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Bad("duplicate_key")
    return values


def _exact(text: str) -> float | int:
    number = float(text)
    try:
        same = Decimal(rfc8785.dumps(number).decode()) == Decimal(text)
    except (rfc8785.CanonicalizationError, ArithmeticError) as error:
        raise _Bad("inexact_number") from error
    if not same:
        raise _Bad("inexact_number")
    return number


def _safe(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > SAFE_INTEGER:
        raise _Bad("unsafe_integer")
    return int(text)


def _no_constant(_: str) -> NoReturn:
    raise _Bad("not_a_number")


def _refuse_to_fetch(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to `{uri}`")


def _fill_defaults(values: dict[str, Any], schema: JsonObject) -> None:
    properties: JsonObject = schema.get("properties", {})
    for name, inner in properties.items():
        if not isinstance(inner, dict):
            continue
        known = cast("dict[str, Any]", inner)
        if name not in values and "default" in known:
            values[name] = json.loads(json.dumps(known["default"]))
        elif isinstance(values.get(name), dict):
            _fill_defaults(values[name], known)


def _names(schema: object) -> Iterator[str]:
    """Name every property that a schema names, at any depth."""
    if isinstance(schema, list):
        for inner in cast("list[object]", schema):
            yield from _names(inner)
    elif isinstance(schema, dict):
        known = cast("dict[str, object]", schema)
        named, needed = known.get("properties"), known.get("required")
        yield from cast("dict[str, object]", named) if isinstance(named, dict) else ()
        yield from map(str, cast("list[object]", needed)) if isinstance(needed, list) else ()
        for inner in known.values():
            yield from _names(inner)


def _wrong(error: jsonschema_rs.ValidationError, names: frozenset[str]) -> Wrong:
    kind = type(error.kind).__name__.removeprefix("ValidationErrorKind_")
    # The name of what is missing comes from the schema, so it may be told.
    missing: list[str | int] = [error.kind.property] if isinstance(error.kind, _REQUIRED) else []
    return Wrong(path=_path([*error.instance_path, *missing], names), kind=kind)


_REQUIRED = jsonschema_rs.ValidationErrorKind.Required


def _path(parts: list[str | int], names: frozenset[str]) -> str:
    # A name that whoever called has chosen is their text, and may be a secret; it is told as `*`.
    told = (f"[{part}]" if isinstance(part, int) else f".{part if part in names else '*'}" for part in parts)
    return "$" + "".join(told)


def quantity(values: Mapping[str, Json], path: str, *, read: Callable[[str], int | None]) -> int | None:
    """Read the number at a top-level name or dotted path through `read`, exactly, or return nothing."""
    found: Json = cast("Json", dict(values))
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return read(rfc8785.dumps(found).decode())
