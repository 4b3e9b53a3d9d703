"""What a server says of its tools, read as hostile text: what can be a tool of a contract, and why the rest cannot."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from interlock.contract.arguments import Schema
from interlock.core.canonical import Json, JsonObject, canonical
from interlock.core.errors import InterlockError
from interlock.core.limits import MCP_SCHEMA_BYTES_MAX, MCP_SCHEMA_DEPTH_MAX
from interlock.core.mirrored import Path, mirrored, wrongly_mirrored
from interlock.tool.manifest import Manifest, pinned
from interlock.tool.mcp import wire

_DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft-07/schema",
)
"""What a schema may say that it is written in. It is read as 2020-12, and refused if it is none."""
_NAME = re.compile(r"[!-)+-~]{1,400}")
"""What can stand behind `mcp:SERVER/`. A star is for what is no tool."""
_AWAY = ("$ref", "$dynamicRef", "$recursiveRef")
_OTHER_HOMES = ("$id", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A tool that a server has."""

    name: str
    manifest: Manifest | None
    """What it says of itself; nothing if it can be no tool of a contract."""
    why_not: str = ""
    hints: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What the server says of the tool's safety, to be shown to a person and believed by nobody."""
    mirrored: Mapping[Path, str] = field(default_factory=dict[Path, str])
    """Arguments that are sent in a header too: where each stands, and what its header is called."""

    @property
    def pin(self) -> str:
        return self.manifest.pin if self.manifest is not None else ""


def offers_of(tools: Sequence[msgspec.Raw]) -> dict[str, Offer]:
    """Read a list of tools. Of two that have one name, neither can be meant."""
    offers: dict[str, Offer] = {}
    for written in tools:
        offer = _offer(written)
        if offer is not None:
            twice = offer.name in offers
            offers[offer.name] = Offer(name=offer.name, manifest=None, why_not="it is listed twice") if twice else offer
    return offers


def _offer(written: msgspec.Raw) -> Offer | None:
    try:
        listed = wire.listed(written)
    except wire.Unreadable:
        return _unread(written)
    if not _NAME.fullmatch(listed.name):
        return Offer(name=listed.name, manifest=None, why_not="no contract can name it")
    try:
        manifest = _manifest(listed)
    except (InterlockError, ValueError, RecursionError) as error:
        return Offer(name=listed.name, manifest=None, why_not=str(error))
    hints, headers = _hints(listed.annotations), mirrored(manifest.schema)
    return Offer(name=listed.name, manifest=manifest, hints=hints, mirrored=headers)


class _Named(msgspec.Struct):
    name: str


def _unread(written: msgspec.Raw) -> Offer | None:
    try:
        named = msgspec.json.decode(written, type=_Named)
    except wire.Unreadable:
        return None
    return Offer(name=named.name, manifest=None, why_not="it is not described as a tool is")


def _manifest(listed: wire.Listed) -> Manifest:
    schema = _schema(listed.input_schema)
    result = None if listed.output_schema is None else _schema(listed.output_schema)
    if schema.get("type") != "object":
        raise ValueError("its arguments are no object")
    if why_not := wrongly_mirrored(schema):
        raise ValueError(why_not)
    Schema.compile(schema)
    if result is not None:
        Schema.of_result(result)
    return pinned(description=listed.description, schema=schema, result_schema=result)


def _schema(written: Mapping[str, Any]) -> JsonObject:
    """Return a schema that stands for itself, with every number exactly as it was written."""
    dialect = str(written.get("$schema", _DIALECTS[0])).removesuffix("#")
    if dialect not in _DIALECTS:
        raise ValueError("a schema is of a dialect that is not read here")
    schema = {name: value for name, value in written.items() if name != "$schema" or dialect == _DIALECTS[0]}
    for depth, part in _parts(schema):
        if depth > MCP_SCHEMA_DEPTH_MAX:
            raise ValueError(f"a schema is more than {MCP_SCHEMA_DEPTH_MAX} levels deep")
        if _leads_away(part):
            raise ValueError("a schema refers to another document")
    if len(canonical(schema)) > MCP_SCHEMA_BYTES_MAX:
        raise ValueError(f"a schema has more than {MCP_SCHEMA_BYTES_MAX:,} bytes")
    return schema


def _leads_away(part: Mapping[str, Any]) -> bool:
    away = (part.get(key) for key in _AWAY)
    homes = (part.get(key) for key in _OTHER_HOMES)
    return any(isinstance(each, str) and not each.startswith("#") for each in away) or any(
        isinstance(each, str) for each in homes
    )


def _parts(schema: Any, depth: int = 0) -> Iterator[tuple[int, Mapping[str, Any]]]:  # noqa: ANN401  JSON
    """Return every table in a schema, with how deep it stands."""
    if isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        yield depth, known
        inner = list(known.values())
    else:
        inner = cast("list[Any]", schema) if isinstance(schema, list) else []
    for each in inner if depth <= MCP_SCHEMA_DEPTH_MAX else ():
        yield from _parts(each, depth + 1)


def _hints(annotations: Mapping[str, Any]) -> Mapping[str, Json]:
    return {name: value for name, value in annotations.items() if isinstance(value, bool) and len(name) <= 64}
