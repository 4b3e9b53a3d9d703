"""Statements on Postgres: in a transaction of their own, with the tenant set for row-level security, as a role.

A read is carried out in a transaction that is read only, so that the database itself refuses what writes.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from interlock.core.canonical import Json
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import TenantId
from interlock.core.limits import SAID_CHARS_MAX, SQL_SILENCE_PART, SQL_SILENCE_SECONDS_MAX
from interlock.tool.sql_connection import Connection, connected
from interlock.tool.sql_idle import Idle
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_rows import fetched, result_of
from interlock.tool.sql_text import returns_rows, with_parameters

_CURSOR = "interlock"


@dataclass(slots=True)
class PostgresDatabases:
    """Connections to databases, kept for the next call by what they were opened with."""

    _idle: Idle[str, Connection] = field(default_factory=Idle[str, Connection])

    def carry_out(
        self,
        plan: SqlPlan,
        values: Mapping[str, Json],
        check_lease: Callable[[], None],
        *,
        address: str,
        tenant: TenantId,
    ) -> Json:
        """Carry a statement out in a transaction of its own.

        Args:
            plan: the statement.
            values: of its parameters.
            check_lease: called before it begins, and before what it wrote is committed.
            address: where the database is, and with which credential.
            tenant: whose rows it sees.

        Raises:
            UpstreamFailed: nothing has happened.
            UpstreamSilent: the answer to the commit was lost, or leaves it open.
        """
        started = time.monotonic()
        ends, silent = started + plan.seconds, started + SQL_SILENCE_PART * plan.seconds
        db = self._begun(plan, address, tenant, check_lease, ends)
        try:
            try:
                db.until = silent
                result = _carried_out(db, plan, values, ends)
                check_lease()
            except psycopg.Error as error:
                raise _silent(plan) if db.silent else _failed(plan, error) from error
            _committed(db, plan)
        except BaseException:
            # What was not committed the server takes back.
            db.close()
            raise
        db.until = silent
        self._give_back(address, db)
        return result

    def _give_back(self, address: str, db: Connection) -> None:
        """Keep a connection for the next call, of whichever tenant, without anything that this one left on it."""
        try:
            db.autocommit = True
            db.execute("discard all")
            db.autocommit = False
        except psycopg.Error:
            db.close()
        else:
            self._idle.give_back(address, db)

    def _begun(
        self, plan: SqlPlan, address: str, tenant: TenantId, check_lease: Callable[[], None], ends: float
    ) -> Connection:
        """Begin a transaction; on a connection that has gone meanwhile, on a new one."""
        db = self._idle.take(address)
        try:
            check_lease()
            if db is not None:
                now = time.monotonic()
                # What is left of the time is for a new one.
                db.until = now + min(SQL_SILENCE_SECONDS_MAX, (ends - now) / 3)
                if begin(db, plan, tenant, ends):
                    return db
                db.close()
            db = connected(plan, address)
            db.until = ends
            if not begin(db, plan, tenant, ends):
                raise UpstreamFailed("the database went away, so nothing was done", fix="look whether it runs")
        except BaseException:
            if db is not None:
                db.close()
            raise
        return db

    def close(self) -> None:
        self._idle.close()


def begin(db: Connection, plan: SqlPlan, tenant: TenantId, ends: float) -> bool:
    """Begin a transaction; return whether the connection still stands.

    Args:
        db: the connection; until when it has to answer, it knows.
        plan: what is to be carried out in it.
        tenant: whose rows it sees.
        ends: when the server is to end a statement in it, by the clock of this process.

    Raises:
        UpstreamFailed: the database refuses the role, or the role sees what belongs to others.
    """
    milliseconds = str(max(1, int((ends - time.monotonic()) * 1_000)))
    try:
        db.read_only = plan.reads
        db.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        db.execute(
            "select set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true), set_config(%s, %s, true)",
            (milliseconds, milliseconds, milliseconds, plan.tenant_setting, tenant),
        )
        if plan.role:
            db.execute(sql.SQL("set local role {}").format(sql.Identifier(plan.role)))
        found = db.execute(
            "select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user"
        ).fetchone()
    except psycopg.Error as error:
        if db.broken or db.closed:
            return False
        raise _failed(plan, error) from error
    if found is None or found[1]:
        raise UpstreamFailed(
            f"`{found[0] if found else plan.role}` passes by row-level security, so nothing was done",
            fix="name a `role` under `databases` that is no superuser and has no BYPASSRLS",
        )
    return True


def _carried_out(db: Connection, plan: SqlPlan, values: Mapping[str, Json], ends: float) -> Json:
    text = with_parameters(plan.text, lambda name: f"%({name})s", lambda rest: rest.replace("%", "%%"))
    named = {name: _bound(value) for name, value in values.items()}
    key = values.get("key") if plan.returns == "happened" else values.get("interlock_key")
    if isinstance(key, str) and (plan.returns == "happened" or not plan.reads):
        # Whoever asks whether it happened waits here for whoever may be writing it.
        db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"interlock {key}",))
    # The text stands in a file beside the contract; nothing of a call goes into it.
    query = cast("LiteralString", text)
    if plan.reads:
        # Rows stay with the server until they are asked for.
        with db.cursor(_CURSOR) as cursor:
            cursor.execute(query, named)
            rows = fetched(plan, _in_time(plan, cursor.fetchmany, ends))
            return result_of(plan, [column.name for column in cursor.description or ()], rows, 0)
    with db.cursor() as cursor:
        if returns_rows(plan.text):
            return _streamed(db, plan, cursor, cursor.stream(query, named))
        cursor.execute(query, named)
        return result_of(plan, [], [], max(0, cursor.rowcount))


def _streamed(
    db: Connection, plan: SqlPlan, cursor: psycopg.Cursor[tuple[Any, ...]], coming: Iterator[tuple[Any, ...]]
) -> Json:
    """Take the rows of a write as they come, and no more than go back: the server keeps none of them for later."""
    if plan.returns == "count":
        return result_of(plan, [], [], sum(1 for _ in coming))
    try:
        rows = fetched(plan, lambda count: list(islice(coming, count)))
        return result_of(plan, [column.name for column in cursor.description or ()], rows, len(rows))
    except UpstreamFailed:
        # The rest is not waited for: without its connection the server takes all of it back.
        db.close()
        raise


def _in_time(
    plan: SqlPlan, fetch: Callable[[int], list[tuple[Any, ...]]], ends: float
) -> Callable[[int], list[tuple[Any, ...]]]:
    """Fetch rows as long as there is time: the server holds only each fetch against the limit."""

    def some(count: int) -> list[tuple[Any, ...]]:
        if time.monotonic() > ends:
            raise _too_slow(plan)
        return fetch(count)

    return some


def _bound(value: Json) -> object:
    # A float would be compared with amounts as a float.
    return Decimal(repr(value)) if isinstance(value, float) else value


def _committed(db: Connection, plan: SqlPlan) -> None:
    # The server ends a commit that takes too long. Until then an answer is worth more than the time.
    db.until = time.monotonic() + plan.seconds + SQL_SILENCE_SECONDS_MAX
    try:
        db.commit()
    except psycopg.Error as error:
        if db.info.transaction_status is TransactionStatus.IDLE and _is_definite(error):
            raise _failed(plan, error) from error
        said = str(error)[:SAID_CHARS_MAX]
        what = f"nobody knows whether `{plan.statement}` was committed"
        raise UpstreamSilent(what, fix="look whether the row is there", said=said) from error


def _is_definite(error: psycopg.Error) -> bool:
    """Whether the server says that a commit was taken back: what it refers to, or who else was at work."""
    return (error.sqlstate or "")[:2] in ("23", "40", "P0") and error.sqlstate != "40003"


def _failed(plan: SqlPlan, error: psycopg.Error) -> UpstreamFailed:
    """Say that nothing has happened: what was not committed, the server takes back."""
    said = str(error)[:SAID_CHARS_MAX]
    if error.sqlstate == "57014":
        return _too_slow(plan, said)
    if error.sqlstate == "25006":
        what = f"`{plan.statement}` is a read and wants to write, so nothing was done"
        return UpstreamFailed(what, fix="say what it does: `effect`", said=said)
    what = f"the database refuses `{plan.statement}`, so nothing was done"
    return UpstreamFailed(what, fix="look at what it said", said=said)


def _silent(plan: SqlPlan) -> UpstreamFailed:
    what = f"`{plan.statement}` took more than {plan.seconds:g} s, and its connection was closed, which undoes it"
    return UpstreamFailed(what, fix="look whether the database runs and is reached; or give it a longer `timeout`")


def _too_slow(plan: SqlPlan, said: str = "") -> UpstreamFailed:
    what = f"`{plan.statement}` took more than {plan.seconds:g} s, so it was undone"
    return UpstreamFailed(what, fix="give it an index, or a longer `timeout`", said=said)
