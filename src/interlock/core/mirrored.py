"""Arguments that a message of MCP repeats in headers (`x-mcp-header`): which ones, under which names, and how.

Whoever sends mirrors them, whoever hears holds them against the body. A schema may be foreign text.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

Path = tuple[str, ...]
"""The way to an argument, from the outside to the inside."""

PREFIX = "Mcp-Param-"
_HEADER = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TYPES = ("string", "integer", "boolean")
_OF_NAMES = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
"""Below these stand schemas by names that the server chose."""
_OF_VALUES = ("const", "default", "enum", "example", "examples", "required")
"""Below these stand values, which are no schemas whatever they look like."""


def mirrored(schema: object) -> dict[Path, str]:
    """Return the header of each argument that a tool wants mirrored; none if two of them would share one."""
    found = dict(_mirrored(schema, ()))
    return found if len({name.lower() for name in found.values()}) == len(found) else {}


def wrongly_mirrored(schema: object) -> str:
    """Say why what a tool wants mirrored cannot be: such a tool would be called without a header that it waits for.

    Nothing where all of it can.
    """
    places = list(_wanted(schema, ()))
    names = [name.lower() for _, name in places if isinstance(name, str)]
    for path, name in places:
        where = f"`{_HEADER}` of `{'.'.join(path) or 'its arguments'}`"
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            return f"{where} is no name of a header"
        if names.count(name.lower()) > 1:
            return f"{where} is that of another argument too"
        if path not in dict(_mirrored(schema, ())):
            return f"{where} stands where no text, integer or flag of the arguments is"
    return ""


def _wanted(schema: object, path: Path) -> Iterator[tuple[Path, object]]:
    """Find each place in a schema that wants a header, wherever it stands."""
    if isinstance(schema, Mapping):
        known = cast("Mapping[str, Any]", schema)
        if _HEADER in known:
            yield path, known[_HEADER]
        for key, inner in known.items():
            for below, each in _within(key, inner):
                yield from _wanted(each, (*path, *below))
    elif isinstance(schema, Sequence) and not isinstance(schema, str):
        for each in cast("Sequence[object]", schema):
            yield from _wanted(each, (*path, "[]"))


def _within(key: str, inner: object) -> Iterator[tuple[Path, object]]:
    """Return the schemas that stand at a key of one, with the way to each; where values stand, none."""
    if key in _OF_NAMES and isinstance(inner, Mapping):
        for name, each in cast("Mapping[str, object]", inner).items():
            yield ((name,) if key == "properties" else (key, name)), each
    elif key not in _OF_VALUES:
        yield (key,), inner


def _mirrored(schema: object, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(schema, Mapping):
        return
    known = cast("Mapping[str, Any]", schema)
    name = known.get(_HEADER)
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
