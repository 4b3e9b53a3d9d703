"""What headers repeat of a stateless request, held against it: readers on the way may have acted on either."""

from collections.abc import Mapping
from typing import Any, cast

from interlock.core.canonical import JsonObject
from interlock.core.mcp import HEADER_MISMATCH, VERSION_KEY
from interlock.core.mirrored import in_header, mirrored, out_of_header, written
from interlock.door.asgi import Scope, header, sent_twice
from interlock.door.mcp.client import stateless
from interlock.door.mcp.wire import Message, Params, WireError, params_of

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Which parameter of a method is mirrored in `Mcp-Name`."""

_MIRRORS = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")


class Called(Params, frozen=True, kw_only=True):
    """The tool that `tools/call` names."""

    name: str = ""


class _Given(Params, frozen=True, kw_only=True):
    arguments: Any = None


def check_mirrors(scope: Scope, message: Message, meta: Mapping[str, Any]) -> None:
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
    if named is not None and out_of_header(header(scope, b"mcp-name")) != named:
        raise WireError(HEADER_MISMATCH, f"`Mcp-Name` is not the `{key}` that the body says")


def check_argument_mirrors(scope: Scope, message: Message, schema: JsonObject) -> None:
    """Hold the arguments of a call that its tool wants mirrored (`x-mcp-header`) against their headers.

    Raises:
        WireError: a header says something else than the argument, or one of them is there alone.
    """
    wanted = mirrored(schema)
    given = params_of(message, _Given).arguments if wanted else None
    for path, name in wanted.items():
        said, argument = name.lower().encode(), written(given, path)
        there = any(each == said for each, _ in scope["headers"])
        if there != (argument is not None) or there and out_of_header(header(scope, said)) != argument:
            raise WireError(HEADER_MISMATCH, f"`{name}` is not the argument `{'.'.join(path)}` of the body")


def argument_headers(schema: object, arguments: object) -> dict[str, str]:
    """Mirror the arguments of a call that its tool wants mirrored, as a client does."""
    said = {name: written(arguments, path) for path, name in mirrored(schema).items()}
    return {name: in_header(value) for name, value in said.items() if value is not None}
