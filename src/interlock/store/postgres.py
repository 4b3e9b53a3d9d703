"""The store in Postgres (14 or newer), for any number of processes."""

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, LiteralString, cast

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from interlock.core.errors import StoreBusy, StoreClosed, StoreUnsure
from interlock.core.ids import Instant, TenantId
from interlock.core.limits import BATCH_TRIES_MAX
from interlock.ports import Clock, Secrets
from interlock.store.database import Around, Into, Lookup, Params, Put, Standing, itself, standing_of, standing_sql
from interlock.store.machine import Machine
from interlock.store.schema import DDL, VERSION
from interlock.store.tenant import SqlStore

# That a connection was lost is said by our own errors; nobody wants it on the terminal as well.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

_READER_THREADS = 4  # a snapshot takes less than a millisecond, so few serve many callers
_SETTINGS = {
    # A frozen process holds nobody for longer than this.
    "lock_timeout": "2s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "3s",
    "default_transaction_isolation": "read committed",
    "client_encoding": "utf8",
}
_SCHEMA_LOCK = 0x1A7E210C  # any fixed number will do: it keeps two processes from making the tables at once


class PostgresDatabase:
    """One connection."""

    within = "= any(:names)"

    def __init__(self, url: str, *, durable: bool = True, server_time: bool = True) -> None:
        self._durable = durable
        self._server_time = server_time
        try:
            # What the address itself sets, such as a search path, holds; ours comes after it.
            theirs = conninfo_to_dict(url).get("options") or ""
            options = " ".join(
                [str(theirs), *(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in _SETTINGS.items())]
            ).strip()
            self._db = psycopg.connect(url, autocommit=True, options=options, connect_timeout=5, tcp_user_timeout=5_000)
        except psycopg.OperationalError as error:
            raise StoreBusy("the database does not answer", fix="start Postgres, or correct the address") from error
        self._db.prepare_threshold = 2

    def holds(self, column: str, part: str) -> str:
        return f"position({part}::bytea in {column}) > 0"

    def begin(self, *, durable: bool, tenants: Sequence[TenantId]) -> None:
        # The locks are taken in statements of their own, before anything is read: under READ COMMITTED each later
        # statement then sees all that the holders before us have committed.
        self._run("begin")
        if not (durable and self._durable):
            self._run("set local synchronous_commit = off")
        for tenant in tenants:
            if not self.query(_LOCK, {"tenant": tenant}):
                self._run(_FIRST_HEAD, {"tenant": tenant})
                self._run(_LOCK, {"tenant": tenant})

    def begin_snapshot(self) -> None:
        self._run("begin isolation level repeatable read read only")

    def standing(self, tenant: TenantId, lookups: Sequence[Lookup], door_mac: bytes = b"") -> Standing:
        sql = _standing_sql(tuple((lookup.table, lookup.column) for lookup in lookups), clock=self._server_time)
        params: dict[str, object] = {"tenant": tenant, "door_mac": door_mac}
        params |= {f"names{n}": list(lookup.names) for n, lookup in enumerate(lookups)}
        return standing_of(self.query(sql, params), lookups)

    def put(self, tenant: TenantId, puts: Sequence[Put]) -> None:
        with self._pipeline():
            for put in puts:
                if len(put.rows) == 1:
                    self._run(_put_one_sql(put.into), [tenant, *put.rows[0]])
                elif put.rows:
                    self._run(_put_sql(put.into), [tenant, *map(list, zip(*put.rows, strict=True))])

    def take_time(self) -> None:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            self._run(f"set local {name} = 0")

    def clear(self, tables: Sequence[str]) -> None:
        for table in tables:
            self._run(f"delete from {table}")  # noqa: S608  our own names

    def take_out(self, tenant: TenantId, table: str, column: str, names: Sequence[str]) -> None:
        sql = f"delete from {table} where tenant = :tenant and {column} {self.within}"  # noqa: S608  our own names
        self._run(sql, {"tenant": tenant, "names": self.names(names)})

    def take_out_ended(self, tenant: TenantId, table: str, now: Instant) -> None:
        sql = f"delete from {table} where tenant = :tenant and until <= :now"  # noqa: S608  our own names
        self._run(sql, {"tenant": tenant, "now": now})

    def defined(self, tables: str) -> list[str]:
        return tables.format(blob="bytea", bigint="bigint", strict="").split(";")

    def names(self, names: Sequence[str]) -> list[str]:
        return list(names)

    def query(self, sql: str, params: Params) -> list[Any]:
        return self._run(sql, params).fetchall()

    def run(self, sql: str) -> None:
        self._run(sql)

    def commit(self) -> None:
        try:
            self._db.execute("commit")
        except psycopg.Error as error:
            raise StoreUnsure(
                "the connection went away during a commit", fix="look at the action: `interlock action show ACTION`"
            ) from error

    def rollback(self) -> None:
        try:
            self._db.execute("rollback")
        except psycopg.Error:
            self._db.close()  # the server rolls back what is left

    def close(self) -> None:
        self._db.close()

    def _run(self, sql: str, params: Params | Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        try:
            return self._db.execute(_translated(sql), params)
        except psycopg.Error as error:
            raise _in_our_words(error) from error

    @contextmanager
    def _pipeline(self) -> Generator[None]:
        """Send statements without waiting for each answer. An error in one of them comes at the end of all."""
        try:
            with self._db.pipeline():
                yield
        except psycopg.Error as error:
            raise _in_our_words(error) from error


@cache
def _translated(sql: str) -> LiteralString:
    # All SQL here is our own text, never made from what callers sent.
    return cast("LiteralString", re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql))


