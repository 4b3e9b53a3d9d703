"""A server as a process of its own, and errands for its tools."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec.structs import replace as replace_fields

from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.value import replace
from interlock.ports import Performer
from interlock.tool.mcp.listed import offers_of
from interlock.tool.mcp.reach import Definition, Reach
from interlock.tool.mcp.tools import McpTools
from interlock.tool.plan import how_of
from mcp_server import TOOLS, Message, tool
from tools.functions import an_errand

SERVER = Path(__file__).parent.parent / "mcp_server.py"


@dataclass
class Place:
    """A folder with a server in it."""

    folder: Path
    tools: McpTools
    words: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    """What else the contract says of the server."""

    def lists(self, *tools: Message) -> None:
        (self.folder / "tools.json").write_text(json.dumps(tools or TOOLS), encoding="utf-8")

    @property
    def listed(self) -> list[Message]:
        return json.loads((self.folder / "tools.json").read_text(encoding="utf-8"))

    @property
    def reach(self) -> Reach:
        command = (sys.executable, str(SERVER), str(self.folder), *self.words)
        return replace_fields(Reach(server="shop", command=command, sandbox=False), **self.more)

    def pin(self, name: str) -> str:
        return offers_of([msgspec.Raw(json.dumps(each).encode()) for each in self.listed])[name].pin

    def find(self, name: str, **terms: Any) -> Performer:
        given = {key: terms.pop(key) for key in ("pin", "errors") if key in terms}
        if not any(each["name"] == name for each in self.listed):
            self.lists(*self.listed, tool(name))
        definition = Definition(reach=self.reach, tool=name, **{"pin": self.pin(name), **given})
        found = self.tools.find(f"mcp:shop/{name}", Terms(how=how_of(definition), pin=repr(definition), **terms))
        assert found is not None
        return found

    async def call(self, name: str, arguments: Any = None, *, seconds: float = 10, **given: Any) -> Performed:
        errand = {
            key: given.pop(key) for key in ("effect", "tenant", "workflow", "check_lease", "late") if key in given
        }
        with anyio.fail_after(seconds):
            return await self.find(name, **given).perform(asked(arguments, **errand))

    def effects(self) -> list[Any]:
        path = self.folder / "effects"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def heard(self) -> list[Message]:
        return [json.loads(line) for line in (self.folder / "heard").read_text(encoding="utf-8").splitlines()]

    def methods(self) -> list[str]:
        return [message.get("method", "") for message in self.heard()]

    def started(self) -> list[int]:
        path = self.folder / "started"
        return [int(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []


def asked(
    arguments: Any = None, *, effect: str = "opaque", tenant: str = "t", workflow: str = "w", **more: Any
) -> Errand:
    errand = an_errand(json.dumps(arguments or {}))
    caller = replace(
        errand.action.caller, tenant=TenantId(tenant), workflow=WorkflowId(workflow), environment=Environment("dev")
    )
    action = replace(errand.action, caller=caller, effect=EffectClass(effect))
    return replace(errand, action=action, **more)


def lives(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def gone(*processes: int) -> None:
    with anyio.fail_after(5):
        while any(map(lives, processes)):
            await anyio.sleep(0.005)


def fds() -> Sequence[str]:
    return sorted(os.listdir("/proc/self/fd"))
