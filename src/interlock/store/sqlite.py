"""The store in one SQLite file (WAL). Any process may write; only one may perform."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from interlock.core.errors import Occupied, StoreBusy, StoreClosed
from interlock.core.ids import Instant, TenantId
from interlock.core.limits import BUSY_SECONDS_MAX, DISK_FREE_BYTES_MIN
from interlock.ports import Clock, Halt, Secrets
from interlock.store.database import Around, Into, Lookup, Params, Put, Standing, itself, standing_of, standing_sql
from interlock.store.machine import Machine
from interlock.store.schema import DDL, VERSION
from interlock.store.tenant import SqlStore

Answer = TypeVar("Answer")

_STATEMENTS_KEPT = 512  # how many names of each kind a batch looks up varies little
_ALL_IN_ONE = 0  # so many names go as one list: a statement has a limited number of places
_EMPTIED_TIMES_MAX = 4  # SQLite waits for the disk only once nothing was added meanwhile: each time less is
_BUSY = ("database is locked", "database table is locked")


class SqliteDatabase:
    """One connection to the file."""

    within: str = "in (select value from json_each(:names))"

    def __init__(self, path: Path, *, durable: bool = True, any_version: bool = False) -> None:
        self._db = _connect(path, any_version=any_version)
        self._durable = durable
        self._waits = True
        self._takes_time = False

    def holds(self, column: str, part: str) -> str:
        return f"instr({column}, {part}) > 0"

    def begin(self, *, durable: bool, tenants: Sequence[TenantId]) -> None:
        waits = durable and self._durable
        if waits != self._waits:
            self.run(f"pragma synchronous = {'full' if waits else 'normal'}")
            self._waits = waits
        self.run("begin immediate")  # which locks the whole file

    def begin_snapshot(self) -> None:
        self.run("begin")

    def standing(self, tenant: TenantId, lookups: Sequence[Lookup], door_mac: bytes = b"") -> Standing:
        wanted = tuple((lookup.table, lookup.column, _places(len(lookup.names))) for lookup in lookups)
        params: list[str | bytes] = [tenant, door_mac]
        for lookup, (_, _, places) in zip(lookups, wanted, strict=True):
            if places == _ALL_IN_ONE:
                params.append(self.names(lookup.names))
            else:
                # The last name once more for each place that is left does not find more.
                params += [*lookup.names, *[lookup.names[-1]] * (places - len(lookup.names))]
        return standing_of(self._found(_standing_sql(wanted), params), lookups)

    def put(self, tenant: TenantId, puts: Sequence[Put]) -> None:
        try:
            for put in puts:
                if put.rows:
                    self._db.executemany(_put_sql(put.into), [(tenant, *row) for row in put.rows])
        except sqlite3.Error as error:
            raise _in_our_words(error) from error

    def take_time(self) -> None:
        self._takes_time = True  # nobody cuts a transaction off

    def clear(self, tables: Sequence[str]) -> None:
        for table in tables:
            self.run(f"delete from {table}")  # noqa: S608  our own names

    def take_out(self, tenant: TenantId, table: str, column: str, names: Sequence[str]) -> None:
        sql = f"delete from {table} where tenant = :tenant and {column} {self.within}"  # noqa: S608  our own names
        self._found(sql, {"tenant": tenant, "names": self.names(names)})

    def take_out_ended(self, tenant: TenantId, table: str, now: Instant) -> None:
        sql = f"delete from {table} where tenant = :tenant and until <= :now"  # noqa: S608  our own names
        self._found(sql, {"tenant": tenant, "now": now})

    def defined(self, tables: str) -> list[str]:
        return _defined(tables).split(";")

    def names(self, names: Sequence[str]) -> str:
        return json.dumps(names)

    def query(self, sql: str, params: Params) -> list[Any]:
        return self._found(sql, params)

    def run(self, sql: str) -> None:
        try:
            self._db.execute(sql)
        except sqlite3.Error as error:
            raise _in_our_words(error) from error

    def commit(self) -> None:
        try:
            self._db.execute("commit")
        except sqlite3.Error as error:
            raise StoreClosed(
                "the disk did not take a commit",
                fix="make room or replace the disk, then start again and run `interlock ledger verify`",
            ) from error

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("rollback")
        if self._takes_time:
            self._takes_time = False
            self._empty_log()

    def _empty_log(self) -> None:
        """Put into the file what others wrote while this one read, or the next of them does, and its caller waits."""
        before = None
        # Where it cannot be done now, whoever writes next is told why.
        with suppress(sqlite3.Error):
            for _ in range(_EMPTIED_TIMES_MAX):
                busy, pages, _ = self._db.execute("pragma wal_checkpoint(passive)").fetchone()
                if busy or pages == before:
                    return
                before = pages

    def close(self) -> None:
        self._db.close()

    def _found(self, sql: str, params: Params | Sequence[str | bytes]) -> list[Any]:
        try:
            # Damage may show with any row, not only as the statement begins.
            return self._db.execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise _in_our_words(error) from error


def _defined(tables: str) -> str:
    return tables.format(blob="blob", bigint="integer", strict=" strict")


@cache
def _places(names: int) -> int:
    """Round up to one of few numbers, so that statements are prepared once and found again."""
    return next((places for places in (1, 4, 16, 64, 256) if names <= places), _ALL_IN_ONE)


@lru_cache(_STATEMENTS_KEPT)
def _standing_sql(wanted: tuple[tuple[str, str, int], ...]) -> str:
    conditions: list[tuple[str, str]] = []
    next_place = 3
    for table, column, places in wanted:
        if places == _ALL_IN_ONE:
            named = f"select value from json_each(?{next_place})"  # noqa: S608  a number
        else:
            named = ", ".join(f"?{n}" for n in range(next_place, next_place + places))
        conditions.append((table, f"{column} in ({named})"))
        next_place += max(places, 1)
    return standing_sql(conditions, tenant="?1", door_mac="?2", blob="x''", clock="-1")


@cache
def _put_sql(into: Into) -> str:
    names = ", ".join(("tenant", *into.columns))
    places = ", ".join("?" for _ in range(1 + len(into.columns)))
    return f"insert into {into.table} ({names}) values ({places})" + into.conflict()  # noqa: S608  our own names


def _in_our_words(error: sqlite3.Error) -> StoreBusy | StoreClosed:
    if isinstance(error, sqlite3.OperationalError) and str(error) in _BUSY:
        return StoreBusy("another process has been writing for too long", fix="try again; `lsof` shows who has it open")
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StoreClosed(
            f"the database cannot be written here ({name})", fix="give this user the right to write it and its folder"
        )
    if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        back = "move it away with its `-wal` and `-shm`, and put a backup back: `interlock restore FILE`"
        move = f"name another file with `--store`; if this was the store, {back}"
        return StoreClosed(f"the file is no database of ours, or damaged ({name})", fix=move)
    return StoreClosed(
        f"the database cannot be used ({error.sqlite_errorname if hasattr(error, 'sqlite_errorname') else 'unknown'})",
        fix="run `interlock ledger verify`, and restore the file from a backup if that fails",
    )


def _connect(path: Path, *, any_version: bool) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS_MAX,
            cached_statements=_STATEMENTS_KEPT,
        )
        for pragma in ("journal_mode = wal", "synchronous = full", "secure_delete = on"):
            db.execute(f"pragma {pragma}")
        if not db.execute("select 1 from sqlite_schema where name = 'version'").fetchone():
            number = f"insert or ignore into version values ({VERSION:d})"  # noqa: S608  our own number
            db.executescript(f"begin immediate;{_defined(DDL)};{number};commit")
        found = db.execute("select max(number) from version").fetchone()[0]
    except sqlite3.Error as error:
        raise _in_our_words(error) from error
    if found != VERSION and not any_version:
        raise StoreClosed(
            f"the database has version {found}, and this program knows version {VERSION}",
            fix="see what to do about it: `interlock migrate --dry-run`",
        )
    return db


def open_sqlite(
    path: Path, *, clock: Clock, secrets: Secrets, durable: bool = True, around: Around = itself
) -> SqlStore:
    """Open the store at `path`, and make it where there is none.

    Args:
        path: the file; `PATH.stop` beside it stops all starts.
        clock: the time of transactions, and the boot clock it is held against.
        secrets: the keys, which are not in the file.
        durable: whether durable writes wait for the disk (`synchronous = FULL`).
        around: what is put around each connection, by whoever wants to watch or stop it.

    Raises:
        StoreClosed: it is not one of our databases, or it is damaged.
        StoreBusy: another process has it locked.
    """
    stop_file = str(path.with_name(path.name + ".stop"))
    inside = f"{path.parent}/."  # who may not look into the folder, where a stop file may be, gets an error for it

    def short_of_disk() -> Halt | None:
        disk = os.statvfs(inside)
        if os.access(stop_file, os.F_OK):
            return Halt.STOP_FILE
        return Halt.DISK_SHORT if disk.f_bavail * disk.f_frsize < DISK_FREE_BYTES_MIN else None

    return SqlStore(
        connect=lambda: around(SqliteDatabase(path, durable=durable)),
        secrets=secrets,
        clock=clock,
        machine=Machine(clock, short_of_disk),
        reader_threads=0,
    )


def lock_for_performing(path: Path) -> int:
    """Take the right to perform on the file at `path`, and keep it until the process ends or closes the descriptor.

    Raises:
        Occupied: another process performs on it.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Occupied(
            f"another process performs on `{path}`",
            fix="try again when it has ended, or end it; if it serves, calls go through it, over MCP or HTTP; "
            "switches, approvals and budgets work beside it",
        ) from error
    return descriptor
