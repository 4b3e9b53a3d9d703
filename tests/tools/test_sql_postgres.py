"""Statements that are carried out on a real Postgres, with row-level security and roles without rights."""

from collections.abc import AsyncGenerator, Generator
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, LiteralString

import anyio
import psycopg
import pytest

from interlock.app import every_tool
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import TenantId
from interlock.core.outcome import Done, Failed, Refused
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_postgres import PostgresDatabases
from interlock.tool.with_secret import ToolsWithSecrets
from postgres import Server
from tools.drawer import Drawer
from tools.statements import Data
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TABLES = """\
create table people (id integer primary key, name text, tenant text, credit numeric, since timestamptz default now());
create table notes (
  id serial primary key, person integer references people (id) deferrable initially deferred, note text, key text unique
);
alter table people enable row level security;
create policy own on people using (tenant = current_setting('app.tenant'));
do $$ begin
  if not exists (select from pg_roles where rolname = 'crm_reader') then create role crm_reader; end if;
  if not exists (select from pg_roles where rolname = 'crm_writer') then create role crm_writer; end if;
end $$;
grant select on people, notes to crm_reader;
grant select on people to crm_writer;
grant select, insert, update on notes to crm_writer;
grant usage on sequence notes_id_seq to crm_writer;
"""


@pytest.fixture(scope="module")
def crm(postgres_server: Server) -> Generator[str]:
    url = postgres_server.a_database(f"crm_{token_hex(4)}")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(TABLES)
    yield url


@pytest.fixture
async def data(world: World, tmp_path: Path, crm: str) -> AsyncGenerator[Data]:
    with psycopg.connect(crm, autocommit=True) as db:
        db.execute("truncate people, notes restart identity")
        people = [(1, "Sam", world.tenant), (2, "Ann", "other"), (3, "Kim", world.tenant)]
        db.cursor().executemany("insert into people (id, name, tenant, credit) values (%s, %s, %s, 12.50)", people)
    tools = every_tool()
    yield Data(world, tmp_path, tools, on(crm, "crm_reader"))
    tools.close()


def on(url: str, role: str) -> str:
    return f"databases: {{ s.sql: {{ postgres: {{ address: '{url}', role: {role} }} }} }}\n"


def plan(text: str, **more: Any) -> SqlPlan:
    known: dict[str, Any] = {"statement": "it", "text": text, "seconds": 5.0, "role": "crm_writer", **more}
    return SqlPlan(**known)


