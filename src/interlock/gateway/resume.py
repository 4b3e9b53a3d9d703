"""A parked action goes on. It walks steps 4 to 10 again: the world may have changed meanwhile."""

from interlock.core.action import ActionState
from interlock.core.errors import ActionUnknown, InterlockError
from interlock.core.ids import ActionId
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.outcome import Outcome, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.begin import Stale
from interlock.gateway.call import Gateway, changing, row_of
from interlock.gateway.revive import revived
from interlock.ports import TenantStore


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
        asked = await revived(gateway, store, row)
        if isinstance(asked, Refused):
            return await gateway.turn_away(store, row.action, asked)
        unfit = asked.force.unfit.get(asked.tool.name)
        if unfit is not None:
            # Another process may have the tool, so it waits on.
            return replace(unfit, action=id, reason=Reason.OVERLOADED)
        outcome = await gateway.carry(store, asked)
        if not isinstance(outcome, Stale):
            return outcome
    return changing(id)


async def resume_or_leave(gateway: Gateway, store: TenantStore, id: ActionId) -> Outcome | None:
    """Carry an action on, or leave it for later while the store is away."""
    try:
        return await resume(gateway, store, id)
    except InterlockError:
        return None