@cache
def _standing_sql(wanted: tuple[tuple[str, str], ...], *, clock: bool) -> str:
    conditions = [(table, f"{column} = any(:names{n})") for n, (table, column) in enumerate(wanted)]
    time = "(extract(epoch from clock_timestamp()) * 1000000)::bigint" if clock else "-1"
    return standing_sql(conditions, tenant=":tenant", door_mac=":door_mac", blob="''::bytea", clock=time)


@cache
def _put_sql(into: Into) -> str:
    # One statement for all rows of a table: their columns come as arrays.
    arrays = ", ".join(f"%b::{_ARRAYS[type]}" for type in into.columns.values())
    return f"{_insert(into)} select %s, * from unnest({arrays})" + into.conflict()  # noqa: S608  our own names


@cache
def _put_one_sql(into: Into) -> str:
    # A single row is half as much work for the driver as arrays of one.
    return f"{_insert(into)} values (%s{', %b' * len(into.columns)})" + into.conflict()


def _insert(into: Into) -> str:
    return f"insert into {into.table} ({', '.join(('tenant', *into.columns))})"


_ARRAYS = {"text": "text[]", "bigint": "bigint[]", "blob": "bytea[]"}


def _in_our_words(error: psycopg.Error) -> StoreBusy | StoreClosed:
    match error:
        case errors.LockNotAvailable() | errors.DeadlockDetected() | errors.SerializationFailure():
            return StoreBusy("another process holds this tenant for too long", fix="try again")
        case errors.DiskFull() | errors.DataCorrupted() | errors.IndexCorrupted():
            return StoreClosed("the database has no room or is damaged", fix="mend the database, then start again")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            # Nothing is committed yet, so the batch may be run again on a new connection.
            return StoreBusy("the connection to the database was lost", fix="try again once Postgres is back")
        case _:
            return StoreClosed(f"the database refused a statement ({error.sqlstate})", fix="report this with the code")


_LOCK = "select 1 from head where tenant = :tenant for update"

_FIRST_HEAD = """
insert into head (tenant, size, peaks, at, epoch, note, mac) values (:tenant, 0, '', 0, 0, '', '')
on conflict (tenant) do nothing"""


def make_tables(url: str) -> None:
    """Make what is missing.

    Raises:
        StoreBusy: the database does not answer.
        StoreClosed: its tables are of another version.
    """
    db = PostgresDatabase(url)
    try:
        db.begin(durable=True, tenants=())
        db.query("select pg_advisory_xact_lock(:lock)", {"lock": _SCHEMA_LOCK})
        if not db.query("select 1 where to_regclass('version') is not null", {}):
            for statement in db.defined(DDL):
                db.run(statement)
            db.run(f"insert into version values ({VERSION:d})")  # noqa: S608  our own number
        found = db.query("select max(number) from version", {})[0][0]
        db.commit()
    finally:
        db.close()
    if found != VERSION:
        raise StoreClosed(
            f"the database has version {found}, and this program knows version {VERSION}",
            fix="see what to do about it: `interlock migrate --dry-run`",
        )


def open_postgres(
    url: str,
    *,
    clock: Clock,
    secrets: Secrets,
    durable: bool = True,
    server_time: bool = True,
    around: Around = itself,
) -> SqlStore:
    """Open the store at `url`, and make its tables where there are none.

    Args:
        url: a connection string as libpq takes it.
        clock: the boot clock that the database's time is held against.
        secrets: the keys, which are not in the database.
        durable: whether durable writes wait for the disk (`synchronous_commit`).
        server_time: whether transactions take their time from the server; tests bring a clock of their own.
        around: what is put around each connection, by whoever wants to watch or stop it.

    Raises:
        StoreBusy: the database does not answer.
        StoreClosed: its tables are of another version.
    """
    make_tables(url)
    return SqlStore(
        connect=lambda: around(PostgresDatabase(url, durable=durable, server_time=server_time)),
        secrets=secrets,
        clock=clock,
        machine=Machine(clock, lambda: None),
        reader_threads=_READER_THREADS,
        tries=BATCH_TRIES_MAX,
    )
