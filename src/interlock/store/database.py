"""What a batch asks of a database connection. SQLite and Postgres differ here and nowhere else."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from interlock.core.ids import TenantId

Params = Mapping[str, Any]


class Database(Protocol):
    """One connection, used by one thread at a time. Errors are those of `core.errors`."""

    @property
    def within(self) -> str:
        """The rest of a condition that holds when a column is one of `:names`."""
        ...

    def begin(self, *, durable: bool) -> None:
        """Open a transaction that writes.

        Raises:
            StoreBusy: somebody else writes for too long.
        """
        ...

    def begin_snapshot(self) -> None:
        """Open a transaction that reads, and sees one moment."""
        ...

    def lock(self, tenants: Sequence[TenantId]) -> None:
        """Keep others from writing for these tenants, in this order, before anything of theirs is read."""
        ...

    def now(self) -> int | None:
        """Return the database's own time in microseconds, or nothing where this machine's clock counts."""
        ...

    def names(self, names: Sequence[str]) -> Any:  # noqa: ANN401  what the driver takes for a list
        """Turn a list of names into the parameter that `within` takes."""
        ...

    def query(self, sql: str, params: Params) -> Sequence[Sequence[Any]]: ...

    def run_many(self, sql: str, params: Sequence[Params]) -> None: ...

    def commit(self) -> None:
        """Make it so.

        Raises:
            StoreUnsure: the answer was lost; it may or may not have been written.
            StoreClosed: the disk did not take it, and the connection must not be used any more.
        """
        ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...
