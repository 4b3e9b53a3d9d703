"""What headers repeat of a stateless request, held against it: readers on the way may have acted on either."""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Generator, Mapping
from typing import Any, cast

from interlock.core.canonical import JsonObject
from interlock.door.asgi import Scope, header, sent_twice
from interlock.door.mcp.client import VERSION_KEY, stateless
from interlock.door.mcp.wire import HEADER_MISMATCH, Message, Params, WireError, header_text, params_of

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Which parameter of a method is mirrored in `Mcp-Name`."""

_MIRRORS = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MIRRORED_TYPES = ("string", "integer", "boolean")


class Called(Params, frozen=True, kw_only=True):
    """The tool that `tools/call` names."""

    name: str = ""


class _Given(Params, frozen=True, kw_only=True):
    arguments: Any = None


def mirrored(scope: Scope, message: Message, meta: Mapping[str, Any]) -> None:
    """Hold what headers mirror of any request against it.

    Raises:
        WireError: they disagree, or one is missing or there twice.
    """
    twice = sent_twice(scope, _MIRRORS)
    if twice is not None:
        raise WireError(HEADER_MISMATCH, f"the header `{twice}` is there twice")
    if VERSION_KEY in meta and header(scope, b"mcp-protocol-version") != meta[VERSION_KEY]:
        raise WireError(HEADER_MISMATCH, "`MCP-Protocol-Version` is not the version that the body says")
    if VERSION_KEY not in meta:
        stateless(meta)  # says what is missing
    method = cast("str", message.method)
    if header(scope, b"mcp-method") != method:
        raise WireError(HEADER_MISMATCH, "`Mcp-Method` is not the method that the body says")
    key = NAMED.get(method)
    if key is None:
        return
    named = params_of(message, dict[str, Any]).get(key)
    if named is not None and _plain(header(scope, b"mcp-name")) != named:
        raise WireError(HEADER_MISMATCH, f"`Mcp-Name` is not the `{key}` that the body says")


def mirrored_arguments(scope: Scope, message: Message, schema: JsonObject) -> None:
    """Hold the arguments of a call that its tool wants mirrored (`x-mcp-header`) against their headers.

    Raises:
        WireError: a header says something else than the argument, or one of them is there alone.
    """
    wanted = dict(_wanted(schema, ()))
    if len({name.lower() for name in wanted.values()}) < len(wanted):
        return  # clients do not offer a tool whose arguments share a header
    given = params_of(message, _Given).arguments if wanted else None
    for path, name in wanted.items():
        said, argument = f"mcp-param-{name.lower()}".encode(), _written(_at(given, path))
        there = any(each == said for each, _ in scope["headers"])
        if there != (argument is not None) or there and _plain(header(scope, said)) != argument:
            raise WireError(HEADER_MISMATCH, f"`Mcp-Param-{name}` is not the argument `{'.'.join(path)}` of the body")


def argument_headers(schema: object, arguments: object) -> dict[str, str]:
    """Mirror the arguments of a call that its tool wants mirrored, as a client does."""
    said = {name: _written(_at(arguments, path)) for path, name in _wanted(schema, ())}
    return {f"Mcp-Param-{name}": header_text(value) for name, value in said.items() if value is not None}


def _wanted(schema: object, path: tuple[str, ...]) -> Generator[tuple[tuple[str, ...], str]]:
    """Name the header of each argument that has one, by the way to it."""
    if not isinstance(schema, Mapping):
        return
    known = cast("Mapping[str, Any]", schema)
    name = known.get("x-mcp-header")
    if path and isinstance(name, str) and _TOKEN.fullmatch(name) and known.get("type") in _MIRRORED_TYPES:
        yield path, name
    properties = known.get("properties")
    if isinstance(properties, Mapping):
        for each, inner in cast("Mapping[str, Any]", properties).items():
            yield from _wanted(inner, (*path, each))


def _at(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None
    return value


def _written(value: object) -> str | None:
    """Write an argument as its header does; nothing for what has no such form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _plain(said: str | None) -> str | None:
    """Read a header that may be wrapped as `=?base64?...?=`; nothing where that is not well formed."""
    if said is None or not (said.startswith("=?base64?") and said.endswith("?=")):
        return said
    try:
        return b64decode(said.removeprefix("=?base64?").removesuffix("?="), validate=True).decode()
    except (Error, UnicodeDecodeError):
        return None
