"""Undo of a whole run: its effects, the last one first, until one of them is not undone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from interlock.core.action import ActionState
from interlock.core.errors import NotPermitted
from interlock.core.ids import ActionId
from interlock.core.outcome import Done, Outcome
from interlock.gateway.call import Gateway
from interlock.gateway.reverse import Reversal, plan, stands
from interlock.ports import ActionRow, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUndone:
    """How far the undo of a run has come."""

    ended: tuple[tuple[Reversal, Outcome], ...]
    """What was tried, and how each undo ended. All but the last one are done."""
    cannot: tuple[Reversal, ...]
    """Effects that cannot be undone, each with why. They stay as they are."""
    not_tried: tuple[Reversal, ...]
    """Effects from before one that still stands."""
    stopped: NotPermitted | None = None
    """Why the first of those that were not tried could not be."""
    waits: tuple[ActionId, ...] = ()
    """Actions that still wait for a person: with a yes they would happen."""

    @property
    def whole(self) -> bool:
        """Whether nothing of the run stands any more."""
        return not (self.cannot or self.not_tried) and all(isinstance(end, Done) for _, end in self.ended)


Undoing = Callable[[ActionId], Awaitable[Outcome]]
"""Undoes one effect, or has it undone, and says how that ended; `NotPermitted` says that it cannot be."""


async def undo_run(gateway: Gateway, store: TenantStore, rows: Sequence[ActionRow], undo_one: Undoing) -> RunUndone:
    """Undo the effects of a run, the last one first.

    An effect that cannot be undone is named and left. One that could be and is not undone yet, because its undo waits
    for a person or fails, or because the record has changed since, stops the rest: it may stand on what came before.

    Args:
        gateway: knows the contracts in force.
        store: the tenant's part of the store.
        rows: the actions of the run, those that `concerns` names at least.
        undo_one: undoes one of them.
    """
    steps = await plan(gateway, store, rows)
    tried, ended = [step for step in steps if not step.why_not], list[tuple[Reversal, Outcome]]()
    stopped: NotPermitted | None = None
    for step in tried:
        try:
            ended.append((step, await undo_one(step.action)))
        except NotPermitted as error:
            stopped = error
        if stopped is not None or not isinstance(ended[-1][1], Done):
            break
    return RunUndone(
        ended=tuple(ended),
        cannot=tuple(step for step in steps if step.why_not),
        not_tried=tuple(tried[len(ended) :]),
        stopped=stopped,
        waits=tuple(row.action.id for row in rows if row.state is ActionState.PARKED),
    )


def concerns(row: ActionRow) -> bool:
    """Whether the undo of its run has to know of an action: its effect stands, or may yet happen."""
    return stands(row) or row.state is ActionState.PARKED
