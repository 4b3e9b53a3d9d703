"""Whether the rows say what the ledger says. Entries are the truth; a row that differs is listed, never mended."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from interlock.budget.hold import Balance
from interlock.core.charge import Charge
from interlock.core.errors import LedgerBroken, PayloadErased, StoreTampered
from interlock.core.ids import ContractHash, PayloadId
from interlock.gateway.asked import commitment
from interlock.ledger.reading import HoldLine
from interlock.ledger.rebuild import Account, Difference, Standing, State, rebuild
from interlock.ports import ActionRow, Kept, Secrets, TenantStore


async def verify_state(store: TenantStore, secrets: Secrets) -> tuple[Difference, ...]:
    """Return where the rows of a tenant differ from what its entries lead to. Nothing means that they agree.

    Whether the entries themselves are those that were written is for `ledger.audit` to say, by what is kept outside.
    """
    kept = await store.kept()
    try:
        state = rebuild(kept.lines)
    except LedgerBroken as broken:
        return (*kept.differences, Difference(where="ledger", what=str(broken)))
    found = [*kept.differences, *compare(state, kept)]
    for id, row in kept.actions.items():
        if id in state.actions:
            found += [d async for d in _payloads(store, secrets, row, state.actions[id])]
    return tuple(found)


def compare(state: State, kept: Kept) -> Iterator[Difference]:
    """Hold the rows against the state that entries lead to."""
    yield from _missing("action", state.actions, kept.actions)
    yield from _missing("budget", state.budgets, kept.budgets)
    yield from _missing("granted", state.grants, kept.grants)
    for id, row in kept.actions.items():
        if id in state.actions:
            yield from _unequal(f"action `{id}`", _told(state.actions[id]), _stands(row))
            yield from _claims(row, kept)
    for id, balance in kept.budgets.items():
        if id in state.budgets:
            yield from _unequal(f"budget `{id}`", _fields(state.budgets[id]), _fields(balance))
    for id, grant in kept.grants.items():
        if id in state.grants:
            given = state.grants[id]
            must = {"action": given.action, "person": given.person, "used": given.used}
            stands = {"action": grant.action, "person": grant.person, "used": grant.consumed_by is not None}
            yield from _unequal(f"grant `{id}`", must, stands)
    yield from _door(state, kept)


def _door(state: State, kept: Kept) -> Iterator[Difference]:
    names = ("epoch", "published", "switches", "glass", "clock_accepted")
    must = {name: getattr(state.door, name) for name in names}
    yield from _unequal("door", must, {name: getattr(kept.door, name) for name in names})
    named = {published.contract for published in state.door.published.values()}
    named |= {ContractHash(standing.contract) for standing in state.actions.values() if standing.contract}
    for hash in sorted(named - kept.contracts):
        yield Difference(where=f"contract `{hash}`", what="it is gone")


async def _payloads(
    store: TenantStore, secrets: Secrets, row: ActionRow, standing: Standing
) -> AsyncIterator[Difference]:
    """Hold what was kept beside the ledger against the commitments in it. What was erased says nothing."""
    where = f"action `{row.action.id}`"
    texts: dict[PayloadId, bytes | None] = {}
    for id in (row.action.arguments, row.result, row.preview):
        if not id:
            continue
        sealed = await store.payload(id)
        if sealed is None:
            yield Difference(where=where, what=f"payload `{id}` is gone")
            continue
        try:
            texts[id] = secrets.open(store.tenant, id, sealed)
        except PayloadErased:
            continue
        except StoreTampered as tampered:
            yield Difference(where=where, what=str(tampered))
    arguments, result = texts.get(row.action.arguments), texts.get(row.result or PayloadId(""))
    if arguments is None:
        return
    said = json.loads(arguments)
    if commitment(said["salt"], said["arguments"].encode()) != row.action.what:
        yield Difference(where=where, what="its arguments are not those that the ledger commits to")
    if result is not None and commitment(said["salt"], result) != standing.result:
        yield Difference(where=where, what="its result is not the one that the ledger commits to")


def _missing(table: str, told: Mapping[Any, object], rows: Mapping[Any, object]) -> Iterator[Difference]:
    for id in sorted(told.keys() - rows.keys()):
        yield Difference(where=f"`{id}` of `{table}`", what="the ledger tells of it, and there is no row to believe")
    for id in sorted(rows.keys() - told.keys()):
        yield Difference(where=f"`{id}` of `{table}`", what="there is a row, and the ledger does not tell of it")


def _unequal(where: str, must: Mapping[str, object], stands: Mapping[str, object]) -> Iterator[Difference]:
    for name, value in must.items():
        if stands[name] != value:
            yield Difference(where=where, what=f"`{name}` must be {value} and is {stands[name]}")


def _claims(row: ActionRow, kept: Kept) -> Iterator[Difference]:
    for id in row.claims:
        # An action that came later may have the claim by now.
        claim = kept.claims.get(id)
        if claim is None or claim.action not in kept.actions:
            yield Difference(where=f"action `{row.action.id}`", what=f"its claim `{id}` is gone")


def _fields(account: Account | Balance) -> dict[str, object]:
    return {name: getattr(account, name) for name in ("limit", "raised", "held", "spent", "closed")}


def _told(standing: Standing) -> dict[str, object]:
    asked = standing.asked
    return {
        "state": standing.state,
        "fence": standing.fence,
        "holds": standing.holds,
        "cost": standing.cost,
        "overrun": standing.overrun,
        "reason": standing.reason,
        "contract": standing.contract,
        "lease_until": standing.lease_until,
        "what": asked.what,
        "who": (asked.tenant, asked.workflow, asked.environment, asked.agent, asked.principal),
        "tool": (asked.tool, asked.effect, asked.tier),
        "run": asked.run,
        "asked_at": asked.asked_at,
        "of": (asked.undo_of, asked.retry_of),
    }


def _stands(row: ActionRow) -> dict[str, object]:
    action, caller = row.action, row.action.caller
    return {
        "state": row.state,
        "fence": row.fence,
        "holds": tuple(map(_hold, row.holds)),
        "cost": row.cost.micros,
        "overrun": row.overrun,
        "reason": row.reason.value if row.reason else "",
        "contract": row.contract,
        "lease_until": row.lease_until,
        "what": action.what,
        "who": (caller.tenant, caller.workflow, caller.environment, caller.agent, caller.principal),
        "tool": (action.tool, action.effect, action.tier),
        "run": action.run,
        "asked_at": action.asked_at,
        "of": (action.undo_of or "", action.retry_of or ""),
    }


def _hold(charge: Charge) -> HoldLine:
    return HoldLine(amount=charge.amount, budget=charge.budget, limit=charge.limit, unit=charge.unit)
