"""Whether each effect that was undone says so itself: its row and the entries of its undo are never read together."""

from collections.abc import Iterator

import msgspec

from interlock.core.action import ActionState
from interlock.gateway.spilled import Spilled
from interlock.ledger.rebuild import Difference, State
from interlock.ports import Part


class Sides(msgspec.Struct, frozen=True, omit_defaults=True):
    """What undid an action, as the entries tell it, and as its row says."""

    told: tuple[str, ...] = ()
    stands: str = ""
    there: bool = False
    """Whether it has a row of an effect that can be undone."""

    def plus(self, more: "Sides") -> "Sides":
        return Sides(told=(*self.told, *more.told), stands=self.stands or more.stands, there=self.there or more.there)


def put(undone: Spilled[Sides], state: State, part: Part) -> None:
    """Add what some actions undid, and what undid them."""
    for id, standing in state.actions.items():
        if standing.asked.undo_of and standing.state is ActionState.DONE:
            undone.put(standing.asked.undo_of, Sides(told=(id,)))
    for id, row in part.actions.items():
        if row.undo is not None:
            undone.put(id, Sides(stands=row.undone_by or "", there=True))


def differences(undone: Spilled[Sides]) -> Iterator[Difference]:
    """Yield each action of which the entries tell that it was undone, and whose row does not say so."""
    for id, sides in undone.items():
        if sides.there and sides.told and sides.stands not in sides.told:
            what = f"`undone_by` must be {sides.told[-1]} and is {sides.stands or None}"
            yield Difference(where=f"action `{id}`", what=what)
