"""What doors and reapers ask of the store, beside the rows of a write."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from interlock.budget.hold import Balance
from interlock.core.errors import StoreTampered
from interlock.core.ids import ActionId, BudgetId, ContractHash, Instant, PayloadId, SubjectName, TenantId
from interlock.ports import ActionRow, Memo, Notice, Page, Wanted
from interlock.store.database import Database
from interlock.store.load import Row, Stored
from interlock.store.schema import ACTION, BUDGET, MEMO, NOTICE, Table


def tenants(db: Database) -> tuple[TenantId, ...]:
    """Return every tenant that has an entry."""
    return tuple(TenantId(tenant) for (tenant,) in db.query("select tenant from head order by tenant", {}))


def contracts(stored: Stored) -> tuple[ContractHash, ...]:
    """Name every contract that is kept."""
    found = stored.db.query("select hash from contract where tenant = :tenant order by hash", {"tenant": stored.tenant})
    return tuple(ContractHash(hash) for (hash,) in found)


def contract(stored: Stored, hash: ContractHash) -> bytes | None:
    """Return the body that is kept under this hash, unchecked."""
    sql = "select body from contract where tenant = :tenant and hash = :hash"
    found = stored.db.query(sql, {"tenant": stored.tenant, "hash": hash})
    return bytes(found[0][0]) if found else None


def payload(stored: Stored, id: PayloadId) -> bytes | None:
    """Return the sealed bytes of a payload."""
    sql = "select sealed from payload where tenant = :tenant and id = :id"
    found = stored.db.query(sql, {"tenant": stored.tenant, "id": id})
    return bytes(found[0][0]) if found else None


def payloads(stored: Stored, ids: Sequence[PayloadId]) -> Mapping[PayloadId, bytes]:
    """Return the sealed bytes of those payloads that are there."""
    sql = f"select id, sealed from payload where tenant = :tenant and id {stored.db.within}"  # noqa: S608
    found = stored.db.query(sql, {"tenant": stored.tenant, "names": stored.db.names(list(ids))})
    return {PayloadId(id): bytes(sealed) for id, sealed in found}


def actions(stored: Stored, wanted: Wanted) -> tuple[ActionRow, ...]:
    """Return the actions that are wanted, newest first."""
    conditions, params = ["true"], dict[str, Any]()
    for column, value in (("run", wanted.run), ("undo_of", wanted.undo_of)):
        if value is not None:
            conditions.append(f"{column} = :{column}")
            params[column] = value
    if wanted.before is not None:
        conditions.append("(changed_at, id) < (:before_at, :before_id)")
        params["before_at"], params["before_id"] = wanted.before
    if wanted.lease_before is not None:
        # Of what nobody looks after any more, whoever waits longest is first.
        conditions.append("lease_until < :lease_before")
        params["lease_before"] = wanted.lease_before
    if wanted.latest_of_run:
        conditions.append(_NONE_LATER)
    states = {f"state{n}": state.value for n, state in enumerate(sorted(wanted.states, key=lambda state: state.value))}
    # Each state by itself, so that the newest of each are found in an index, however many there are.
    each = [f"{' and '.join(conditions)} and state = :{name}" for name in states] or [" and ".join(conditions)]
    order = "changed_at desc, id desc" if wanted.lease_before is None else "lease_until, id"
    if wanted.undo_of is not None:
        order = f"+{order}"  # by an expression: SQLite would look through all of time for the few that undo one
    return _rows(stored, ACTION, each, order, {**params, **states}, wanted.limit, sound=wanted.sound)


_NONE_LATER = """not exists (
  select 1 from action as later where later.tenant = action.tenant and later.run = action.run
  and (later.changed_at, later.id) > (action.changed_at, action.id))"""


def actions_like(stored: Stored, prefix: str) -> tuple[ActionRow, ...]:
    """Return at most two actions whose id begins with `prefix`."""
    params = {"low": prefix, "high": prefix + "\U0010ffff"}
    return _rows(stored, ACTION, ["id >= :low and id < :high"], "id", params, 2)


def actions_from(stored: Stored, after: ActionId | None, limit: int) -> tuple[ActionRow, ...]:
    """Return the next actions in the order of their ids."""
    return _rows(stored, ACTION, ["id > :after"], "id", {"after": after or ""}, limit)


def actions_until(stored: Stored, until: Instant, after: tuple[Instant, ActionId] | None, limit: int) -> Page:
    """Return the next actions in the order of their last change. Those that were pruned count as never changed."""
    at, id = after or (Instant(1), ActionId(""))
    condition = "changed_at <= :until and (changed_at, id) > (:at, :id)"
    found = _found(stored, ACTION, [condition], "changed_at, id", {"until": until, "at": at, "id": id}, limit)
    # Whoever edits one row must not keep all others from their turn.
    rows = _decoded(stored, ACTION, found, sound=True)
    last = (Instant(found[-1][3]), ActionId(found[-1][0])) if found else None
    return Page(rows=rows, edited=len(found) - len(rows), last=last)


def payloads_under(stored: Stored, subject: SubjectName, after: str) -> tuple[frozenset[PayloadId], str | None]:
    """Return, of the next page of payloads, those whose envelope names a key, and the last id of the page."""
    sql = f"""
select id, {stored.db.holds("sealed", ":name")} from (
  select id, sealed from payload where tenant = :tenant and id > :after order by id limit 10000) as page
