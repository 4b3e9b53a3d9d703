"""Statements that are carried out on a real SQLite file."""

import sqlite3
import tracemalloc
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock.app import every_tool
from interlock.core.action import ActionState
from interlock.core.effect import EffectClass
from interlock.core.errand import Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.outcome import Done, Failed, Refused, Uncertain
from interlock.core.value import replace
from interlock.gateway.recover import attend
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_sqlite import SqliteDatabases
from tools.statements import Data
from world import World

pytestmark = pytest.mark.anyio

TABLES = """\
create table people (id integer primary key, name text, tenant text);
insert into people values (1, 'Sam', 'x'), (2, 'Ann', 'y'), (3, 'Kim', 'y');
create table notes (id integer primary key, person integer references people (id), note text, key text unique);
"""


@pytest.fixture
async def data(world: World, tmp_path: Path) -> AsyncGenerator[Data]:
    tools = every_tool()
    found = Data(world, tmp_path, tools)
    found.run(TABLES)
    yield found
    tools.close()


async def test_rows_come_back_as_the_statement_says(data: Data) -> None:
    await data.publish(
        "-- name: one\n-- param id: integer\n-- returns one\nselect id, name from people where id = :id;\n"
        "-- name: many\nselect name from people order by id;\n"
        "-- name: rename\n-- param name: string\nupdate people set name = :name where id > 1;\n",
        one="",
        many="",
        rename="effect: idempotent",
    )
    assert await data.done("one", id=2) == {"id": 2, "name": "Ann"}
    assert await data.done("one", id=9) is None
    assert await data.done("many") == [{"name": "Sam"}, {"name": "Ann"}, {"name": "Kim"}]
    assert await data.done("rename", name="Bo") == {"changed": 2}
    assert data.rows("select name from people") == [("Sam",), ("Bo",), ("Bo",)]


async def test_what_an_argument_holds_is_a_value_and_never_sql(data: Data) -> None:
    await data.publish("-- name: it\n-- param name: string\nselect id from people where name = :name", it="")
    assert await data.done(name="Sam' or 1=1 --") == []
    assert isinstance(await data.call("it", {"name": "Sam", "sql": "drop table people"}), Refused)
    assert data.rows("select count(*) from people") == [(3,)]


async def test_the_tenant_is_filled_in_by_interlock(data: Data) -> None:
    data.run(f"update people set tenant = '{data.world.tenant}' where id = 3")
    await data.publish("-- name: it\nselect name from people where tenant = :interlock_tenant", it="")
    assert await data.done() == [{"name": "Kim"}]
    assert isinstance(await data.call("it", {"interlock_tenant": "x"}), Refused)


NOTE = """\
-- name: note
-- param person: integer
-- param note: string
-- returns one
insert into notes (person, note, key) values (:person, :note, :interlock_key) returning id, note;
-- name: was_noted
-- param key: string
-- returns happened
select id, note from notes where key = :key;
"""
NUMBERS = "with recursive n (x) as (select 1 union all select x + 1 from n limit {}) select x from n"
ANY = {"statement": "it", "text": "select 1", "seconds": 1.0, "sqlite": "data.db"}
RECONCILE = "reconcile: { tool: was_noted, args: { key: '$.key' } }"


async def test_a_write_stores_the_key_of_its_action_and_another_statement_finds_it(data: Data) -> None:
    await data.publish(NOTE, note=RECONCILE, was_noted="")
    outcome = await data.call("note", {"person": 1, "note": "hi"})
    assert isinstance(outcome, Done)
    assert outcome.result == {"id": 1, "note": "hi"}
    assert (await data.world.row(outcome.action)).action.effect is EffectClass.QUERYABLE
    assert data.rows("select key from notes") == [(f"{data.world.tenant}.{outcome.action}",)]
    found = await data.done("was_noted", key=f"{data.world.tenant}.{outcome.action}")
    assert found == {"happened": True, "result": {"id": 1, "note": "hi"}}
    assert await data.done("was_noted", key="other") == {"happened": False}


