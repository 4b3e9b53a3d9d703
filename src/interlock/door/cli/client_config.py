"""Configuration files of MCP clients: the servers that they use, and the same file with Interlock in their place.

Read are JSON, with the comments that editors allow in it, and TOML. Known shapes: `mcpServers` (Claude Desktop, Claude
Code, Cursor, Windsurf, Cline, Gemini CLI), `servers` and `mcp.servers` (VS Code), `context_servers` (Zed), and
`[mcp_servers.NAME]` (Codex).
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, cast

from interlock.core.errors import InterlockError

OURS = "interlock"
"""The name under which Interlock stands in such a file."""

_PLACES: tuple[tuple[str, ...], ...] = (("mcpServers",), ("servers",), ("mcp", "servers"), ("context_servers",))
_TABLE = re.compile(r"\s*\[+\s*mcp_servers\s*\.\s*(\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)")
_HEADER = re.compile(r"\s*\[")
_CONFIG_BYTES_MAX = 4 * 1024 * 1024


class ConfigUnreadable(InterlockError):
    """A file is no configuration of an MCP client that is known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One server of a client."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    why_not: str = ""
    """Why it stays as it is, if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """A configuration, and the servers in it."""

    text: str
    toml: bool
    place: tuple[str, ...]
    """The keys that lead to its servers."""
    servers: tuple[Found, ...]

    @property
    def ours(self) -> bool:
        """Whether Interlock stands in it already."""
        return any(server.name == OURS for server in self.servers)

    @property
    def movable(self) -> tuple[Found, ...]:
        """Those that Interlock can take the place of."""
        return tuple(server for server in self.servers if not server.why_not and server.name != OURS)

    def through(self, command: Sequence[str]) -> str:
        """Write the same file with `command` in the place of every server that can be moved. Comments of JSON go."""
        moved = {server.name for server in self.movable}
        if self.toml:
            return _toml_through(self.text, moved, command)
        whole = cast("dict[str, Any]", json.loads(_plain_json(self.text)))
        servers = whole
        for key in self.place:
            servers = cast("dict[str, Any]", servers[key])
        kind = {"type": "stdio"} if self.place[-1] == "servers" else {}
        kind |= {"source": "custom"} if self.place == ("context_servers",) else {}
        kept = {name: value for name, value in servers.items() if name not in moved}
        servers.clear()
        servers.update({**kept, OURS: {**kind, "command": command[0], "args": list(command[1:])}})
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def read_config(name: str, raw: bytes) -> ClientConfig:
    """Read the configuration of a client.

    Args:
        name: that of its file: `.toml` is TOML, anything else JSON.
        raw: what stands in it.

    Raises:
        ConfigUnreadable: it cannot be read, or has no servers where any client that is known here has them.
    """
    fix = "name the file in which your client lists its MCP servers"
    toml = PurePath(name).suffix == ".toml"
    try:
        if len(raw) > _CONFIG_BYTES_MAX:
            raise ValueError
        text = raw.decode("utf-8-sig")
        whole: object = tomllib.loads(text) if toml else json.loads(_plain_json(text))
    except (ValueError, RecursionError) as error:
        raise ConfigUnreadable(f"`{name}` is no {'TOML' if toml else 'JSON'}", fix=fix) from error
    for place in (("mcp_servers",),) if toml else _PLACES:
        servers = _at(whole, place)
        if servers is not None:
            found = tuple(_found(each, value) for each, value in servers.items())
            return ClientConfig(text=text, toml=toml, place=place, servers=found)
    raise ConfigUnreadable(f"`{name}` lists no MCP servers", fix=fix)


def _at(value: object, place: tuple[str, ...]) -> dict[str, Any] | None:
    for key in place:
        value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    known = cast("dict[str, Any]", value) if isinstance(value, dict) else None
    return known if known is not None and all(isinstance(each, dict) for each in known.values()) else None


def _found(name: str, said: dict[str, Any]) -> Found:
    if said.get("disabled") is True or said.get("enabled") is False:
        return Found(name=name, why_not="it is switched off")
    url = next((said[key] for key in ("url", "serverUrl", "httpUrl") if isinstance(said.get(key), str)), "")
    if url:
        if said.get("type") == "sse" or said.get("transport") == "sse":
            return Found(name=name, why_not="it speaks the transport of 2024 (SSE), which is not spoken here")
        return Found(name=name, url=url, headers=_texts(said.get("headers") or said.get("http_headers")))
    command = _command(said)
    if not command:
        return Found(name=name, why_not="it has neither a command nor an address")
    inner = said.get("command")
    env = said.get("env") or (cast("dict[str, Any]", inner).get("env") if isinstance(inner, dict) else None)
    return Found(name=name, command=command, env=_texts(env))


def _command(said: Mapping[str, Any]) -> tuple[str, ...]:
    command: Any = said.get("command")
    args: Any = said.get("args")
    if isinstance(command, dict):
        inner = cast("dict[str, Any]", command)
        command, args = inner.get("path"), inner.get("args")
    first: list[Any] = cast("list[Any]", command) if isinstance(command, list) else [command]
    whole = [*first, *(cast("list[Any]", args) if isinstance(args, list) else [])]
    return tuple(whole) if first[:1] not in ([], [None], [""]) and all(isinstance(each, str) for each in whole) else ()


def _texts(said: object) -> dict[str, str]:
    if not isinstance(said, dict):
        return {}
    return {str(name): str(value) for name, value in cast("dict[str, Any]", said).items() if value is not None}


def _plain_json(text: str) -> str:
    """Leave out comments and commas before an end, as editors allow them. What stands in texts stays."""
    out: list[str] = []
    at = 0
    for found in _PIECES.finditer(text):
        out.append(text[at : found.start()])
        at = found.end()
        if found[0].startswith('"'):
            out.append(found[0])
        elif found[0].startswith("/"):
            out.append(" ")
    return _LAST_COMMA.sub(_without_comma, "".join([*out, text[at:]]))


def _without_comma(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else found[1]


_PIECES = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(\s*[}\]])', re.DOTALL)


def _toml_through(text: str, moved: set[str], command: Sequence[str]) -> str:
    """Take the tables of servers out of TOML line by line, and leave every other line as it is."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            found = _TABLE.match(line)
            inside = found is not None and found[1].strip("\"'") in moved
        if not inside:
            kept.append(line)
    rest = "".join(kept).rstrip("\n")
    args = ", ".join(json.dumps(each, ensure_ascii=False) for each in command[1:])
    ours = f"[mcp_servers.{OURS}]\ncommand = {json.dumps(command[0], ensure_ascii=False)}\nargs = [{args}]\n"
    return f"{rest}\n\n{ours}" if rest else ours
