"""What Interlock adds to an MCP call over a pipe: a client starts a server, then `interlock mcp` before that server.

The client is raw asyncio; behind Interlock stands the lean server of `mcp_door.py`, over a pipe too. `--url` passes
on to an `interlock serve`, so that a call crosses one process more.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from interlock import app
from interlock.door.cli.main import main as interlock
from mcp_door import CALLS, HERE, STATELESS, WARM, ended, fdatasync, free_port, prepared, started
from table import Row, p, show


class Pipe:
    """A server that this process started, and the requests under way on its pipe."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], era: str, tool: str) -> None:
        self.command, self.environment, self.era, self.tool = command, environment, era, tool
        self.waiting: dict[int, asyncio.Future[bytes]] = {}
        self.next_id = 0

    async def open(self) -> None:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdin=pipe, stdout=pipe, env={**os.environ, **self.environment}
        )
        self.hears = asyncio.create_task(self.hear())
        if self.era == "2025":
            about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}}
            await self.ask("initialize", about)

    async def hear(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            said = json.loads(line)
            if said.get("id") in self.waiting:
                self.waiting.pop(said["id"]).set_result(line)

    async def ask(self, method: str, params: dict[str, Any]) -> bytes:
        assert self.process.stdin is not None
        self.next_id += 1
        answer = self.waiting[self.next_id] = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        return await answer

    async def call(self) -> float:
        meta: dict[str, Any] = {}
        if self.era == "2026":
            meta = {"io.modelcontextprotocol/protocolVersion": STATELESS}
            meta["io.modelcontextprotocol/clientCapabilities"] = {}
        loop = asyncio.get_running_loop()
        begun = loop.time()
        said = await self.ask("tools/call", {"name": self.tool, "arguments": {"text": "hi"}, "_meta": meta})
        took = loop.time() - begun
        assert b'"text":"hi"' in said.replace(b": ", b":"), said
        return took

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()
        await self.hears


async def measured(pipe: Pipe, at_once: int) -> tuple[list[float], float]:
    """Return how long each call took, and how many there were in a second."""
    await pipe.open()

    async def some(count: int) -> list[float]:
        return [await pipe.call() for _ in range(count)]

    await asyncio.gather(*(some(WARM // at_once + 1) for _ in range(at_once)))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    found = await asyncio.gather(*(some(CALLS // at_once) for _ in range(at_once)))
    took = loop.time() - begun
    await pipe.close()
    whole = [seconds for part in found for seconds in part]
    return whole, len(whole) / took


def through(command: Sequence[str], token: str, direct: dict[tuple[str, int], tuple[list[float], float]]) -> list[Row]:
    rows: list[Row] = []
    for era, n in direct:
        took, rate = asyncio.run(measured(Pipe(command, {"INTERLOCK_TOKEN": token}, era, "echo_pipe"), n))
        added = (p(took, 50) - p(direct[era, n][0], 50)) * 1e3
        reach = "2 ms added" if n == 1 else "600 calls/s"
        note = f"p99 {p(took, 99) * 1e3:.1f} ms, {rate:.0f} calls/s"
        rows.append(Row(what=f"{era}, {n} at once: p50 added", value=added, unit="ms", reach=reach, note=note))
    return rows


def main() -> None:
    server = [sys.executable, str(HERE.with_name("mcp_door.py")), "pipe"]
    direct = {
        (era, n): asyncio.run(measured(Pipe(server, {}, era, "echo"), n)) for era in ("2025", "2026") for n in (1, 16)
    }
    show(
        "An MCP call made directly, over a pipe",
        [
            Row(what=f"{era}, {n} at once: p50", value=p(took, 50) * 1e3, unit="ms", note=f"{rate:.0f} calls/s")
            for (era, n), (took, rate) in direct.items()
        ],
    )
    with tempfile.TemporaryDirectory() as name:
        folder, upstream, port = Path(name), free_port(), free_port()
        lean = started("http", str(upstream))
        try:
            token = prepared(folder, upstream)
        finally:
            ended(lean)
        for how in ("normal", "full"):
            said = f"FULL; one fdatasync here takes {fdatasync(folder) * 1e3:.2f} ms" if how == "full" else "NORMAL"
            front = [sys.executable, __file__, how, str(folder)]
            show(f"Through `interlock mcp`, {said}", through(front, "", direct))
        running = started("serve", str(folder), str(port), "normal")
        try:
            bridge = [sys.executable, "-m", "interlock", "mcp", "stdio", "--url", f"http://127.0.0.1:{port}/mcp"]
            show("Through `interlock mcp --url` and `interlock serve`, NORMAL", through(bridge, token, direct))
        finally:
            ended(running)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["normal" | "full" as how, where]:
            # The command as it is, but for the disk, which it always waits for.
            app.open_store = partial(app.open_store, durable=how == "full")
            store = ["--store", f"{where}/interlock.db", "--keys", f"{where}/keys", "--tenant", "bench"]
            sys.exit(interlock(["mcp", "stdio", *store]))
        case _:
            main()
