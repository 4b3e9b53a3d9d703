"""Where the checks run: a store of its own, of the same kind and with the same settings as the one that is used."""

import sqlite3
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from interlock import app
from interlock.core.ids import TenantId
from interlock.verify.scratch import scratch_folder, scratch_schema
from interlock.verify.world import HandClock, World

Row = tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class Lab:
    """Opens worlds on a scratch store, and looks into the database as somebody who lacks the keys would."""

    where: str
    """A SQLite file in a folder of its own, or a Postgres address whose tables are in a schema of their own."""
    folder: Path
    """For the keys, and for what a check leaves outside."""
    worlds: list[World] = field(default_factory=list[World])

    def world(self, beside: World | None = None) -> World:
        """Open the store once more, as another process would.

        Args:
            beside: whose tenant, clock and tools it shares; otherwise it has a tenant of its own.
        """
        clock = beside.clock if beside is not None else HandClock()
        opened = app.open_store(self.where, self.folder / "keys", clock=clock)
        tenant = beside.tenant if beside is not None else TenantId(f"check-{token_hex(4)}")
        world = World.on(opened, clock, tenant)
        if beside is not None:
            world = world.sharing(beside)
        self.worlds.append(world)
        return world

    def close(self) -> None:
        """Close whatever the last check opened."""
        for world in self.worlds:
            world.opened.close()
        self.worlds.clear()

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement on a connection that knows nothing of the interlock. `?` stands for a value."""
        with self._connected() as db:
            cursor = db.execute(sql if self._is_file else sql.replace("?", "%s"), values)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Name every table that has a tenant, with its columns."""
        return {table: names for table, names in self._all_tables().items() if "tenant" in names}

    def _all_tables(self) -> dict[str, tuple[str, ...]]:
        if self._is_file:
            names = [name for (name,) in self.query("select name from sqlite_schema where type = 'table'")]
            found = [(name, str(row[1])) for name in names for row in self.query(f"pragma table_info('{name}')")]
        else:
            found = self.query(_PG_COLUMNS)
        columns: dict[str, tuple[str, ...]] = {}
        for table, column in found:
            columns[table] = (*columns.get(table, ()), column)
        return columns

    def rows(self, table: str, world: World) -> list[Row]:
        """Return all rows of a tenant, whole."""
        names = ", ".join(f'"{name}"' for name in self.tables()[table])
        return self.query(f"select {names} from {table} where tenant = ?", [world.tenant])  # noqa: S608  our own names

    def put_back(self, table: str, world: World, rows: Sequence[Row]) -> None:
        """Make these all the rows that a tenant has in a table."""
        self.query(f"delete from {table} where tenant = ?", [world.tenant])  # noqa: S608  our own names
        for row in rows:
            marks = ", ".join("?" * len(row))
            names = ", ".join(f'"{name}"' for name in self.tables()[table])
            self.query(f"insert into {table} ({names}) values ({marks})", row)  # noqa: S608  our own names

    def everything(self) -> Iterator[bytes]:
        """Return every byte that is stored and can be looked at: files with their logs, or the rows of all tables."""
        if self._is_file:
            files = (*Path(self.where).parent.glob(f"{Path(self.where).name}*"), *self.folder.glob("keys/keys.db*"))
            for path in sorted(files):
                yield path.read_bytes()
            return
        for table, columns in self._all_tables().items():
            names = ", ".join(f'"{name}"' for name in columns)
            for row in self.query(f"select {names} from {table}"):  # noqa: S608  our own names
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()

    @property
    def unseen(self) -> str:
        """Say what of the store `everything` cannot look at; empty if it is all."""
        return "" if self._is_file else "the write-ahead log and the log files of the server"

    @property
    def _is_file(self) -> bool:
        return not app.is_postgres(self.where)

    @contextmanager
    def _connected(self) -> Generator[Any]:
        if self._is_file:
            db: Any = sqlite3.connect(self.where, isolation_level=None, timeout=10)
        else:
            import psycopg  # noqa: PLC0415  an extra

            db = psycopg.connect(self.where, autocommit=True)
        try:
            yield db
        finally:
            db.close()


_PG_COLUMNS = """
select table_name, column_name from information_schema.columns where table_schema = current_schema()
order by table_name, ordinal_position"""


@contextmanager
def lab_like(store: str) -> Generator[Lab]:
    """Make a scratch store like `store`: a file on the same file system, or a schema in the same database.

    The schema, or the folder with the file and its keys, is gone afterwards. What a process that was killed left behind
    is swept up first.

    Raises:
        StoreClosed: there is no right to make one.
    """
    temporary = Path(tempfile.gettempdir())
    if app.is_postgres(store):
        with scratch_schema(store) as where, scratch_folder(temporary, "interlock-verify-") as folder:
            yield from _closing(Lab(where=where, folder=folder))
        return
    beside = Path(store).resolve().parent
    with scratch_folder(beside if beside.is_dir() else temporary, ".interlock-verify-") as folder:
        yield from _closing(Lab(where=str(folder / "interlock.db"), folder=folder))


def _closing(lab: Lab) -> Generator[Lab]:
    try:
        yield lab
    finally:
        lab.close()
