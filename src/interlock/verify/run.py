"""Runs checks one after the other, and tells what became of each."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from interlock.gateway.compare import verify_state
from interlock.verify.check import Broken, Check, broken
from interlock.verify.lab import Lab

SECONDS_MAX = 120
"""A check that takes longer is broken: something hangs."""

Verdict = Literal["kept", "broken", "not shown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a check."""

    check: Check
    verdict: Verdict
    seen: str
    seconds: float


async def run_all(lab: Lab, checks: Iterable[Check], tell: Callable[[Told], None]) -> tuple[Told, ...]:
    """Run each check on the lab, alone, and tell of it as soon as it has ended."""
    told: list[Told] = []
    for check in checks:
        told.append(await run_one(lab, check))
        tell(told[-1])
    return tuple(told)


async def run_one(lab: Lab, check: Check) -> Told:
    """Run a check, then hold all rows that it left behind against the ledger.

    Whatever else goes wrong leaves the promise `not shown`: nothing is said to hold that was not seen to hold.
    """
    begun = time.perf_counter()
    verdict: Verdict = "not shown"
    try:
        async with asyncio.timeout(SECONDS_MAX):
            seen = await check.run(lab)
            await _books_agree(lab)
        verdict = "kept"
    except Broken as found:
        verdict, seen = "broken", str(found)
    except TimeoutError:
        seen = f"it took longer than {SECONDS_MAX} s"
    except Exception as error:  # noqa: BLE001  a check that cannot be run shows nothing
        seen = f"{type(error).__name__}: {error}"
    finally:
        lab.close()
    return Told(check=check, verdict=verdict, seen=seen, seconds=time.perf_counter() - begun)


async def _books_agree(lab: Lab) -> None:
    for tenant in {world.tenant: world for world in lab.worlds}.values():
        fresh = lab.world(beside=tenant)
        for found in (await verify_state(fresh.store, fresh.opened.secrets))[:1]:
            broken(f"the rows are not what the entries lead to: {found.where}: {found.what}")
