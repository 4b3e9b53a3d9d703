"""A statement that is tried on Postgres: as the role, and for the tenant, that it is carried out with.

The database reads it, says of which types its parameters are, plans it and looks whether the role may do all of that.
Nothing is carried out, and what is left of it goes with the connection. Planning calls functions that are declared to
change nothing, so all of it is in a transaction that is read only, in which a write is planned as well.
"""

import time
from collections.abc import Mapping
from typing import Any, LiteralString, cast

import psycopg

from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid, UpstreamFailed
from interlock.core.ids import TenantId
from interlock.core.limits import SAID_CHARS_MAX, SQL_SILENCE_SECONDS_MAX, SQL_TRY_SECONDS_MAX
from interlock.core.value import replace
from interlock.tool.sql_connection import Connection, connected
from interlock.tool.sql_plan import SqlPlan
from interlock.tool.sql_postgres import begin
from interlock.tool.sql_text import with_parameters

_DECLARED: Mapping[str, str] = {"integer": "integer", "number": "numeric", "boolean": "boolean"}
"""What a value of a JSON type is sent as. The type of a text is left to the database, also when it is carried out."""
_NO_TEXTS: Mapping[int, str] = {16: "boolean", 20: "integer", 21: "integer", 23: "integer", 26: "integer"}
"""Types by their numbers, of which hardly any text is a value, with what an argument of them is."""
_BUSY = ("40", "53", "55P03", "57", "58")
"""Beginnings of codes by which a database says nothing of the statement: it is full, locked or on its way down."""
_RIGHTS, _UNTYPED, _WRITES = "42501", "42P18", "25006"


def try_statement(plan: SqlPlan, schema: JsonObject, *, address: str, tenant: TenantId) -> None:
    """Have the database look at a statement without carrying it out.

    Args:
        plan: the statement.
        schema: of its arguments.
        address: where the database is, and with which credential.
        tenant: whose rows it sees.

    Raises:
        ContractInvalid: the database does not take it, or not from this role; or an argument is of another type.
        UpstreamFailed: the database cannot be reached.
    """
    db = connected(plan, address)
    ends = time.monotonic() + min(plan.seconds, SQL_TRY_SECONDS_MAX)
    db.until = ends + SQL_SILENCE_SECONDS_MAX
    try:
        if not _begun(db, plan, tenant, ends):
            raise UpstreamFailed("the database went away", fix="look whether it runs")
        _tried(db, plan, _types_of(plan, schema))
    except psycopg.Error as error:
        if db.silent or db.broken or db.closed or (error.sqlstate or "").startswith(_BUSY):
            raise UpstreamFailed("the database does not answer, or is busy", fix="look whether it runs") from error
        said = (error.diag.message_primary or str(error))[:SAID_CHARS_MAX]
        if error.sqlstate == _WRITES:
            said = f"it wants to write as it is planned ({said})"
        raise ContractInvalid(
            f"the database does not take `{plan.statement}`: {said}", fix=_fix(plan, error)
        ) from error
    finally:
        db.close()


def _begun(db: Connection, plan: SqlPlan, tenant: TenantId, ends: float) -> bool:
    try:
        return begin(db, replace(plan, reads=True), tenant, ends)
    except UpstreamFailed as error:
        said = f": {error.said}" if error.said else ""
        raise ContractInvalid(f"{error}{said}", fix=error.fix if not error.said else _ROLE) from error


def _types_of(plan: SqlPlan, schema: JsonObject) -> Mapping[str, str]:
    """Return the one JSON type of each argument; nothing where it may be of several."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    found: dict[str, str] = {}
    for name in plan.parameters:
        said = properties.get(name, {}).get("type", [])
        types = {said} if isinstance(said, str) else set(cast("list[str]", said))
        one = types - {"null"}
        found[name] = one.pop() if len(one) == 1 else ""
    return found


def _tried(db: Connection, plan: SqlPlan, types: Mapping[str, str]) -> None:
    names: list[str] = []

    def numbered(name: str) -> str:
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    text = with_parameters(plan.text, numbered, lambda rest: rest)
    declared = [_DECLARED.get(types.get(name, ""), "unknown") for name in names]
    listed = f" ({', '.join(declared)})" if names else ""
    # As it is carried out, its plan does not depend on values, and nothing is worked out for those that are not there.
    db.execute("set local plan_cache_mode = force_generic_plan")
    # The text stands in a file beside the contract.
    db.execute(cast("LiteralString", f"prepare interlock_tried{listed} as {text}"))
    found = db.execute(
        "select parameter_types::oid[] from pg_prepared_statements where name = 'interlock_tried'"
    ).fetchone()
    for name, oid in zip(names, found[0] if found is not None else (), strict=True):
        if types.get(name) == "string" and int(oid) in _NO_TEXTS:
            kind = _NO_TEXTS[int(oid)]
            what = f"`:{name}` is of type {kind} to the database, and its argument is a text"
            raise ContractInvalid(what, fix=f"write `-- param {name}: {kind}`, or cast it: `:{name}::text`")
    nothing = f" ({', '.join(['null'] * len(names))})" if names else ""
    # Who may do what is looked at as a statement begins, which it does to be explained.
    db.execute(cast("LiteralString", f"explain execute interlock_tried{nothing}"))


def _fix(plan: SqlPlan, error: psycopg.Error) -> str:
    if error.sqlstate == _RIGHTS:
        return f"grant `{plan.role}` what the statement needs" if plan.role else "grant what the statement needs"
    if error.sqlstate == _WRITES:
        return "a function that it calls writes, and is declared not to: declare it `volatile`"
    if error.sqlstate == _UNTYPED:
        return "cast the parameter in the statement, so that its type is known: `:name::text`"
    return "correct the statement, or the database"


_ROLE = "make the role in the database and grant it to whoever connects, or correct `role` under `databases`"
