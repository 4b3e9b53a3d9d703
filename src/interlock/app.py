"""Composition root: the only place that knows which store, clock and keys are real."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from interlock.anchor.file import AnchorFile
from interlock.contract.ir import Contract
from interlock.core.errors import StoreClosed
from interlock.core.hint import Hints
from interlock.core.ids import ActionId, Environment, Instant, Micros, TenantId
from interlock.gateway import fresh
from interlock.gateway.adopt import restored
from interlock.gateway.call import Gateway
from interlock.gateway.compare import disagreements
from interlock.gateway.doors import Operator
from interlock.gateway.force import Forces
from interlock.gateway.gather import Facts
from interlock.ledger.anchor import Anchor
from interlock.ledger.tree import Head
from interlock.ports import Change, Clock, Observer, Performers, Store
from interlock.secret import key_backup
from interlock.secret.installed import broker_of
from interlock.secret.keyring import Keyring, load_seed
from interlock.secret.keys import Keys, SqliteKeys, TakenIn
from interlock.store import backup, migrate
from interlock.store.backup import Contents, Part
from interlock.store.database import Around as Around
from interlock.store.database import Database as Database
from interlock.store.database import itself
from interlock.store.look import Look as Look
from interlock.store.look import look_at_sqlite
from interlock.store.migrate import Changeable, Plan
from interlock.store.restore import Restored, restore
from interlock.store.sqlite import SqliteDatabase, lock_for_performing, open_sqlite
from interlock.tool.kinds import describe as describe
from interlock.tool.kinds import every_tool as every_tool
from interlock.tool.kinds import try_browser as try_browser
from interlock.tool.manifest import Asking, Manifest
from interlock.tool.sql_try import trials
from interlock.tool.with_secret import ToolsWithSecrets


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


def look_at(where: str) -> Look:
    """Look at a store without opening it: nothing is made, written or locked.

    Raises:
        StoreError: it cannot be read.
        OSError: the file cannot be opened.
    """
    if not is_postgres(where):
        return look_at_sqlite(Path(where))
    try:
        from interlock.store.look_postgres import look_at_postgres  # noqa: PLC0415
    except ImportError as error:
        raise StoreClosed("this installation cannot speak to Postgres", fix=_INSTALL) from error
    return look_at_postgres(where)


def migration(where: str) -> Plan:
    """Say what a store is, and what would lead it to the version that this program writes.

    Raises:
        StoreError: it cannot be read, or nothing leads there.
    """
    return migrate.plan_from(look_at(where).version)


def migrated(where: str) -> Plan:
    """Bring a store to the version that this program writes; return what was carried out.

    Raises:
        Occupied: another process performs on this file.
        StoreError: it cannot be written, or nothing leads there.
    """
    with right_to_perform(where):
        plan = migration(where)
        if plan.steps:
            db = _any_version(where)
            try:
                migrate.carry_out(db, plan.steps)
            finally:
                db.close()
        return plan


def _any_version(where: str) -> Changeable:
    if not is_postgres(where):
        return SqliteDatabase(Path(where), any_version=True)
    from interlock.store.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(where)


_INSTALL = "install it with its extra: `pip install 'interlock[postgres]'`"


def gateway_on(
    opened: Opened, performers: Performers, observer: Observer | None = None, *, hints: Hints | None = None
) -> Gateway:
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
        hints=hints or Hints(),
    )


def describing(keys: Path, clock: Clock | None = None) -> Callable[[Asking], Manifest]:
    """Return what finds out about sources and asks servers too, with the secrets of this installation."""
    return partial(describe, broker=broker_of(keys, clock or SystemClock()))


def trying(keys: Path, clock: Clock | None = None) -> Callable[[Contract, Environment], Iterator[tuple[str, str, str]]]:
    """Return what tries the statements of a contract that is in force: each tool, what is wrong of it, and a fix."""
    return partial(trials, broker=broker_of(keys, clock or SystemClock()))


def anchor_file(path: Path) -> AnchorFile:
    """Name a file of anchors; it need not be there."""
    return AnchorFile(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What is in a backup, and how many keys are in the file beside it."""

    contents: Contents
    keys: int | None


