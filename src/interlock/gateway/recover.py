"""What nobody finished: leases that passed, actions whose end nobody knows, what was agreed to or asked for meanwhile.

Any process may look. Every move is compare-and-set on the state and the fence, so that two that look at once agree.
"""

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial

from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errors import InterlockError, StoreError
from interlock.core.fact import Known
from interlock.core.ids import ActionId, Instant, ProcessId
from interlock.core.limits import (
    ASK_AGAIN_MICROS_MAX,
    ASK_AGAIN_MICROS_MIN,
    EXPIRY_LOOKED_MICROS,
    LOOKED_AFTER_AT_ONCE_MAX,
    PRUNED_AT_ONCE_MAX,
    PRUNED_LOOKED_MICROS,
    UNCERTAIN_LOOKED_AT_MAX,
)
from interlock.core.outcome import Outcome, Refused
from interlock.core.value import replace
from interlock.gateway.call import Gateway
from interlock.gateway.closing import close, happened, needs_to_end
from interlock.gateway.erase import end_erasing
from interlock.gateway.expire import Expired, by_itself, expire
from interlock.gateway.memos import take_out_ended
from interlock.gateway.paid import Purse
from interlock.gateway.perform import NeverHappened, Unheard, provider_key
from interlock.gateway.prune import prune
from interlock.gateway.refuse import PASSING
from interlock.gateway.resend import Taken, take_over
from interlock.gateway.resume import resume_or_leave
from interlock.gateway.reverse import answer
from interlock.gateway.revive import revived
from interlock.gateway.settle import End, end
from interlock.ports import ActionRow, Changes, Needs, Notice, Rows, TenantStore, Wanted


async def reap(
    store: TenantStore, process: ProcessId, *, leave: Container[ActionId] = (), before: Instant | None = None
) -> tuple[ActionId, ...]:
    """Give up every action whose lease has passed, and return their ids.

    An action that is given up keeps its hold. A late answer of its owner still closes it.

    Args:
        store: the tenant's.
        process: this process.
        leave: actions that are not to be given up yet.
        before: when their leases had passed; nothing said is now.
    """
    now = before if before is not None else (await store.read(Needs())).now
    wanted = Wanted(states=frozenset({ActionState.STARTED}), lease_before=now, sound=True)
    given_up: list[ActionId] = []
    for row in await store.actions(wanted):
        if row.action.id in leave:
            continue
        written = await store.write(needs_to_end(row), partial(give_up, row=row, process=process))
        if written.answer is not None:
            given_up.append(row.action.id)
    return tuple(given_up)


def give_up(rows: Rows, *, row: ActionRow, process: ProcessId) -> tuple[Changes, Outcome | None]:
    """Write down that nobody knows how it ended, unless somebody does by now or the clock cannot be trusted."""
    found = rows.actions[row.action.id]
    if rows.halt is not None or found is None or found.state is not ActionState.STARTED or rows.now < found.lease_until:
        return Changes(), None
    unheard = Unheard(why="its lease passed and its owner did not say how it ended")
    return end(rows, end=End(id=row.action.id, fence=found.fence, ending=unheard, checked=None, process=process))


async def attend(
    gateway: Gateway, store: TenantStore, *, expired: Callable[[Expired], object] = lambda _: None
) -> tuple[ActionId, ...]:
    """Look once after all that waits: leases, what can be sent again or asked about, notices that are due, undos.

    What cannot be looked after now keeps nothing else from it, and has its turn at the next look.

    Args:
        gateway: carries out what goes on.
        store: the tenant's.
        expired: hears of each lot that became unreadable.

    Returns:
        The actions that were moved; none while something keeps this machine from starting anything.
    """
    seen = await store.read(Needs())
    if seen.halt is not None:
        return ()
    now = seen.now
    taken = await take_over(gateway, store, now)
    moved = [id for id, what in taken.items() if what is Taken.RESENT]
    with suppress(StoreError):
        later = frozenset(id for id, what in taken.items() if what is Taken.LATER)
        moved += await reap(store, gateway.process, leave=later, before=now)
    for row in await store.actions(
        Wanted(states=frozenset({ActionState.UNCERTAIN}), sound=True, limit=UNCERTAIN_LOOKED_AT_MAX)
    ):
        # Before its lease has passed it may still happen, so nobody is asked whether it did.
        if row.action.effect is EffectClass.QUERYABLE and row.lease_until <= now and row.ask_at <= now:
            with suppress(StoreError):
                if await reconcile(gateway, store, row) is not None:
                    moved.append(row.action.id)
    due, places = (
        await store.notices(before=now, topics=("resume", "expire", "undo")),
        asyncio.Semaphore(LOOKED_AFTER_AT_ONCE_MAX),
    )
    ended = await asyncio.gather(*(_due(gateway, store, each, places) for each in due), return_exceptions=True)
    moved += [id for id in ended if isinstance(id, str)]
    for bug in ended:
        if isinstance(bug, BaseException):
            raise bug  # now that everybody else has had their turn
    await _gone(gateway, store, seen, expired)
    return tuple(dict.fromkeys(moved))


