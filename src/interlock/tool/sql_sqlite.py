"""Statements on a SQLite file. A read cannot write: the connection cannot, and no part of the statement may."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid, UpstreamFailed, UpstreamSilent
from interlock.core.limits import RESULT_BYTES_MAX, SAID_CHARS_MAX
from interlock.tool.sql_idle import Idle
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_rows import fetched, result_of

_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    | {sqlite3.SQLITE_TRANSACTION}
)
_WRITES = _READS | {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_FUNCTIONS_NEVER = frozenset({"load_extension", "fts3_tokenizer", "edit", "readfile", "writefile"})
_STEPS = 1_000  # of the machine of SQLite between two looks at the time: some 10 us


@dataclass(slots=True)
class SqliteDatabases:
    """Connections to files, kept for the next call: by file, and by whether they can write."""

    _idle: Idle[tuple[str, bool], sqlite3.Connection] = field(
        default_factory=Idle[tuple[str, bool], sqlite3.Connection]
    )

    def carry_out(self, plan: SqlPlan, values: Mapping[str, Json], check_lease: Callable[[], None]) -> Json:
        """Carry a statement out in a transaction of its own.

        Args:
            plan: the statement.
            values: of its parameters.
            check_lease: called before it begins, and before what it wrote is committed.

        Raises:
            UpstreamFailed: nothing has happened.
            UpstreamSilent: the commit failed in a way that leaves it open.
        """
        # Whoever asks whether something happened waits for whoever may be writing it, so it takes their lock.
        locks = not plan.reads or plan.returns == "happened"
        db = self._idle.take((plan.sqlite, locks)) or _opened(plan, locks=locks)
        try:
            result = _carried_out(db, plan, values, check_lease)
        except BaseException:
            db.close()
            raise
        self._idle.give_back((plan.sqlite, locks), db)
        return result

    def close(self) -> None:
        self._idle.close()


def _opened(plan: SqlPlan, *, locks: bool) -> sqlite3.Connection:
    try:
        return _connection(plan.sqlite, locks=locks)
    except sqlite3.Error as error:
        what = "the database cannot be opened, so nothing was done"
        raise UpstreamFailed(what, fix=f"look whether `{plan.sqlite}` is there") from error


def _connection(file: str, *, locks: bool) -> sqlite3.Connection:
    # `as_uri` would need the path once more; what is special in an address is encoded by hand.
    path = file.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    mode = "rw" if locks else "ro"
    db = sqlite3.connect(
        f"file:{path}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, cached_statements=8
    )
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * RESULT_BYTES_MAX)
    db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    db.execute("pragma trusted_schema = off")
    db.execute("pragma foreign_keys = on")
    return db


def _carried_out(
    db: sqlite3.Connection, plan: SqlPlan, values: Mapping[str, Json], check_lease: Callable[[], None]
) -> Json:
    until = time.monotonic() + plan.seconds
    db.execute(f"pragma busy_timeout = {int(plan.seconds * 1_000)}")
    db.execute("pragma query_only = off")
    check_lease()
    try:
        db.execute("begin immediate" if not plan.reads or plan.returns == "happened" else "begin")
        db.execute(f"pragma query_only = {'on' if plan.reads else 'off'}")
        db.set_authorizer(_allowing(_READS if plan.reads else _WRITES))
        db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        cursor = db.execute(plan.text, values)
        rows = fetched(plan, cursor.fetchmany)
        names = [column[0] for column in cursor.description or ()]
        changed = max(0, cursor.rowcount)
        cursor.close()
        result = result_of(plan, names, rows, changed)
        check_lease()
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise _failed(plan, error, late=time.monotonic() > until) from error
    _committed(db, plan)
    db.set_authorizer(None)
    db.set_progress_handler(None, 0)
    return result


def _committed(db: sqlite3.Connection, plan: SqlPlan) -> None:
    db.set_progress_handler(None, 0)  # what is being committed is not given up for its time
    try:
        db.execute("commit")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY or error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise _failed(plan, error, late=False) from error
        raise UpstreamSilent(
            f"nobody knows whether `{plan.statement}` was committed",
            fix="look whether the row is there",
            said=str(error)[:SAID_CHARS_MAX],
        ) from error
    except sqlite3.IntegrityError as error:
        raise _failed(plan, error, late=False) from error


def _failed(plan: SqlPlan, error: Exception, *, late: bool) -> UpstreamFailed:
    if late:
        what = f"`{plan.statement}` took more than {plan.seconds:g} s, so it was undone"
        return UpstreamFailed(what, fix="give it an index, or a longer `timeout`")
    said = str(error)[:SAID_CHARS_MAX]
    return UpstreamFailed(f"the database refuses `{plan.statement}`, so nothing was done", fix=_LOOK, said=said)


def _allowing(actions: frozenset[int]) -> Callable[[int, str | None, str | None, str | None, str | None], int]:
    def look(action: int, one: str | None, two: str | None, _db: str | None, _via: str | None) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            # Full text search asks itself by it whether somebody else has written.
            return sqlite3.SQLITE_OK if (one, two) == ("data_version", None) else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_UPDATE and one == "sqlite_master":
            # It says so as it reads what its columns are. To really change it takes `pragma writable_schema`.
            return sqlite3.SQLITE_OK
        never = action == sqlite3.SQLITE_FUNCTION and (two or "").lower() in _FUNCTIONS_NEVER
        return sqlite3.SQLITE_OK if action in actions and not never else sqlite3.SQLITE_DENY

    return look


def prepared(plan: SqlPlan) -> None:
    """Have the database read a statement without carrying it out.

    Raises:
        ContractInvalid: the database is not there, or it does not take the statement: of a read, because it writes.
    """
    try:
        db = _connection(plan.sqlite, locks=False)
    except sqlite3.Error as error:
        fix = "name a SQLite file under `databases`; it is looked for beside the contract"
        raise ContractInvalid(f"`{plan.sqlite}` cannot be opened: {error}", fix=fix) from error
    try:
        db.set_authorizer(_allowing(_READS if plan.reads else _WRITES))
        db.execute(
            f"explain {plan.text}", dict.fromkeys((*plan.parameters, "interlock_key", "interlock_tenant"))
        ).close()
    except (sqlite3.Error, sqlite3.Warning) as error:
        what = f"the database does not take `{plan.statement}`: {error}"
        raise ContractInvalid(what, fix="correct the statement, or the database") from error
    finally:
        db.close()


_LOOK = "look at what it said"
