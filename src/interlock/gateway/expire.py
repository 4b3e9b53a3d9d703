"""What is older than the days of its contract becomes unreadable: the key of each lot that is due is destroyed.

What may not go yet, because it is held for law or an action still needs it, has a key of its own before that. That it
begins is written first. From then on until it has ended nobody can hold anything for law, and whoever comes after a
process that died in between does the same once more.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import partial

from interlock.core.action import ActionState
from interlock.core.door import Expiring
from interlock.core.errors import NotPermitted, PayloadErased, StoreTampered
from interlock.core.ids import ActionId, Instant, Micros, PayloadId, PersonId, ProcessId, SubjectName
from interlock.core.limits import EXPIRY_TAKEN_OVER_MICROS
from interlock.core.value import replace
from interlock.gateway.doors import Operator, changed
from interlock.gateway.erase import OPEN, every_action, payloads_of
from interlock.gateway.kept_for import kept_for
from interlock.gateway.lot import Lot, lots_due, months
from interlock.gateway.refuse import HALTS
from interlock.ledger import change
from interlock.ledger.pruned import is_pruned
from interlock.ledger.reading import read
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Clock, Needs, Rows, Secrets, TenantStore

KEPT = "kept"
"""What stands for a lot where it is about payloads that were kept longer than theirs."""

HELD = "held for law"
_AT_ONCE = 500
_TAKEN_OVER = Micros(EXPIRY_TAKEN_OVER_MICROS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What became of a lot, or would."""

    lot: str
    key: SubjectName
    payloads: int
    """How many cannot be read any more."""
    kept: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many are kept longer, by why."""


def earlier(seen: Rows, clock: Clock) -> Instant:
    """Return what both the store and this machine agree has passed.

    The time of the store never goes back: a clock that was ahead and was set right again leaves it ahead.
    """
    return min(seen.now, clock.now())


async def lots(store: TenantStore, secrets: Secrets, now: Instant) -> Mapping[SubjectName, Lot]:
    """Return every lot that there may be so far, by the name of its key.

    Where a contract that was in force is gone, nobody knows its days: then every lot that could be due is one.
    """
    first = await _first_at(store)
    if first is None:
        return {}
    known, found = await kept_for(store), dict[SubjectName, Lot]()
    since = Instant(first - 86_400_000_000)  # a process may have sealed before its first entry
    for month in months(since, now):
        named = [Lot(month=month, days=each) for each in sorted(known.days)]
        more = () if known.complete else lots_due(month, now)
        found |= {secrets.subject_name(store.tenant, lot.subject): lot for lot in (*named, *more)}
        await asyncio.sleep(0)  # names are made on the loop, and others have their turn between two months
    return found


async def _first_at(store: TenantStore) -> Instant | None:
    """Return the time of the first entry that was not pruned. What came before it was pruned with its payloads."""
    after = 0
    while page := await store.entries(after=after):
        for line in page:
            if not is_pruned(line):
                return Instant(read(line).at)
        after += len(page)
    return None


async def due(store: TenantStore, secrets: Secrets, now: Instant) -> Mapping[SubjectName, Lot]:
    """Return the lots that are due and whose key is still there."""
    over = {
        name: lot for name, lot in (await lots(store, secrets, now)).items() if lot.due is not None and lot.due <= now
    }
    there, names = set[SubjectName](), list(over)
    for start in range(0, len(names), _AT_ONCE):
        there |= secrets.have_keys(names[start : start + _AT_ONCE])
        await asyncio.sleep(0)  # keys are looked up on the loop, and others have their turn between two pages
    return {name: lot for name, lot in over.items() if name in there}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When payloads expire."""

    lots: Mapping[Lot, int]
    """How many can be read until their lot is due."""
    kept: int
    """How many are kept longer than their lot."""
    gone: int
    """How many nobody can read any more."""

    @property
    def readable(self) -> int:
        return sum(self.lots.values()) + self.kept


async def ends_of(store: TenantStore, secrets: Secrets, payloads: frozenset[PayloadId]) -> Ends:
    """Say when payloads expire."""
    known = await lots(store, secrets, (await store.read(Needs())).now)
    own, found, kept, gone = secrets.kept(store.tenant), Counter[Lot](), 0, 0
    ids = sorted(payloads)
    for start in range(0, len(ids), _AT_ONCE):
        for id, sealed in (await store.payloads(ids[start : start + _AT_ONCE])).items():
            if not secrets.can_open(store.tenant, id, sealed):
                gone += 1
                continue
            lot = next((name for name in secrets.names_of(sealed) if name in known), None)
            if id in own and (lot is None or not secrets.has_key(lot)):
                kept += 1
            else:
                found[known[lot] if lot is not None else Lot(month="")] += 1
    return Ends(lots=found, kept=kept, gone=gone)


