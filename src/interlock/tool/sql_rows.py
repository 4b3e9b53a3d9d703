"""Rows of a database as the result of a tool: bounded, and in JSON."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from interlock.core.canonical import Json, canonical
from interlock.core.errors import InterlockError, UpstreamFailed
from interlock.core.limits import RESULT_BYTES_MAX, SQL_ROWS_MAX
from interlock.tool.function import plain
from interlock.tool.sql_plan import SqlPlan


def fetched(plan: SqlPlan, fetch: Callable[[int], Sequence[Sequence[Any]]]) -> list[Sequence[Any]]:
    """Take the rows of a statement, one at first and then ever more at once, until they are more than goes back.

    Args:
        plan: the statement.
        fetch: returns the next rows, as many as it is asked for or all that are left.

    Raises:
        UpstreamFailed: they are too long. What a table holds fills no memory.
    """
    rows, length, at_once = list[Sequence[Any]](), 0, 1
    while len(rows) <= SQL_ROWS_MAX:
        some = fetch(at_once)
        rows += some
        length += sum(_length(value) for row in some for value in row)
        if length > RESULT_BYTES_MAX and plan.returns != "count":
            raise _too_long(plan)
        if len(some) < at_once:
            break
        at_once = min(2 * at_once, SQL_ROWS_MAX + 1 - len(rows))
    return rows


def _length(value: object) -> int:
    """Say how long a value is at least, written down."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        parts = cast("dict[str, object]", value)
        return sum(len(name) + _length(part) for name, part in parts.items())
    return sum(map(_length, cast("list[object]", value))) if isinstance(value, list) else 1


def result_of(plan: SqlPlan, names: Sequence[str], rows: Sequence[Sequence[Any]], changed: int) -> Json:
    """Say what a statement came to. What it wrote is not committed yet, so nothing has happened where this raises.

    Args:
        plan: the statement.
        names: its columns; none where it returns no rows.
        rows: at most one more than may be.
        changed: how many rows it changed.

    Raises:
        UpstreamFailed: it is more than goes back, or JSON cannot carry it.
    """
    if len(rows) > SQL_ROWS_MAX:
        raise _never(plan, f"returns more than {SQL_ROWS_MAX:,} rows", "give it a `limit`")
    if len(set(names)) < len(names):
        raise _never(plan, "returns two columns of one name", "name each: `select a.id as a_id`")
    try:
        tables = plain([dict(zip(names, row, strict=True)) for row in rows])
        assert isinstance(tables, list), "a list stays one"
        result = _shaped(plan, tables, changed)
        size = len(canonical(result))
    except (ValueError, InterlockError, RecursionError) as error:
        if isinstance(error, UpstreamFailed):
            raise
        fix = "round or cast in the statement: `round(total, 2)`, `cast(id as text)`"
        raise _never(plan, "returns something that JSON cannot carry exactly", fix) from error
    if size > RESULT_BYTES_MAX:
        raise _too_long(plan)
    return result


def _shaped(plan: SqlPlan, rows: list[Json], changed: int) -> Json:
    match plan.returns:
        case "many":
            return rows
        case "count":
            return {"changed": changed}
        case "one" | "happened" if len(rows) > 1:
            raise _never(
                plan, "is to return one row, and returns more", "make it select one, or write `-- returns many`"
            )
        case "one":
            return rows[0] if rows else None
        case "happened":
            return {"happened": True, "result": rows[0]} if rows else {"happened": False}


def _too_long(plan: SqlPlan) -> UpstreamFailed:
    return _never(plan, f"returns more than {RESULT_BYTES_MAX:,} bytes", "select fewer columns, or give it a `limit`")


def _never(plan: SqlPlan, what: str, fix: str) -> UpstreamFailed:
    return UpstreamFailed(f"`{plan.statement}` {what}, so nothing was done", fix=fix)
