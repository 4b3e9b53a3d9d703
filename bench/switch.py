"""A switch that another process throws while fifty writers are busy: how long until its commit, and to the last start.

`python bench/switch.py` prints the table, on both stores. It asserts nothing about time, and fails if one start is
committed after the switch.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("src", "tests", "bench")]

from interlock.app import gateway_on, open_store  # noqa: E402
from interlock.core.door import Scope, Switch, SwitchKind  # noqa: E402
from interlock.core.errand import Errand, Performed  # noqa: E402
from interlock.core.ids import Instant, PersonId, TenantId  # noqa: E402
from interlock.core.outcome import Refused  # noqa: E402
from interlock.core.reason import Reason  # noqa: E402
from interlock.gateway.doors import resume_switch, throw  # noqa: E402
from table import Row, p, show  # noqa: E402
from world import KIM, HandClock, ScriptedTool, Scripts, World, a_budget, a_tool  # noqa: E402

WRITERS, ROUNDS, IDLE_ROUNDS = 50, 30, 10
TENANT = TenantId("switched")


@dataclass
class Watched(ScriptedTool):
    """Remembers when its last effect began."""

    last: int = 0

    async def perform(self, errand: Errand) -> Performed:
        self.last = time.monotonic_ns()
        return Performed(result="sent")


@dataclass
class Other:
    """Another process on the same store, that throws switches and takes them back."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, where: str, keys: Path) -> "Other":
        command = [sys.executable, __file__, "--other", where, str(keys)]
        return cls(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def _tell(self, what: str) -> tuple[int, int]:
        assert self.process.stdin is not None and self.process.stdout is not None, "both are pipes"
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        asked, committed = json.loads(self.process.stdout.readline())
        return asked, committed

    async def tell(self, what: str) -> tuple[int, int]:
        """Return when it was begun and when its commit was known, on the clock that all processes share."""
        return await asyncio.to_thread(self._tell, what)

    def stop(self) -> None:
        self.process.communicate()


@dataclass
class Rounds:
    """What was measured, in milliseconds from the moment at which somebody throws the switch."""

    idle: list[float] = field(default_factory=list[float])
    committed: list[float] = field(default_factory=list[float])
    last_effect: list[float] = field(default_factory=list[float])
    starts: int = 0


async def measure(where: str, keys: Path) -> Rounds:
    opened = open_store(where, keys)
    tool = Watched()
    world = World.on(opened, HandClock(), TENANT)
    world.gateway = gateway_on(opened, Scripts(tool))
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(10**12)])
    other, rounds = Other.start(where, keys), Rounds()
    for n in range(IDLE_ROUNDS):
        asked, committed = await other.tell(f"throw idle{n}")
        await other.tell(f"resume idle{n}")
        rounds.idle.append((committed - asked) / 1e6)
    for n in range(ROUNDS):
        await one_round(world, tool, other, f"s{n}", rounds)
    other.stop()
    opened.close()
    return rounds


async def one_round(world: World, tool: Watched, other: Other, switch: str, rounds: Rounds) -> None:
    """Keep everybody busy, have the switch thrown, and let each writer run into it."""
    entries = len(await everything(world))
    busy = asyncio.Event()

    async def write(who: int) -> None:
        n = 0
        while True:
            outcome = await world.call({"to": "sam", "n": n, "who": who, "round": switch})
            if isinstance(outcome, Refused):
                assert outcome.reason is Reason.STOPPED, outcome
                return
            n += 1
            if n == 2:
                busy.set()

    writers = [asyncio.create_task(write(who)) for who in range(WRITERS)]
    await busy.wait()
    asked, committed = await other.tell(f"throw {switch}")
    await asyncio.gather(*writers)
    rounds.committed.append((committed - asked) / 1e6)
    rounds.last_effect.append(max(0, tool.last - asked) / 1e6)
    kinds = [json.loads(line)["kind"] for line in (await everything(world))[entries:]]
    thrown = kinds.index("switch")
    rounds.starts += kinds.count("started")
    if "started" in kinds[thrown:]:
        raise SystemExit(f"switch `{switch}` is entry {entries + thrown}, and an effect was started after it")
    await other.tell(f"resume {switch}")


async def everything(world: World) -> list[bytes]:
    lines: list[bytes] = []
    while page := await world.store.entries(after=len(lines), limit=10_000):
        lines += page
    return lines


async def throw_and_resume(where: str, keys: Path) -> None:
    """Do what the other process is told, line by line."""
    opened = open_store(where, keys)
    store = opened.store.for_tenant(TENANT)
    for line in sys.stdin:
        what, id = line.split()
        asked = time.monotonic_ns()
        if what == "throw":
            switch = Switch(id=id, kind=SwitchKind.STOP, scope=Scope(), by=PersonId("kim"), at=Instant(0))
            await throw(store, switch, KIM)
        else:
            await resume_switch(store, id, KIM)
        print(json.dumps([asked, time.monotonic_ns()]), flush=True)
    opened.close()


def print_rounds(store: str, rounds: Rounds) -> None:
    note = f"{ROUNDS} switches, {rounds.starts} starts before them, none after"
    rows = [Row(what="thrown to committed, nobody at work, p50", value=p(rounds.idle, 50), unit="ms", note="baseline")]
    for what, values in (("committed", rounds.committed), ("the last effect that began", rounds.last_effect)):
        rows += [
            Row(what=f"thrown to {what}, {WRITERS} writers, p{percent}", value=p(values, percent), unit="ms", note=note)
            for percent in (50, 99)
        ]
    show(f"a switch from another process, {store}", rows)


def main() -> None:
    from postgres import Server

    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        folder = Path(name)
        print_rounds("SQLite FULL", asyncio.run(measure(str(folder / "s.db"), folder / "k1")))
        server = Server.start(folder / "postgres")
        try:
            print_rounds("Postgres", asyncio.run(measure(server.url, folder / "k2")))
        finally:
            server.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--other"]:
        asyncio.run(throw_and_resume(sys.argv[2], Path(sys.argv[3])))
    else:
        main()
