"""Rows that come back from a real Postgres: no more of them are in memory than go back, and in no more time."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, LiteralString

import psycopg
import pytest

from interlock.core.errors import UpstreamFailed
from interlock.core.ids import TenantId
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_postgres import PostgresDatabases
from postgres import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def notes(postgres_server: Server) -> Generator[str]:
    url = postgres_server.a_database(f"rows_{token_hex(4)}")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create table notes (id serial primary key, person integer, note text, key text unique)")
        db.execute("do $$ begin create role row_taker; exception when duplicate_object then null; end $$")
        db.execute(
            "grant select, insert, update on notes to row_taker; grant usage on sequence notes_id_seq to row_taker"
        )
    yield url


@pytest.fixture
def crm(notes: str) -> str:
    with psycopg.connect(notes, autocommit=True) as db:
        db.execute("truncate notes restart identity")
    return notes


def plan(text: str, **more: Any) -> SqlPlan:
    known: dict[str, Any] = {"statement": "it", "text": text, "seconds": 5.0, "role": "row_taker", **more}
    return SqlPlan(**known)


def seen(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(query).fetchall()


@contextmanager
def grown() -> Generator[Callable[[], int]]:
    """By how many bytes this process was larger at most than it was before; what its libraries take counts, too."""

    def said(name: str) -> int:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        (line,) = [line for line in status.splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024

    before = said("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    yield lambda: said("VmHWM") - before


def test_rows_that_are_too_long_are_not_gathered_first(crm: str, databases: PostgresDatabases) -> None:
    long = plan("select repeat('x', 600000) as it from generate_series(1, 900)", reads=True)
    with grown() as more, pytest.raises(UpstreamFailed, match="returns more than 1,048,576 bytes"):
        databases.carry_out(long, {}, lambda: None, address=crm, tenant=TenantId("one"))
    assert more() < 50_000_000


def test_rows_of_a_write_that_are_too_long_are_not_gathered_first_and_all_of_it_is_undone(
    crm: str, databases: PostgresDatabases
) -> None:
    long = "insert into notes (note) select 'x' from generate_series(1, 300) returning repeat(note, 600000) as it"
    many = (
        "with x as (insert into notes (note) select 'x' from generate_series(1, 90000) returning id) select id from x"
    )
    carry_out = partial(databases.carry_out, check_lease=lambda: None, address=crm, tenant=TenantId("one"))
    for text, says in ((long, "returns more than 1,048,576 bytes"), (many, "returns more than 1,000 rows")):
        with grown() as more, pytest.raises(UpstreamFailed, match=f"`it` {says}, so nothing was done"):
            carry_out(plan(text), {})
        assert more() < 50_000_000
        assert seen(crm, "select count(*) from notes") == [(0,)]


def test_rows_of_a_write_come_back_and_their_connection_is_used_again(crm: str, databases: PostgresDatabases) -> None:
    carry_out = partial(databases.carry_out, check_lease=lambda: None, address=crm, tenant=TenantId("one"))
    insert = "insert into notes (note) select 'x' from generate_series(1, 1000) returning id, note"
    came = carry_out(plan(insert), {})
    assert came == [{"id": id, "note": "x"} for id in range(1, 1001)]
    assert carry_out(plan(insert.replace("1000", "1700"), returns="count"), {}) == {"changed": 1700}
    assert carry_out(plan("update notes set note = 'y' where id = 0 returning id"), {}) == []
    one = plan("update notes set note = 'y' where id <= 2 returning id", returns="one")
    with pytest.raises(UpstreamFailed, match="is to return one row, and returns more"):
        carry_out(one, {})
    with pytest.raises(UpstreamFailed, match="the database refuses `it`, so nothing was done"):
        carry_out(plan("insert into notes (note, key) values ('a', 'k'), ('b', 'k') returning id"), {})
    assert carry_out(plan("select pg_backend_pid() is null as it"), {}) == [{"it": False}]
    moved = (
        "with x as (update notes set note = 'z' where id <= 5 returning id)"
        " insert into notes (person) select null from x"
    )
    assert carry_out(plan(moved, returns="count"), {}) == {"changed": 5}
    assert seen(crm, "select note, count(*) from notes group by note order by note") == [
        ("x", 2695),
        ("z", 5),
        (None, 5),
    ]


def test_rows_that_come_one_by_one_have_no_more_time_than_all_of_them(crm: str, databases: PostgresDatabases) -> None:
    slow = plan("select pg_sleep(0.1) is null as it from generate_series(1, 900)", reads=True, seconds=0.5)
    with pytest.raises(UpstreamFailed, match=r"took more than 0\.5 s"):
        databases.carry_out(slow, {}, lambda: None, address=crm, tenant=TenantId("one"))
