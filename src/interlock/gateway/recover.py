"""What nobody finished: leases that passed, actions whose end nobody knows, what was agreed to or asked for meanwhile.

Any process may look. Every move is compare-and-set on the state and the fence, so that two that look at once agree.
"""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from interlock.budget.hold import Shortfall, hold
from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.charge import Charge, Unit
from interlock.core.effect import RESENDABLE, EffectClass
from interlock.core.errors import StoreError, StoreTampered
from interlock.core.fact import Known
from interlock.core.ids import ActionId, Instant, Micros, ProcessId
from interlock.core.outcome import Outcome, Refused
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.begin import PASSING, lease_ends
from interlock.gateway.call import Gateway
from interlock.gateway.charges import charges, lease_micros
from interlock.gateway.check import checked, said_apart
from interlock.gateway.claims import names_of
from interlock.gateway.force import terms_of
from interlock.gateway.paid import Purse
from interlock.gateway.perform import Ending, Happened, Late, NeverHappened, Unheard, perform
from interlock.gateway.resume import resume_or_leave
from interlock.gateway.reverse import answer
from interlock.gateway.revive import revived
from interlock.gateway.settle import End, end, ended
from interlock.ledger.seal import ActionEntry, Kind
from interlock.ports import ActionRow, Changes, Needs, Notice, Rows, TenantStore, Wanted

Answer = TypeVar("Answer")


def needs_to_end(row: ActionRow) -> Needs:
    """Name the rows that the end of an action reads or writes."""
    undone = frozenset({row.action.undo_of}) if row.action.undo_of else frozenset[ActionId]()
    return Needs(
        actions=frozenset({row.action.id}) | undone,
        budgets=frozenset(charge.budget for charge in row.holds),
        claims=frozenset(row.claims),
    )


async def reap(store: TenantStore, process: ProcessId) -> tuple[ActionId, ...]:
    """Give up every action whose lease has passed, and return their ids.

    An action that is given up keeps its hold. A late answer of its owner still closes it.
    """
    now = (await store.read(Needs())).now
    wanted = Wanted(states=frozenset({ActionState.STARTED}), lease_before=now, sound=True)
    given_up: list[ActionId] = []
    for row in await store.actions(wanted):
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


async def attend(gateway: Gateway, store: TenantStore) -> tuple[ActionId, ...]:
    """Look once after all that waits: leases, what can be sent again or asked about, notices that are due, undos.

    Returns:
        The actions that were moved.
    """
    moved = [*await take_over(gateway, store), *await reap(store, gateway.process)]
    now = (await store.read(Needs())).now
    for row in await store.actions(Wanted(states=frozenset({ActionState.UNCERTAIN}), sound=True)):
        # Before its lease has passed it may still happen, so nobody is asked whether it did.
        if row.action.effect is EffectClass.QUERYABLE and row.lease_until <= now:
            if await _unless_broken(reconcile(gateway, store, row)) is not None:
                moved.append(row.action.id)
    for notice in await store.notices(before=now, topics=("resume", "expire")):
        outcome = await resume_or_leave(gateway, store, notice.action)
        if outcome is not None and not (isinstance(outcome, Refused) and outcome.reason in PASSING):
            moved.append(notice.action)
            await store.write(Needs(), partial(_told, notice=notice))
    for notice in await store.notices(before=now, topics=("undo",)):
        with suppress(StoreError):  # the next look is soon
            outcome = await answer(gateway, store, notice)
            if outcome is not None and not (isinstance(outcome, Refused) and outcome.reason in PASSING):
                moved.append(outcome.action)
    return tuple(dict.fromkeys(moved))


async def _unless_broken(work: Awaitable[Answer]) -> Answer | None:
    """Go on with the next one where one cannot be looked after: what was edited must not stop all others."""
    try:
        return await work
    except StoreTampered:
        return None


def _told(rows: Rows, *, notice: Notice) -> tuple[Changes, None]:
    return Changes(notices=(replace(notice, done=True),)), None


async def take_over(gateway: Gateway, store: TenantStore) -> tuple[ActionId, ...]:
    """Send again what its owner left, where its class makes that harmless and the contract still allows it."""
    now = (await store.read(Needs())).now
    wanted = Wanted(states=frozenset({ActionState.STARTED}), lease_before=now, sound=True)
    taken: list[ActionId] = []
    for row in await store.actions(wanted):
        if row.action.effect in RESENDABLE and await _unless_broken(_taken(gateway, store, row)):
            taken.append(row.action.id)
    return tuple(taken)


async def _taken(gateway: Gateway, store: TenantStore, row: ActionRow) -> bool:
    asked = await revived(gateway, store, row)
    # Under another contract it would be another request, and nobody has decided about that one.
    if isinstance(asked, Refused) or asked.force.hash != row.contract or not asked.tool.resend_within:
        return False
    return await _resend(gateway, store, row, asked)


async def _resend(gateway: Gateway, store: TenantStore, row: ActionRow, asked: Asked) -> bool:
    if asked.tool.name in asked.force.unfit:
        return False
    performer = gateway.performers.find(asked.tool.source, terms_of(asked.force.contract, asked.tool))
    if performer is None or not performer.free():
        return False
    names = names_of(asked, gateway.secrets)
    until = lease_ends(gateway.clock.boot(), asked)
    needs = needs_to_end(row)
    needs = replace(needs, claims=needs.claims | names.all())
    within = Micros(asked.tool.resend_within or 0)
    # One more round of attempts may cost what the first one may have, in the period in which it started.
    more = tuple(charge for charge in charges(asked, row.started_at) or () if charge.unit in _BY_ATTEMPT)
    needs = replace(needs, budgets=needs.budgets | {charge.budget for charge in more})
    change = partial(_taken_over, row=row, asked=asked, more=more, within=within, process=gateway.process)
    if not (await store.write(needs, change)).answer:
        return False
    late = Late()
    ending = await perform(asked, performer, gateway.clock, lease_ends=until, late=late)
    again = partial(close, gateway, store, row, asked, fence=row.fence + 1, earlier=row.price)
    await again(ending)
    if isinstance(ending, Unheard):
        gateway.when_late(late, again)
    return True