@pytest.mark.parametrize("happened", [True, False])
async def test_an_action_that_nobody_heard_of_is_looked_for_by_its_key(
    data: Data, happened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await data.publish(NOTE, note=RECONCILE, was_noted="")
    carry_out = SqliteDatabases.carry_out

    def lost(self: SqliteDatabases, plan: SqlPlan, *given: Any) -> Any:
        if plan.reads:
            return carry_out(self, plan, *given)
        if happened:
            carry_out(self, plan, *given)
        raise OSError("the answer is lost")

    monkeypatch.setattr(SqliteDatabases, "carry_out", lost)
    outcome = await data.call("note", {"person": 1, "note": "hi"})
    assert isinstance(outcome, Uncertain)
    data.world.clock.forward(minutes=5)
    assert await attend(data.world.gateway, data.world.store) == (outcome.action,)
    state = (await data.world.row(outcome.action)).state
    assert state is (ActionState.DONE if happened else ActionState.FAILED)


async def test_what_fails_before_the_commit_has_not_happened(data: Data) -> None:
    await data.publish(
        NOTE
        + "-- name: twice\n-- returns one\ninsert into notes (note, key) values ('a', '1'), ('b', '2') returning id;\n"
        + "-- name: big\n-- returns many\n-- param n: integer\n"
        + "insert into notes (note) select hex(zeroblob(:n)) from people returning note;\n",
        note=RECONCILE,
        was_noted="",
        twice="effect: opaque",
        big="effect: opaque",
    )
    assert await data.failed("note", person=9, note="no such person") == (
        "the database refuses `note`, so nothing was done"
    )
    assert "returns more" in await data.failed("twice")
    assert "returns more than 1,048,576 bytes" in await data.failed("big", n=500_000)
    assert data.rows("select * from notes") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (NUMBERS.format(1_001), "more than 1,000 rows"),
        ("select hex(zeroblob(600000)) as a", "more than 1,048,576 bytes"),
        ("select 9007199254740993 as a", "JSON cannot carry exactly"),
        ("select 1 as a, 2 as a", "two columns of one name"),
        ("select x'00' as a", None),
        ("select null as a, 1.5 as b, 'x' as c", None),
    ],
)  # fmt: skip
async def test_what_is_too_much_or_no_json_does_not_come_back(data: Data, text: str, says: str | None) -> None:
    await data.publish(f"-- name: it\n{text}", it="")
    if says is None:
        assert await data.done() in ([{"a": "AA=="}], [{"a": None, "b": 1.5, "c": "x"}])
    else:
        assert says in await data.failed()


async def test_rows_that_are_too_long_are_not_gathered_first(data: Data) -> None:
    text = (
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)"
        " select hex(zeroblob(300000)) as it from n"
    )
    long = replace(a_plan(data.folder, text, reads=True), seconds=30.0)
    tracemalloc.start()
    with pytest.raises(UpstreamFailed, match="returns more than 1,048,576 bytes"):
        SqliteDatabases().carry_out(long, {}, lambda: None)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


async def test_a_thousand_rows_come_back(data: Data) -> None:
    await data.publish(f"-- name: it\n{NUMBERS.format(1_000)}", it="")
    assert len(await data.done()) == 1_000


async def test_a_statement_that_takes_too_long_is_undone_and_its_slot_is_free(data: Data) -> None:
    endless = "with recursive n (x) as (select 1 union all select x + 1 from n) "
    await data.publish(
        f"-- name: look\n{endless}select max(x) as a from n;\n"
        f"-- name: fill\ninsert into notes (note) {endless}select x from n;\n",
        look="timeout: 100ms, slots: 1",
        fill="effect: opaque, timeout: 100ms, slots: 1",
    )
    with anyio.fail_after(10):
        assert isinstance(await data.call("look"), Failed)
        outcome = await data.call("fill")
        assert isinstance(outcome, Failed | Uncertain)
        performer = data.tools.find("sql:s.sql#fill", Terms(owner=f"{data.world.tenant}/w", slots=1, how=ANY))
        while performer is not None and not performer.free():
            await anyio.sleep(0.01)
    assert data.rows("select count(*) from notes") == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_whoever_asks_hears_in_time_that_a_write_took_too_long_and_was_undone(data: Data) -> None:
    endless = "with recursive n (x) as (select 1 union all select x + 1 from n) select x from n"
    await data.publish(f"-- name: it\ninsert into notes (note) {endless}", it="effect: opaque, timeout: 2s")
    assert await data.failed() == "`it` took more than 1.8 s, so it was undone"
    assert data.rows("select count(*) from notes") == [(0,)]