order by id"""  # noqa: S608  our own words
    found = stored.db.query(sql, {"tenant": stored.tenant, "name": subject.encode(), "after": after})
    return frozenset(PayloadId(id) for id, holds in found if holds), found[-1][0] if found else None


def budgets(stored: Stored, periods: Sequence[str] | None) -> Mapping[BudgetId, Balance]:
    """Return the balances of these periods that were ever touched; of all where none are named."""
    condition = f"and period {stored.db.within}" if periods is not None else ""
    found = stored.db.query(
        f"select id, body, mac from budget where tenant = :tenant {condition}",  # noqa: S608  our own words
        {"tenant": stored.tenant, "names": stored.db.names(list(periods or ()))},
    )
    # Sorted here: for the order of their ids SQLite would read every budget there ever was.
    return {
        BudgetId(id): BUDGET.decode(stored.checked("budget", id, body, mac))
        for id, body, mac in sorted(found, key=itemgetter(0))
    }


def signed_head(stored: Stored) -> str:
    """Return the note over the stored head; empty while nothing is entered."""
    return stored.head(stored.standing()).note


def notices(stored: Stored, before: Instant, topics: Sequence[str]) -> tuple[Notice, ...]:
    """Return the undone lines of the outbox that are due. An id begins with its topic."""
    params: dict[str, Any] = {"before": before}
    named: list[str] = []
    for n, topic in enumerate(topics):
        named.append(f"id like :topic{n}")
        params[f"topic{n}"] = f"{topic}:%"
    condition = "done = 0 and at <= :before" + (f" and ({' or '.join(named)})" if named else "")
    # Whoever edits one line must not keep all others from their turn.
    return _rows(stored, NOTICE, [condition], "at, id", params, 1_000, sound=True)


def memos(stored: Stored, prefix: str, now: Instant, after: str, limit: int) -> tuple[Memo, ...]:
    """Return the next memos whose id begins with `prefix` and that have not ended by `now`."""
    params = {"low": prefix + after, "high": prefix + "\U0010ffff", "now": now}
    return _rows(stored, MEMO, ["id > :low and id < :high and until > :now"], "id", params, limit, sound=True)


def entries(stored: Stored, after: int, limit: int) -> tuple[bytes, ...]:
    """Return up to `limit` entries as they were written, from index `after` on."""
    sql = 'select line from entry where tenant = :tenant and "index" >= :after order by "index" limit :limit'
    found = stored.db.query(sql, {"tenant": stored.tenant, "after": after, "limit": limit})
    return tuple(bytes(line) for (line,) in found)


def entries_of(stored: Stored, action: ActionId) -> tuple[tuple[int, bytes], ...]:
    """Return index and bytes of each entry about an action, oldest first."""
    # Ordered by an expression: SQLite would read the whole ledger in its order rather than sort a few entries.
    sql = 'select "index", line from entry where tenant = :tenant and action = :action order by +"index"'
    found = stored.db.query(sql, {"tenant": stored.tenant, "action": action})
    return tuple((index, bytes(line)) for index, line in found)


def entries_of_each(stored: Stored, actions: Sequence[ActionId]) -> Mapping[ActionId, Sequence[tuple[int, bytes]]]:
    """Return index and bytes of each entry about some actions, by action, oldest first."""
    db, each = stored.db, dict[ActionId, list[tuple[int, bytes]]]()
    sql = f'select action, "index", line from entry where tenant = :tenant and action {db.within} order by +"index"'  # noqa: S608
    for action, index, line in db.query(sql, {"tenant": stored.tenant, "names": db.names(actions)}):
        each.setdefault(ActionId(action), []).append((index, bytes(line)))
    return each


def undos_of_each(stored: Stored, actions: Sequence[ActionId]) -> tuple[tuple[ActionId, ActionRow | None], ...]:
    """Return each undo of some actions behind what it undoes; nothing in place of a row that was edited."""
    db = stored.db
    sql = f"select undo_of, id, body, mac from action where tenant = :tenant and undo_of {db.within}"  # noqa: S608  our own words
    found = db.query(sql, {"tenant": stored.tenant, "names": db.names(actions)})
    return tuple((ActionId(of), next(iter(_decoded(stored, ACTION, [row], sound=True)), None)) for of, *row in found)


def _rows(
    stored: Stored,
    table: Table[Any],
    conditions: Sequence[str],
    order: str,
    params: Mapping[str, Any],
    limit: int,
    *,
    sound: bool = False,
) -> tuple[Any, ...]:
    """Return the first rows for which one of the conditions holds; no row may fulfil two of them."""
    return _decoded(stored, table, _found(stored, table, conditions, order, params, limit), sound=sound)


def _found(
    stored: Stored,
    table: Table[Any],
    conditions: Sequence[str],
    order: str,
    params: Mapping[str, Any],
    limit: int,
) -> Sequence[Sequence[Any]]:
    """Return id, body and MAC of these rows, and the columns that they are sorted by."""
    sorted_by = [each.removesuffix(" desc").removeprefix("+") for each in order.split(", ")]
    names = ", ".join(dict.fromkeys(("id", "body", "mac", *sorted_by)))
    first = f"select {names} from {table.name} where tenant = :tenant and {{}} order by {order} limit :limit"  # noqa: S608
    sql = first.format(conditions[0])
    if len(conditions) > 1:
        parts = " union all ".join(
            f"select * from ({first.format(each)}) as part{n}"  # noqa: S608  our own words
            for n, each in enumerate(conditions)
        )
        sql = f"select * from ({parts}) as every order by {order} limit :limit"  # noqa: S608
    return stored.db.query(sql, {"tenant": stored.tenant, "limit": limit, **params})


def _decoded(stored: Stored, table: Table[Row], found: Sequence[Sequence[Any]], *, sound: bool) -> tuple[Row, ...]:
    rows: list[Row] = []
    for id, body, mac, *_ in found:
        try:
            rows.append(table.decode(stored.checked(table.name, id, body, mac)))
        except StoreTampered:
            if not sound:
                raise
    return tuple(rows)
