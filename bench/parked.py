"""Ten thousand approvals that wait for a person: what they take on disk, and that no thread waits with them.

`python bench/parked.py` prints the table, for a SQLite file with its keys.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("src", "tests", "bench")]

from interlock.core.action import ActionState  # noqa: E402
from interlock.core.outcome import Parked  # noqa: E402
from interlock.ports import Wanted  # noqa: E402
from spine import a_world  # noqa: E402
from table import Row, show  # noqa: E402
from world import ALLOW, a_budget, a_rule, a_tool  # noqa: E402

CALLERS = 50


def arguments(n: int) -> dict[str, Any]:
    """What a refund is asked for with, about two hundred bytes."""
    reason = "The customer was charged twice for the same order and has sent a screenshot of both charges."
    return {"customer_id": f"C{n:07}", "invoice_id": f"INV-{n:09}", "amount_cents": 4_200 + n, "reason": reason}


def megabytes(folder: Path) -> float:
    """Return the size of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def bare(folder: Path, number: int) -> float:
    """Return the size of a table that has the arguments and nothing else."""
    folder.mkdir()
    with sqlite3.connect(folder / "bare.db") as db:
        db.execute("create table waiting (id integer primary key, arguments text)")
        db.executemany("insert into waiting values (?, ?)", ((n, json.dumps(arguments(n))) for n in range(number)))
    db.close()
    return megabytes(folder)


async def park(folder: Path, number: int) -> tuple[float, float, int, int, float]:
    """Return MB while open, MB when closed, threads before and with all of them parked, and seconds."""
    assert number > CALLERS, "each caller has something to do"
    world = await a_world(str(folder / "parked.db"), folder / "keys", "parked", durable=False)
    ask = a_rule("ask.mail", "ask")
    await world.publish(ALLOW, ask, tools=[a_tool(price=7)], budgets=[a_budget(10**12)])
    await world.call(arguments(0), run="r0", key="first")  # the contract is compiled in a pool of threads that stays
    before = threading.active_count()

    async def caller(which: int) -> None:
        for n in range(which + 1, number, CALLERS):
            outcome = await world.call(arguments(n), run=f"r{n}")
            assert isinstance(outcome, Parked), outcome

    begun = time.perf_counter()
    await asyncio.gather(*map(caller, range(CALLERS)))
    took = time.perf_counter() - begun
    waiting = await world.store.actions(Wanted(states=frozenset({ActionState.PARKED}), limit=number + 1))
    assert len(waiting) == number, "all of them wait"
    threads, size = threading.active_count(), megabytes(folder)
    world.opened.close()
    return size, megabytes(folder), before, threads, took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=10_000)
    number: int = parser.parse_args().number
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        ours = Path(name) / "ours"
        ours.mkdir()
        plain = bare(Path(name) / "bare", number)
        size, closed, before, threads, took = asyncio.run(park(ours, number))
    note = "row, entry, arguments, decision input, reminders; a run and a key each"
    show(
        f"{number:,} parked approvals",
        [
            Row(what="a bare table of their arguments", value=plain, unit="MB", note="baseline"),
            Row(what="on disk, store closed", value=closed, unit="MB", reach="<= 60 MB", note=note),
            Row(what="on disk, store open (with its write-ahead log)", value=size, unit="MB"),
            Row(what="threads beyond those of an idle store", value=threads - before, unit="", reach="0"),
            Row(what=f"parked by {CALLERS} callers at once", value=number / took, unit="/s"),
        ],
    )


if __name__ == "__main__":
    main()
