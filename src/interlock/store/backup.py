"""A backup: every row of a store as of one moment, in one file that says what it holds. Format 1, `docs/backup.md`.

It is the same on both databases: a header, a line for each row, and a checksum. Tiles are left out, because entries
make them again, and so are keys, or a backup would outlive every erasure.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from interlock.core.errors import BackupBroken, StoreBusy
from interlock.core.ids import Instant, TenantId
from interlock.ledger.note import opened_by
from interlock.ledger.pruned import leaf_of
from interlock.ledger.tree import Head, Tree
from interlock.owned import sync_folder
from interlock.ports import Secrets
from interlock.store.database import Database, Into, Value
from interlock.store.load import not_ours, signers_of
from interlock.store.schema import BACKED_UP_SINCE, CONTRACT, DOOR, ENTRY, HEAD, PAYLOAD, TABLES

FORMAT = 1
"""The version of the format of backups. It is covered by the version promise."""

KEPT: Mapping[str, Into] = {
    into.table: into for into in (HEAD, DOOR, ENTRY, CONTRACT, PAYLOAD, *(table.into for table in TABLES))
}
"""Every table that is backed up, in the order of the file."""

_SYNCED_BYTES = 16 * 1024**2  # so often the disk has it all: whoever commits beside a backup waits behind no more
_PAGE = 500  # rows that are held at once; a payload is rarely more than some kilobytes


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant of a backup."""

    tenant: str
    entries: int
    root: str
    head: str
    """The signed note over them."""


class Contents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: what the file holds."""

    backup: int
    schema: int
    store: str
    at: int
    tenants: tuple[Part, ...]


class _Foot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as the file has it."""

    into: Into
    tenant: TenantId
    values: tuple[Value, ...]


@dataclass(slots=True)
class _Trees:
    """Adds up the entries that go by, to hold them against the signed heads."""

    contents: Contents
    secrets: Secrets
    trees: dict[str, Tree]

    @classmethod
    def of(cls, contents: Contents, secrets: Secrets) -> "_Trees":
        return cls(contents, secrets, {part.tenant: Tree() for part in contents.tenants})

    def pass_by(self, row: StoredRow) -> None:
        if row.into is ENTRY:
            index, _, line = row.values
            tree = self.trees[row.tenant]
            if index != tree.size or not isinstance(line, bytes):
                raise not_ours(row.tenant, f"entry {tree.size} is missing")
            self.trees[row.tenant] = tree.with_leaf(leaf_of(line))

    def check(self) -> None:
        """Hold what went by against the contents, and the contents against the keys."""
        for part in self.contents.tenants:
            tenant = TenantId(part.tenant)
            _, signed = opened_by(part.head, signers_of(self.secrets, tenant))
            head = self.trees[tenant].head()
            if not signed == head == Head(size=part.entries, root=bytes.fromhex(part.root)):
                raise not_ours(tenant, "its entries do not lead to its signed head")


