"""A ledger of any length is compared and restored some rows at a time, and nothing is missed between two parts."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups import Site, done, publish
from interlock.app import open_store
from interlock.budget.hold import Balance
from interlock.contract.ir import Unique
from interlock.core.charge import Unit
from interlock.core.ids import ActionId, Micros, RunId, TenantId
from interlock.core.value import replace
from interlock.gateway import compare
from interlock.gateway.budgets import raise_budget
from interlock.gateway.compare import verify_state
from interlock.gateway.spilled import Spilled
from interlock.ledger.reading import ActionLine, read
from interlock.ledger.rebuild import Booked, State, rebuild
from interlock.ports import ActionRow, Changes, Needs, RunRow, Wanted
from interlock.store import backup, kept
from interlock.store.database import Database, Params, Put
from interlock.store.schema import PAYLOAD
from interlock.store.sqlite import SqliteDatabase
from postgres import Server
from world import KIM, HandClock, World, a_budget, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger")]

AT_ONCE = 2


class Counted:
    """A connection that remembers how many rows a statement brought at most."""

    most = 0

    def __init__(self, db: Database) -> None:
        self.db = db

    def query(self, sql: str, params: Params) -> Sequence[Sequence[Any]]:
        found = self.db.query(sql, params)
        Counted.most = max(Counted.most, len(found))
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self.db, name)


class Planned:
    """A connection to SQLite that remembers how tables are searched by name, as SQLite plans it."""

    searches = list[str]()

    def __init__(self, db: Database) -> None:
        self.db = db

    def query(self, sql: str, params: Params) -> Sequence[Sequence[Any]]:
        if self.db.within in sql:
            steps = [step for _, _, _, step in self.db.query(f"explain query plan {sql}", params)]
            Planned.searches += [step for step in steps if step.startswith(("SEARCH", "SCAN")) and "json" not in step]
        return self.db.query(sql, params)

    def __getattr__(self, name: str) -> object:
        return getattr(self.db, name)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part be so small that even a short history has many."""
    monkeypatch.setattr(kept, "_ACTIONS_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(kept, "_ROWS_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(compare, "_PAYLOADS_OF_MAX", 1)
    for name in ("_LINES", "_CHANGES", "_ENTRIES"):
        sql: str = getattr(kept, name)
        monkeypatch.setattr(kept, name, f"{sql.rpartition('limit')[0]} limit {AT_ONCE}")

    def spilled(kind: type[Any], add: Callable[[Any, Any], Any]) -> Spilled[Any]:
        return Spilled(kind, add, held_max=AT_ONCE)

    monkeypatch.setattr(compare, "Spilled", spilled)


@pytest.fixture
def counted(where: str, tmp_path: Path, anyio_backend: str) -> Generator[World]:
    clock = HandClock()
    opened = open_store(where, tmp_path / "keys", clock=clock, durable=False, around=Counted)  # pyright: ignore[reportArgumentType]
    yield World.on(opened, clock, TenantId(f"acme-{token_hex(4)}"))
    opened.close()


async def some_calls(world: World, calls: int = 9) -> None:
    """Calls of four runs on budgets of a day and of runs, some of which are used up, with a claim each."""
    unique = Unique(on=("args.to",), within=Micros(86_400_000_000))
    budgets = (a_budget(40), a_budget(2, Unit.TOOL_CALLS, "run"))
    await world.publish(tools=[a_tool(price=7, unique=unique)], budgets=budgets)
    for n in range(calls):
        world.clock.forward(seconds=1)
        await world.call({"to": f"sam-{n % 7}"}, run=f"r{n % 4}")
    (day,) = [id for id in await world.store.budgets() if "/day:" in id]
    await raise_budget(world.store, day, 5, KIM)
    await world.call({"to": "one more"})


async def differences(world: World) -> list[str]:
    return [f"{d.where}: {d.what}" for d in await verify_state(world.store, world.opened.secrets)]


async def test_no_statement_brings_more_rows_than_a_part_has(counted: World, small: None) -> None:
    await some_calls(counted, calls=30)
    Counted.most = 0
    assert await differences(counted) == []
    assert 0 < Counted.most <= 4 * AT_ONCE, "a part has its actions, and the payloads of one"


async def test_what_is_looked_up_by_name_is_found_in_an_index(tmp_path: Path) -> None:
    clock, where = HandClock(), str(tmp_path / "interlock.db")
    opened = open_store(where, tmp_path / "keys", clock=clock, durable=False, around=Planned)  # pyright: ignore[reportArgumentType]
    world = World.on(opened, clock, TenantId("acme"))
    await some_calls(world)
    Planned.searches.clear()
    assert await differences(world) == []
    assert await world.store.budgets(["forever"]) == {}
    assert await world.store.entries_of_each([ActionId("a")]) == {}
    assert await world.store.undos_of_each([ActionId("a")]) == ()
    opened.close()
    assert {step.split()[1] for step in Planned.searches} == {
        "action",
        "budget",
        "claim",
        "entry",
        "granted",
        "payload",
    }
    assert [step for step in Planned.searches if "(tenant=? AND " not in step] == []


async def test_what_differs_is_found_in_whichever_part_it_is(world: World, small: None) -> None:
    await some_calls(world)
    rows = await world.store.actions(Wanted())
    first, last = rows[-1], rows[0]
    stray = replace(first.action, id=ActionId("astray"), key=first.action.digest)
    balances = await world.store.budgets()
    of_run = next(id for id in balances if id.endswith("run:r2"))

    def forge(_: object) -> tuple[Changes, None]:
        return Changes(
            actions=(ActionRow(action=stray, state=first.state), replace(last, fence=7)),
            budgets={of_run: Balance(limit=2, spent=9), of_run.replace("r2", "r9"): Balance(limit=2)},  # pyright: ignore[reportArgumentType]
            runs=(RunRow(id=RunId("r3"), calls=1), RunRow(id=RunId("r9"), calls=1)),
        ), None

    needs = Needs(
        actions=frozenset({ActionId("astray"), last.action.id}),
        budgets=frozenset({of_run}),
        runs=frozenset({RunId("r3")}),
    )
    await world.store.write(needs, forge)
    found = await differences(world)
    told = " ".join(found)
    assert len(found) == 6, found
    assert "`astray` of `action`: there is a row, and the ledger does not tell of it" in found
    assert f"action `{last.action.id}`: `fence` must be" in told
    assert f"budget `{of_run}`: `spent` must be 2 and is 9" in found
    assert f"`{of_run.replace('r2', 'r9')}` of `budget`: there is a row, and the ledger does not tell of it" in found
    assert "run `r3`: `calls` must be 2 and is 1" in found
    assert "`r9` of `run`: there is a row, and the ledger does not tell of it" in found


async def test_a_part_of_the_entries_says_its_part_of_every_budget(world: World) -> None:
    await some_calls(world)
    world.tool.costs = {"usd": 900}
    await world.call({"to": "too dear"}, run="r8")
    lines = [(index, read(line)) for index, line in enumerate(await world.store.entries())]
    whole = rebuild(await world.store.entries())
    by_action: dict[str, State] = {}
    for index, entry in lines:
        by_action.setdefault(entry.action if isinstance(entry, ActionLine) else "", State()).add(index, entry)
    for states in (by_action.values(), reversed(by_action.values())):
        total: dict[str, Booked] = {}
        for state in states:
            for id, booked in state.booked.items():
                total[id] = booked.plus(total.get(id, Booked()))
        assert {id: booked.account() for id, booked in total.items()} == whole.budgets
    assert any(account.raised for account in whole.budgets.values())


def test_what_is_written_beside_a_long_read_is_in_the_file_as_soon_as_that_ends(tmp_path: Path) -> None:
    """Or the next writer puts all of it there, and its caller waits."""
    file, copy = tmp_path / "interlock.db", tmp_path / "copy.db"

    def payloads() -> int:
        shutil.copy(file, copy)  # without the log
        with closing(sqlite3.connect(copy)) as db:
            return db.execute("select count(*) from payload").fetchone()[0]

    with closing(SqliteDatabase(file)) as reader, closing(SqliteDatabase(file)) as writer:
        writer.run("pragma wal_checkpoint(passive)")
        reader.begin_snapshot()
        reader.take_time()
        reader.query("select 1 from head", {})
        for id in ("p1", "p2"):
            writer.begin(durable=True, tenants=())
            writer.put(TenantId("acme"), [Put(PAYLOAD, [(id, b"sealed")])])
            writer.commit()
        assert payloads() == 0
        reader.rollback()
        assert payloads() == 2


@given(st.lists(st.tuples(st.text(max_size=2), st.integers())), st.integers(1, 5))
def test_what_is_added_up_on_the_disk_is_what_is_added_up_in_memory(parts: list[tuple[str, int]], held: int) -> None:
    must = Counter[str]()
    with Spilled(int, int.__add__, held_max=held) as spilled:
        for name, part in parts:
            spilled.put(name, part)
            must[name] += part
        assert list(spilled.items()) == sorted(must.items())


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_backup_of_many_parts_comes_back_whole(
    store: str, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(backup, "_PAGE", AT_ONCE)
    monkeypatch.setattr(backup, "_SYNCED_BYTES", 1_000)
    where = str(tmp_path / "interlock.db")
    if store == "postgres":
        server: Server = request.getfixturevalue("postgres_server")
        where = server.a_database(f"parts_{token_hex(4)}")
    site = Site(where, tmp_path)
    async with site.process() as world:
        await publish(world)
        for n in range(5):
            await done(world, arguments={"to": n})
        before = await world.store.entries()
    site.back_up()
    site.restore(over=True)
    async with site.process() as world:
        assert (await world.store.entries())[:-1] == before
        assert await differences(world) == []
