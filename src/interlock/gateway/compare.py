"""Whether the rows say what the ledger says. Entries are the truth; a row that differs is listed, never mended."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from interlock.budget.hold import Balance
from interlock.core.action import ActionState
from interlock.core.canonical import canonical
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
    found += _keys(state, secrets)
    for id, row in kept.actions.items():
        if id in state.actions:
            found += [d async for d in _payloads(store, secrets, row, state.actions[id])]
    return tuple(found)


def _keys(state: State, secrets: Secrets) -> Iterator[Difference]:
    for key in sorted(state.gone):
        if secrets.has_key(key):
            yield Difference(where=f"key `{key}`", what="it was destroyed by an entry, and the key is there")
    under_way = {erasing.subject for erasing in state.door.erasing}
    if state.door.expiring is not None:
        under_way.add(state.door.expiring.key)
    for key in sorted(under_way - state.gone):
        if secrets.has_key(key):
            yield Difference(
                where=f"key `{key}`", what="it is being destroyed, and is there: `interlock attend` ends it"
            )


def disagreements(kept: Kept) -> tuple[Difference, ...]:
    """Return where rows differ from what their entries lead to, by entries and rows alone."""
    try:
        return tuple(compare(rebuild(kept.lines), kept))
    except LedgerBroken as broken:
        return (Difference(where="ledger", what=str(broken)),)


def compare(state: State, kept: Kept) -> Iterator[Difference]:
    """Hold the rows against the state that entries lead to."""
    told = {id: standing for id, standing in state.actions.items() if standing.state is not ActionState.ASKED}
    yield from _missing("action", told, kept.actions)
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
    yield from _runs(state, kept)
    yield from _door(state, kept)


def _runs(state: State, kept: Kept) -> Iterator[Difference]:
    """Count the calls of each run that somebody named. What was turned away before it was judged is no call."""
    calls = Counter(
        row.action.run
        for id, row in kept.actions.items()
        if id in state.actions and state.actions[id].contract and not row.action.own_run
    )
    must = {id: {"calls": count} for id, count in calls.items()}
    yield from _missing("run", must, kept.runs)
    for id in must.keys() & kept.runs.keys():
        yield from _unequal(f"run `{id}`", must[id], {"calls": kept.runs[id].calls})


def _door(state: State, kept: Kept) -> Iterator[Difference]:
    names = ("epoch", "published", "switches", "glass", "clock_accepted", "restored", "adopted", "legal_holds")
    names += ("erasing", "expiring")
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
    texts: dict[str, bytes] = {}
    named = (
        row.action.arguments,
        row.result,
        row.said,
        row.undo,
        *standing.previews,
        *(id for id, _ in standing.questions),
    )
    for id in filter(None, named):
        sealed = await store.payload(PayloadId(id))
        if sealed is None:
            yield Difference(where=where, what=f"payload `{id}` is gone")
            continue
        try:
            texts[id] = secrets.open(store.tenant, PayloadId(id), sealed)
        except PayloadErased:
            continue
        except StoreTampered as tampered:
            yield Difference(where=where, what=str(tampered))
    for what, text, committed in _committed(row, standing, texts):
        if text != committed:
            yield Difference(where=where, what=f"{what} not what the ledger commits to")


def _committed(row: ActionRow, standing: Standing, texts: Mapping[str, bytes]) -> Iterator[tuple[str, str, str]]:
    """Make the commitments again, where what they are to can be read: what to, what comes out, what is entered."""
    if row.action.arguments not in texts:
        return  # the salt is kept with the arguments
    said = json.loads(texts[row.action.arguments])
    salt = said["salt"]
    yield "its arguments are", commitment(salt, said["arguments"].encode()), standing.what
    for id, committed in standing.questions:
        if id in texts:
            yield "what policy was asked with is", commitment(salt, texts[id]), committed
    if row.result is not None and row.result in texts:
        yield "its result is", commitment(salt, _came_back(texts[row.result])), standing.result


def _came_back(kept: bytes) -> bytes:
    """Return what the entry commits to: all that came back, of which an agent may have seen a part."""
    said = json.loads(kept)
    return b"" if said.get("unreadable") else canonical(said.get("full", said["shown"]))


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
        "gathered": standing.gathered,
        "overrun": standing.overrun,
        "reason": standing.reason,
        "contract": standing.contract,
        "lease_until": standing.lease_until,
        "what": standing.what,
        "who": (asked.tenant, asked.workflow, asked.environment, asked.agent, asked.principal),
        "tool": (asked.tool, standing.effect, standing.tier),
        "run": asked.run,
        "asked_at": asked.asked_at,
        "of": (asked.undo_of, asked.retry_of, asked.draft_of, asked.asked_by),
    }


def _stands(row: ActionRow) -> dict[str, object]:
    action, caller = row.action, row.action.caller
    return {
        "state": row.state,
        "fence": row.fence,
        "holds": tuple(map(_hold, row.holds)),
        "cost": row.cost.micros,
        "gathered": row.gathered,
        "overrun": row.overrun,
        "reason": row.reason.value if row.reason else "",
        "contract": row.contract,
        "lease_until": row.lease_until,
        "what": action.what,
        "who": (caller.tenant, caller.workflow, caller.environment, caller.agent, caller.principal),
        "tool": (action.tool, action.effect, action.tier),
        "run": action.run,
        "asked_at": action.asked_at,
        "of": (action.undo_of or "", action.retry_of or "", action.draft_of or "", action.by or ""),
    }


def _hold(charge: Charge) -> HoldLine:
    return HoldLine(amount=charge.amount, budget=charge.budget, limit=charge.limit, unit=charge.unit)
