"""The crash harness: a server that forks a child for each case and kills or freezes it at a named point.

Run it by hand for the long form: `python tests/crash.py --kills 2000`.

What must hold after every case: no effect happened twice, every effect was started in the ledger, the budget holds
exactly what unfinished actions hold, the ledger leads to its signed head, and the entries to the rows.
"""

import argparse
import asyncio
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "src"), str(Path(__file__).parent)]

from crashing import POINTS, Case, Flow, StoreKind, check, effects_of, in_child  # noqa: E402
from flows import Child, ended_well  # noqa: E402
from interlock.core.effect import EffectClass  # noqa: E402
from interlock.core.errors import NotPermitted, StoreBusy  # noqa: E402
from interlock.core.ids import ProcessId, TenantId  # noqa: E402
from interlock.core.outcome import Done  # noqa: E402
from interlock.gateway.recover import reap  # noqa: E402
from interlock.store.postgres import make_tables  # noqa: E402

FLOWS: tuple[Flow, ...] = ("call", "resume", "undo")
FREEZES = ("started", "before the effect", "after the effect", "starting: lock", "settling: lock", "performed")
"""Where a process is frozen. Between the last look at the lease and the effect lies the limit that stays."""


async def victim(case: Case) -> str:
    """What the child does until it is stopped."""
    child = Child.of(case, killing=True)
    await child.set_up()
    child.arm()
    outcome = await child.go()
    child.world.opened.close()
    return type(outcome).__name__.lower()


async def survivor(case: Case) -> str:
    """What whoever comes after the crash finds; returns how the action ended, or raises what does not hold."""
    child = Child.of(case, killing=False)
    await reap(child.world.store, ProcessId("psurvivor"))
    await check(case, child.world)
    try:
        outcome = await child.go()
    except NotPermitted:  # it was undone before the crash
        assert case.flow == "undo"
        return "done"
    await check(case, child.world)
    assert ended_well(case, outcome), outcome
    if isinstance(outcome, Done):
        assert sum(effects_of(case).values()) == (2 if case.flow == "undo" else 1), effects_of(case)
    child.world.opened.close()
    return type(outcome).__name__.lower()


async def onlooker(case: Case) -> str:
    """What another process may do while one is frozen: give its action up, or refuse while it holds the file."""
    try:
        child = Child.of(case, killing=False)
        await reap(child.world.store, ProcessId("ponlooker"))
    except StoreBusy:
        return "refused"
    return "given up"


async def afterwards(case: Case) -> str:
    """What must hold once the frozen process has gone on."""
    child = Child.of(case, killing=False)
    await reap(child.world.store, ProcessId("pafter"))
    await check(case, child.world)
    if case.point in ("started", "before the effect"):
        assert not effects_of(case), "something was sent after its lease"
    return "held"


def kill(case: Case, chance: random.Random) -> str:
    """Kill one child, let another one look, and return how the action ended."""

    def dies_at_any_moment() -> str:
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                asyncio.run(victim(case))
            os._exit(0)
        while not (case.folder / f"{case.tenant}.ready").exists():
            time.sleep(0.0005)
        time.sleep(chance.random() * 0.006)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return ""

    if case.point == "any moment":
        code, said = in_child(dies_at_any_moment)
        assert code == 0, said
    else:
        code, said = in_child(lambda: asyncio.run(victim(case)))
        assert code == -signal.SIGKILL, f"{case}: {said}"
    case.clock.forward(minutes=10)
    code, said = in_child(lambda: asyncio.run(survivor(case)))
    assert code == 0, f"{case}: {said}"
    return said


def freeze(case: Case) -> str:
    """Freeze one child past its lease, let another give it up, wake it, and look what holds."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            asyncio.run(victim(case))
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    case.clock.forward(minutes=10)
    code, said = in_child(lambda: asyncio.run(onlooker(case)))
    os.kill(child, signal.SIGCONT)
    os.waitpid(child, 0)
    assert code == 0, f"{case}: {said}"
    code, held = in_child(lambda: asyncio.run(afterwards(case)))
    assert code == 0, f"{case}: {held}"
    return said


def kills(kinds: list[StoreKind], wheres: dict[str, str], folder: Path, flows: Sequence[Flow], many: int) -> list[Case]:
    """Every flow, point and class on every store, as often as `many` asks for."""
    every: list[tuple[StoreKind, Flow, str, EffectClass]] = [
        (kind, flow, point, effect)
        for kind in kinds
        for flow, point, effect in itertools.product(flows, POINTS, EffectClass)
        # What is resumed was identified when it was asked for, and nothing is undone by reading.
        if (flow, point) != ("resume", "identify") and (flow, effect) != ("undo", EffectClass.READ)
    ]
    return [
        Case(kind, wheres[kind], point, effect, folder, TenantId(f"k{n}"), flow)
        for n, (kind, flow, point, effect) in enumerate(itertools.islice(itertools.cycle(every), many))
    ]


def freezes(kinds: list[StoreKind], wheres: dict[str, str], folder: Path, many: int) -> list[Case]:
    """Every point at which a process is frozen, with every class on every store."""
    every = list(itertools.product(kinds, FREEZES, EffectClass))
    return [
        Case(kind, wheres[kind], point, effect, folder, TenantId(f"f{n}"), stop="frozen")
        for n, (kind, point, effect) in enumerate(itertools.islice(itertools.cycle(every), many))
    ]


def report(title: str, ended: Counter[tuple[str, str, str]], names: Sequence[str]) -> None:
    how = sorted({key[2] for key in ended})
    print(f"\n{title:36}" + "".join(f"{each:>12}" for each in how))
    for store, point in sorted({key[:2] for key in ended}, key=lambda key: (key[0], names.index(key[1]))):
        print(f"  {store:9} {point:24} " + "".join(f"{ended[store, point, each]:12}" for each in how))


def main(argv: Sequence[str]) -> int:
    every = len(POINTS) * len(EffectClass) * len(FLOWS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=2 * every, help="how many children die")
    parser.add_argument("--freezes", type=int, default=0, help="how many children are frozen past their lease")
    parser.add_argument("--store", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--flow", choices=[*FLOWS, "all"], default="all")
    parser.add_argument("--postgres", help="the address of a database; without it one is started")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    kinds: list[StoreKind] = ["sqlite", "postgres"] if options.store == "both" else [options.store]
    flows: Sequence[Flow] = FLOWS if options.flow == "all" else (options.flow,)
    chance = random.Random(options.seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheres = {"sqlite": str(folder / "interlock.db"), "postgres": options.postgres or ""}
        server = None
        if "postgres" in kinds and not options.postgres:
            from postgres import Server

            server = Server.start(folder / "postgres")
            wheres["postgres"] = server.url
        if "postgres" in kinds:
            make_tables(wheres["postgres"])
        killed: Counter[tuple[str, str, str]] = Counter()
        for case in kills(kinds, wheres, folder, flows, options.kills):
            killed[case.store, case.point, kill(case, chance)] += 1
        frozen: Counter[tuple[str, str, str]] = Counter()
        for case in freezes(kinds, wheres, folder, options.freezes):
            frozen[case.store, case.point, freeze(case)] += 1
        if server is not None:
            server.stop()
    report("killed at, and how it ended", killed, POINTS)
    if frozen:
        report("frozen at, and what others did", frozen, FREEZES)
    took = time.monotonic() - begun
    print(f"\n{killed.total()} kills, {frozen.total()} freezes, 0 duplicates, 0 lost holds, {took:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
