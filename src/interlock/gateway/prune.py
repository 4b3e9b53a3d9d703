"""What ended longer ago than its contract lets the ledger tell of it is taken out, and every proof still holds.

The entries about an action go together, and with them its payloads and votes. Their hashes stay where they stood. Of
its row stays what answers a repetition of the call, for ever. Changes that people made are never taken out.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from interlock.contract.bundle import days_of
from interlock.core.action import ActionState
from interlock.core.door import Door, LegalHold
from interlock.core.errors import ContractInvalid, LedgerBroken, NotPermitted, StoreTampered
from interlock.core.ids import ActionId, BudgetId, ContractHash, Instant, Micros, PayloadId
from interlock.core.limits import SAFE_INTEGER
from interlock.gateway.compare import as_told
from interlock.gateway.doors import Operator, said_by
from interlock.gateway.erase import OPEN, payloads_of
from interlock.gateway.expire import HELD, earlier, still_needs
from interlock.gateway.refuse import HALTS
from interlock.gateway.remains import Remains, remains_of
from interlock.ledger import change
from interlock.ledger.pruned import is_pruned
from interlock.ledger.reading import read
from interlock.ledger.rebuild import Booked, State
from interlock.ledger.seal import Kind
from interlock.ledger.tree import leaf_hash
from interlock.ports import ActionRow, Changes, Clock, Needs, Pruning, Rows, Secrets, TenantStore

_DAY = 86_400_000_000
_UNDER_WAY = frozenset({*OPEN, ActionState.PARKED})
_DIFFERS = "differs from its entries"
_AT_ONCE = 40  # actions that one entry tells of: it stays some kilobytes, and other writers wait for milliseconds


@dataclass(slots=True, kw_only=True)
class Taken:
    """What was taken out, or would be."""

    actions: int = 0
    entries: int = 0
    payloads: int = 0
    kept: Counter[str] = field(default_factory=Counter[str])
    """How many actions are past their days and stay all the same, by why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doomed:
    """An action, and all that is stored about it."""

    row: ActionRow
    leaves: tuple[tuple[int, bytes], ...]
    payloads: tuple[PayloadId, ...]
    booked: Mapping[BudgetId, Booked]


async def would_prune(store: TenantStore, clock: Clock) -> Taken:
    """Say what `prune` would do at this moment."""
    seen, taken = await store.read(Needs()), Taken()
    async for doomed in _past_their_days(store, seen, earlier(seen, clock), taken):
        for each in doomed:
            _count(taken, each)
    taken.kept = +taken.kept
    return taken


async def due(store: TenantStore, clock: Clock, *, late: Micros) -> bool:
    """Whether anything could have been pruned so long ago and was not."""
    seen = await store.read(Needs())
    async for _ in _past_their_days(store, seen, Instant(earlier(seen, clock) - late), Taken()):
        return True
    return False


async def prune(store: TenantStore, secrets: Secrets, clock: Clock, by: Operator, *, most: int = SAFE_INTEGER) -> Taken:
    """Take out what ended longer ago than the days of its contract.

    Each step is one write: an entry names what goes, and it is gone with it. Whoever dies in between has done less.

    Args:
        store: the tenant's.
        secrets: has the keys that payloads may have of their own.
        clock: that of this machine. What is past its days by the time of the store alone stays.
        by: who answers for it.
        most: after how many actions it ends, if not all are gone by then.

    Raises:
        NotPermitted: the clock cannot be trusted, or something else keeps this machine from starting anything.
    """
    seen, taken = await store.read(Needs()), Taken()
    if seen.halt is not None:
        _, why, fix = HALTS[seen.halt]
        raise NotPermitted(f"nothing is pruned meanwhile: {why}", fix=fix)
    async for doomed in _past_their_days(store, seen, earlier(seen, clock), taken):
        needs = Needs(actions=frozenset(each.row.action.id for each in doomed))
        turn = partial(_pruned, doomed=doomed, holds=seen.door.legal_holds, by=by)
        gone = (await store.write(needs, turn)).answer
        taken.kept["changed meanwhile"] += len(doomed) - len(gone)
        for each in gone:
            _count(taken, each)
        own = secrets.kept(store.tenant).keys() & {id for each in gone for id in each.payloads}
        if own:  # to destroy none is no small thing either: Postgres writes its table of keys anew
            secrets.let_go(store.tenant, sorted(own))
        if taken.actions >= most:
            break
    taken.kept = +taken.kept
    return taken


def _count(taken: Taken, doomed: _Doomed) -> None:
    taken.actions += 1
    taken.entries += len(doomed.leaves)
    taken.payloads += len(doomed.payloads)


