"""What its owner left is sent again, where its class makes that harmless and all that let it start still does."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial

from interlock.budget.hold import Shortfall, hold
from interlock.core.action import ActionState
from interlock.core.charge import Charge, Unit
from interlock.core.decision import Allow, Ask
from interlock.core.effect import RESENDABLE, EffectClass
from interlock.core.errors import StoreError, StoreTampered
from interlock.core.ids import ActionId, Instant, Micros, ProcessId
from interlock.core.limits import LOOKED_AFTER_AT_ONCE_MAX
from interlock.core.outcome import Refused
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.call import Gateway
from interlock.gateway.charges import charges, lease_micros
from interlock.gateway.claims import names_of
from interlock.gateway.closing import end_of, needs_to_end
from interlock.gateway.entry import entry_of
from interlock.gateway.force import terms_of
from interlock.gateway.judge import left_open, question_of
from interlock.gateway.perform import Ending, Late, NeverHappened, Unheard, perform
from interlock.gateway.revive import revived
from interlock.gateway.settle import end
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Rows, TenantStore, Wanted


class Taken(Enum):
    """What became of an action whose owner is gone."""

    RESENT = "resent"
    LATER = "later"  # this process cannot now; another one may, or this one at its next look
    NEVER = "never"  # not by its class, its contract, its window or a person's stop


async def take_over(gateway: Gateway, store: TenantStore, now: Instant) -> Mapping[ActionId, Taken]:
    """Send again what its owner left by `now`, where its class makes that harmless and the contract still allows it."""
    wanted = Wanted(states=frozenset({ActionState.STARTED}), lease_before=now, sound=True)
    rows, places = await store.actions(wanted), asyncio.Semaphore(LOOKED_AFTER_AT_ONCE_MAX)
    ended = await asyncio.gather(*(_taken(gateway, store, row, now, places) for row in rows))
    return dict(zip((row.action.id for row in rows), ended, strict=True))


async def _taken(
    gateway: Gateway, store: TenantStore, row: ActionRow, now: Instant, places: asyncio.Semaphore
) -> Taken:
    if row.action.effect not in RESENDABLE:
        return Taken.NEVER
    async with places:
        try:
            asked = await revived(gateway, store, row)
            # Under another contract it would be another request, and nobody has decided about that one.
            if isinstance(asked, Refused) or asked.force.hash != row.contract or not asked.tool.resend_within:
                return Taken.NEVER
            if now >= row.started_at + asked.tool.resend_within:
                return Taken.NEVER
            return await _resend(gateway, store, row, asked)
        except StoreTampered:
            return Taken.NEVER
        except StoreError:
            return Taken.LATER


async def _resend(gateway: Gateway, store: TenantStore, row: ActionRow, asked: Asked) -> Taken:
    if asked.tool.name in asked.force.unfit:
        return Taken.LATER
    performer = gateway.performers.find(asked.tool.source, terms_of(asked.force.contract, asked.tool))
    if performer is None or not performer.free():
        return Taken.LATER
    begun = gateway.clock.boot()
    # One more round of attempts may cost what the first one may have, in the period in which it started.
    more = tuple(charge for charge in charges(asked, row.started_at) or () if charge.unit in _BY_ATTEMPT)
    needs = needs_to_end(row)
    needs = replace(
        needs,
        claims=needs.claims | names_of(asked, gateway.secrets).all(),
        budgets=needs.budgets | {charge.budget for charge in more},
        grants=frozenset({row.action.id}),
    )
    change = partial(_taken_over, row=row, asked=asked, more=more, process=gateway.process)
    lease = (await store.write(needs, change)).answer
    if lease is None:
        return Taken.NEVER
    late, until = Late(), begun + lease
    ending = _of_a_second_round(
        row, await perform(asked, performer, gateway.clock, lease_ends=Micros(until), late=late)
    )

    async def settle(came: Ending) -> None:
        how = await end_of(gateway, row, asked, _of_a_second_round(row, came), fence=row.fence + 1)
        how = replace(how, rounds=row.holds, held=_added(row.holds, more))
        await gateway.written(store, needs, partial(end, end=how), until=until)

    await settle(ending)
    if isinstance(ending, Unheard):
        gateway.when_late(late, settle)
    return Taken.RESENT


def _of_a_second_round(row: ActionRow, ending: Ending) -> Ending:
    """Take a sure no for what it is: it speaks for this round, and the first may have had the effect all the same."""
    if isinstance(ending, NeverHappened) and row.action.effect is not EffectClass.READ:
        return Unheard(
            why=ending.why,
            said=ending.said,
            attempts=ending.attempts,
            took=ending.took,
            reason=ending.reason,
            pictures=ending.pictures,
        )
    return ending


def _taken_over(
    rows: Rows, *, row: ActionRow, asked: Asked, more: Sequence[Charge], process: ProcessId
) -> tuple[Changes, Micros | None]:
    """Take an action over, and return for how long; nothing where it may not be sent again, or not any more."""
    ends = row.started_at + (asked.tool.resend_within or 0)
    caller = row.action.caller
    if rows.actions[row.action.id] != row or rows.halt is not None or not row.lease_until <= rows.now < ends:
        return Changes(), None
    if rows.door.of(caller.workflow, caller.environment) != asked.force.published:
        return Changes(), None
    if row.started_at < rows.door.adopted:
        return Changes(), None  # how it ended, and what came after it, may stand in entries that are lost
    left = left_open(asked, question_of(asked, rows))
    agreed = any(grant.consumed_by == row.action.id for grant in rows.grants[row.action.id])
    if not isinstance(left, Allow) and not (isinstance(left, Ask) and agreed):
        return Changes(), None  # a stop and a lower mode hold for what is sent again, too
    later = [claim for claim in rows.claims.values() if claim and not claim.serial and claim.action != row.action.id]
    if row.action.effect is EffectClass.IDEMPOTENT and later:
        return Changes(), None  # a later action has changed the same target since
    held = hold(rows.budgets, more)
    if isinstance(held, Shortfall):
        return Changes(), None  # what it might cost once more is not there
    lease = Micros(min(lease_micros(asked), ends - rows.now))
    moved = replace(
        row,
        fence=row.fence + 1,
        owner=process,
        holds=_added(row.holds, more),
        price=row.price + (asked.price or 0),
        lease_until=Instant(rows.now + lease),
        changed_at=rows.now,
    )
    entry = replace(
        entry_of(rows, moved, Kind.RESENT, process),
        slice=moved.slice,
        contract=moved.contract,
        lease_until=moved.lease_until,
        holds=tuple(more),
    )
    return Changes(actions=(moved,), budgets=held, entries=(entry,)), lease


def _added(holds: Sequence[Charge], more: Sequence[Charge]) -> tuple[Charge, ...]:
    by_budget = {charge.budget: charge.amount for charge in more}
    return tuple(replace(charge, amount=charge.amount + by_budget.get(charge.budget, 0)) for charge in holds)


_BY_ATTEMPT = frozenset({Unit.USD, Unit.RETRIES, Unit.SECONDS})
"""What each round of attempts takes again."""
