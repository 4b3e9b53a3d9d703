"""Guarded reads over the HTTP API against the same reads called directly, on a file that syncs and one that does not.

`python bench/http_api.py` prints a table. The server is a process of its own, as `interlock serve` makes it; the client
is bare sockets, so that what is measured is the server. A ratio says more than a time: machines are noisy.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("src", "tests", "bench")]

import psutil  # noqa: E402
import uvicorn  # noqa: E402

from cards import issued  # noqa: E402
from interlock.app import gateway_on, open_store  # noqa: E402
from interlock.core.effect import EffectClass  # noqa: E402
from interlock.core.ids import AgentId, Instant, PrincipalId, TenantId  # noqa: E402
from interlock.door.http.server import server_of  # noqa: E402
from table import Row, p, show  # noqa: E402
from world import HandClock, ScriptedTool, Scripts, World, a_tool  # noqa: E402

YEAR = 366 * 86_400 * 1_000_000
SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}


async def a_world(folder: Path, *, durable: bool) -> World:
    clock = HandClock()
    opened = open_store(str(folder / "b.db"), folder / "keys", durable=durable)
    world = World.on(opened, clock, TenantId("bench"))
    world.gateway = gateway_on(opened, Scripts(ScriptedTool(result={"status": "paid"})))
    if not await world.store.entries(limit=1):
        await world.publish(tools=[a_tool(schema=SCHEMA, effect=EffectClass.READ)])
    return world


async def direct(folder: Path, *, durable: bool, callers: int, calls: int) -> tuple[float, float]:
    """Return calls a second, and calls a second of CPU."""
    world = await a_world(folder, durable=durable)
    await world.call({"id": 0})

    async def caller(which: int) -> None:
        for n in range(calls // callers):
            await world.call({"id": which * 1_000_000 + n})

    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(caller, range(callers)))
    took, used = time.perf_counter() - begun, time.process_time() - cpu
    world.opened.close()
    return calls / took, calls / used


def serve(folder: str, durable: str) -> None:
    """Be the server: print address and token, then serve until the input ends."""

    async def work() -> None:
        world = await a_world(Path(folder), durable=durable == "full")
        now = world.opened.clock.now()
        fields = {"agents": (AgentId("bot"),), "principal": PrincipalId("sam"), "expires_at": Instant(now + YEAR // 2)}
        drawn, _ = await issued(world, **fields)
        app = server_of(world.gateway, frozenset({"127.0.0.1"}))
        config = uvicorn.Config(app, port=0, ws="none", access_log=False, log_config=None, server_header=False)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(json.dumps([port, drawn.text]), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        server.should_exit = True
        await task
        world.opened.close()

    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work())


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How fast a server was, and how much of a core it took."""

    a_second: float
    a_core: float
    p50: float
    p99: float


async def over_http(port: int, token: str, process: psutil.Process, *, callers: int, calls: int) -> Measured:
    """Load a server through so many connections."""
    times = list[float]()

    async def caller(which: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(calls // callers):
            body = b'{"tool":"mail.send","arguments":{"id":%d}}' % (which * 1_000_000 + n)
            begun = time.perf_counter()
            writer.write(
                b"POST /v1/actions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
                + token.encode()
                + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            times.append((time.perf_counter() - begun) * 1e3)
        writer.close()

    before, begun = process.cpu_times(), time.perf_counter()
    await asyncio.gather(*map(caller, range(callers)))
    took, after = time.perf_counter() - begun, process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Measured(a_second=calls / took, a_core=calls / used, p50=p(times, 50), p99=p(times, 99))


def measured(folder: Path, kind: str, *, callers: int, calls: int) -> Measured:
    """Start a server, load it, and end it."""
    command = [sys.executable, __file__, "--serve", str(folder), kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=dict(os.environ)) as started:
        assert started.stdout is not None and started.stdin is not None
        port, token = json.loads(started.stdout.readline())
        process = psutil.Process(started.pid)
        asyncio.run(over_http(port, token, process, callers=callers, calls=200))
        found = asyncio.run(over_http(port, token, process, callers=callers, calls=calls))
        started.stdin.write("\n")
        started.stdin.close()
        started.wait(30)
    return found


def main(calls: int) -> None:
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        for kind in ("normal", "full"):
            for callers in (1, 16):
                folder = Path(name) / f"{kind}{callers}"
                (folder / "a").mkdir(parents=True)
                (folder / "b").mkdir()
                durable, count = kind == "full", calls - calls % 16
                wall, core = asyncio.run(direct(folder / "a", durable=durable, callers=callers, calls=count))
                http = measured(folder / "b", kind, callers=callers, calls=count)
                show(
                    f"guarded reads, SQLite {kind.upper()}, {callers} at once",
                    [
                        Row(what="direct `gateway.call`", value=wall, unit="/s", note="baseline"),
                        Row(what="POST /v1/actions", value=http.a_second, unit="/s"),
                        Row(what="direct, a core of CPU", value=core, unit="/s"),
                        Row(
                            what="POST /v1/actions, a core of the server",
                            value=http.a_core,
                            unit="/s",
                            reach=">= 1,000",
                        ),
                        Row(what="POST /v1/actions, p50", value=http.p50, unit="ms"),
                        Row(what="POST /v1/actions, p99", value=http.p99, unit="ms"),
                    ],
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        given = argparse.ArgumentParser()
        given.add_argument("--calls", type=int, default=3_000)
        main(given.parse_args().calls)