def _taken_over(
    rows: Rows, *, row: ActionRow, asked: Asked, more: Sequence[Charge], within: Micros, process: ProcessId
) -> tuple[Changes, bool]:
    found = rows.actions[row.action.id]
    if found != row or rows.halt is not None or not row.lease_until <= rows.now < row.started_at + within:
        return Changes(), False
    later = [claim for claim in rows.claims.values() if claim and not claim.serial and claim.action != row.action.id]
    if row.action.effect is EffectClass.IDEMPOTENT and later:
        return Changes(), False  # a later action has changed the same target since
    action = row.action
    if any(switch.scope.covers(action.caller, action.tool, action.effect) for switch in rows.door.switches):
        return Changes(), False  # a person's stop holds for what is sent again, too
    held = hold(rows.budgets, more)
    if isinstance(held, Shortfall):
        return Changes(), False  # what it might cost once more is not there
    moved = replace(
        row,
        fence=row.fence + 1,
        owner=process,
        holds=_added(row.holds, more),
        price=row.price + (asked.price or 0),
        lease_until=Instant(rows.now + lease_micros(asked)),
        changed_at=rows.now,
    )
    entry = replace(_entry(rows, moved, Kind.RESENT, process), lease_until=moved.lease_until, holds=tuple(more))
    return Changes(actions=(moved,), budgets=held, entries=(entry,)), True


def _added(holds: Sequence[Charge], more: Sequence[Charge]) -> tuple[Charge, ...]:
    by_budget = {charge.budget: charge.amount for charge in more}
    return tuple(replace(charge, amount=charge.amount + by_budget.get(charge.budget, 0)) for charge in holds)


_BY_ATTEMPT = frozenset({Unit.USD, Unit.RETRIES, Unit.SECONDS})
"""What each round of attempts takes again."""


async def reconcile(gateway: Gateway, store: TenantStore, row: ActionRow) -> Outcome | None:
    """Ask the other side whether it happened, where the contract names a read that can say so.

    The read answers with `happened` (true or false) and, if it did, the `result`. Anything else leaves it uncertain.
    """
    asked = await revived(gateway, store, row)
    if isinstance(asked, Refused) or asked.tool.reconcile is None:
        return None
    now = (await store.read(Needs())).now
    # The tenant pays: an empty budget of the run must not keep anybody from finding out.
    purse = Purse(store=store, asked=asked, process=gateway.process, epoch=None, now=now)
    found = await gateway.facts.look(asked, asked.tool.reconcile, now, purse, action=row.action.id)
    said = found.value if isinstance(found, Known) else None
    match said:
        case {"happened": True}:
            ending: Ending = happened(row, said.get("result"))
        case {"happened": False}:
            ending = NeverHappened(why="the other side says that it did not happen")
        case _:
            return None
    return await close(gateway, store, row, asked, ending, fence=row.fence, kind=Kind.RESOLVED, by=(("by", "query"),))


def happened(row: ActionRow, result: Json) -> Happened:
    """Take somebody's word that it happened. Nobody says what it cost, so it is what was set aside for it."""
    return Happened(result=result, costs={Unit.USD.value: row.price}, attempts=1, took=Micros(0))


async def close(
    gateway: Gateway,
    store: TenantStore,
    row: ActionRow,
    asked: Asked,
    ending: Ending,
    *,
    fence: int,
    kind: Kind = Kind.ENDED,
    by: tuple[tuple[str, str], ...] = (),
    earlier: int = 0,
) -> Outcome | None:
    """Write down how an action ended that somebody else had started; nothing if it has ended otherwise meanwhile."""
    result = checked(asked, ending.result, gateway.secrets) if isinstance(ending, Happened) else None
    how = End(
        id=row.action.id,
        fence=fence,
        ending=ending,
        checked=result,
        process=gateway.process,
        said=None if isinstance(ending, Happened) else said_apart(asked, ending.said, gateway.secrets),
        undo_within=asked.tool.undo.within if asked.tool.undo else Micros(0),
        price=asked.tool.price or 0,
        earlier=earlier,
        held=row.holds,
        kind=kind,
        by=by,
    )
    needs = needs_to_end(row)
    return (await store.write(needs, partial(_closed, how=how))).answer


def _closed(rows: Rows, *, how: End) -> tuple[Changes, Outcome | None]:
    row = rows.actions[how.id]
    open_states = (ActionState.STARTED, ActionState.UNCERTAIN)
    if row is None or row.fence != how.fence or row.state not in open_states:
        return Changes(), None
    if row.state is ActionState.UNCERTAIN and isinstance(how.ending, Unheard):
        return Changes(), None
    return ended(rows, row, how)


def _entry(rows: Rows, row: ActionRow, kind: Kind, process: ProcessId) -> ActionEntry:
    return ActionEntry(
        kind=kind,
        at=rows.now,
        epoch=rows.door.epoch,
        process=process,
        action=row.action,
        state=row.state,
        fence=row.fence,
        slice=row.slice,
        contract=row.contract,
    )
