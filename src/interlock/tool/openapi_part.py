"""A member of a `multipart/form-data` body: as what it leaves, and what an agent says for it (RFC 7578).

A file is said as its name and what is in it, as text or in base64. What has parts of its own leaves as JSON.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

from interlock.core.canonical import JsonObject
from interlock.core.limits import FILE_BYTES_MAX
from interlock.tool.content_type import is_json, kind_of
from interlock.tool.openapi_argument import Argument, sendable
from interlock.tool.openapi_document import Found
from interlock.tool.openapi_multipart import NAME_CHARS_MAX, can_be_named
from interlock.tool.openapi_plan import Part, Sent
from interlock.tool.openapi_schema import Schema
from interlock.tool.openapi_style import Unsendable, is_flat, types_of

_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,60}/(?:[A-Za-z0-9!#$&^_.+-]{1,60}|\*)(?: ?; ?[A-Za-z0-9-]+=[A-Za-z0-9_.-]+)*|\*/\*"
)
_BYTES = "application/octet-stream"
_ABOUT = ("title", "description")


def in_part(found: Found, name: str, schema: Schema, encoding: JsonObject, *, needed: bool) -> Argument | Unsendable:
    """Say how a member is sent, and what an agent says for it.

    Args:
        found: the operation.
        name: of the member.
        schema: as the document has it.
        encoding: what the document says of how it is written.
        needed: whether the operation cannot be asked without it.

    Raises:
        ContractInvalid: it is needed, and cannot be sent.
    """
    made = _made(name, schema, encoding)
    if isinstance(made, Unsendable):
        return sendable(found, made, "its part", schema, needed=needed)
    part, said, each = made
    sent = Sent(argument=name, place="body", name=name, explode=each, part=part)
    return sendable(found, sent, "its part", said, needed=needed)


def _made(name: str, schema: Schema, encoding: JsonObject) -> tuple[Part, Schema, bool] | Unsendable:
    types = [each.strip() for each in str(encoding.get("contentType", "")).split(",") if each.strip()]
    if not can_be_named(name):
        return Unsendable(name, "has a name that no part can have")
    if not all(map(_TYPE.fullmatch, types)):
        return Unsendable(name, "is of a type of content that cannot be read")
    if _wants_headers(encoding):
        return Unsendable(name, "wants headers of its own")
    if len(types) == 1 and is_json(types[0]):
        return Part(given="json", type=types[0]), schema, False
    if isinstance(schema, dict) and types_of(schema) == {"array"}:
        one = _one(name, schema.get("items", {}), types)
        return one if isinstance(one, Unsendable) else (one[0], {**schema, "items": one[1]}, True)
    one = _one(name, schema, types)
    return one if isinstance(one, Unsendable) else (*one, False)


def _wants_headers(encoding: JsonObject) -> bool:
    said: object = encoding.get("headers") or {}
    if not isinstance(said, dict):
        return True
    headers = cast("dict[str, object]", said)
    return any(
        isinstance(header, dict) and cast("JsonObject", header).get("required") is True
        for name, header in headers.items()
        if name.lower() != "content-type"
    )


def _one(name: str, schema: Schema, types: Sequence[str]) -> tuple[Part, Schema] | Unsendable:
    if isinstance(schema, bool):
        return Unsendable(name, "is of no type")
    within = str(schema.get("contentMediaType", ""))
    if types_of(schema) - {"null"} == {"string"}:
        if schema.get("format") in ("byte", "base64") or "contentEncoding" in schema:
            return _encoded(name, schema, types)
        if schema.get("format") == "binary" or (within and not is_json(within)):
            return _file(schema, types or [within or _BYTES])
    if not schema.keys() - {*_ABOUT, "format"}:
        # Nothing said of it is anything at all, so it is bytes (OpenAPI 3.1, 4.8.15.1).
        return _file(schema, types or [_BYTES])
    if is_flat(schema, items=False):
        exact = [each for each in (*types, within) if each and "*" not in each]
        return Part(given="text", type=exact[0] if exact else ""), schema
    if not types and ("object" in types_of(schema) or "properties" in schema or "$ref" in schema):
        return Part(given="json", type="application/json"), schema
    return Unsendable(name, f"is written as `{types[0]}`" if types else "has parts, and no type of content")


def _encoded(name: str, schema: dict[str, Any], types: Sequence[str]) -> tuple[Part, Schema] | Unsendable:
    """Leave as it is what comes in base64 and is read as such on the other side."""
    encoding = schema.get("contentEncoding", "base64")
    if encoding != "base64":
        return Unsendable(name, f"is encoded as `{encoding}`")
    exact = [each for each in (*types, str(schema.get("contentMediaType", ""))) if each and "*" not in each]
    longest = _longest(schema, _base64_chars(FILE_BYTES_MAX))
    said = {**schema, "contentEncoding": "base64", "maxLength": longest}
    return Part(given="base64", type=exact[0] if exact else _BYTES), said


def _file(schema: dict[str, Any], types: Sequence[str]) -> tuple[Part, Schema]:
    """Make a table of a file: its name, what is in it and, where there are several, of which type that is."""
    as_text = all(map(_is_text, types))
    content = {key: value for key, value in schema.items() if key in ("minLength", "maxLength", "pattern")}
    if as_text:
        longest = _longest(schema, FILE_BYTES_MAX)
        inside: JsonObject = {"text": {**content, "type": "string", "maxLength": longest}}
    else:
        longest = _base64_chars(FILE_BYTES_MAX)
        inside = {"base64": {"type": "string", "contentEncoding": "base64", "maxLength": longest}}
    name: JsonObject = {"name": {"type": "string", "pattern": r"^[^/\\]+$", "maxLength": NAME_CHARS_MAX}}
    exact = types[0] if len(types) == 1 and "*" not in types[0] else ""
    kind: JsonObject = {} if exact else {"type": _choice(types)}
    properties = {**name, **inside, **kind}
    said = {
        **{key: schema[key] for key in _ABOUT if key in schema},
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }
    return Part(given="text file" if as_text else "base64 file", type=exact), said


def _is_text(type: str) -> bool:
    kind = kind_of(type)
    return kind.startswith("text/") or is_json(kind) or kind.endswith(("/xml", "+xml"))


def _choice(types: Sequence[str]) -> JsonObject:
    if not any("*" in each for each in types):
        return {"type": "string", "enum": list(types)}
    ways = "|".join(re.escape(each).replace(r"\*", "[A-Za-z0-9!#$&^_.+-]+") for each in types)
    return {"type": "string", "pattern": f"^(?:{ways})$", "maxLength": 122}


def _longest(schema: dict[str, Any], most: int) -> float:
    said = schema.get("maxLength", most)
    return min(most, said) if isinstance(said, int | float) else most


def _base64_chars(bytes: int) -> int:
    return -(-bytes // 3) * 4
