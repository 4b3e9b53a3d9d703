"""A machine that fails: disks that are full or damaged, databases that go away, answers that are lost."""

import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

import anyio
import pytest

from interlock.app import Opened, open_store, performing
from interlock.budget.hold import Balance
from interlock.contract.ir import Tool
from interlock.core.action import ActionState
from interlock.core.errors import StoreBusy, StoreClosed, StoreUnsure
from interlock.core.ids import TenantId
from interlock.core.outcome import Done, Failed, Outcome, Parked, Refused, Suggested, Uncertain
from interlock.core.reason import Reason
from interlock.gateway.recover import reap
from interlock.policy.rule import Rule
from interlock.ports import Wanted
from interlock.store.batch import Batcher, Told, Write
from interlock.store.database import Database
from interlock.store.tenant import SqlStore
from postgres import Server
from world import ALLOW, KIM, HandClock, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

TENANT = TenantId("acme")


@dataclass
class LosesAnswers:
    """A real connection that commits, and whose answer to the next commits is lost."""

    inner: Database
    left: "Losing"

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def commit(self) -> None:
        if self.left.commits:
            self.left.commits -= 1
            self.inner.rollback()
            raise StoreUnsure("the connection went away", fix="look")
        self.inner.commit()
        if self.left.answers:
            self.left.answers -= 1
            raise StoreUnsure("the connection went away", fix="look")


@dataclass(slots=True, kw_only=True)
class Losing(Batcher):
    """Runs its batches on connections that lose as many answers and commits as are left to lose."""

    answers: int
    commits: int

    def run(self, db: Database, writes: Sequence[Write]) -> list[Told]:
        return Batcher.run(self, cast("Database", LosesAnswers(db, self)), writes)


def losing(world: World, *, answers: int = 0, commits: int = 0) -> Losing:
    """Make the store of a world lose the next answers, or the next commits."""
    assert isinstance(world.opened.store, SqlStore)
    writer = world.opened.store.writer
    known = {field.name: getattr(writer.batcher, field.name) for field in fields(Batcher)}
    writer.batcher = spoiled = Losing(**known, answers=answers, commits=commits)
    return spoiled


@pytest.mark.promise("intent", "once")
@pytest.mark.parametrize("answers", [1, 2])
async def test_a_start_whose_commit_was_not_answered_sends_nothing(world: World, answers: int) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    losing(world, answers=answers)
    outcome = await world.call(key="k")
    assert isinstance(outcome, Failed)
    assert not outcome.recalled
    assert world.tool.performed == []
    assert await world.balance() == Balance(limit=100)
    assert [row.state for row in await world.store.actions(Wanted())] == [ActionState.FAILED]


