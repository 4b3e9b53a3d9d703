"""JSON-RPC as MCP speaks it: what is written, and what an answer may look like. No I/O."""

from collections.abc import Mapping
from typing import Any

import msgspec

from interlock.core.canonical import Json
from interlock.core.mcp import (
    CAPABILITIES_KEY,
    CAPABILITY_MISSING,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    STATELESS,
    VERSION_KEY,
    VERSION_UNSUPPORTED,
)
from interlock.tool.json_answer import exact

NOT_BEGUN = frozenset(
    {PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS}
    | {HEADER_MISMATCH, CAPABILITY_MISSING, VERSION_UNSUPPORTED}
)
"""Errors that say of a request that it was not even begun: it was not understood, or nothing has that name."""

_REFUSED = -1
"""How we refuse. A server may end its own call with the same error, and that must not read as if it was not begun."""

CLIENT = {"name": "interlock", "version": "1"}
KEY_IN_META = "interlock/idempotency-key"
_CLIENT_KEY = "io.modelcontextprotocol/clientInfo"


class RpcError(msgspec.Struct, frozen=True):
    """An error as JSON-RPC says it. Its message is foreign text."""

    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Incoming(msgspec.Struct, frozen=True):
    """Anything that may come in: an answer, a request, or a notification."""

    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"null")
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RpcError | None = None


class Initialized(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a handshake."""

    protocol_version: str
    capabilities: dict[str, Any] = {}


class Discovered(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to the question what a server is, where there is no handshake."""

    supported_versions: tuple[str, ...]
    capabilities: dict[str, Any] = {}


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A part of the list of tools."""

    tools: tuple[msgspec.Raw, ...]
    next_cursor: str | None = None


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """A tool as its server lists it."""

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}
    output_schema: dict[str, Any] | None = None
    annotations: dict[str, Any] = {}
    """What the server says of the tool's safety. It is foreign, so nothing is decided by it."""


class Called(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a call."""

    content: tuple[dict[str, Any], ...] = ()
    structured_content: Any = None
    is_error: bool = False
    result_type: str = "complete"


class Wanted(msgspec.Struct, frozen=True, rename="camel"):
    """What a server wants before it goes on with a call."""

    result_type: str = "complete"
    input_requests: dict[str, Any] | None = None
    request_state: str | None = None


_INCOMING = msgspec.json.Decoder(Incoming)
_INITIALIZED = msgspec.json.Decoder(Initialized)
_DISCOVERED = msgspec.json.Decoder(Discovered)
_PAGE = msgspec.json.Decoder(Page)
_LISTED = msgspec.json.Decoder(Listed, float_hook=exact)
_WANTED = msgspec.json.Decoder(Wanted)
_CALLED = msgspec.json.Decoder(Called, float_hook=exact)
_TABLE = msgspec.json.Decoder(dict[str, Any], float_hook=exact)
_ENCODER = msgspec.json.Encoder()

incoming = _INCOMING.decode
initialized = _INITIALIZED.decode
discovered = _DISCOVERED.decode
page = _PAGE.decode
listed = _LISTED.decode
called = _CALLED.decode
wanted = _WANTED.decode
table = _TABLE.decode

Unreadable = (msgspec.DecodeError, ValueError, RecursionError)
"""What reading raises of something that is not as it should be."""


def request(id: int, method: str, params: Mapping[str, Any]) -> bytes:
    """Write a request."""
    return _ENCODER.encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def notification(method: str, params: Mapping[str, Any]) -> bytes:
    """Write what wants no answer."""
    return _ENCODER.encode({"jsonrpc": "2.0", "method": method, "params": params})


def answer(id: int | str | None, result: Json) -> bytes:
    """Answer what a server asks of us."""
    return _ENCODER.encode({"jsonrpc": "2.0", "id": id, "result": result})


def refusal(id: int | str | None) -> bytes:
    """Refuse what a server asks of us."""
    why = {"code": _REFUSED, "message": "this client does not answer that"}
    return _ENCODER.encode({"jsonrpc": "2.0", "id": id, "error": why})


def params_of(message: Incoming) -> dict[str, Any]:
    """Return the parameters of a notification or request; none where they cannot be read."""
    try:
        return table(message.params)
    except Unreadable:
        return {}


def envelope() -> dict[str, Json]:
    """Say with a request what a handshake would have said once."""
    return {VERSION_KEY: STATELESS, _CLIENT_KEY: dict(CLIENT), CAPABILITIES_KEY: {}}
