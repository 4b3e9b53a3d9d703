"""How a value is written where no JSON goes: into a path, a query, a header or a form (OpenAPI 3.1, 4.8.12 and 4.8.15).

What has parts can be written in the style `deepObject`, as `name[part]=value`. The specification says so of parts
without parts of their own; further ones are written alike, `name[part][more]` and `name[0]`, as most readers expect.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from interlock.core.canonical import JsonObject
from interlock.tool.openapi_plan import Sent
from interlock.tool.openapi_schema import Schema

HEADERS_NOT_SENT = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type"}
    | {"cookie", "date", "expect", "forwarded", "host", "keep-alive", "origin", "proxy-authorization"}
    | {"proxy-connection", "referer", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via"}
    | {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-real-ip", "x-rewrite-url"}
)
"""Headers that say who asks, how it is sent, or that something else is meant. An agent says none of them."""
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}
_DEEP = "deepObject"


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A value that cannot be written there."""

    name: str
    why: str


def in_parameter(parameter: JsonObject, name: str, place: str, schema: Schema) -> Sent | Unsendable:
    """Say how a parameter is sent, or why it cannot be."""
    if place not in _STYLES:
        return Unsendable(name, "has no place")
    if "content" in parameter:
        return Unsendable(name, "is JSON inside of an address or a header")
    if place == "header" and not _may_be_set(name.lower().replace("_", "-")):
        return Unsendable(name, "is a header that no agent may set")
    if place in ("header", "cookie") and not TOKEN.fullmatch(name):
        return Unsendable(name, f"is no name of a {place}")
    style = parameter.get("style", _STYLES[place])
    if place == "query" and style == _DEEP:
        return _by_parts(name, "query", schema)
    if style != _STYLES[place]:
        return Unsendable(name, f"is written in the style `{style}`")
    if not is_flat(schema, items=place != "cookie"):
        what = "a cookie" if place == "cookie" else "an address or a header"
        return Unsendable(name, f"has parts, which {what} cannot hold")
    explode = place == "query" and parameter.get("explode", True) is not False
    known = cast("Literal['path', 'query', 'header', 'cookie']", place)
    return Sent(argument=name, place=known, name=name, explode=explode)


def _may_be_set(header: str) -> bool:
    # An underscore is no other sign than a hyphen to many who read headers.
    return header not in HEADERS_NOT_SENT and not header.startswith(("proxy-", "sec-", "x-forwarded-"))


def in_form(name: str, schema: Schema, encoding: JsonObject) -> Sent | Unsendable:
    """Say how a member of a form is sent, or why it cannot be."""
    style = encoding.get("style", "form")
    if style == _DEEP:
        # What has no parts is the same in any style.
        return _by_parts(name, "body", schema) if not is_flat(schema, items=False) else _plain(name, explode=True)
    if style != "form":
        return Unsendable(name, f"is written in the style `{style}`")
    if is_flat(schema):
        return _plain(name, explode=encoding.get("explode", True) is not False)
    kind = encoding.get("contentType", "" if _may_be_list(schema) else "application/json")
    if "style" in encoding or "explode" in encoding or kind != "application/json":
        return Unsendable(name, "has parts, which a form holds in the style `deepObject` or as JSON")
    return Sent(argument=name, place="body", name=name, parts="json")


def _plain(name: str, *, explode: bool) -> Sent:
    return Sent(argument=name, place="body", name=name, explode=explode)


def _by_parts(name: str, place: Literal["query", "body"], schema: Schema) -> Sent | Unsendable:
    if not _can_be_named(schema):
        return Unsendable(name, "has parts that repeat themselves, or a part that takes no value")
    return Sent(argument=name, place=place, name=name, parts="named")


def _can_be_named(schema: Schema) -> bool:
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:  # what could be written out stands here by now
        return False
    beside = [schema[key] for key in ("items", "additionalProperties") if schema.get(key, False) is not False]
    parts = [*schema.get("properties", {}).values(), *beside, *_choices(schema)]
    return all(_can_be_named(part) for part in parts)


def _may_be_list(schema: Schema) -> bool:
    return isinstance(schema, dict) and ("array" in types_of(schema) or any(map(_may_be_list, _choices(schema))))


def types_of(schema: dict[str, Any]) -> set[str]:
    """Name the types of value that a schema says itself. What says something else is found as a whole."""
    said = schema.get("type", [])
    every = cast("list[object]", said) if isinstance(said, list) else [said]
    return {each for each in every if isinstance(each, str)}


def _choices(schema: dict[str, Any]) -> list[Schema]:
    return [each for key in ("anyOf", "oneOf", "allOf") for each in cast("list[Schema]", schema.get(key, []))]


def is_flat(schema: Schema, *, items: bool = True) -> bool:
    """Whether a value has no parts, or only items that have none."""
    if isinstance(schema, bool):
        return schema
    types = types_of(schema)
    if "object" in types or "properties" in schema or "$ref" in schema:
        return False
    if "array" in types:
        return items and is_flat(schema.get("items", {}), items=False)
    return all(is_flat(each, items=items) for each in _choices(schema))