@pytest.mark.promise("intent", "once")
async def test_a_start_that_was_not_written_after_all_is_decided_again(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    losing(world, commits=1)
    assert isinstance(await world.call(key="k"), Done)
    assert len(world.tool.performed) == 1
    assert await world.balance() == Balance(limit=100, spent=10)
    assert await world.history() == ["started started: allow.mail", "ended done: 10"]


@pytest.mark.promise("intent")
@pytest.mark.parametrize("lost", ["answers", "commits"])
@pytest.mark.parametrize(
    ("rule", "tool", "ends"),
    [
        (a_rule("ask.mail", "ask"), a_tool(), Parked),
        (a_rule("no.mail", "deny"), a_tool(), Refused),
        (a_rule("show.mail", "suggest"), a_tool(), Suggested),
    ],
)
async def test_what_was_no_start_is_told_as_it_was_written_though_the_answer_was_lost(
    world: World, rule: Rule, tool: Tool, ends: type[Outcome], lost: str
) -> None:
    await world.publish(ALLOW, rule, tools=[tool])
    losing(world, **{lost: 1})
    outcome = await world.call(key="k")
    assert isinstance(outcome, ends)
    assert not outcome.recalled, "it is the end of this call"
    rows = await world.store.actions(Wanted())
    assert [(row.action.id, row.state.value) for row in rows] == [(outcome.action, ends.__name__.lower())]
    assert world.tool.performed == []


@pytest.mark.promise("once", "budget")
@pytest.mark.parametrize("written", [True, False])
async def test_an_end_whose_commit_was_not_answered_is_written_once(
    world: World, opens: Callable[[HandClock], Opened], written: bool
) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    world.tool.may_answer = asyncio.Event()
    call = asyncio.create_task(world.call())
    await world.tool.begun.wait()
    losing(world, answers=int(written), commits=int(not written))
    world.tool.may_answer.set()
    assert isinstance(await call, Done)
    assert await world.balance() == Balance(limit=100, spent=10)
    assert await world.history() == ["started started: allow.mail", "ended done: 10"]


async def test_only_one_process_performs_on_a_file(tmp_path: Path) -> None:
    where, keys = str(tmp_path / "interlock.db"), tmp_path / "keys"
    with performing(where, keys):
        with pytest.raises(StoreBusy) as busy, performing(where, keys):
            pass
        assert "switches, approvals and budgets work beside it" in busy.value.fix
    with performing(where, keys):
        pass


@pytest.mark.parametrize("damage", [b"not a database at all, only text", b"SQLite format 3\0" + bytes(4_000)])
async def test_a_file_that_is_no_database_is_an_error_with_a_fix(tmp_path: Path, damage: bytes) -> None:
    where = tmp_path / "interlock.db"
    where.write_bytes(damage)
    with pytest.raises(StoreClosed) as closed:
        open_store(str(where), tmp_path / "keys")
    assert closed.value.fix


async def test_a_database_that_is_damaged_while_it_is_open_starts_nothing(world: World, where: str) -> None:
    if not where.endswith(".db"):
        return
    await world.publish()
    await world.call()
    path = Path(where)
    with sqlite3.connect(where) as other:
        other.execute("pragma wal_checkpoint(truncate)")
    other.close()
    size = path.stat().st_size
    assert size > 40_000
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(os.urandom(max(0, size - 4_096)))
    outcome = await world.call({"n": 2})
    assert isinstance(outcome, Refused)
    assert (outcome.reason, len(world.tool.performed)) == (Reason.INTERNAL, 1)


FULL_DISK = """
import asyncio, json, resource, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from interlock.app import open_store
from interlock.core.ids import TenantId
from world import HandClock, World, a_tool, a_budget

async def main(where, keys):
    clock = HandClock()
    opened = open_store(where, Path(keys), clock=clock)
    world = World.on(opened, clock, TenantId("acme"))
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100_000)])
    ended = []
    await world.call({{"n": 0}})
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max(file.stat().st_size for file in Path(where).parent.glob("*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 400_000, resource.RLIM_INFINITY))
    for n in range(1, 60):
        ended.append(type(await world.call({{"n": n, "text": "x" * 2_000}})).__name__.lower())
    print(json.dumps([ended, len(world.tool.performed)]))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.promise("intent", "once", "budget")
async def test_a_disk_that_is_full_refuses_and_loses_nothing(tmp_path: Path) -> None:
    here = Path(__file__).parent
    where, keys = str(tmp_path / "interlock.db"), tmp_path / "keys"
    code = FULL_DISK.format(paths=[str(here.parent / "src"), str(here)])
    command = [sys.executable, "-c", code, where, str(keys)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    ended, performed = json.loads(ran.stdout)
    assert ended[-1] == "refused"
    assert "done" in ended
    clock = HandClock()
    clock.forward(minutes=5)
    opened = open_store(where, keys, clock=clock)
    world = World.on(opened, clock, TENANT)
    await reap(world.store, KIM.process)
    states = [row.state for row in await world.store.actions(Wanted(limit=1_000))]
    known = states.count(ActionState.DONE) + states.count(ActionState.UNCERTAIN)
    assert known == performed
    balance = await world.balance()
    assert balance.held + balance.spent == 10 * performed
    opened.close()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.slow
@pytest.mark.promise("door", "once")
async def test_postgres_may_go_away_and_come_back(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="interlock-postgres-") as folder:
        with anyio.fail_after(60):
            await went_away(Path(folder), tmp_path)


async def went_away(folder: Path, tmp_path: Path) -> None:
    server = Server.start(folder)
    clock = HandClock()
    opened = open_store(server.url, tmp_path / "keys", clock=clock)
    world = World.on(opened, clock, TENANT)
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(1_000)])
    assert isinstance(await world.call({"n": 1}), Done)
    world.tool.may_answer, world.tool.begun = asyncio.Event(), asyncio.Event()
    under_way = asyncio.create_task(world.call({"n": 2}))
    await world.tool.begun.wait()
    server.lose_power()
    down = await world.call({"n": 3})
    assert isinstance(down, Refused)
    assert (down.reason, len(world.tool.performed)) == (Reason.OVERLOADED, 2)
    server.start_again()
    world.tool.may_answer.set()
    assert isinstance(await under_way, Done | Uncertain)
    assert isinstance(await world.call({"n": 4}), Done)
    balance = await world.balance()
    assert balance.held + balance.spent == 30
    opened.close()
    server.stop()
