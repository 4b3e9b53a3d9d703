"""A call of a tool of an MCP server over pipes: as bare bytes, and as Interlock carries it out, without the spine."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interlock.tool.mcp.tools import McpTools
from mcp_server import TOOLS
from upstream.stdio_world import SERVER, Place, asked

CALLS = 2_000
LINE = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}\n'


def bare(folder: Path) -> tuple[float, float]:
    command = [sys.executable, str(SERVER), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        times: list[float] = []
        cpu = time.process_time()
        for each in range(CALLS):
            begun = time.perf_counter()
            server.stdin.write(LINE % each)
            server.stdin.flush()
            server.stdout.readline()
            times.append(time.perf_counter() - begun)
        cpu = time.process_time() - cpu
        server.stdin.close()
    return sorted(times)[CALLS // 2] * 1e6, cpu / CALLS * 1e6


async def carried_out(folder: Path) -> tuple[float, float]:
    place = Place(folder, McpTools())
    tool, errand = place.find("echo"), asked({"text": "hello"})
    await tool.perform(errand)
    times: list[float] = []
    cpu = time.process_time()
    for _ in range(CALLS):
        begun = time.perf_counter()
        await tool.perform(errand)
        times.append(time.perf_counter() - begun)
    cpu = time.process_time() - cpu
    place.tools.close()
    return sorted(times)[CALLS // 2] * 1e6, cpu / CALLS * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tools.json").write_text(json.dumps(TOOLS), encoding="utf-8")
        rows = {"bare bytes": bare(folder), "carried out": asyncio.run(carried_out(folder))}
    for what, (p50, cpu) in rows.items():
        print(f"{what:12} p50 {p50:7.0f} us   our CPU {cpu:6.0f} us a call")


if __name__ == "__main__":
    main()
