"""Restoring: a backup takes the place of all that a store holds, in one transaction, or nothing is changed at all."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from interlock.core.errors import LedgerBroken, NotPermitted, StoreBusy, StoreTampered
from interlock.core.ids import TenantId
from interlock.ledger.note import opened_by
from interlock.ledger.rebuild import Difference
from interlock.ledger.tree import Head
from interlock.ports import Change, Clock, Kept, Needs, Secrets, Written
from interlock.store import backup
from interlock.store.backup import KEPT, Contents, Part, StoredRow
from interlock.store.batch import Batcher, Write
from interlock.store.database import Database, Put
from interlock.store.kept import StoredRows
from interlock.store.load import Stored, signers_of
from interlock.store.machine import Machine
from interlock.store.schema import HEAD, MEMO, TILE
from interlock.store.tiles import fill

Mark = Callable[[Head], Change[None]]
"""What is entered behind what came out of the backup, given its head."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a store holds now, and what it held before."""

    contents: Contents
    replaced: tuple[Part, ...]
    """The heads that stood there, as far as they were signed by this installation."""


def restore(
    db: Database,
    secrets: Secrets,
    clock: Clock,
    path: Path,
    *,
    mark: Mark,
    over: bool,
    keep: Callable[[Part], None],
    agree: Callable[[Kept], Iterable[Difference]],
) -> Restored:
    """Put a backup into a store, and mark every ledger in it as restored.

    Args:
        db: a connection that is in no transaction.
        secrets: the keys of the ledgers in the backup.
        clock: the time of the entries that mark them.
        path: the backup.
        mark: what each of them is marked with.
        over: whether what the store holds may be replaced.
        keep: is told each signed head that is replaced, before anything is.
        agree: says where rows differ from what their entries lead to.

    Raises:
        BackupBroken: the file cannot be restored from.
        StoreTampered: what is in it is not as this installation wrote it.
        LedgerBroken: a ledger in it is signed by another installation.
        NotPermitted: the store holds something, and `over` was not said.
    """
    contents = backup.check(path, secrets)
    known = {TenantId(part.tenant) for part in (*contents.tenants, *backup.heads(db))}
    try:
        db.begin(durable=True, tenants=sorted(known))
        db.take_time()
        replaced = _replaced(db, secrets, known, over=over)
        for part in replaced:
            keep(part)
        _fill(db, path, contents)
        _check(db, secrets, contents, agree)
        _mark(db, secrets, clock, contents, mark)
    except BaseException:
        db.rollback()
        raise
    db.commit()
    return Restored(contents=contents, replaced=replaced)


def _replaced(db: Database, secrets: Secrets, known: Set[TenantId], *, over: bool) -> tuple[Part, ...]:
    """Return the signed heads that stand in the store, now that nobody else moves them."""
    standing = backup.heads(db)
    if standing and not over:
        named = ", ".join(f"`{part.tenant}` ({part.entries} entries)" for part in standing)
        raise NotPermitted(
            f"the store holds {named}", fix="restore into an empty one, or say `--over`: what it holds is then gone"
        )
    if not {part.tenant for part in standing} <= known:
        raise StoreBusy("somebody else writes into this store", fix="stop every gateway on it, then try again")
    return tuple(part for part in standing if _signed(db, secrets, TenantId(part.tenant)))


def _signed(db: Database, secrets: Secrets, tenant: TenantId) -> bool:
    stored = Stored(db, secrets, tenant)
    try:
        head = stored.head(stored.standing())
        return head.tree.size > 0 and opened_by(head.note, signers_of(secrets, tenant))[1] == head.tree.head()
    except (StoreTampered, LedgerBroken):
        return False


def _fill(db: Database, path: Path, contents: Contents) -> None:
    db.clear([*KEPT, TILE.table, MEMO.name])
    rows = backup.rows(path, contents)
    while some := list(islice(rows, _AT_ONCE)):
        for tenant, puts in _sorted(some):
            db.put(tenant, puts)
    for part in contents.tenants:
        fill(db, TenantId(part.tenant), 0, part.entries)


def _sorted(rows: Sequence[StoredRow]) -> Iterator[tuple[TenantId, list[Put]]]:
    by_place: dict[tuple[TenantId, str], list[StoredRow]] = {}
    for row in rows:
        by_place.setdefault((row.tenant, row.into.table), []).append(row)
    for (tenant, table), same in by_place.items():
        yield tenant, [Put(KEPT[table], [row.values for row in same])]


def _check(db: Database, secrets: Secrets, contents: Contents, agree: Callable[[Kept], Iterable[Difference]]) -> None:
    """Look at every row as the database has it now, before anybody else can."""
    for part in contents.tenants:
        stands = StoredRows(Stored(db, secrets, TenantId(part.tenant)))
        # The checksum takes no key: a row that is missing, or an older one, shows in the entries alone.
        for found in chain(agree(stands), stands.differences):
            found = stands.differences[0] if stands.differences else found
            raise StoreTampered(
                f"the backup of `{part.tenant}` is not as this installation wrote it: {found.where}: {found.what}",
                fix="restore an older backup",
            )
        head = db.query(_HEAD, {"tenant": part.tenant})
        if not head or head[0][0] != part.entries:
            raise StoreTampered(f"the backup of `{part.tenant}` has another head than it says", fix="restore another")


def _mark(db: Database, secrets: Secrets, clock: Clock, contents: Contents, mark: Mark) -> None:
    writes = [_write(part, mark) for part in contents.tenants]
    told, _ = Batcher(secrets=secrets, clock=clock, time=Machine(clock, lambda: None).time).within(db, writes)
    for answer in told:
        if isinstance(answer, Exception):
            raise answer


def _write(part: Part, mark: Mark) -> Write:
    head = Head(size=part.entries, root=bytes.fromhex(part.root))
    nobody: Any = Future[Written[Any]]()
    return Write(tenant=TenantId(part.tenant), needs=Needs(), change=mark(head), durable=True, answer=nobody)


_HEAD = f"select size from {HEAD.table} where tenant = :tenant"  # noqa: S608  our own name