async def _past_their_days(
    store: TenantStore, seen: Rows, now: Instant, taken: Taken
) -> AsyncIterator[Sequence[_Doomed]]:
    """Yield what may go, oldest first; count what is past its days and may not."""
    found = {hash: await _days(store, hash) for hash in await store.contracts()}
    days = {hash: each for hash, each in found.items() if each is not None}
    shortest = min((each for each in days.values() if each), default=0)
    if not shortest:
        return
    held = await _held_for_law(store, seen.door.legal_holds)
    until, after = Instant(now - shortest * _DAY), None
    while (page := await store.actions_until(until, after=after, limit=_AT_ONCE)).last is not None:
        after = page.last
        taken.kept[_DIFFERS] += page.edited
        past: list[ActionRow] = []
        for row in page.rows:
            judged_by = _contract_of(row, seen.door)
            if judged_by and judged_by not in days:
                taken.kept["its contract is gone, or was edited"] += 1
            allowed = days.get(judged_by, 0)
            if allowed and now >= row.changed_at + allowed * _DAY:
                past.append(row)
        going: list[_Doomed] = []
        for doomed in await _each_doomed(store, past, now, held):
            if isinstance(doomed, str):
                taken.kept[doomed] += 1
            else:
                going.append(doomed)
        if going:
            yield going
        await asyncio.sleep(0)  # a page of a file is read on the loop, and others have their turn between two


async def _days(store: TenantStore, hash: ContractHash) -> int | None:
    """Return for how many days the ledger tells of what a contract has judged; 0 is for ever, nothing is unknown."""
    try:
        return days_of(await store.contract(hash)).ledger
    except (StoreTampered, ContractInvalid):
        return None


def _contract_of(row: ActionRow, door: Door) -> ContractHash:
    """Name the contract that says how long: the one that judged it, or that of now where none did."""
    if row.contract:
        return row.contract
    published = door.of(row.action.caller.workflow, row.action.caller.environment)
    return published.contract if published is not None else ContractHash("")


async def _held_for_law(store: TenantStore, holds: Sequence[LegalHold]) -> frozenset[PayloadId]:
    found = frozenset[PayloadId]()
    for hold in holds:
        found |= await store.payloads_under(hold.subject)
    return found


async def _each_doomed(
    store: TenantStore, rows: Sequence[ActionRow], now: Instant, held: frozenset[PayloadId]
) -> Sequence[_Doomed | str]:
    """Find all that is stored about each action, or say why it stays."""
    undoable = [row.action.id for row in rows if row.undo is not None and row.undone_by is None]
    undoing = _undoing(await store.undos_of_each(undoable))
    free = [row for row in rows if not _still_needed(row, undoing, now)]
    entries = await store.entries_of_each([row.action.id for row in free])
    return [_still_needed(row, undoing, now) or _doomed(row, entries.get(row.action.id, ()), held) for row in rows]


def _undoing(undos: Sequence[tuple[ActionId, ActionRow | None]]) -> Mapping[ActionId, str]:
    """Say of which actions an undo has not ended, or cannot be believed."""
    found = {id: "its undo has not ended" for id, undo in undos if undo and undo.state in _UNDER_WAY}
    return found | {id: _DIFFERS for id, undo in undos if undo is None}


def _still_needed(row: ActionRow, undoing: Mapping[ActionId, str], now: Instant) -> str:
    """Say who still needs an action that is past its days; nothing if nobody does."""
    if row.state in _UNDER_WAY:
        return "has not ended"
    return undoing.get(row.action.id) or still_needs(row, now)


def _doomed(row: ActionRow, lines: Sequence[tuple[int, bytes]], held: frozenset[PayloadId]) -> _Doomed | str:
    """Put together all that is stored about an action. What is not as its entries say is evidence, and stays."""
    state = State()
    try:
        for index, line in lines:
            if is_pruned(line):
                return _DIFFERS
            state.add(index, read(line))
    except LedgerBroken:
        return _DIFFERS
    told = state.actions.get(row.action.id)
    if told is None or not as_told(row, told):
        return _DIFFERS
    beside = (*told.previews, *(id for id, _ in told.questions))
    payloads = payloads_of(row) | {PayloadId(id) for id in beside if id}
    if held & payloads:
        return HELD
    return _Doomed(
        row=row,
        leaves=tuple((index, leaf_hash(line)) for index, line in lines),
        payloads=tuple(sorted(payloads)),
        booked=state.booked,
    )


def _pruned(
    rows: Rows, *, doomed: Sequence[_Doomed], holds: Sequence[LegalHold], by: Operator
) -> tuple[Changes, Sequence[_Doomed]]:
    if rows.halt is not None or rows.door.legal_holds != holds:
        return Changes(), ()
    going = [each for each in doomed if rows.actions[each.row.action.id] == each.row]
    if not going:
        return Changes(), ()
    left, remains = list[ActionRow](), Remains()
    for each in going:
        left.append(remains_of(each.row, entry=rows.entries, booked=each.booked))
        remains.add(left[-1], [index for index, _ in each.leaves])
    indexes = [index for each in going for index, _ in each.leaves]
    detail = change.pruned(indexes, actions=remains.actions, rows=remains.rows())
    prunings = [Pruning(action=each.row.action.id, entries=each.leaves, payloads=each.payloads) for each in going]
    entry = said_by(rows, by, Kind.PRUNED, detail)
    return Changes(actions=tuple(left), entries=(entry,), prunings=tuple(prunings)), going
