"""Composition root: the only place that knows which store, clock and keys are real."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.core.errors import ContractInvalid
from interlock.core.ids import ActionId, Instant, Micros
from interlock.gateway import fresh
from interlock.gateway.call import Gateway
from interlock.gateway.force import Forces
from interlock.gateway.gather import Facts
from interlock.ports import Clock, Observer, Performers, Store
from interlock.secret.keyring import Keyring, load_seed
from interlock.secret.keys import PostgresKeys, SqliteKeys
from interlock.store.postgres import open_postgres
from interlock.store.sqlite import lock_for_performing, open_sqlite
from interlock.tool.function import PREFIX
from interlock.tool.manifest import Manifest, manifest_of
from interlock.tool.python import PythonTools


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)

    def boot(self) -> Micros:
        return Micros(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)


class Silence:
    """Hears every step and says nothing."""

    def at(self, step: str, action: ActionId) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A store with the keys that fit it."""

    store: Store
    secrets: Keyring
    clock: Clock

    def close(self) -> None:
        self.store.close()
        self.secrets.close()


def open_store(where: str, keys: Path, *, clock: Clock | None = None, durable: bool = True) -> Opened:
    """Open what `where` names, with the keys in the folder `keys`.

    Args:
        where: the path of a SQLite file, or a `postgresql://` address.
        keys: a folder for the master seed, apart from the database. Beside SQLite it has the destroyable keys too.
        clock: the clock of this machine, if nothing else is given. A clock that is given counts on Postgres too.
        durable: whether commits wait for the disk.

    Raises:
        StoreError: the database or the keys cannot be used.
    """
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = load_seed(keys / "master.seed")
    known = clock or SystemClock()
    on_postgres = where.startswith(("postgresql://", "postgres://"))
    secrets = Keyring(seed, PostgresKeys(where) if on_postgres else SqliteKeys(keys / "keys.db"))
    try:
        if on_postgres:
            store = open_postgres(where, clock=known, secrets=secrets, durable=durable, server_time=clock is None)
        else:
            store = open_sqlite(Path(where), clock=known, secrets=secrets, durable=durable)
    except BaseException:
        secrets.close()
        raise
    return Opened(store=store, secrets=secrets, clock=known)


def gateway_on(opened: Opened, performers: Performers, observer: Observer | None = None) -> Gateway:
    """Put a gateway before a store."""
    return Gateway(
        store=opened.store,
        performers=performers,
        clock=opened.clock,
        secrets=opened.secrets,
        observer=observer or Silence(),
        process=fresh.process_id(),
        forces=Forces(performers),
        facts=Facts(performers),
        under_way={},
    )


def describe(source: str) -> Manifest:
    """Find out what a source says of itself, for publishing. This version carries out Python functions.

    Raises:
        ContractInvalid: it is not there, or this version cannot carry it out.
    """
    if not source.startswith(PREFIX):
        kind = source.partition(":")[0]
        fix = "write a Python function that calls it and name that: `from: python:module:function`"
        raise ContractInvalid(f"`{kind}:` sources cannot be carried out by this version", fix=fix)
    return manifest_of(source)


@contextmanager
def performing(where: str, keys: Path) -> Generator[Gateway]:
    """Open a gateway that may perform, and close everything at the end.

    Raises:
        StoreBusy: another process performs on this file.
        StoreError: the database or the keys cannot be used.
    """
    lock = None if where.startswith("postgres") else lock_for_performing(Path(where))
    tools = PythonTools()
    try:
        opened = open_store(where, keys)
        try:
            yield gateway_on(opened, tools)
        finally:
            opened.close()
    finally:
        tools.close()
        if lock is not None:
            os.close(lock)