def seen(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(query).fetchall()


async def test_a_tenant_sees_its_own_rows_by_the_policy_of_the_database(data: Data) -> None:
    await data.publish(
        "-- name: it\n-- param name: string?\n"
        "select id, name, credit from people where :name::text is null or name = :name order by id",
        it="",
    )
    assert await data.done() == [
        {"id": 1, "name": "Sam", "credit": 12.5},
        {"id": 3, "name": "Kim", "credit": 12.5},
    ]
    assert await data.done(name="Ann") == []
    assert await data.done(name="x' or '1'='1") == []


async def test_rows_come_back_in_json_exactly(data: Data) -> None:
    await data.publish(
        "-- name: it\n-- returns one\nselect since, credit, array[1, 2] as xs, '{\"a\": 1.5}'::jsonb as j, null as n, "
        "true as yes, '100%' as p from people where id = 1;\n"
        "-- name: third\n-- returns one\nselect 1::numeric / 3 as a\n",
        it="",
        third="",
    )
    row = await data.done()
    assert datetime.fromisoformat(row.pop("since")).tzinfo is not None
    assert row == {"credit": 12.5, "xs": [1, 2], "j": {"a": 1.5}, "n": None, "yes": True, "p": "100%"}
    assert "JSON cannot carry exactly" in await data.failed("third")


async def test_a_number_is_compared_as_the_decimal_that_it_is(data: Data, crm: str) -> None:
    with psycopg.connect(crm, autocommit=True) as db:
        db.execute("update people set credit = 0.1 where id = 1")
    await data.publish("-- name: it\n-- param n: number\nselect id from people where credit = :n", it="")
    assert await data.done(n=0.1) == [{"id": 1}]


@pytest.mark.parametrize(
    "text",
    [
        "insert into notes (note) values ('x')",
        "with x as (insert into notes (note) values ('x') returning 1) select 1 from x",
        "select nextval('notes_id_seq')",
        "create table x (y integer)",
    ],
)
async def test_a_read_writes_nothing_whatever_its_text_is(crm: str, data: Data, text: str) -> None:
    del data
    databases = PostgresDatabases()
    with pytest.raises(UpstreamFailed, match=r"wants to write|refuses"):
        databases.carry_out(plan(text, reads=True), {}, lambda: None, address=crm, tenant=TenantId("t"))
    assert seen(crm, "select * from notes") == []


async def test_a_read_has_the_rights_of_its_role_alone(data: Data, crm: str) -> None:
    await data.publish("-- name: it\nselect rolname from pg_authid", it="")
    outcome = await data.call()
    assert isinstance(outcome, Failed)
    assert "permission denied" in outcome.said
    await data.publish("-- name: it\n-- returns one\nselect current_user::text as me", it="")
    assert await data.done() == {"me": "crm_reader"}
    data.databases = on(crm, "postgres")
    await data.publish("-- name: it\nselect 1 as a", it="")
    assert "passes by row-level security" in await data.failed()


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


async def test_a_write_stores_the_key_of_its_action_and_another_statement_finds_it(data: Data, crm: str) -> None:
    data.databases = on(crm, "crm_writer")
    await data.publish(NOTE, note="reconcile: { tool: was_noted, args: { key: '$.key' } }", was_noted="")
    outcome = await data.call("note", {"person": 1, "note": "hi"})
    assert isinstance(outcome, Done)
    assert outcome.result == {"id": 1, "note": "hi"}
    key = f"{data.world.tenant}.{outcome.action}"
    assert seen(crm, "select key from notes") == [(key,)]
    assert await data.done("was_noted", key=key) == {"happened": True, "result": {"id": 1, "note": "hi"}}
    assert await data.done("was_noted", key="other") == {"happened": False}
    assert isinstance(await data.call("was_noted", {}), Refused)


async def test_what_the_commit_itself_refuses_has_not_happened(data: Data, crm: str) -> None:
    data.databases = on(crm, "crm_writer")
    await data.publish(NOTE, note="reconcile: { tool: was_noted, args: { key: '$.key' } }", was_noted="")
    outcome = await data.call("note", {"person": 9, "note": "nobody"})
    assert isinstance(outcome, Failed)
    assert "is not present in table" in outcome.said
    assert seen(crm, "select * from notes") == []


async def test_a_connection_that_is_lost_before_the_commit_has_done_nothing_and_in_it_nobody_knows(
    data: Data, crm: str
) -> None:
    del data
    databases = PostgresDatabases()
    write = plan("insert into notes (note) values ('x')", returns="count")

    def kill() -> None:
        with psycopg.connect(crm, autocommit=True) as db:
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name = 'interlock'"
            )

    def carry_out(write: SqlPlan, check: Any) -> object:
        return databases.carry_out(write, {}, check, address=crm, tenant=TenantId("t"))

    with pytest.raises(UpstreamFailed, match="nothing was done"):
        carry_out(plan("select pg_terminate_backend(pg_backend_pid())", role="crm_writer"), lambda: None)
    looks: list[int] = []

    def at_the_commit() -> None:
        looks.append(1)
        if len(looks) == 2:
            kill()

    with pytest.raises(UpstreamSilent, match="nobody knows whether `it` was committed"):
        carry_out(write, at_the_commit)
    assert seen(crm, "select * from notes") == []
    carry_out(write, lambda: None)
    # A connection that went away while nobody used it is opened again.
    kill()
    assert carry_out(write, lambda: None) == {"changed": 1}
    databases.close()