def back_up(where: str, keys: Path, to: Path, *, keys_to: Path | None = None, clock: Clock | None = None) -> BackedUp:
    """Write down all that a store holds as of one moment, beside any process that works on it.

    Args:
        where: the store.
        keys: the folder of its keys.
        to: the file of the backup.
        keys_to: a second file for the keys that can be destroyed. With it, what is erased later can still be read.
        clock: the clock of this machine, if nothing else is given.

    Raises:
        StoreError: the store or the keys cannot be used, or a file cannot be written.
    """
    with _opened_bare(where, keys, clock) as (db, secrets, now):
        kind = "postgres" if is_postgres(where) else "sqlite"
        contents = backup.write(db, secrets, to, kind=kind, now=now.now())
        # After the rows: each key that they need is there by now.
        found = secrets.keys.all() if keys_to is not None else None
        if keys_to is not None and found is not None:
            key_backup.write(keys_to, found, partial(secrets.mac, key_backup.OWNER))
    return BackedUp(contents=contents, keys=len(found) if found is not None else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtBack:
    """What a store holds now, what it held before, and what became of keys that came with it."""

    restored: Restored
    keys: TakenIn | None


def tenants_in(path: Path) -> tuple[TenantId, ...]:
    """Say whose ledgers a backup says that it holds. Nothing else of it is looked at.

    Raises:
        BackupBroken: it is not one that this version can restore.
    """
    return tuple(TenantId(part.tenant) for part in backup.contents_of(path).tenants)


def bring_back(
    where: str,
    keys: Path,
    path: Path,
    by: Operator,
    *,
    over: bool = False,
    keys_from: Path | None = None,
    clock: Clock | None = None,
) -> BroughtBack:
    """Put a backup into a store. Nothing starts on it until each of its ledgers is adopted.

    Heads that it takes the place of are kept beside the keys, as anchors, to be compared with.

    Args:
        where: the store. On SQLite no process may perform on it meanwhile.
        keys: the folder of the keys of the installation that the backup is of.
        path: the backup.
        by: the person who answers for it.
        over: whether what the store holds may be replaced.
        keys_from: the file of keys that was written with it. What has been destroyed since stays destroyed.
        clock: the clock of this machine, if nothing else is given.

    Raises:
        Occupied: another process performs on the store.
        BackupBroken: a file cannot be restored from.
        InterlockError: the backup is of another installation, or the store holds something.
    """
    with right_to_perform(where), _opened_bare(where, keys, clock) as (db, secrets, now):
        mac = partial(secrets.mac, key_backup.OWNER)
        found = key_backup.read(keys_from, mac) if keys_from is not None else None
        book = anchor_file(keys / "anchors.jsonl")
        book.read()  # one that a crash tore would swallow what comes next

        def keep(part: Part) -> None:
            book.append(Anchor(at=now.now(), head=part.head))

        def mark(copy: Head) -> Change[None]:
            return partial(restored, by=by, copy=copy)

        done = restore(db, secrets, now, path, mark=mark, over=over, keep=keep, agree=disagreements)
        # Only now: a restore that failed leaves the keys as they were. To be killed here means to restore once more.
        taken = secrets.keys.take_in(found) if found is not None else None
    return BroughtBack(restored=done, keys=taken)


@contextmanager
def _opened_bare(where: str, keys: Path, clock: Clock | None) -> Generator[tuple[Database, Keyring, Clock]]:
    """Open a connection of its own, for what is done to a store as a whole."""
    if not (keys / "master.seed").exists():
        # A new seed would make everything in a backup look tampered with.
        fix = "name the folder with `--keys`, or put `master.seed` back from where you keep it"
        raise StoreClosed(f"the keys of this installation are not in `{keys}`", fix=fix)
    secrets = Keyring(load_seed(keys / "master.seed"), _keys(where, keys))
    try:
        db = _database(where, server_time=clock is None)
        try:
            yield db, secrets, clock or SystemClock()
        finally:
            db.close()
    finally:
        secrets.close()


def _database(where: str, *, server_time: bool) -> Database:
    if not is_postgres(where):
        return SqliteDatabase(Path(where))
    from interlock.store.postgres import PostgresDatabase, make_tables  # noqa: PLC0415

    make_tables(where)
    return PostgresDatabase(where, server_time=server_time)


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
    broker = broker_of(keys, clock or SystemClock())
    hints = Hints()
    tools = every_tool(broker, hidden=(keys,), hints=hints)
    try:
        opened = open_store(where, keys, clock=clock)
        try:
            yield gateway_on(opened, ToolsWithSecrets(tools, broker), hints=hints)
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
