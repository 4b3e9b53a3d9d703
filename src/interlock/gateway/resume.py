"""A parked action goes on. It walks steps 4 to 10 again: the world may have changed meanwhile."""

from interlock.core.action import ActionState
from interlock.core.errors import ActionUnknown, InterlockError
from interlock.core.ids import ActionId
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.outcome import Outcome, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked, identify, validate
from interlock.gateway.begin import Stale
from interlock.gateway.call import Gateway
from interlock.gateway.proposal import Proposal, Proposed
from interlock.gateway.recall import row_of
from interlock.gateway.refuse import changing, expired
from interlock.gateway.reverse import LOOK_AT_IT, has_changed
from interlock.gateway.revive import revived
from interlock.ports import ActionRow, Needs, TenantStore


async def resume(gateway: Gateway, store: TenantStore, id: ActionId) -> Outcome:
    """Carry an action on from its row.

    A deny by now wins, a new asking rule asks again, a lack of budget refuses without using a grant up. One that
    waits for a person still waits, and one that does not wait any more is told again.

    Raises:
        ActionUnknown: `id` is not in this store.
        StoreError: the store is away; nothing was started.
    """
    for _ in range(DECIDE_TRIES_MAX):
        row = await row_of(store, id)
        if row is None:
            raise ActionUnknown(f"no action has the id `{id}`", fix="list what waits: `interlock approvals list`")
        if row.state is not ActionState.PARKED:
            return await gateway.outcome_of(store, row)
        epoch = (await store.read(Needs())).door.epoch
        asked = await revived(gateway, store, row)
        no = asked if isinstance(asked, Refused) else _not_any_more(asked) or await _changed(gateway, store, row)
        if no is not None and no.reason is Reason.OVERLOADED and gateway.clock.now() < row.expires_at:
            return no
        if no is None and not isinstance(asked, Refused):
            outcome = await gateway.carry(store, asked)
        else:
            assert no is not None, "what cannot be revived says why"
            no = expired(id) if gateway.clock.now() >= row.expires_at else no
            outcome = await gateway.turn_away(store, row.action, no, epoch=epoch)
        if not isinstance(outcome, Stale):
            return outcome
    return changing(id)


def _not_any_more(asked: Asked) -> Refused | None:
    """Walk steps 1 and 2 again: say why an action that was asked for could not be asked for by now, or nothing."""
    action = asked.action
    unfit = asked.force.unfit.get(asked.tool.name)
    if unfit is not None:
        # Another process may have the tool, so it waits on.
        return replace(unfit, action=action.id, reason=Reason.OVERLOADED)
    again = Proposal(tool=action.tool, arguments=asked.arguments.text, by=action.by, undo_of=action.undo_of)
    proposed = Proposed(caller=action.caller, proposal=again, drawn=asked.drawn)
    tool = identify(proposed, asked.force)
    if isinstance(tool, Refused):
        return tool
    arguments = validate(proposed, tool, asked.force)
    return arguments if isinstance(arguments, Refused) else None


async def _changed(gateway: Gateway, store: TenantStore, row: ActionRow) -> Refused | None:
    """Look again at what an undo would reverse: a person may have changed the record while it waited for a yes."""
    reversed_one = await row_of(store, row.action.undo_of) if row.action.undo_of is not None else None
    if reversed_one is None or row.even_if_changed or not await has_changed(gateway, store, reversed_one):
        return None
    why = f"what `{reversed_one.action.id}` left behind has changed since"
    return Refused(action=row.action.id, reason=Reason.MISSING_CONTEXT, why=why, fix=LOOK_AT_IT)


async def resume_or_leave(gateway: Gateway, store: TenantStore, id: ActionId) -> Outcome | None:
    """Carry an action on, or leave it for later while the store is away."""
    try:
        return await resume(gateway, store, id)
    except InterlockError:
        return None
