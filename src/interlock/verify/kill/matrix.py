"""The crash matrix: a child for each case is killed or frozen at a named point, and another looks what holds.

What must hold after every case: no effect happened twice, every effect was started in the ledger, the budget holds
exactly what unfinished actions hold, the ledger leads to its signed head, and the entries to the rows.

Children are forked, so whoever calls this has opened no store and begun no thread.
"""

import asyncio
import itertools
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from interlock.core.effect import EffectClass
from interlock.core.errors import NotPermitted, StoreBusy
from interlock.core.ids import ProcessId, TenantId
from interlock.core.outcome import Done
from interlock.gateway.recover import reap
from interlock.verify.check import must
from interlock.verify.kill.case import POINTS, Case, Flow, check, effects_of, in_child
from interlock.verify.kill.flow import Child, ended_well

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
        must(case.flow == "undo", "what was asked for is not permitted any more")
        return "done"
    await check(case, child.world)
    must(ended_well(case, outcome), f"it ended as {outcome}")
    if isinstance(outcome, Done):
        happened = sum(effects_of(case).values())
        must(happened == (2 if case.flow == "undo" else 1), f"it is done, and happened {happened} times")
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
        must(not effects_of(case), "something was sent after its lease")
    return "held"


def kill(case: Case, chance: random.Random) -> str:
    """Kill one child, let another one look, and return how the action ended.

    Raises:
        Broken: something that must hold does not.
    """

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
        must(code == 0, said)
    else:
        code, said = in_child(lambda: asyncio.run(victim(case)))
        must(code == -signal.SIGKILL, f"{case}: {said}")
    case.clock.forward(minutes=10)
    code, said = in_child(lambda: asyncio.run(survivor(case)))
    must(code == 0, f"{case}: {said}")
    return said


def freeze(case: Case) -> str:
    """Freeze one child past its lease, let another give it up, wake it, and say what the other could do.

    Raises:
        Broken: something that must hold does not.
    """
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
    must(code == 0, f"{case}: {said}")
    code, held = in_child(lambda: asyncio.run(afterwards(case)))
    must(code == 0, f"{case}: {held}")
    return said


def kills(kind: str, where: str, folder: Path, many: int, chance: random.Random) -> list[Case]:
    """Every flow, point and class, as often as `many` asks for; of fewer than all, any."""
    every: list[tuple[Flow, str, EffectClass]] = [
        (flow, point, effect)
        for flow, point, effect in itertools.product(FLOWS, POINTS, EffectClass)
        # What is resumed was identified when it was asked for, and nothing is undone by reading.
        if (flow, point) != ("resume", "identify") and (flow, effect) != ("undo", EffectClass.READ)
    ]
    chance.shuffle(every)
    return [
        Case(kind, where, point, effect, folder, TenantId(f"k{n}"), flow)
        for n, (flow, point, effect) in enumerate(itertools.islice(itertools.cycle(every), many))
    ]


def freezes(kind: str, where: str, folder: Path, many: int) -> list[Case]:
    """Every point at which a process is frozen, with every class."""
    every = itertools.cycle(itertools.product(FREEZES, EffectClass))
    return [
        Case(kind, where, point, effect, folder, TenantId(f"f{n}"), stop="frozen")
        for n, (point, effect) in enumerate(itertools.islice(every, many))
    ]
