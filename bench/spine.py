"""The spine: a guarded write through all steps, one at a time and fifty at once, on both stores.

`python bench/spine.py` prints the first rows of the table of figures. The tool does nothing, so what is left is ours.
The loop is that of `interlock serve` and `interlock mcp`, where a row does not say another one.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("src", "tests", "bench")]

from interlock.app import gateway_on, open_store  # noqa: E402
from interlock.core.ids import TenantId  # noqa: E402
from interlock.door.cli.session import fast_loop  # noqa: E402
from naive import on_postgres, on_sqlite  # noqa: E402
from table import Row, p, show  # noqa: E402
from world import HandClock, ScriptedTool, Scripts, World, a_budget, a_tool  # noqa: E402

DOLLAR = 1_000_000
T = TypeVar("T")


def served(work: Coroutine[Any, Any, T]) -> T:
    """Run on the loop that a server has."""
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        return runner.run(work)


async def a_world(where: str, keys: Path, tenant: str, *, durable: bool) -> World:
    clock = HandClock()
    opened = open_store(where, keys, clock=None, durable=durable)
    world = World.on(opened, clock, TenantId(tenant))
    world.gateway = gateway_on(opened, Scripts(ScriptedTool()))
    return world


async def one_by_one(where: str, keys: Path, *, durable: bool, calls: int) -> tuple[list[float], list[float]]:
    """Return wall and CPU time of each call, in milliseconds."""
    world = await a_world(where, keys, "bench", durable=durable)
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(1_000 * DOLLAR)])
    wall, cpu = list[float](), list[float]()
    for n in range(calls + 50):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        await world.call({"to": "sam", "n": n}, run="r1")
        if n >= 50:
            wall.append((time.perf_counter() - begun) * 1e3)
            cpu.append((time.process_time() - begun_cpu) * 1e3)
    world.opened.close()
    return wall, cpu


async def at_once(where: str, keys: Path, tenant: str, *, callers: int, calls: int, publish: bool) -> float:
    """Return guarded writes a second."""
    world = await a_world(where, keys, tenant, durable=True)
    if publish:
        await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(1_000 * DOLLAR)])

    async def caller(which: int) -> None:
        for n in range(calls):
            await world.call({"to": "sam", "n": n, "who": which, "pid": os.getpid()})

    begun = time.perf_counter()
    await asyncio.gather(*map(caller, range(callers)))
    took = time.perf_counter() - begun
    world.opened.close()
    return callers * calls / took


def replicas(where: str, keys: Path, *, processes: int, callers: int, calls: int) -> float:
    """Return guarded writes a second of several processes on one hot budget."""

    async def publish() -> None:
        world = await a_world(where, keys, "hot", durable=True)
        await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(1_000 * DOLLAR)])
        world.opened.close()

    asyncio.run(publish())
    command = [sys.executable, __file__, "--replica", where, str(keys), str(callers), str(calls)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(json.loads(each.communicate()[0]) for each in started)


def fdatasync_ms(folder: Path) -> float:
    """Return the median of appending half a kilobyte and waiting for the disk."""
    times = list[float]()
    with (folder / "raw").open("wb") as file:
        for _ in range(200):
            begun = time.perf_counter()
            file.write(bytes(512))
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1e3)
    return p(times, 50)


def one_at_a_time(folder: Path) -> None:
    bare, _ = on_sqlite(folder / "bare.db", durable=False, calls=500)
    wall, cpu = served(one_by_one(str(folder / "n.db"), folder / "k1", durable=False, calls=1_500))
    _, slower = asyncio.run(one_by_one(str(folder / "a.db"), folder / "k0", durable=False, calls=1_500))
    show(
        "one guarded write at a time, SQLite NORMAL",
        [
            Row(what="two bare transactions, CPU p50", value=p(bare, 50), unit="ms", note="baseline"),
            Row(what="guarded write, CPU p50", value=p(cpu, 50), unit="ms", reach="<= 0.80 ms"),
            Row(what="guarded write, CPU p50, on asyncio's own loop", value=p(slower, 50), unit="ms"),
            Row(what="guarded write, wall p50", value=p(wall, 50), unit="ms"),
            Row(what="guarded write, wall p99", value=p(wall, 99), unit="ms"),
        ],
    )
    full, _ = served(one_by_one(str(folder / "f.db"), folder / "k2", durable=True, calls=300))
    show(
        "one guarded write at a time, SQLite FULL",
        [
            Row(what="append 512 bytes and fdatasync", value=fdatasync_ms(folder), unit="ms", note="baseline"),
            Row(what="guarded write, wall p50", value=p(full, 50), unit="ms", note="two durable commits"),
        ],
    )


def many_at_once(folder: Path) -> None:
    _, bare = on_sqlite(folder / "bare-full.db", durable=True, calls=200)
    ours = served(at_once(str(folder / "c.db"), folder / "k3", "t", callers=50, calls=60, publish=True))
    show(
        "guarded writes a second, SQLite FULL, all callers on one budget",
        [
            Row(what="two bare transactions a call", value=bare, unit="/s", note="baseline"),
            Row(what="50 callers, one process", value=ours, unit="/s", reach=">= 1,200 /s"),
        ],
    )
    from postgres import Server

    server = Server.start(folder / "postgres")
    try:
        bare = on_postgres(server.a_database("bare"), callers=50, calls=10)
        one = replicas(server.url, folder / "k4", processes=1, callers=50, calls=60)
        two = replicas(server.url, folder / "k4", processes=2, callers=25, calls=120)
    finally:
        server.stop()
    show(
        "guarded writes a second, Postgres, all callers on one budget",
        [
            Row(what="two bare transactions a call, 50 callers", value=bare, unit="/s", note="baseline"),
            Row(what="50 callers, one process", value=one, unit="/s"),
            Row(what="50 callers, two processes", value=two, unit="/s", reach=">= 800 /s"),
        ],
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        one_at_a_time(Path(name))
        many_at_once(Path(name))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--replica"]:
        where, keys, callers, calls = sys.argv[2:]
        speed = served(at_once(where, Path(keys), "hot", callers=int(callers), calls=int(calls), publish=False))
        print(json.dumps(speed))
    else:
        main()
