"""Calls of agents whose protocol has no word for repeating: the same call is the same action, and is told as such.

In a run that the caller names, equal calls are one action. A call that names neither a run nor a key counts as the
equal call of the last day, or as one that has no end yet, whatever session it comes in: a client that lost its session
begins another. What surely did not happen may be tried again. Where the contract says that equal calls are meant to be
several (`on_repeat: new`), only one that is still to be told of is told, for which there is no other way.
"""

from interlock.contract.arguments import Arguments
from interlock.contract.ir import Tool
from interlock.core.action import ActionState, Caller
from interlock.core.door import Door
from interlock.core.effect import EffectClass
from interlock.core.errors import InterlockError
from interlock.core.ids import Instant
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.outcome import Done, Failed, Outcome
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.call import Gateway
from interlock.gateway.equal import EqualCalls, which
from interlock.gateway.fresh import action_id
from interlock.gateway.proposal import Proposal
from interlock.gateway.refuse import away, changing
from interlock.ports import ActionRow, Needs

_DAY = 24 * 3_600 * 1_000_000
_AT_ONCE_MAX = 1_000
"""How many equal calls may come at the same moment, and each find its number; one beyond is told of another."""


async def call_or_recall(gateway: Gateway, caller: Caller, proposal: Proposal, *, counted: bool = False) -> Outcome:
    """Carry a call, or tell how the same call ended that was made before.

    Like the spine it never raises for a store that is away: that is a refusal.

    Args:
        gateway: carries it.
        caller: who makes it.
        proposal: the call, as the caller says it. Where it names no run, its budgets and loops are counted in that of
            its session. An agent that signs names the run itself: nothing is added to what it signed.
        counted: whether the caller says how many equal calls came before.
    """
    try:
        return await _call_or_recall(gateway, caller, proposal, counted=counted)
    except InterlockError as down:
        return away(action_id(gateway.clock.now()), down)


async def _call_or_recall(gateway: Gateway, caller: Caller, proposal: Proposal, *, counted: bool) -> Outcome:
    if proposal.signature is not None:
        return await gateway.call(caller, proposal)
    named = proposal.run is not None
    among = f"{proposal.run if named else ''}:{proposal.occurrence}"
    proposal = proposal if named else replace(proposal, run=proposal.session)
    if proposal.key is not None:
        return await gateway.call(caller, proposal)
    first = proposal if named else replace(proposal, equal=which(among, 1))
    store, door = gateway.store.for_tenant(caller.tenant), gateway.doors.get(caller.tenant)
    for _ in range(DECIDE_TRIES_MAX):
        door = door or (await store.read(Needs())).door
        found = await _read(gateway, caller, proposal, door)
        if found is None:
            outcome = await gateway.call(caller, first)
            newest = (await store.read(Needs())).door if outcome.recalled else door
            if newest.of(caller.workflow, caller.environment) == door.of(caller.workflow, caller.environment):
                return outcome
            # It is a write by now, and the first of its equal calls may be long ago.
            door = newest
            continue
        tool, arguments = found
        anew = tool.on_repeat == "new" and not counted
        if named and not anew:
            # The spine knows equal calls of a run by itself; only what has failed there is numbered.
            outcome = await gateway.call(caller, proposal)
            if not _failed_before(outcome):
                return outcome
        calls = EqualCalls(gateway=gateway, caller=caller, tool=tool.name, arguments=arguments, among=among)
        newest = await calls.newest()
        if newest.door.of(caller.workflow, caller.environment) != door.of(caller.workflow, caller.environment):
            door = newest.door  # another contract may fill in other defaults
            continue
        told = newest.row is not None and _is_told(newest.row, gateway.clock.now(), named=named, anew=anew)
        return await (calls.call(proposal, newest.number) if told else _next(calls, proposal, newest.number, anew=anew))
    return changing(action_id(gateway.clock.now()))


async def _read(gateway: Gateway, caller: Caller, proposal: Proposal, door: Door) -> tuple[Tool, Arguments] | None:
    """Read what is called and with what; nothing where it is no write, or is refused anyway."""
    store = gateway.store.for_tenant(caller.tenant)
    force = await gateway.forces.of(store, door, caller.workflow, caller.environment)
    tool = force.contract.tools.get(proposal.tool) if force is not None else None
    schema = force.schemas.get(proposal.tool) if force is not None else None
    if tool is None or schema is None or tool.effect is EffectClass.READ:
        return None
    arguments = schema.read(proposal.arguments)
    return (tool, arguments) if isinstance(arguments, Arguments) else None


async def _next(calls: EqualCalls, proposal: Proposal, number: int, *, anew: bool) -> Outcome:
    """Make the call that comes after the last one."""
    outcome = await calls.call(proposal, number + 1)
    for each in range(number + 2, number + _AT_ONCE_MAX):
        # An equal call that came at the same moment may have the number before, and have ended.
        if not _failed_before(outcome) and not (anew and isinstance(outcome, Done) and outcome.recalled):
            break
        outcome = await calls.call(proposal, each)
    return outcome


def _failed_before(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.recalled


def _is_told(row: ActionRow, now: Instant, *, named: bool, anew: bool) -> bool:
    """Whether an equal call is told how this one stands, and is not made."""
    today = now < row.changed_at + _DAY
    match row.state:
        case ActionState.PARKED | ActionState.STARTED | ActionState.UNCERTAIN:
            return True
        case ActionState.FAILED:
            return False
        case _ if not anew:
            return named or today
        case ActionState.DONE:
            return today and row.requirements != ()
        case _:
            return today and row.reason is Reason.APPROVAL_DENIED
