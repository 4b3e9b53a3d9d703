"""The lock file beside a contract: what somebody saw and accepted of each tool of a server, word by word.

It is text that belongs into version control, so that a change of a description is a line in a review. What stands in it
is what a tool may be; a server that says anything else is not called.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from interlock.contract.ir import Contract
from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid, InterlockError
from interlock.core.limits import MCP_LOCK_BYTES_MAX
from interlock.tool.manifest import Manifest, pinned

VERSION = 1
_FIX = "look at each tool again: `interlock tools review FILE --env ENV`"


class _Reviewed(msgspec.Struct, forbid_unknown_fields=True):
    pin: str
    description: list[str]
    schema: dict[str, Any]
    result_schema: dict[str, Any] | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    interlock_tools: int
    servers: dict[str, dict[str, _Reviewed]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What was reviewed, by server and tool."""

    path: Path
    tools: Mapping[tuple[str, str], Manifest] = field(default_factory=dict[tuple[str, str], Manifest])

    @classmethod
    def read(cls, path: Path) -> "Lock":
        """Read a lock file; one that is not there has nothing in it.

        Raises:
            ContractInvalid: it is none, or a pin in it is not that of the words beside it.
        """
        try:
            written = path.read_bytes()
        except FileNotFoundError:
            return cls(path=path)
        except OSError as error:
            raise ContractInvalid(f"`{path.name}` cannot be read", fix="mend it, or its rights") from error
        try:
            found = msgspec.json.decode(written, type=_File) if len(written) <= MCP_LOCK_BYTES_MAX else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if found is None or found.interlock_tools != VERSION:
            fix = "restore it from version control, or remove it and review the tools again"
            raise ContractInvalid(f"`{path.name}` is no lock file of tools", fix=fix)
        tools = {
            (server, tool): _checked(path, server, tool, reviewed)
            for server, of_server in found.servers.items()
            for tool, reviewed in of_server.items()
        }
        return cls(path=path, tools=tools)

    def with_tool(self, server: str, tool: str, manifest: Manifest) -> "Lock":
        """Return a lock in which this is what was accepted."""
        return Lock(path=self.path, tools={**self.tools, (server, tool): manifest})

    def without(self, server: str, tool: str) -> "Lock":
        """Return a lock that knows nothing of a tool."""
        kept = {name: manifest for name, manifest in self.tools.items() if name != (server, tool)}
        return Lock(path=self.path, tools=kept)

    def text(self) -> str:
        """Write it: the same text for the same tools, one line for each line of a description."""
        servers: dict[str, dict[str, JsonObject]] = {}
        for (server, tool), manifest in sorted(self.tools.items()):
            result = {} if manifest.result_schema is None else {"result_schema": manifest.result_schema}
            servers.setdefault(server, {})[tool] = {
                "pin": manifest.pin,
                "description": manifest.description.split("\n"),
                "schema": manifest.schema,
                **result,
            }
        whole = {"interlock_tools": VERSION, "servers": servers}
        return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"

    def write(self) -> None:
        """Replace the file at once, so that nobody reads half of it."""
        beside = self.path.with_name(f".{self.path.name}.new")
        beside.write_text(self.text(), encoding="utf-8")
        beside.replace(self.path)


def _checked(path: Path, server: str, tool: str, reviewed: _Reviewed) -> Manifest:
    try:
        manifest = pinned(
            description="\n".join(reviewed.description), schema=reviewed.schema, result_schema=reviewed.result_schema
        )
    except InterlockError:
        manifest = None
    if manifest is None or manifest.pin != reviewed.pin:
        what = f"in `{path.name}`, the pin of `{server}/{tool}` is not that of the words beside it"
        raise ContractInvalid(what, fix=_FIX)
    return manifest


def lock_of(contract: Contract, folder: Path) -> Path:
    """Name the lock file of a contract: it lies beside it."""
    return folder / f"{Path(contract.place.file).name}.tools.lock"