def a_plan(folder: Path, text: str, **more: Any) -> SqlPlan:
    return SqlPlan(statement="it", text=text, seconds=0.2, sqlite=str(folder / "data.db"), **more)


@pytest.mark.parametrize(
    "text",
    [
        "insert into people values (9, 'x', 'y')",
        "update people set name = 'x'",
        "delete from people",
        "create table x (y)",
        "drop table people",
        "attach database 'x.db' as x",
        "pragma query_only = off",
        "pragma writable_schema = on",
        "update sqlite_master set sql = 'x'",
        "vacuum",
        "select load_extension('x')",
        "with x as (select 1) insert into people select 9, 'x', 'y'",
    ],
)
async def test_a_read_writes_nothing_whatever_its_text_is(data: Data, text: str) -> None:
    with pytest.raises(UpstreamFailed):
        SqliteDatabases().carry_out(a_plan(data.folder, text, reads=True), {}, lambda: None)
    assert data.rows("select count(*) from people where name in ('Sam', 'Ann', 'Kim')") == [(3,)]


@pytest.mark.parametrize(
    "text",
    [
        "pragma journal_mode = off",
        "update sqlite_master set sql = 'x'",
        "attach 'x.db' as x",
        "create table x (y)",
        "drop table people",
    ],
)
async def test_a_write_changes_rows_and_nothing_else(data: Data, text: str) -> None:
    with pytest.raises(UpstreamFailed):
        SqliteDatabases().carry_out(a_plan(data.folder, text), {}, lambda: None)
    assert not (data.folder / "x.db").exists()


async def test_the_lease_is_looked_at_again_before_the_commit(data: Data) -> None:
    looks: list[int] = []

    def passed() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise UpstreamFailed("the lease passed", fix="call again")

    with pytest.raises(UpstreamFailed, match="the lease passed"):
        SqliteDatabases().carry_out(a_plan(data.folder, "delete from people"), {}, passed)
    assert data.rows("select count(*) from people") == [(3,)]


async def test_whoever_asks_whether_it_happened_waits_for_whoever_writes_it(data: Data) -> None:
    other = sqlite3.connect(data.folder / "data.db", isolation_level=None)
    other.execute("begin immediate")
    other.execute("insert into notes (note, key) values ('a', 'k')")
    ask = a_plan(data.folder, "select note from notes where key = :key", reads=True, returns="happened")
    databases = SqliteDatabases()
    with pytest.raises(UpstreamFailed):
        await anyio.to_thread.run_sync(partial(databases.carry_out, ask, {"key": "k"}, lambda: None))
    other.execute("commit")
    other.close()
    assert databases.carry_out(ask, {"key": "k"}, lambda: None) == {"happened": True, "result": {"note": "a"}}
    databases.close()


async def test_a_database_that_is_gone_is_told(data: Data) -> None:
    await data.publish("-- name: it\nselect 1 as a", it="")
    (data.folder / "data.db").unlink()
    assert "cannot be opened" in await data.failed()
    assert not (data.folder / "data.db").exists()


async def test_full_text_search_can_be_asked(data: Data) -> None:
    data.run("create virtual table docs using fts5 (body); insert into docs values ('a red fox')")
    await data.publish("-- name: it\n-- param words: string\nselect body from docs where docs match :words", it="")
    for _ in range(2):
        assert await data.done(words="fox") == [{"body": "a red fox"}]
