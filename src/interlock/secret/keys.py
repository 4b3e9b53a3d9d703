"""The keys that are made and destroyed one by one: one a subject, one a month. Destroying one is what erasing means.

Beside a SQLite store they are a file of their own; several processes on one Postgres share a table of their own.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from interlock.core.errors import StoreBusy, StoreClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What became of keys out of a backup."""

    added: int
    destroyed: int
    """Keys that are destroyed now because they were when the backup was made."""
    stayed: int
    """Keys of the backup that stay destroyed, because they were destroyed since."""
    other: int
    """Names that have another key here: what was sealed under the one of the backup cannot be read."""


class Keys(Protocol):
    """Where destroyable keys are kept, apart from what they encrypt."""

    def find(self, name: str) -> bytes | None: ...

    def find_all(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return the keys of these names that are there and were not destroyed."""
        ...

    def find_or_make(self, name: str, new: Callable[[], bytes]) -> bytes | None:
        """Return the key of this name, which `new` draws if there was none, or nothing if it was destroyed."""
        ...

    def destroy(self, *names: str) -> int:
        """Overwrite keys for good. Their names never get others. Returns how many there were."""
        ...

    def beginning_with(self, start: str) -> Mapping[str, bytes]:
        """Return the keys whose name begins like that, and that were not destroyed."""
        ...

    def all(self) -> Mapping[str, bytes | None]:
        """Return every key by its name; nothing stands for one that was destroyed."""
        ...

    def take_in(self, found: Mapping[str, bytes | None]) -> TakenIn:
        """Add keys out of a backup. What was destroyed, here or there, is destroyed."""
        ...

    def flush(self) -> None:
        """Return once all keys are on disk."""
        ...

    def close(self) -> None: ...


def merged(keys: Keys, found: Mapping[str, bytes | None], add: Callable[[str, bytes], object]) -> TakenIn:
    """Say what becomes of each key of a backup, and do it: `add` puts one in where its name is free."""
    known = keys.all()
    gone = [name for name, key in found.items() if key is None]
    destroyed = keys.destroy(*gone) if gone else 0
    added = stayed = other = 0
    for name, key in found.items():
        if key is None:
            continue
        if name not in known:
            add(name, key)
            added += 1
        elif known[name] is None:
            stayed += 1
        elif known[name] != key:
            other += 1
    keys.flush()
    return TakenIn(added=added, destroyed=destroyed, stayed=stayed, other=other)


_REMEMBERED_MAX = 10_000  # keys: some 300 bytes each, and a subject of its own for each run


def remember(known: dict[str, bytes], name: str, key: bytes) -> None:
    """Keep a key at hand. Once there are too many all of them are read again."""
    if len(known) >= _REMEMBERED_MAX:
        known.clear()
    known[name] = key


class SqliteKeys:
    """Keys in a SQLite file of their own. A destroyed key leaves neither the file nor the write-ahead log behind."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            for pragma in ("journal_mode = wal", "synchronous = normal", "secure_delete = on"):
                self._db.execute(f"pragma {pragma}")
            self._db.execute("create table if not exists key (name text primary key, key blob) without rowid")
            self._db.execute("create table if not exists flushed (one integer primary key, times integer)")
            self._db.execute("insert or ignore into flushed values (1, 0)")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
                raise StoreBusy("another process has been writing keys for too long", fix="try again") from error
            raise StoreClosed(f"the keys in `{path}` cannot be read", fix="restore the file from a backup") from error
        self._known: dict[str, bytes] = {}
        self._version = self._data_version()
        self._dirty = False
        self._turn = Lock()  # `flush` comes from the writer's thread

    def find(self, name: str) -> bytes | None:
        version = self._data_version()
        if version != self._version:  # another process wrote: it may have destroyed a key
            self._known.clear()
            self._version = version
        known = self._known.get(name)
        if known is None:
            row = self._run("select key from key where name = ?", [name]).fetchone()
            known = row[0] if row else None
            if known is not None:
                remember(self._known, name, known)
        return known

    def find_all(self, names: Sequence[str]) -> Mapping[str, bytes]:
        return {name: key for name in names if (key := self.find(name)) is not None}

    def find_or_make(self, name: str, new: Callable[[], bytes]) -> bytes | None:
        # What is sealed under a key that was destroyed meanwhile is erased from its birth, so writers may remember.
        known = self._known.get(name) or self.find(name)
        if known is None:
            with self._turn:
                self._run("insert or ignore into key values (?, ?)", [name, new()])
                self._dirty = True
            known = self.find(name)
        return known

    def destroy(self, *names: str) -> int:
        there = sum(self.find(name) is not None for name in names)
        for name in names:
            self._known.pop(name, None)
        with self._turn:
            self._run("pragma synchronous = full")
            sql = "insert into key select value, null from json_each(?) where true on conflict do update set key = null"
            self._run(sql, [json.dumps(names)])
            busy = self._run("pragma wal_checkpoint(truncate)").fetchone()[0]
            self._run("pragma synchronous = normal")
        if busy:
            raise StoreBusy("the key is destroyed, and its bytes are still in the log", fix=_AGAIN)
        return there

    def beginning_with(self, start: str) -> Mapping[str, bytes]:
        # A name is ASCII up to the tenant, and `~` stands behind every character of the ids that follow.
        sql = "select name, key from key where name >= ? and name < ? and key is not null order by name"
        return dict(self._run(sql, [start, start + "~"]).fetchall())

    def all(self) -> Mapping[str, bytes | None]:
        return dict(self._run("select name, key from key order by name").fetchall())

    def take_in(self, found: Mapping[str, bytes | None]) -> TakenIn:
        def add(name: str, key: bytes) -> None:
            with self._turn:
                self._run("insert or ignore into key values (?, ?)", [name, key])
                self._dirty = True

        return merged(self, found, add)

    def flush(self) -> None:
        if not self._dirty:
            return
        with self._turn:
            # A commit that waits for the disk takes everything before it along.
            self._run("pragma synchronous = full")
            self._run("update flushed set times = times + 1")
            self._run("pragma synchronous = normal")
            self._dirty = False

    def close(self) -> None:
        self._db.close()

    def _data_version(self) -> int:
        return self._run("pragma data_version").fetchone()[0]

    def _run(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.OperationalError as error:
            raise StoreBusy("the keys are busy", fix="try again") from error


_AGAIN = "end whoever reads the file of keys, then do it again"