def write(db: Database, secrets: Secrets, to: Path, *, kind: str, now: Instant) -> Contents:
    """Write a backup of what `db` holds at one moment. The file is there with all of it, or not at all.

    Args:
        db: a connection that is in no transaction.
        secrets: whose ledgers they must be: what could not be restored is not backed up.
        to: the file, which must not be there yet.
        kind: which database it is, to be read by people.
        now: the time that the contents says.

    Raises:
        StoreTampered: a ledger does not lead to its signed head.
        StoreBusy: the file cannot be written.
    """
    if to.exists():
        raise StoreBusy(f"`{to}` is there already", fix="name another file: a backup is never written over")
    draft = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            contents = _written(db, secrets, file, kind=kind, now=now)
            _sync(file)
        _name(draft, to)
    except OSError as error:
        raise StoreBusy(
            f"`{to}` cannot be written ({(error.strerror or 'unknown').lower()})", fix="make room, or name another file"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(to.parent)
    return contents


def _name(draft: Path, to: Path) -> None:
    try:
        os.link(draft, to)  # unlike a rename it fails where somebody has made the file meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        draft.rename(to)


def _written(db: Database, secrets: Secrets, file: BinaryIO, *, kind: str, now: Instant) -> Contents:
    db.begin_snapshot()
    try:
        db.take_time()
        contents = Contents(backup=FORMAT, schema=BACKED_UP_SINCE, store=kind, at=now, tenants=heads(db))
        trees = _Trees.of(contents, secrets)
        sum, count, unsynced = sha256(_put(file, contents)), 0, 0
        for row in _rows(db, frozenset(trees.trees)):
            trees.pass_by(row)
            line = _put(file, [row.into.table, row.tenant, *row.values])
            sum.update(line)
            count += 1
            unsynced += len(line)
            if unsynced > _SYNCED_BYTES:
                _sync(file)
                unsynced = 0
        trees.check()
        _put(file, _Foot(rows=count, sha256=sum.hexdigest()))
        return contents
    finally:
        db.rollback()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _put(file: BinaryIO, value: object) -> bytes:
    line = msgspec.json.encode(value) + b"\n"
    file.write(line)
    return line


def heads(db: Database) -> tuple[Part, ...]:
    """Return the head of every ledger of a store that has entries, unchecked."""
    found = db.query("select tenant, size, peaks, note from head where size > 0 order by tenant", {})
    return tuple(
        Part(tenant=tenant, entries=size, root=Tree.from_bytes(size, bytes(peaks)).head().root.hex(), head=note)
        for tenant, size, peaks, note in found
    )


def _rows(db: Database, tenants: frozenset[str]) -> Iterator[StoredRow]:
    for into in KEPT.values():
        for tenant, *values in _paged(db, into):
            if tenant in tenants:
                yield StoredRow(into, TenantId(tenant), tuple(_plain(value) for value in values))


def _paged(db: Database, into: Into) -> Iterator[Sequence[Any]]:
    """Read a table in pages, each from where the last one ended: Postgres cuts off a statement that takes long."""
    key, names = ("tenant", *into.key), ("tenant", *into.columns)
    order, last = ", ".join(key), ", ".join(f":k{n}" for n in range(len(key)))
    begin, end = f"select {', '.join(names)} from {into.table}", f"order by {order} limit :limit"  # noqa: S608
    page = db.query(f"{begin} {end}", {"limit": _PAGE})
    while page:
        yield from page
        after = {f"k{n}": page[-1][names.index(name)] for n, name in enumerate(key)}
        page = db.query(f"{begin} where ({order}) > ({last}) {end}", {"limit": _PAGE, **after})


def _plain(value: Any) -> Value:  # noqa: ANN401  whatever the driver gives
    return value if isinstance(value, str | int | None) else bytes(value)


def check(path: Path, secrets: Secrets) -> Contents:
    """Read a backup from end to end, and return what it holds once all of it was checked.

    Raises:
        BackupBroken: it is damaged, cut off, of another version, or no backup.
        StoreTampered: a ledger in it does not lead to its signed head.
        LedgerBroken: a head in it is not signed by this installation.
    """
    contents = contents_of(path)
    trees = _Trees.of(contents, secrets)
    for row in rows(path, contents):
        trees.pass_by(row)
    trees.check()
    return contents


def contents_of(path: Path) -> Contents:
    """Read the first line.

    Raises:
        BackupBroken: it is not that of a backup that this version can restore.
    """
    with path.open("rb") as file:
        return _contents(file.readline())


def _contents(line: bytes) -> Contents:
    try:
        found = msgspec.json.decode(line)
        versions = (found["backup"], found["schema"])
    except (msgspec.DecodeError, UnicodeError, KeyError, TypeError) as error:
        raise BackupBroken("this is not a backup", fix="name a file that `interlock backup FILE` wrote") from error
    if versions != (FORMAT, BACKED_UP_SINCE):
        raise BackupBroken(
            f"it is a backup of format {versions[0]} and schema {versions[1]}, and this program knows {FORMAT} and "
            f"{BACKED_UP_SINCE}",
            fix="restore it with the version of Interlock that wrote it",
        )
    try:
        return msgspec.json.decode(line, type=Contents)
    except msgspec.ValidationError as error:
        raise _damaged("its first line is not as it was written") from error


def rows(path: Path, contents: Contents) -> Iterator[StoredRow]:
    """Read every row of a backup, and hold the file against its checksum at the end.

    Raises:
        BackupBroken: it is damaged, cut off, or another file than the one that `contents` is of.
    """
    with path.open("rb") as file:
        line = file.readline()
        if _contents(line) != contents:
            raise _damaged("it was changed while it was read")
        sum, count, known = sha256(line), 0, frozenset(part.tenant for part in contents.tenants)
        for line in file:
            if line.startswith(b"{"):
                _check_foot(line, count, sum.hexdigest(), last=not file.read(1))
                return
            sum.update(line)
            count += 1
            yield _row(line, known)
    raise _damaged("it was cut off")


def _check_foot(line: bytes, count: int, sum: str, *, last: bool) -> None:
    try:
        foot = msgspec.json.decode(line, type=_Foot)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _damaged("its last line is not as it was written") from error
    if (foot.rows, foot.sha256) != (count, sum) or not last:
        raise _damaged("its checksum does not fit")


def _row(line: bytes, tenants: frozenset[str]) -> StoredRow:
    try:
        table, tenant, *values = cast("list[Any]", msgspec.json.decode(line))
        into = KEPT[table]
        if tenant not in tenants:
            raise ValueError(tenant)
        types = list(into.columns.values())
        found = tuple(_value(type, value) for type, value in zip(types, values, strict=True))
    except (msgspec.DecodeError, UnicodeError, ValueError, TypeError, KeyError) as error:
        raise _damaged("a row is not as it was written") from error
    return StoredRow(into, TenantId(tenant), found)


def _value(type: str, value: Any) -> Value:  # noqa: ANN401  a value of JSON
    kind: Any = {"blob": bytes, "bigint": int, "text": str}[type]
    return None if value is None else msgspec.convert(value, kind, strict=True)


def _damaged(why: str) -> BackupBroken:
    return BackupBroken(f"this backup cannot be used: {why}", fix="take another copy of it, or an older backup")
