"""Arguments that a message of MCP repeats in headers (`x-mcp-header`): which ones, under which names, and how.

Whoever sends mirrors them, whoever hears holds them against the body. A schema may be foreign text.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator, Mapping
from typing import Any, cast

Path = tuple[str, ...]
"""The way to an argument, from the outside to the inside."""

PREFIX = "Mcp-Param-"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TYPES = ("string", "integer", "boolean")


def mirrored(schema: object) -> dict[Path, str]:
    """Return the header of each argument that a tool wants mirrored; none if two of them would share one."""
    found = dict(_mirrored(schema, ()))
    return found if len({name.lower() for name in found.values()}) == len(found) else {}


def _mirrored(schema: object, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(schema, Mapping):
        return
    known = cast("Mapping[str, Any]", schema)
    name = known.get("x-mcp-header")
    if path and isinstance(name, str) and _TOKEN.fullmatch(name) and known.get("type") in _TYPES:
        yield path, PREFIX + name
    properties = known.get("properties")
    if isinstance(properties, Mapping):
        for each, inner in cast("Mapping[str, Any]", properties).items():
            yield from _mirrored(inner, (*path, each))


def written(arguments: object, path: Path) -> str | None:
    """Write an argument as its header says it; nothing where it is not there, or has no such form."""
    value = arguments
    for name in path:
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def in_header(text: str) -> str:
    """Write a text as a header; in base 64 where a header cannot carry it as it is."""
    plain = text.isascii() and text.isprintable() and text == text.strip()
    if plain and not _is_wrapped(text):
        return text
    return f"=?base64?{b64encode(text.encode()).decode()}?="


def out_of_header(said: str | None) -> str | None:
    """Read such a header; nothing where it is missing, or not well formed."""
    if said is None or not _is_wrapped(said):
        return said
    try:
        return b64decode(said.removeprefix("=?base64?").removesuffix("?="), validate=True).decode()
    except (Error, UnicodeDecodeError):
        return None


def _is_wrapped(text: str) -> bool:
    return text.startswith("=?base64?") and text.endswith("?=")
