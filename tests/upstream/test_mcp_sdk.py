"""The official SDK on the other side: both eras, over pipes and over HTTP, answered in JSON and as a stream."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock.core.errand import Performed, Terms
from interlock.core.errors import UpstreamError, UpstreamFailed
from interlock.core.value import replace
from interlock.tool.mcp.links import Links
from interlock.tool.mcp.reach import Definition, Reach
from interlock.tool.mcp.session import Session, begun
from interlock.tool.mcp.tools import McpTools
from interlock.tool.plan import how_of
from upstream.stdio_world import asked

pytest.importorskip("mcp", reason="the official SDK is not installed")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SERVER = str(Path(__file__).parent / "sdk_server.py")
PATHS = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
OVER_PIPES = Reach(server="sdk", command=(sys.executable, SERVER, "stdio"), sandbox=False, env=PATHS)


@asynccontextmanager
async def over_http(*words: str) -> AsyncGenerator[Reach]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, str(port), *words], stderr=subprocess.DEVNULL)
    try:
        with anyio.fail_after(20):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await anyio.sleep(0.02)
        yield Reach(server="sdk", url=f"http://127.0.0.1:{port}/mcp", private=True)
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def reached(way: str) -> AsyncGenerator[Reach]:
    if way == "pipes":
        yield OVER_PIPES
    else:
        async with over_http(*way.split()[1:]) as reach:
            yield reach


async def session(reach: Reach) -> Session:
    links = Links()
    found = await begun(lambda: links.make(reach, {}), reach, asyncio.get_running_loop().time)
    found.link.close()
    links.close()
    return found


@pytest.mark.parametrize(
    ("way", "protocol"),
    [
        ("pipes", ""),
        ("pipes", "2025-11-25"),
        ("http", ""),
        ("http", "2025-11-25"),
        ("http", "2024-11-05"),
        ("http json", "2025-06-18"),
        ("http json", "2026-07-28"),
    ],
)
async def test_a_server_of_the_official_sdk_is_spoken_to_in_both_eras(way: str, protocol: str, tmp_path: Path) -> None:
    tools = McpTools()
    async with reached(way) as base:
        reach = replace(base, protocol=protocol)
        found = await session(reach)
        assert found.version == (protocol or "2026-07-28")
        assert found.offers.keys() == {"add", "fail", "slow"}
        assert [offer.why_not for offer in found.offers.values()] == ["", "", ""]
        add = found.offers["add"].manifest
        assert add is not None
        assert (add.description, add.schema["required"]) == ("Add two numbers.", ["a", "b"])

        async def call(name: str, arguments: Any) -> Performed:
            definition = Definition(reach=reach, tool=name, pin=found.offers[name].pin)
            tool = tools.find(f"mcp:sdk/{name}", Terms(how=how_of(definition)))
            assert tool is not None
            with anyio.fail_after(20):
                return await tool.perform(asked(arguments))

        assert await call("add", {"a": 2, "b": 0.5}) == Performed(result={"total": 2.5})
        written = await call("slow", {"path": str(tmp_path / "a")})
        assert written.result in ("written", {"result": "written"})
        assert (tmp_path / "a").read_text(encoding="utf-8") == "done"
        with pytest.raises(UpstreamError) as raised:
            await call("fail", {})
        assert type(raised.value) is not UpstreamFailed
        assert raised.value.said == "Error executing tool fail"
        with pytest.raises(UpstreamError):
            await call("add", {"a": "no number"})
    tools.close()