async def test_whoever_asks_whether_it_happened_waits_for_whoever_writes_it(data: Data, crm: str) -> None:
    del data
    databases = PostgresDatabases()
    write = plan("insert into notes (note, key) values ('a', :interlock_key)", returns="count")
    ask = plan("select note from notes where key = :key", reads=True, returns="happened")
    at_commit, may_commit = anyio.Event(), anyio.Event()
    looks: list[int] = []

    def wait() -> None:
        looks.append(1)
        if len(looks) == 2:
            anyio.from_thread.run_sync(at_commit.set)
            anyio.from_thread.run(may_commit.wait)

    carry_out = partial(databases.carry_out, address=crm, tenant=TenantId("t"))
    answers: list[object] = []

    async def asks() -> None:
        answers.append(await anyio.to_thread.run_sync(partial(carry_out, ask, {"key": "k"}, lambda: None)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            values = {"interlock_key": "k"}
            tasks.start_soon(partial(anyio.to_thread.run_sync, partial(carry_out, write, values, wait)))
            await at_commit.wait()
            tasks.start_soon(asks)
            while not seen(crm, "select 1 from pg_locks where locktype = 'advisory' and not granted"):
                await anyio.sleep(0.01)
            may_commit.set()
    assert answers == [{"happened": True, "result": {"note": "a"}}]
    databases.close()


@pytest.mark.parametrize(
    "text", ["select pg_sleep(60)::text as a", "insert into notes (note) select pg_sleep(60)::text"]
)
async def test_a_statement_that_takes_too_long_is_undone(crm: str, data: Data, text: str) -> None:
    del data
    databases = PostgresDatabases()
    slow = plan(text, seconds=0.1, reads=text.startswith("select"))
    with anyio.fail_after(10), pytest.raises(UpstreamFailed, match=r"took more than 0\.1 s, .*(undone|undoes it)"):
        carry_out = partial(databases.carry_out, address=crm, tenant=TenantId("t"))
        await anyio.to_thread.run_sync(partial(carry_out, slow, {}, lambda: None))
    assert seen(crm, "select * from notes") == []


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_whoever_asks_hears_in_time_that_a_write_took_too_long_and_was_undone(data: Data, crm: str) -> None:
    data.databases = on(crm, "crm_writer")
    await data.publish("-- name: it\ninsert into notes (note) select pg_sleep(60)::text", it="timeout: 2s")
    assert "`it` took more than 1.8 s, " in await data.failed()
    assert seen(crm, "select * from notes") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select x from generate_series(1, 1001) x", "more than 1,000 rows"),
        ("select generate_series(1, 1000000000) as x", "more than 1,000 rows"),
        ("select repeat('x', 2000000) as a", "more than 1,048,576 bytes"),
        ("select 1 as a, 2 as a", "two columns of one name"),
    ],
)
async def test_what_is_too_much_does_not_come_back(data: Data, text: str, says: str) -> None:
    await data.publish(f"-- name: it\n{text}", it="")
    with anyio.fail_after(20):
        assert says in await data.failed()


async def test_nothing_of_an_address_is_told_where_nobody_answers(data: Data) -> None:
    del data
    for address in ("postgresql://u:canary-pw@127.0.0.1:1/d", "canary-pw", "postgresql://u:canary-pw@[/d"):
        with pytest.raises(UpstreamFailed) as error:
            PostgresDatabases().carry_out(plan("select 1"), {}, lambda: None, address=address, tenant=TenantId("t"))
        assert "canary" not in f"{error.value} {error.value.fix} {error.value.said}"


async def test_the_setting_and_the_role_end_with_the_transaction(data: Data, crm: str) -> None:
    del data
    databases = PostgresDatabases()
    ask = plan("select current_setting('app.tenant', true) as t, current_user::text as me", reads=True, returns="one")
    for tenant in ("one", "two"):
        came = databases.carry_out(ask, {}, lambda: None, address=crm, tenant=TenantId(tenant))
        assert came == {"t": tenant, "me": "crm_writer"}
    databases.close()


@pytest.mark.parametrize(
    ("leaves", "finds"),
    [
        (
            "select set_config('app.clerk', 'eve', false)",
            "select coalesce(current_setting('app.clerk', true), '') as it",
        ),
        ("select set_config('search_path', 'pg_catalog', false)", "select current_setting('search_path') as it"),
        (
            "select pg_advisory_lock(7)",
            "select count(*) as it from pg_locks where objid = 7 and pid = pg_backend_pid()",
        ),
        ("select leave_a_table()", "select count(*) as it from pg_class where relname = 'left_here'"),
    ],
)
async def test_what_a_statement_leaves_on_its_connection_is_not_there_for_the_next_tenant(
    data: Data, crm: str, leaves: str, finds: str
) -> None:
    del data
    with psycopg.connect(crm, autocommit=True) as db:
        db.execute(
            "create or replace function leave_a_table() returns int language sql as"
            " 'create temp table if not exists left_here (x int); select 1'"
        )
    databases, look = PostgresDatabases(), plan(finds, reads=True, returns="one")
    before = databases.carry_out(look, {}, lambda: None, address=crm, tenant=TenantId("two"))
    backend = plan("select pg_backend_pid() as it", reads=True, returns="one")
    first = databases.carry_out(backend, {}, lambda: None, address=crm, tenant=TenantId("one"))
    databases.carry_out(plan(leaves, returns="many"), {}, lambda: None, address=crm, tenant=TenantId("one"))
    assert databases.carry_out(backend, {}, lambda: None, address=crm, tenant=TenantId("two")) == first
    assert databases.carry_out(look, {}, lambda: None, address=crm, tenant=TenantId("two")) == before
    databases.close()


async def test_the_address_can_be_the_secret_of_the_tool(data: Data, crm: str) -> None:
    data.tools = ToolsWithSecrets(data.tools, Drawer(crm))
    data.databases = "databases: { s.sql: { postgres: { role: crm_reader } } }\n"
    await data.publish("-- name: it\nselect name from people order by id", it="secret: crm")
    assert await data.done() == [{"name": "Sam"}, {"name": "Kim"}]
    assert crm not in str(await data.world.entries())
