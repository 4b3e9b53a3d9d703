"""A database that goes silent in the middle: nobody waits for it beyond their time, and what is said of it is true."""

import socket
from collections.abc import Generator
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import anyio
import psycopg
import pytest

from interlock.app import every_tool
from interlock.core.canonical import Json
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import TenantId
from interlock.core.outcome import Failed
from interlock.tool.sql_connection import Connection, connected
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_postgres import PostgresDatabases
from postgres import Server
from tools.silent_database import Silence, silence
from tools.statements import Data
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def notes(postgres_server: Server) -> Generator[str]:
    url = postgres_server.a_database(f"notes_{token_hex(4)}")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create table notes (note text)")
        db.execute("do $$ begin create role note_taker; exception when duplicate_object then null; end $$")
        db.execute("grant select, insert on notes to note_taker")
    yield url


@pytest.fixture
def way(notes: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Silence]:
    monkeypatch.setattr("interlock.tool.sql_postgres.SQL_SILENCE_SECONDS_MAX", 0.3)
    with psycopg.connect(notes, autocommit=True) as db:
        db.execute("truncate notes")
    with silence(notes) as found:
        yield found


def plan(text: str, **more: Any) -> SqlPlan:
    known: dict[str, Any] = {"statement": "it", "text": text, "seconds": 0.6, "role": "note_taker", **more}
    return SqlPlan(**known)


WRITE = plan("insert into notes (note) values ('canary') returning note", returns="one")
READ = plan("select note from notes where note = 'canary'", reads=True)


async def asked(databases: PostgresDatabases, way: Silence, plan: SqlPlan) -> Json:
    ask = partial(databases.carry_out, plan, {}, lambda: None, address=way.address, tenant=TenantId("t"))
    with anyio.fail_after(20):
        return await anyio.to_thread.run_sync(ask)


def rows(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as db:
        return len(db.execute("select * from notes").fetchall())


@pytest.mark.parametrize("asks", [WRITE, READ])
async def test_one_that_is_silent_from_the_beginning_is_not_connected_to(
    databases: PostgresDatabases, way: Silence, asks: SqlPlan
) -> None:
    way.at = b""
    with pytest.raises(UpstreamFailed, match="cannot be connected to, so nothing was done"):
        await asked(databases, way, asks)


@pytest.mark.parametrize("asks", [WRITE, READ])
@pytest.mark.parametrize("passes_on", [True, False])
async def test_one_that_goes_silent_at_the_statement_has_done_nothing(
    databases: PostgresDatabases, way: Silence, notes: str, asks: SqlPlan, passes_on: bool
) -> None:
    way.at, way.passes_on = b"canary", passes_on
    with pytest.raises(UpstreamFailed, match=r"took more than 0\.6 s, and its connection was closed, which undoes it"):
        await asked(databases, way, asks)
    assert await anyio.to_thread.run_sync(way.closed.wait, 10)
    assert rows(notes) == 0


@pytest.mark.parametrize("passes_on", [True, False])
async def test_of_one_that_goes_silent_at_the_commit_nobody_knows(
    databases: PostgresDatabases, way: Silence, notes: str, passes_on: bool
) -> None:
    way.at, way.passes_on = b"COMMIT\0", passes_on
    with pytest.raises(UpstreamSilent, match="nobody knows whether `it` was committed"):
        await asked(databases, way, WRITE)
    assert await anyio.to_thread.run_sync(way.closed.wait, 10)
    assert rows(notes) == passes_on


async def test_a_connection_that_went_silent_while_nobody_used_it_is_opened_again(
    databases: PostgresDatabases, way: Silence, notes: str
) -> None:
    assert await asked(databases, way, WRITE) == {"note": "canary"}
    way.at, first = b"set_config", way.connections
    assert await asked(databases, way, WRITE) == {"note": "canary"}
    assert (way.connections, rows(notes)) == (first + 1, 2)


async def test_one_that_goes_silent_after_the_commit_takes_nothing_of_the_answer(
    databases: PostgresDatabases, way: Silence, notes: str
) -> None:
    way.at = b"discard all"
    assert await asked(databases, way, WRITE) == {"note": "canary"}
    assert await anyio.to_thread.run_sync(way.closed.wait, 10)
    assert rows(notes) == 1


async def test_whoever_asks_hears_in_time_that_nothing_was_done(
    world: World, tmp_path: Path, way: Silence, notes: str
) -> None:
    where = f"databases: {{ s.sql: {{ postgres: {{ address: '{way.address}', role: note_taker }} }} }}\n"
    tools = every_tool()
    data = Data(world, tmp_path, tools, where)
    await data.publish("-- name: it\ninsert into notes (note) values ('canary')", it="timeout: 4s")
    way.at = b"canary"
    outcome = await data.call()
    assert isinstance(outcome, Failed), outcome
    assert "took more than 3.6 s, and its connection was closed, which undoes it" in outcome.why
    assert rows(notes) == 0
    tools.close()


def test_the_kernel_looks_whether_the_other_side_is_there(way: Silence) -> None:
    db: Connection = connected(WRITE, way.address)
    with socket.socket(fileno=db.pgconn.socket) as peer:
        looks = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert [peer.getsockopt(socket.IPPROTO_TCP, each) for each in looks] == [10, 10, 2, 30_000]
        peer.detach()
    db.close()
