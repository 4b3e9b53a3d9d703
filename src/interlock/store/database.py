"""What a batch asks of a database connection. SQLite and Postgres differ here and nowhere else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from msgspec import Struct

from interlock.core.ids import Instant, TenantId

Params = Mapping[str, Any]

Value = str | int | bytes | None

HeadValues = tuple[int, bytes, int, int, str, bytes]
"""Size, peaks, time, epoch, note and MAC of a tenant's head."""

Type = Literal["text", "bigint", "blob"]
"""What a column holds, in words that both databases can be told of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Into:
    """Where rows are written: the columns beside the tenant, and what happens to a row that is there already."""

    table: str
    columns: Mapping[str, Type]
    key: tuple[str, ...]
    """What makes two rows of a tenant the same row; nothing where there is one a tenant."""
    twice: Literal["replace", "keep", "fail"] = "replace"

    def conflict(self) -> str:
        """Write the end of the statement that says what happens to a row that is there already."""
        if self.twice == "fail":
            return ""
        named = ", ".join(("tenant", *self.key))
        if self.twice == "keep":
            return f" on conflict ({named}) do nothing"
        changed = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        return f" on conflict ({named}) do update set {changed}"


class Put(Struct, frozen=True):
    """Rows to write, their values in the order of the columns. No two of them are the same row."""

    into: Into
    rows: Sequence[tuple[Value, ...]]


class Lookup(Struct, frozen=True):
    """Rows to read: those of a table whose `column` is one of `names`."""

    table: str
    column: str
    names: Sequence[str]


class Standing(Struct, frozen=True):
    """One tenant at one moment: head, door, and what was looked up, all unchecked."""

    now: int | None
    """The database's own time in microseconds, or nothing where this machine's clock counts."""
    head: HeadValues | None
    door: tuple[bytes, bytes] | None
    """Body and MAC."""
    rows: Mapping[tuple[str, str], Sequence[tuple[str, bytes, bytes]]]
    """Id, body and MAC of each row, by the table and column that it was looked up by."""


class Database(Protocol):
    """One connection, used by one thread at a time. Errors are those of `core.errors`."""

    @property
    def within(self) -> str:
        """The rest of a condition that holds when a column is one of `:names`."""
        ...

    def holds(self, column: str, part: str) -> str:
        """Say in SQL that bytes stand somewhere in a column of bytes."""
        ...

    def begin(self, *, durable: bool, tenants: Sequence[TenantId]) -> None:
        """Open a transaction that writes, and keep others from writing for these tenants before anything is read.

        Raises:
            StoreBusy: somebody else writes for too long.
        """
        ...

    def begin_snapshot(self) -> None:
        """Open a transaction that reads, and sees one moment."""
        ...

    def standing(self, tenant: TenantId, lookups: Sequence[Lookup], door_mac: bytes = b"") -> Standing:
        """Read one moment of a tenant, in a transaction or without one.

        Args:
            tenant: whose.
            lookups: the rows to read.
            door_mac: the MAC of a door that is known. One that still has it comes without its body, which may be long.
        """
        ...

    def put(self, tenant: TenantId, puts: Sequence[Put]) -> None:
        """Write rows of a tenant."""
        ...

    def take_out_ended(self, tenant: TenantId, table: str, now: Instant) -> None:
        """Delete the rows of a tenant whose `until` is `now` or before."""
        ...

    def defined(self, tables: str) -> Sequence[str]:
        """Write definitions of tables in the words of this database, a statement each."""
        ...

    def take_time(self) -> None:
        """Let this transaction last as long as it needs."""
        ...

    def clear(self, tables: Sequence[str]) -> None:
        """Take every row of every tenant out of some tables."""
        ...

    def take_out(self, tenant: TenantId, table: str, column: str, names: Sequence[str]) -> None:
        """Delete the rows of a tenant whose `column` is one of `names`."""
        ...

    def names(self, names: Sequence[str]) -> Any:  # noqa: ANN401  what the driver takes for a list
        """Turn a list of names into the parameter that `within` takes."""
        ...

    def query(self, sql: str, params: Params) -> Sequence[Sequence[Any]]: ...

    def commit(self) -> None:
        """Make it so.

        Raises:
            StoreUnsure: the answer was lost; it may or may not have been written.
            StoreClosed: the disk did not take it, and the connection must not be used any more.
        """
        ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def standing_sql(conditions: Sequence[tuple[str, str]], *, tenant: str, door_mac: str, blob: str, clock: str) -> str:
    """Write the one statement that `Database.standing` is: head, door, and each table with its condition.

    One statement sees one moment by itself, and on Postgres it is one way to the server and back.

    Args:
        conditions: for each lookup its table, and the condition that holds for its rows beside their tenant.
        tenant: the parameter that is the tenant.
        door_mac: the parameter that is the MAC of the door that is known.
        blob: an empty blob.
        clock: the database's own time, or -1 where it does not count.
    """
    nothing = "0, 0, 0, ''"
    parts: list[str] = [
        f"select {_CLOCK}, '', {blob}, {blob}, {clock}, 0, 0, ''",
        f"select {_HEAD}, tenant, peaks, mac, size, at, epoch, note from head where tenant = {tenant}",  # noqa: S608
        f"select {_DOOR}, tenant, case when mac = {door_mac} then {blob} else body end, mac, {nothing} "  # noqa: S608
        f"from door where tenant = {tenant}",
    ]
    for n, (table, condition) in enumerate(conditions):
        parts.append(f"select {n}, id, body, mac, {nothing} from {table} where tenant = {tenant} and {condition}")  # noqa: S608
    return " union all ".join(parts)


def standing_of(found: Sequence[Sequence[Any]], lookups: Sequence[Lookup]) -> Standing:
    """Sort what `standing_sql` found."""
    now = head = door = None
    rows: list[list[tuple[str, bytes, bytes]]] = [[] for _ in lookups]
    what: int
    for what, id, body, mac, *more in found:
        if what >= 0:
            rows[what].append((id, body, mac))
        elif what == _HEAD:
            size, at, epoch, note = more
            head = (size, body, at, epoch, note, mac)
        elif what == _DOOR:
            door = (body, mac)
        else:
            now = more[0] if more[0] >= 0 else None
    by_lookup = {(lookup.table, lookup.column): each for lookup, each in zip(lookups, rows, strict=True)}
    return Standing(now, head, door, by_lookup)


_CLOCK, _HEAD, _DOOR = -1, -2, -3


Around = Callable[[Database], Database]
"""What is put around each connection of a store."""


def itself(db: Database) -> Database:
    """Put nothing around a connection."""
    return db