async def _gone(gateway: Gateway, store: TenantStore, seen: Rows, expired: Callable[[Expired], object]) -> None:
    """End erasures that somebody began, and look now and then for what has ended, or is older than its days."""
    by = by_itself(gateway.process)
    for erasing in seen.door.erasing:
        with suppress(StoreError):
            await end_erasing(store, gateway.secrets, erasing.subject, by)
    if seen.now >= gateway.looked_for_due.get(store.tenant, 0) + EXPIRY_LOOKED_MICROS:
        with suppress(InterlockError):
            await take_out_ended(store)
            await expire(store, gateway.secrets, gateway.clock, by, told=expired)
            gateway.looked_for_due[store.tenant] = seen.now
    if seen.now >= gateway.looked_to_prune.get(store.tenant, 0) + PRUNED_LOOKED_MICROS:
        with suppress(InterlockError):
            taken = await prune(store, gateway.secrets, gateway.clock, by, most=PRUNED_AT_ONCE_MAX)
            if taken.actions < PRUNED_AT_ONCE_MAX:
                gateway.looked_to_prune[store.tenant] = seen.now


async def _due(gateway: Gateway, store: TenantStore, notice: Notice, places: asyncio.Semaphore) -> ActionId | None:
    """Do what a line of the outbox is about, and name the action that ended; nothing while it is not the moment."""
    outcome: Outcome | None = None
    async with places:
        with suppress(StoreError):
            if notice.topic == "undo":
                outcome = await answer(gateway, store, notice)
            else:
                outcome = await resume_or_leave(gateway, store, notice.action)
            if outcome is None or (isinstance(outcome, Refused) and outcome.reason in PASSING):
                return None
            if notice.topic != "undo":
                await store.write(Needs(), partial(_told, notice=notice))
    return outcome.action if outcome is not None else None


def _told(rows: Rows, *, notice: Notice) -> tuple[Changes, None]:
    return Changes(notices=(replace(notice, done=True),)), None


async def reconcile(gateway: Gateway, store: TenantStore, row: ActionRow) -> Outcome | None:
    """Ask the other side whether it happened, where the contract names a read that can say so.

    The read answers with `happened` (true or false) and, if it did, the `result`. Anything else leaves it uncertain,
    and it is asked again after twice the time.
    """
    asked = await revived(gateway, store, row)
    if isinstance(asked, Refused) or asked.tool.reconcile is None:
        return None
    seen = await store.read(Needs())
    # The tenant pays: an empty budget of the run must not keep anybody from finding out.
    purse = Purse(store=store, asked=asked, process=gateway.process, seen=seen, pays="tenant")
    told: dict[str, Json] = {"action": row.action.id, "key": provider_key(row.action)}
    found = await gateway.facts.look(asked, asked.tool.reconcile, seen.now, purse, **told)
    said = found.value if isinstance(found, Known) else None
    by = (("by", "query"),)
    match said:
        case {"happened": True}:
            return await close(gateway, store, row, asked, happened(row, said.get("result")), by=by)
        case {"happened": False}:
            never = NeverHappened(why="the other side says that it did not happen", attempts=0)
            return await close(gateway, store, row, asked, never, by=by)
        case _:
            await store.write(Needs(actions=frozenset({row.action.id})), partial(_ask_later, id=row.action.id))
            return None


def _ask_later(rows: Rows, *, id: ActionId) -> tuple[Changes, None]:
    row = rows.actions[id]
    if row is None or row.state is not ActionState.UNCERTAIN:
        return Changes(), None
    waited = max(ASK_AGAIN_MICROS_MIN, 2 * (rows.now - row.changed_at))
    later = replace(row, ask_at=Instant(rows.now + min(waited, ASK_AGAIN_MICROS_MAX)))
    return Changes(actions=(later,)), None
