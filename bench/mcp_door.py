"""What Interlock adds to an MCP call: a client asks a server directly, then through Interlock, which records each one.

The client is raw asyncio, the server a lean one in its own process, over HTTP and over a pipe behind Interlock. The
tool is a read; the reach is for NORMAL, which leaves the disk out. FULL stands beside what one fdatasync takes here.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from interlock import app
from interlock.door.http.server import server_of
from table import Row, p, show

HERE = Path(__file__).resolve()
CALLS = 400
WARM = 40
STATELESS = "2026-07-28"
CONTRACT = """
interlock: 1
workflow: bench
tenant: bench
environments: { dev: { mode: act } }
loop: { equal_calls: 1000000 }
servers:
  http: { url: "http://127.0.0.1:%d/mcp", private: true }
  pipe: { command: [%s, %s, "pipe"] }
tools:
  echo_http: { from: "mcp:http/echo", effect: read, tier: green, price: 0, slots: 64 }
  echo_pipe: { from: "mcp:pipe/echo", effect: read, tier: green, price: 0, slots: 64 }
permissions: { allowed_tools: [echo_http, echo_pipe] }
"""
TOOL = {
    "name": "echo",
    "description": "Say the same again.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """What the server says, in both eras."""
    method, params = message.get("method"), message.get("params", {})
    stateless = "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {})
    more: dict[str, Any] = {"resultType": "complete"} if stateless else {}
    info: dict[str, Any] = {"serverInfo": {"name": "lean", "version": "1"}, "capabilities": {"tools": {}}}
    kept = {"ttlMs": 300_000, "cacheScope": "public"} if stateless else {}
    match method:
        case "initialize":
            result: dict[str, Any] = {"protocolVersion": "2025-11-25", **info}
        case "server/discover":
            result = {"supportedVersions": [STATELESS], **info, **kept}
        case "tools/list":
            result = {"tools": [TOOL], **kept}
        case "tools/call":
            result = {"content": [{"type": "text", "text": params["arguments"]["text"]}]}
        case _:
            return None
    return {"jsonrpc": "2.0", "id": message.get("id"), "result": {**result, **more}}


async def lean(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    said = answer(json.loads(body)) if body else None
    raw = json.dumps(said).encode() if said is not None else b""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": 200 if raw else 202, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


def pipe() -> None:
    for line in sys.stdin:
        said = answer(json.loads(line))
        if said is not None:
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


class Connection:
    """One connection that is kept, and what every request on it has."""

    def __init__(self, port: int, headers: dict[str, str], era: str, tool: str) -> None:
        self.port, self.headers, self.era, self.tool = port, headers, era, tool

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        if self.era == "2025":
            about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}}
            head, _ = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about})
            if b"mcp-session-id: " in head:
                self.headers["mcp-session-id"] = head.split(b"mcp-session-id: ")[1].split(b"\r\n")[0].decode()
        else:
            more = {"mcp-protocol-version": STATELESS, "mcp-method": "tools/call", "mcp-name": self.tool}
            self.headers = {**self.headers, **more}

    async def post(self, message: dict[str, Any]) -> tuple[bytes, bytes]:
        body = json.dumps(message).encode()
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\r\n".join(
            ["POST /mcp HTTP/1.1", f"host: 127.0.0.1:{self.port}", "content-type: application/json", *lines]
        )
        accept = "accept: application/json, text/event-stream"
        self.writer.write(f"{head}\r\n{accept}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        got = await self.reader.readuntil(b"\r\n\r\n")
        length = int(got.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return got, await self.reader.readexactly(length)

    async def call(self) -> float:
        meta: dict[str, Any] = {}
        if self.era == "2026":
            meta = {"io.modelcontextprotocol/protocolVersion": STATELESS}
            meta["io.modelcontextprotocol/clientCapabilities"] = {}
        params = {"name": self.tool, "arguments": {"text": "hi"}, "_meta": meta}
        begun = time.perf_counter()
        _, body = await self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        took = time.perf_counter() - begun
        assert b'"text":"hi"' in body.replace(b": ", b":"), body
        return took


async def measured(port: int, headers: dict[str, str], era: str, tool: str, at_once: int) -> tuple[list[float], float]:
    """Return how long each call took, and how many there were in a second."""
    connections = [Connection(port, dict(headers), era, tool) for _ in range(at_once)]
    await asyncio.gather(*(each.open() for each in connections))

    async def some(connection: Connection, count: int) -> list[float]:
        return [await connection.call() for _ in range(count)]

    await asyncio.gather(*(some(each, WARM // at_once + 1) for each in connections))
    begun = time.perf_counter()
    found = await asyncio.gather(*(some(each, CALLS // at_once) for each in connections))
    took = time.perf_counter() - begun
    for each in connections:
        each.writer.close()
    whole = [seconds for part in found for seconds in part]
    return whole, len(whole) / took


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cpu_of(process: "subprocess.Popen[bytes]") -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def started(*words: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(60)


async def serve(folder: Path, port: int, *, durable: bool) -> None:
    opened = app.open_store(str(folder / "interlock.db"), folder / "keys", durable=durable)
    tools = app.every_tool()
    server = server_of(app.gateway_on(opened, tools), frozenset({"127.0.0.1"}))
    config = uvicorn.Config(server, port=port, log_level="warning", access_log=False, ws="none")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await task


def prepared(folder: Path, upstream: int) -> str:
    """Publish the contract with the command, as anybody would, and issue a token."""
    quoted = json.dumps(sys.executable), json.dumps(str(HERE))
    (folder / "contract.yaml").write_text(CONTRACT % (upstream, *quoted), encoding="utf-8")
    where = ["--store", str(folder / "interlock.db"), "--keys", str(folder / "keys")]

    def run(*words: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "interlock", *words, *where], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode in codes, done.stderr
        return done.stdout

    said = json.loads(run("--json", "tools", "review", "contract.yaml", "--env", "dev", codes=(0, 3)))
    pins = [each["offered"] for each in said["tools"]]
    run("tools", "review", "contract.yaml", "--env", "dev", *(word for pin in pins for word in ("--accept", pin)))
    run("contract", "publish", "contract.yaml", "--env", "dev")
    to = ["--workflow", "bench", "--env", "dev", "--for", "sam", "--expires", "1d", "--tenant", "bench"]
    return run("token", "new", "bench", *to).strip()


def fdatasync(folder: Path) -> float:
    with (folder / "sync").open("wb", buffering=0) as file:
        took: list[float] = []
        for _ in range(100):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    return p(took, 50)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, upstream = Path(name), free_port()
        server = started("http", str(upstream))
        try:
            token = prepared(folder, upstream)
            table(folder, upstream, token)
        finally:
            ended(server)


def table(folder: Path, upstream: int, token: str) -> None:
    direct = {
        (era, n): asyncio.run(measured(upstream, {}, era, "echo", n)) for era in ("2025", "2026") for n in (1, 16)
    }
    show(
        "An MCP call made directly, over HTTP",
        [
            Row(what=f"{era}, {n} at once: p50", value=p(took, 50) * 1e3, unit="ms", note=f"{rate:.0f} calls/s")
            for (era, n), (took, rate) in direct.items()
        ],
    )
    for durable in (False, True):
        port = free_port()
        running = started("serve", str(folder), str(port), "full" if durable else "normal")
        try:
            rows = through(port, token, direct, running)
        finally:
            ended(running)
        said = f"FULL; one fdatasync here takes {fdatasync(folder) * 1e3:.2f} ms" if durable else "NORMAL"
        show(f"The same through Interlock, each call a guarded read with its entries, {said}", rows)


def through(port: int, token: str, direct: Any, running: "subprocess.Popen[bytes]") -> list[Row]:
    rows: list[Row] = []
    headers = {"authorization": f"Bearer {token}"}
    for tool in ("echo_http", "echo_pipe"):
        for era in ("2025", "2026"):
            for n in (1, 16):
                before = cpu_of(running)
                took, rate = asyncio.run(measured(port, headers, era, tool, n))
                cpu = (cpu_of(running) - before) / (len(took) + WARM) * 1e3
                added = (p(took, 50) - p(direct[era, n][0], 50)) * 1e3
                reach = "2 ms added" if n == 1 else "600 calls/s"
                note = f"p99 {p(took, 99) * 1e3:.1f} ms, {rate:.0f} calls/s, {cpu:.2f} ms CPU of Interlock"
                kind = "over HTTP behind it" if tool == "echo_http" else "over a pipe behind it"
                rows.append(
                    Row(what=f"{era}, {n} at once, {kind}: p50 added", value=added, unit="ms", reach=reach, note=note)
                )
    return rows


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pipe"]:
            pipe()
        case ["http", port]:
            config = uvicorn.Config(lean, port=int(port), log_level="warning", access_log=False, lifespan="off")
            print("ready", flush=True)
            uvicorn.Server(config).run()
        case ["serve", where, port, how]:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve(Path(where), int(port), durable=how == "full"))
        case _:
            main()
