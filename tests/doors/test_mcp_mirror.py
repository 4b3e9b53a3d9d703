"""What headers repeat of the body must be what the body says, argument by argument where a tool wants that."""

import json
from base64 import b64encode
from typing import Any

import pytest

from interlock.core.mcp import HEADER_MISMATCH
from interlock.core.mirrored import wrongly_mirrored
from interlock.door.asgi import Scope, header
from interlock.door.mcp import wire
from interlock.door.mcp.mirror import check_argument_mirrors
from interlock.door.mcp.wire import WireError

REGION = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}


def a_scope(**headers: str) -> Scope:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


def look(schema: dict[str, Any], arguments: object, scope: Scope) -> int | None:
    """Return the code of the error, if there is one."""
    params = {"name": "t", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    try:
        check_argument_mirrors(scope, wire.read(json.dumps(message).encode()), schema)
    except WireError as wrong:
        return wrong.code
    return None


def wrapped(text: str) -> str:
    return f"=?base64?{b64encode(text.encode()).decode()}?="


@pytest.mark.parametrize(
    ("argument", "said", "passes"),
    [
        ("eu", "eu", True),
        ("eu", "  eu\t", True),
        ("eu", "EU", False),
        ("eu", None, False),
        ("zürich", wrapped("zürich"), True),
        ("Hello", "=?base64?SGVsbG8?=", False),
        ("Hello", "=?base64?SGVs!!!bG8=?=", False),
        ("SGVsbG8=", "SGVsbG8=", True),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8=", True),
        (None, "eu", False),
        (None, None, True),
    ],
)
def test_an_argument_that_a_tool_wants_mirrored_is_what_its_header_says(
    argument: str | None, said: str | None, *, passes: bool
) -> None:
    scope = a_scope(mcp_param_region=said) if said is not None else a_scope()
    found = look(REGION, {} if argument is None else {"region": argument}, scope)
    assert found == (None if passes else HEADER_MISMATCH)


def test_numbers_and_flags_are_mirrored_as_json_writes_them_and_inner_arguments_by_their_way() -> None:
    inner = {"type": "object", "properties": {"deep": {"type": "boolean", "x-mcp-header": "Deep"}}}
    schema = {"properties": {"n": {"type": "integer", "x-mcp-header": "N"}, "inner": inner}}
    given = {"n": 7, "inner": {"deep": True}}
    assert look(schema, given, a_scope(mcp_param_n="7", mcp_param_deep="true")) is None
    assert look(schema, given, a_scope(mcp_param_n="7", mcp_param_deep="True")) == HEADER_MISMATCH
    assert look(schema, {"n": 7, "inner": 3}, a_scope(mcp_param_n="7")) is None


def test_a_header_that_is_there_twice_says_nothing() -> None:
    scope = {"headers": [(b"mcp-param-region", b"eu"), (b"mcp-param-region", b"us")]}
    assert look(REGION, {"region": "eu"}, scope) == HEADER_MISMATCH


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "string"}},
        {"a": {"type": "array", "x-mcp-header": "A"}},
        {"a": {"type": "string", "x-mcp-header": "no token"}},
        {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}},
    ],
)
def test_what_no_client_would_mirror_is_not_asked_for(properties: dict[str, Any]) -> None:
    assert look({"properties": properties}, {"a": "x", "b": "y"}, a_scope()) is None


TEXT = {"type": "string", "x-mcp-header": "A"}


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"a": TEXT, "b": {"type": "object", "properties": {"c": {"type": "boolean", "x-mcp-header": "B"}}}}, ""),
        ({"x-mcp-header": {"type": "string"}}, ""),
        ({"a": {"type": "object", "default": TEXT, "enum": [TEXT]}}, ""),
        ({"a": {"type": "string", "x-mcp-header": "no token"}}, "`x-mcp-header` of `a` is no name of a header"),
        ({"a": {"type": "string", "x-mcp-header": ""}}, "`x-mcp-header` of `a` is no name of a header"),
        ({"a": {"type": "string", "x-mcp-header": "A\r\nB"}}, "`x-mcp-header` of `a` is no name of a header"),
        ({"a": {"type": "string", "x-mcp-header": 1}}, "`x-mcp-header` of `a` is no name of a header"),
        ({"a": TEXT, "b": {**TEXT, "x-mcp-header": "a"}}, "`x-mcp-header` of `a` is that of another argument too"),
        ({"a": {"type": "array", "x-mcp-header": "A"}}, "of `a` stands where no text, integer or flag"),
        ({"a": {"type": "number", "x-mcp-header": "A"}}, "of `a` stands where no text, integer or flag"),
        ({"a": {"type": "array", "items": TEXT}}, "of `a.items` stands where no text, integer or flag"),
        ({"a": {"anyOf": [TEXT, {"type": "null"}]}}, "of `a.anyOf.[]` stands where no text, integer or flag"),
        ({"a": {"$defs": {"b": TEXT}}}, "of `a.$defs.b` stands where no text, integer or flag"),
    ],
)
def test_what_cannot_be_mirrored_says_why(properties: dict[str, Any], why: str) -> None:
    said = wrongly_mirrored({"type": "object", "properties": properties})
    assert why in said
    assert bool(said) is bool(why)


def test_blanks_around_a_header_are_no_part_of_it() -> None:
    assert header(a_scope(mcp_name=" \tlook up  "), b"mcp-name") == "look up"
