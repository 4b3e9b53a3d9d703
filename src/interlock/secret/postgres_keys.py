"""Destroyable keys in a table of Postgres, for several processes on one database."""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, LiteralString

import psycopg

from interlock.core.errors import StoreBusy
from interlock.secret.keys import TakenIn, merged, remember


class PostgresKeys:
    """Keys in a table of their own, shared by every process on that database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._db: psycopg.Connection | None = None
        self._turn = Lock()
        self._known: dict[str, bytes] = {}
        self._run("create table if not exists interlock_key (name text primary key, key bytea)")

    def find(self, name: str) -> bytes | None:
        return self.find_all([name]).get(name)

    def find_all(self, names: Sequence[str]) -> Mapping[str, bytes]:
        # Another process may have destroyed one, so whoever reads asks each time.
        sql: LiteralString = "select name, key from interlock_key where name = any(%s) and key is not null"
        return {name: bytes(key) for name, key in self._run(sql, [list(names)])}

    def find_or_make(self, name: str, new: Callable[[], bytes]) -> bytes | None:
        # What is sealed under a key that was destroyed meanwhile is erased from its birth, so writers may remember.
        known = self._known.get(name)
        if known is None:
            self._run("insert into interlock_key values (%s, %s) on conflict do nothing", [name, new()])
            known = self.find(name)
            if known is not None:
                remember(self._known, name, known)
        return known

    def destroy(self, *names: str) -> int:
        there = sum(self.find(name) is not None for name in names)
        for name in names:
            self._known.pop(name, None)
        self._run(_DESTROY, [list(names)])
        self._write_anew()  # for no names as well: a process may have died between the two
        return there

    def _write_anew(self) -> None:
        """Leave the older versions of rows behind: Postgres keeps them in the file of the table, the keys with them."""
        ((now,),) = self._run("select pg_current_xact_id()::text")
        if not any(not self._run(_MAY_SEE, [now]) for _ in range(_LOOKS)):
            raise _left_over()
        self._run(_WAIT)
        try:
            self._run("vacuum full interlock_key")
        except StoreBusy as busy:
            raise _left_over() from busy
        finally:
            self._run("reset lock_timeout")

    def beginning_with(self, start: str) -> Mapping[str, bytes]:
        sql: LiteralString = """
select name, key from interlock_key where starts_with(name, %s) and key is not null order by name"""
        return {name: bytes(key) for name, key in self._run(sql, [start])}

    def all(self) -> Mapping[str, bytes | None]:
        found = self._run("select name, key from interlock_key order by name")
        return {name: bytes(key) if key is not None else None for name, key in found}

    def take_in(self, found: Mapping[str, bytes | None]) -> TakenIn:
        into: LiteralString = "insert into interlock_key values (%s, %s) on conflict do nothing"
        return merged(self, found, lambda name, key: self._run(into, [name, key]))

    def flush(self) -> None:
        pass  # the write-ahead log is one for all: whoever waits for a later commit has waited for these

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _run(self, sql: LiteralString, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._turn:
            try:
                if self._db is None or self._db.closed:
                    self._db = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                cursor = self._db.execute(sql, values)
                return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                self.close()
                self._db = None
                raise StoreBusy("the database does not answer", fix="start Postgres, or correct the address") from error


def _left_over() -> StoreBusy:
    return StoreBusy(
        "the key is destroyed, and its bytes are still in the table",
        fix="wait for the transactions of before to end, such as a dump, then do it again",
    )


_DESTROY: LiteralString = """
insert into interlock_key select unnest(%s::text[]), null on conflict (name) do update set key = null"""

_LOOKS = 50

# Whoever may see what was before keeps it, and is waited for a little.
_MAY_SEE: LiteralString = """
select pid, pg_sleep(0.01) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and greatest(age(backend_xid), age(backend_xmin)) >= age(%s::xid8::xid) limit 1"""

_WAIT: LiteralString = "set lock_timeout = '500ms'"  # whoever comes behind us waits as well
