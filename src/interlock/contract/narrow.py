"""Whether one JSON Schema accepts no more than another. What this cannot tell counts as more."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema_rs

from interlock.core.canonical import Json, JsonObject

_Table = Mapping[str, Any]

_SAYS_NOTHING = frozenset({"title", "description", "default", "examples", "deprecated", "$defs", "$comment"})
_AT_LEAST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_AT_MOST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_PARTS = frozenset({"type", "properties", "required", "additionalProperties", "items"})
_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_REFERENCES_MAX = 16  # types of arguments that nest deeper refer to themselves


def wider(inner: JsonObject, outer: JsonObject) -> str | None:
    """Return where `inner` accepts something that `outer` does not, as a path, or nothing.

    Both are schemas of arguments: what they do not name is refused.
    """
    closed = {"type": "object", "additionalProperties": False}
    found = _wider(_inlined({**closed, **inner}, inner), _inlined({**closed, **outer}, outer), "$")
    return next(found, None)


def _wider(inner: Any, outer: Any, path: str) -> Iterator[str]:  # noqa: ANN401  JSON Schemas: tables, `true`, `false`
    if inner is False or inner == outer:
        return
    if not isinstance(outer, dict) or not isinstance(inner, dict):
        if outer is not True:
            yield path
        return
    mine, theirs = cast("_Table", inner), cast("_Table", outer)
    if "anyOf" in mine:
        for each in mine["anyOf"]:
            yield from _wider(each, theirs, path)
    elif "enum" in mine or "const" in mine:
        yield from _values(mine, theirs, path)
    elif "anyOf" in theirs:
        if all(any(_wider(mine, each, path)) for each in theirs["anyOf"]):
            yield path
    else:
        yield from _keywords(mine, theirs, path)
        yield from _members(mine, theirs, path)


def _values(inner: _Table, outer: _Table, path: str) -> Iterator[str]:
    allowed = jsonschema_rs.Draft202012Validator(dict(outer))
    values: list[Json] = inner["enum"] if "enum" in inner else [inner["const"]]
    if not all(allowed.is_valid(value) for value in values):
        yield path


def _keywords(inner: _Table, outer: _Table, path: str) -> Iterator[str]:
    if not _types(inner) <= _types(outer):
        yield path
    for keyword in outer.keys() - _SAYS_NOTHING - _PARTS:
        if keyword not in inner or not _tighter(keyword, inner[keyword], outer[keyword]):
            yield path


def _tighter(keyword: str, mine: Any, theirs: Any) -> bool:  # noqa: ANN401  values of a JSON Schema
    if keyword in _AT_LEAST:
        return mine >= theirs
    return mine <= theirs if keyword in _AT_MOST else mine == theirs


def _types(schema: _Table) -> frozenset[str]:
    said = schema.get("type", list(_TYPES))
    types = frozenset({said} if isinstance(said, str) else said)
    return types | {"integer"} if "number" in types else types


def _members(inner: _Table, outer: _Table, path: str) -> Iterator[str]:
    """Compare what objects and lists have in them, where both may be objects or lists."""
    types = _types(inner)
    if "array" in types:
        yield from _wider(inner.get("items", True), outer.get("items", True), f"{path}[*]")
    if "object" not in types:
        return
    mine, theirs = inner.get("properties", {}), outer.get("properties", {})
    my_rest, their_rest = inner.get("additionalProperties", True), outer.get("additionalProperties", True)
    for name in sorted(mine.keys() | theirs.keys()):
        yield from _wider(mine.get(name, my_rest), theirs.get(name, their_rest), f"{path}.{name}")
    yield from _wider(my_rest, their_rest, f"{path}.*")
    filled = {name for name, each in mine.items() if isinstance(each, dict) and "default" in each}
    for name in sorted(set(outer.get("required", ())) - set(inner.get("required", ())) - filled):
        yield f"{path}.{name}"


def _inlined(schema: Any, root: JsonObject, depth: int = 0) -> Any:  # noqa: ANN401  a JSON Schema, or a part of one
    """Write references out. One that leads too deep stays, and equals only itself."""
    if isinstance(schema, list):
        return [_inlined(each, root, depth) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    reference = known.get("$ref")
    if isinstance(reference, str) and depth < _REFERENCES_MAX:
        beside = {key: value for key, value in known.items() if key != "$ref"}
        return _inlined({**_referred(reference, root), **beside}, root, depth + 1)
    return {key: _inlined(value, root, depth) for key, value in known.items() if key != "$defs"}


def _referred(reference: str, root: JsonObject) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = cast("_Table", found).get(part, {}) if isinstance(found, Mapping) else {}
    return dict(cast("_Table", found)) if isinstance(found, Mapping) else {}