async def next_due(store: TenantStore, secrets: Secrets, clock: Clock) -> Lot | None:
    """Return the lot that is due next, if any has payloads."""
    now = earlier(await store.read(Needs()), clock)
    known = await lots(store, secrets, now)
    ahead = sorted((lot.due, name) for name, lot in known.items() if lot.due is not None and lot.due > now)
    return next((known[name] for _, name in ahead if secrets.has_key(name)), None)


async def would_expire(store: TenantStore, secrets: Secrets, clock: Clock) -> tuple[Expired, ...]:
    """Say what `expire` would do at this moment."""
    now = earlier(await store.read(Needs()), clock)
    found: list[Expired] = []
    for name, lot in (await due(store, secrets, now)).items():
        payloads = await store.payloads_under(name)
        kept = Counter(why for why, _ in (await _needed(store, now, payloads)).values())
        found.append(Expired(lot=lot.name, key=name, payloads=len(payloads) - kept.total(), kept=kept))
    free = await _not_needed(store, secrets, clock)
    if free:
        found.append(Expired(lot=KEPT, key=SubjectName(""), payloads=len(free)))
    return tuple(found)


async def expire(
    store: TenantStore,
    secrets: Secrets,
    clock: Clock,
    by: Operator,
    *,
    after: Micros = _TAKEN_OVER,
    told: Callable[[Expired], object] = lambda _: None,
) -> tuple[Expired, ...]:
    """Destroy the keys of all lots that are due, and of what was kept longer and is not needed any more.

    Args:
        store: the tenant's.
        secrets: has the keys.
        clock: that of this machine. What is due by the time of the store alone is not destroyed.
        by: who answers for it.
        after: for how long another process may be at it before it counts as dead.
        told: hears of each lot once it has ended, whatever becomes of the next one.

    Raises:
        NotPermitted: the clock cannot be trusted, or something else keeps this machine from starting anything.
        StoreBusy: a key is destroyed and somebody keeps its bytes from being overwritten; to be done again.
    """
    seen = await store.read(Needs())
    if seen.halt is not None:
        _, why, fix = HALTS[seen.halt]
        raise NotPermitted(f"nothing expires meanwhile: {why}", fix=fix)
    found: list[Expired] = []
    left = seen.door.expiring
    ahead = [(lot.name, name) for name, lot in (await due(store, secrets, earlier(seen, clock))).items()]
    if left is not None and (left.lot, left.key) not in ahead:
        ahead.insert(0, (left.lot, left.key))  # whoever began it may have died between the key and the end

    async def carried_out(lot: str, key: SubjectName) -> bool:
        mark = (await store.write(Needs(), partial(_begun, lot=lot, key=key, by=by, after=after))).answer
        ended = await _carry_out(store, secrets, clock, mark, by) if mark is not None else None
        if ended is None:
            return False  # another process is at it
        found.append(ended)
        told(ended)
        return True

    for lot, key in ahead:
        if not await carried_out(lot, key):
            return tuple(found)
    if await _not_needed(store, secrets, clock):
        await carried_out(KEPT, SubjectName(""))
    return tuple(found)


async def _carry_out(
    store: TenantStore, secrets: Secrets, clock: Clock, mark: Expiring, by: Operator
) -> Expired | None:
    """Destroy what a mark is about. Returns nothing if another process has taken it over meanwhile.

    That one destroys the same: as long as either mark stands nothing becomes needed that was not.
    """
    if mark.lot == KEPT:
        free = await _not_needed(store, secrets, clock)
        secrets.let_go(store.tenant, free)
        ended = Expired(lot=KEPT, key=mark.key, payloads=len(free))
    else:
        payloads = await store.payloads_under(mark.key)
        needed = await _needed(store, earlier(await store.read(Needs()), clock), payloads)
        kept = Counter(await _keep(store, secrets, mark, needed))
        # A process that died may have kept what was needed then and is not any more.
        if free := sorted(payloads & secrets.kept(store.tenant).keys() - needed.keys()):
            secrets.let_go(store.tenant, free)
        secrets.destroy(mark.key)
        ended = Expired(lot=mark.lot, key=mark.key, payloads=len(payloads) - kept.total(), kept=kept)
    return (await store.write(Needs(), partial(_ended, mark=mark, ended=ended, by=by))).answer


