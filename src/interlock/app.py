"""Composition root: the only place that knows which store, clock and keys are real."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.core.errors import ContractInvalid, StoreClosed
from interlock.core.ids import ActionId, Instant, Micros
from interlock.gateway import fresh
from interlock.gateway.call import Gateway
from interlock.gateway.force import Forces
from interlock.gateway.gather import Facts
from interlock.ports import Clock, Observer, Performers, Store
from interlock.secret.keyring import Keyring, load_seed
from interlock.secret.keys import Keys, SqliteKeys
from interlock.store.anchor import AnchorFile
from interlock.store.database import Around as Around
from interlock.store.database import Database as Database
from interlock.store.database import itself
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


def open_store(
    where: str, keys: Path, *, clock: Clock | None = None, durable: bool = True, around: Around = itself
) -> Opened:
    """Open what `where` names, with the keys in the folder `keys`.

    Args:
        where: the path of a SQLite file, or a `postgresql://` address.
        keys: a folder for the master seed, apart from the database. Beside SQLite it has the destroyable keys too.
        clock: the clock of this machine, if nothing else is given. A clock that is given counts on Postgres too.
        durable: whether commits wait for the disk.
        around: what is put around each connection, by whoever wants to watch or stop it.

    Raises:
        StoreError: the database or the keys cannot be used.
    """
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = load_seed(keys / "master.seed")
    known = clock or SystemClock()
    secrets = Keyring(seed, _keys(where, keys))
    try:
        store = _store(where, secrets, known, durable=durable, server_time=clock is None, around=around)
    except BaseException:
        secrets.close()
        raise
    return Opened(store=store, secrets=secrets, clock=known)


def _keys(where: str, keys: Path) -> Keys:
    if not is_postgres(where):
        return SqliteKeys(keys / "keys.db")
    try:
        # psycopg is an extra, and half of the time that a command would take to begin.
        from interlock.secret.postgres_keys import PostgresKeys  # noqa: PLC0415
    except ImportError as error:
        raise StoreClosed("this installation cannot speak to Postgres", fix=_INSTALL) from error
    return PostgresKeys(where)


def _store(where: str, secrets: Keyring, clock: Clock, *, durable: bool, server_time: bool, around: Around) -> Store:
    if not is_postgres(where):
        return open_sqlite(Path(where), clock=clock, secrets=secrets, durable=durable, around=around)
    from interlock.store.postgres import open_postgres  # noqa: PLC0415

    return open_postgres(where, clock=clock, secrets=secrets, durable=durable, server_time=server_time, around=around)


_INSTALL = "install it with its extra: `pip install 'interlock[postgres]'`"


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


def anchor_file(path: Path) -> AnchorFile:
    """Name a file of anchors; it need not be there."""
    return AnchorFile(path)


@contextmanager
def performing(where: str, keys: Path) -> Generator[Gateway]:
    """Open a gateway that may perform, and close everything at the end.

    Raises:
        Occupied: another process performs on this file.
        StoreError: the database or the keys cannot be used.
    """
    with right_to_perform(where), beside(where, keys) as gateway:
        yield gateway


@contextmanager
def beside(where: str, keys: Path, *, clock: Clock | None = None) -> Generator[Gateway]:
    """Open a gateway for what any process may do, beside the one that performs. It takes no lock.

    Whoever wants more of it than reading and writing down takes `right_to_perform` for as long.

    Raises:
        StoreError: the database or the keys cannot be used.
    """
    tools = PythonTools()
    try:
        opened = open_store(where, keys, clock=clock)
        try:
            yield gateway_on(opened, tools)
        finally:
            opened.close()
    finally:
        tools.close()


@contextmanager
def right_to_perform(where: str) -> Generator[None]:
    """Take the right to start effects. One process a file has it; on Postgres everybody has.

    Raises:
        Occupied: another process performs on this file.
    """
    if is_postgres(where):
        yield
        return
    lock = lock_for_performing(Path(where))
    try:
        yield
    finally:
        os.close(lock)


def is_postgres(where: str) -> bool:
    """Whether a store is named by a Postgres address; anything else is the path of a file."""
    return where.startswith(("postgresql://", "postgres://"))
