"""Tools of servers behind the door: what became of a call is written down as it is, and nothing is sent twice."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from command_line import child
from interlock.app import gateway_on
from interlock.contract.ir import Tool
from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamFailed
from interlock.core.outcome import Done, Failed, Uncertain
from interlock.core.value import replace
from interlock.tool.mcp.reach import Definition
from interlock.tool.mcp.stdio import command_of, environment
from interlock.tool.plan import how_of
from tools.functions import publish
from upstream.stdio_world import Place, gone, lives
from world import World, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def here(world: World, place: Place) -> AsyncGenerator[tuple[World, Place]]:
    world.gateway = gateway_on(world.opened, place.tools)
    yield world, place


def a_server_tool(place: Place, name: str, **fields: Any) -> Tool:
    definition = Definition(reach=place.reach, tool=name, pin=place.pin(name))
    return replace(a_tool(name, pin=name, how=how_of(definition), **fields), source=f"mcp:shop/{name}")


async def test_a_server_that_is_killed_in_the_middle_of_a_write_leaves_it_uncertain(here: tuple[World, Place]) -> None:
    world, place = here
    await publish(world, a_server_tool(place, "hang", retries=3), a_server_tool(place, "echo"))
    call = asyncio.create_task(world.call({"usd": 1}, tool="hang"))
    with anyio.fail_after(10):
        while not place.effects():
            await anyio.sleep(0.005)
    os.kill(place.started()[0], signal.SIGKILL)
    outcome = await call
    assert isinstance(outcome, Uncertain), outcome
    assert len(place.effects()) == 1
    again = await world.call({"text": "hello"}, tool="echo")
    assert isinstance(again, Done)
    assert again.result == "hello"
    assert len(place.started()) == 2


async def test_what_the_server_recognises_by_its_key_is_sent_again_with_the_same_key(here: tuple[World, Place]) -> None:
    world, place = here
    effect = EffectClass.IDEMPOTENT_KEY
    await publish(world, a_server_tool(place, "crash", effect=effect, retries=2, backoff=1))
    outcome = await world.call({"usd": 1}, tool="crash")
    assert isinstance(outcome, Uncertain), outcome
    keys = {meta["interlock/idempotency-key"] for _, _, meta in place.effects()}
    assert keys == {f"{world.tenant}.{outcome.action}"}
    assert len(place.effects()) >= 2


@pytest.mark.parametrize("tell", [True, False])
async def test_a_tool_that_changes_in_the_middle_of_a_session_is_refused_from_the_next_look_on(
    here: tuple[World, Place], tell: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, place = here
    place.find("change")
    await publish(world, a_server_tool(place, "change"), a_server_tool(place, "pay"))
    assert isinstance(await world.call({"tool": "pay", "tell": tell}, tool="change"), Done)
    if not tell:
        # The server kept it to itself, so it is found out when the list is too old to be relied on.
        assert isinstance(await world.call({"usd": 1}, tool="pay"), Done)
        monkeypatch.setattr("interlock.tool.mcp.upstream.MCP_LISTED_SECONDS_MAX", 0)
    outcome = await world.call({"usd": 2}, tool="pay")
    assert isinstance(outcome, Failed), outcome
    assert "is not what was reviewed, so nothing was sent" in outcome.why
    assert len(place.effects()) == (0 if tell else 1)


async def test_a_server_ends_with_the_process_that_started_it_whatever_ends_that(place: Place) -> None:
    code = f"""
import asyncio
from pathlib import Path
from interlock.tool.plan import how_of
from interlock.tool.mcp.tools import McpTools
from upstream.stdio_world import Place
async def main():
    place = Place(Path({str(place.folder)!r}), McpTools())
    print((await place.call("children")).result, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    place.lists(*place.listed, {"name": "children", "inputSchema": {"type": "object"}})
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=child()) as process:
        assert process.stdout is not None
        started = int(await asyncio.to_thread(process.stdout.readline))
        assert lives(started)
        process.kill()
    await gone(started, *place.started())


async def test_a_sandbox_is_used_where_there_is_one_and_insisted_on_where_the_contract_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def found(sandbox: bool | None) -> list[str]:
        place.more = {"sandbox": sandbox}
        return command_of(place.reach, "/own", (tmp_path,))

    monkeypatch.setenv("PATH", str(tmp_path))
    assert found(None) == found(False) == list(place.reach.command)
    with pytest.raises(UpstreamFailed, match="`bwrap` is not installed"):
        found(True)
    (tmp_path / "bwrap").touch(mode=0o755)
    command = found(None)
    assert command[0] == str(tmp_path / "bwrap")
    assert command[command.index("--") + 1 :] == list(place.reach.command)
    hidden = [command[at + 1] for at, word in enumerate(command) if word == "--tmpfs"]
    assert str(tmp_path) in hidden
    assert found(False)[0] == sys.executable


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
async def test_in_a_sandbox_a_server_can_write_in_its_own_folder_alone(place: Place) -> None:
    place.more = {"sandbox": True, "command": (sys.executable, "-c", f"open({str(place.folder / 'x')!r}, 'w')")}
    with pytest.raises(UpstreamFailed):
        await place.call("echo", {"text": "a"})
    assert not (place.folder / "x").exists()


def test_python_is_the_one_that_interlock_runs_in(place_of: Place) -> None:
    place_of.more = {"command": ("python", "-m", "crm"), "sandbox": False, "env": {"HOME": "/elsewhere"}}
    assert command_of(place_of.reach, "/own", ()) == [sys.executable, "-m", "crm"]
    assert environment(place_of.reach, {}, "/own")["HOME"] == "/elsewhere"


@pytest.fixture
def place_of(tmp_path: Path) -> Place:
    from interlock.tool.mcp.tools import McpTools

    return Place(tmp_path, McpTools())