async def _keep(
    store: TenantStore, secrets: Secrets, mark: Expiring, needed: Mapping[PayloadId, tuple[str, ActionId | None]]
) -> list[str]:
    """Give what may not go yet a key of its own; return why, for each."""
    ids, kept = sorted(needed), list[str]()
    for start in range(0, len(ids), _AT_ONCE):
        for id, sealed in (await store.payloads(ids[start : start + _AT_ONCE])).items():
            why, action = needed[id]
            try:
                secrets.keep(store.tenant, id, sealed, without=mark.key, why=action or "")
            except (PayloadErased, StoreTampered):
                continue  # nobody could read it before either
            kept.append(why)
            await asyncio.sleep(0)  # keys are looked up on the loop, and others have their turn between two
    secrets.flush()
    return kept


async def _needed(
    store: TenantStore, now: Instant, payloads: frozenset[PayloadId]
) -> Mapping[PayloadId, tuple[str, ActionId | None]]:
    """Say which of these payloads may not go yet: why, and for which action."""
    found: dict[PayloadId, tuple[str, ActionId | None]] = {}
    if not payloads:
        return found
    async for row in every_action(store):
        why = still_needs(row, now)
        if why:
            found |= {id: (why, row.action.id) for id in payloads & payloads_of(row)}
    for hold in (await store.read(Needs())).door.legal_holds:
        for id in payloads & await store.payloads_under(hold.subject):
            found.setdefault(id, (HELD, None))
    return found


def still_needs(row: ActionRow, now: Instant) -> str:
    """Say why an action still needs what is kept of it; empty if it does not."""
    if row.state in OPEN:
        return "nobody knows how it ended"
    if row.state is ActionState.PARKED and now < row.expires_at:
        return "waits for a person"
    if row.state is ActionState.DONE and row.undo is not None and row.undone_by is None and now < row.undo_until:
        return "can be undone"
    return ""


async def _not_needed(store: TenantStore, secrets: Secrets, clock: Clock) -> tuple[PayloadId, ...]:
    """Return what was kept longer than its lot, and what nobody needs any more."""
    kept = secrets.kept(store.tenant)
    ids, free = sorted(kept), list[PayloadId]()
    for start in range(0, len(ids), _AT_ONCE):
        page = ids[start : start + _AT_ONCE]
        actions = frozenset(ActionId(kept[id]) for id in page if kept[id])
        seen = await store.read(Needs(actions=actions))
        held = {hold.subject for hold in seen.door.legal_holds}
        sealed = await store.payloads(page)
        for id in page:
            row = seen.actions.get(ActionId(kept[id]))
            needed = row is not None and id in payloads_of(row) and still_needs(row, earlier(seen, clock))
            if not needed and not (held and _may_be_held(secrets, sealed.get(id), held)):
                free.append(id)
    return tuple(free)


def _may_be_held(secrets: Secrets, sealed: bytes | None, held: Set[SubjectName]) -> bool:
    """Whether a payload is held for law. Of one that is gone or was edited nobody knows whose it is."""
    try:
        return sealed is None or not held.isdisjoint(secrets.names_of(sealed))
    except StoreTampered:
        return True


def _begun(rows: Rows, *, lot: str, key: SubjectName, by: Operator, after: Micros) -> tuple[Changes, Expiring | None]:
    under_way = rows.door.expiring
    if rows.halt is not None or (under_way is not None and rows.now < under_way.at + after):
        return Changes(), None
    mark = Expiring(lot=lot, key=key, process=by.process, at=rows.now)
    door = replace(rows.door, epoch=rows.door.epoch + 1, expiring=mark)
    return changed(rows, door, by, Kind.EXPIRING, change.expiring(lot, key)), mark


def _ended(rows: Rows, *, mark: Expiring, ended: Expired, by: Operator) -> tuple[Changes, Expired | None]:
    if rows.door.expiring != mark:
        return Changes(), None  # another process has taken it over, and says how it ended
    door = replace(rows.door, epoch=rows.door.epoch + 1, expiring=None)
    detail = change.expired(ended.lot, ended.key, payloads=ended.payloads, kept=sum(ended.kept.values()))
    return changed(rows, door, by, Kind.EXPIRED, detail), ended


def by_itself(process: ProcessId) -> Operator:
    """Say who answers for what nobody has to ask for."""
    return Operator(person=PersonId("interlock"), known_by="attend", process=process)
