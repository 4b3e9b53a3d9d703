"""What goes over the wire: JSON-RPC 2.0 messages, one at a time, and the errors of the protocol.

Arguments stay the bytes that came: the spine reads them once, and refuses what a second reader could read otherwise.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from interlock.core.canonical import JsonObject
from interlock.core.limits import REQUEST_BYTES_MAX
from interlock.core.mcp import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from interlock.door.names import says_a_name_twice

RequestId = str | int


class Message(Struct, frozen=True, kw_only=True):
    """Any message. Which kind it is shows in what it has: a method, an id, a result, an error."""

    jsonrpc: Literal["2.0"]
    id: RequestId | None | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET

    @property
    def is_request(self) -> bool:
        return isinstance(self.method, str) and isinstance(self.id, str | int)

    @property
    def is_notification(self) -> bool:
        return isinstance(self.method, str) and self.id is UNSET

    @property
    def is_answer(self) -> bool:
        return self.method is UNSET and isinstance(self.id, str | int) and (self.result, self.error) != (UNSET, UNSET)


class WireError(Exception):
    """What is answered with an error of the protocol. It says nothing of anybody's data."""

    def __init__(self, code: int, message: str, data: JsonObject | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def read(raw: bytes) -> Message:
    """Read one message.

    Raises:
        WireError: it is no JSON, or no message of JSON-RPC 2.0, or says a name twice where no spine looks.
    """
    if len(raw) > REQUEST_BYTES_MAX:
        raise WireError(INVALID_REQUEST, f"a message has at most {REQUEST_BYTES_MAX:,} bytes")
    try:
        message = _DECODE(raw)
        twice = says_a_name_twice(_envelope(raw, message))
    except msgspec.ValidationError as error:
        raise WireError(INVALID_REQUEST, "this is not one message of JSON-RPC 2.0") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(PARSE_ERROR, "this is not JSON") from error
    if twice:
        raise WireError(INVALID_REQUEST, "a name is there twice in one object; say each once")
    if not (message.is_request or message.is_notification or message.is_answer):
        raise WireError(INVALID_REQUEST, "this is neither a request nor a notification nor an answer")
    return message


def _envelope(raw: bytes, message: Message) -> bytes:
    """Return a message without the arguments of a call: the spine looks into those, and records what it refuses."""
    if message.method != "tools/call" or isinstance(message.params, UnsetType):
        return raw
    try:
        arguments = bytes(_DECODE_CALL(message.params).arguments)
    except msgspec.ValidationError:
        return raw
    if not arguments.startswith(b"{"):
        return raw
    # Should it stand in another place as well, that is an object too, and leaving it out there leaves JSON.
    before, _, after = raw.rpartition(arguments)
    return before + b"{}" + after


def id_of(raw: bytes) -> RequestId | None:
    """Return the id of what may be no message otherwise, so that its error finds its way back."""
    try:
        return _DECODE_ID(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def result(id: RequestId, value: Mapping[str, Any]) -> bytes:
    """Write the answer to a request."""
    return _ENCODE({"jsonrpc": "2.0", "id": id, "result": value})


def error(id: RequestId | None, wrong: WireError) -> bytes:
    """Write an error in answer to a request, or to what could not be read."""
    data = {"data": wrong.data} if wrong.data is not None else {}
    return _ENCODE({"jsonrpc": "2.0", "id": id, "error": {"code": wrong.code, "message": wrong.message, **data}})


def request(id: RequestId, method: str, params: JsonObject) -> bytes:
    """Write a request to the client."""
    return _ENCODE({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def notification(method: str, params: JsonObject) -> bytes:
    """Write a notification to the client."""
    return _ENCODE({"jsonrpc": "2.0", "method": method, "params": params})


AnyParams = TypeVar("AnyParams")


class Params(Struct, frozen=True, kw_only=True):
    """What any request may bring beside what it is about."""

    meta: dict[str, Any] = msgspec.field(name="_meta", default_factory=dict[str, Any])


def params_of(message: Message, type: type[AnyParams]) -> AnyParams:
    """Read the parameters of a request.

    Raises:
        WireError: they are not as the method wants them.
    """
    raw = b"{}" if isinstance(message.params, UnsetType) else message.params
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(INVALID_PARAMS, f"the parameters do not fit `{message.method}`") from error


class _OnlyId(Struct, frozen=True):
    id: RequestId | None = None


class _OnlyArguments(Struct, frozen=True):
    arguments: Raw = Raw(b"")


_DECODE = msgspec.json.Decoder(Message).decode
_DECODE_ID = msgspec.json.Decoder(_OnlyId).decode
_DECODE_CALL = msgspec.json.Decoder(_OnlyArguments).decode
_ENCODE = msgspec.json.Encoder().encode
