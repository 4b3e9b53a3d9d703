"""A look at a store from outside: nothing is made, written or locked, so that it can be looked at in any state."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from interlock.core.errors import StoreBusy, StoreClosed
from interlock.core.ids import Instant
from interlock.core.limits import STORE_CHECKED_BYTES_MAX

_WRITTEN_AHEAD = b"\x02\x02"
"""How a file whose journal is written ahead says so, in bytes 18 and 19."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a store says of itself."""

    version: int | None
    """Of its tables; nothing where it has none of ours."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """What its durability hangs on, in the database's own words."""
    now: Instant | None = None
    """The database's own time, if it has one."""
    keys_left: bool = False
    """Whether this role cannot write the table of keys anew, so that a destroyed one stays in its file."""
    damage: str = ""
    """What the database says is broken in its file."""


def look_at_sqlite(path: Path) -> Look:
    """Look at a SQLite file.

    Raises:
        StoreClosed: it cannot be read, or is no SQLite file.
        StoreBusy: another process keeps it locked.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        written_ahead = file.read(20)[18:] == _WRITTEN_AHEAD
    # Without a write-ahead log nobody writes, and a file that is said not to change gets no companions by being read.
    log = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, timeout=1)) as db:
            ours = db.execute("select 1 from sqlite_schema where name = 'version'").fetchone()
            version = db.execute("select max(number) from version").fetchone()[0] if ours else None
            small = path.stat().st_size <= STORE_CHECKED_BYTES_MAX
            (said,) = db.execute("pragma quick_check(1)").fetchone() if small else ("ok",)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY:
            raise StoreBusy("another process keeps it locked", fix="`lsof` shows who has it open") from error
        what = getattr(error, "sqlite_errorname", "unknown")
        raise StoreClosed(
            f"the file cannot be read ({what})",
            fix="move it away with its `-wal` and `-shm`, then put a backup back: `interlock restore FILE`",
        ) from error
    journal = "wal" if written_ahead else "rollback"
    return Look(version=version, settings={"journal_mode": journal}, damage="" if said == "ok" else str(said))
