"""After a crash: what was started and whose lease has passed is written down as uncertain, by whoever finds it."""

from functools import partial

from interlock.core.action import ActionState
from interlock.core.ids import ActionId, ProcessId
from interlock.core.outcome import Outcome
from interlock.gateway.perform import Unheard
from interlock.gateway.settle import End, end
from interlock.ports import ActionRow, Changes, Needs, Rows, TenantStore, Wanted


async def reap(store: TenantStore, process: ProcessId) -> tuple[ActionId, ...]:
    """Give up every action whose lease has passed, and return their ids.

    An action that is given up keeps its hold. A late answer of its owner still closes it.
    """
    now = (await store.read(Needs())).now
    wanted = Wanted(states=frozenset({ActionState.STARTED}), lease_before=now)
    given_up: list[ActionId] = []
    for row in await store.actions(wanted):
        needs = Needs(actions=frozenset({row.action.id}), budgets=frozenset(charge.budget for charge in row.holds))
        written = await store.write(needs, partial(give_up, row=row, process=process))
        if written.answer is not None:
            given_up.append(row.action.id)
    return tuple(given_up)


def give_up(rows: Rows, *, row: ActionRow, process: ProcessId) -> tuple[Changes, Outcome | None]:
    """Write down that nobody knows how it ended, unless somebody does by now or the clock cannot be trusted."""
    found = rows.actions[row.action.id]
    if rows.halt is not None or found is None or found.state is not ActionState.STARTED or rows.now < found.lease_until:
        return Changes(), None
    unheard = Unheard(why="its lease passed and its owner did not say how it ended")
    how = End(id=row.action.id, fence=found.fence, ending=unheard, checked=None, process=process)
    return end(rows, end=how)
