"""Calls that a contract wants made anew (`on_repeat: new`), of agents whose protocol has no word for repeating.

Equal calls are numbered. Each is the next one, unless the newest is still to be told of, for which there is no other
way than the same call: it waits, is under way, ended as nobody knows, or within a day by what a person said.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from interlock.core.action import ActionState, Caller
from interlock.core.ids import Instant
from interlock.core.outcome import Done, Failed, Outcome
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.call import Gateway
from interlock.gateway.keyed import given_key
from interlock.gateway.proposal import Proposal
from interlock.ports import ActionRow, Needs

_DAY = 24 * 3_600 * 1_000_000
_DOUBLINGS = 24
_AT_ONCE = 32


async def call_anew(gateway: Gateway, caller: Caller, proposal: Proposal, what: str) -> Outcome:
    """Make a call, or tell of the equal one before it that is still to be told of.

    Args:
        gateway: carries it.
        caller: who makes it.
        proposal: the call, without a key.
        what: names what is called, with which arguments and in which run.
    """
    equal = _Equal(gateway=gateway, caller=caller, what=what)
    number, newest = await equal.newest()
    if newest is not None and _to_be_told(newest, gateway.clock.now()):
        return await equal.call(proposal, number)
    while True:
        number += 1
        outcome = await equal.call(proposal, number)
        if not (outcome.recalled and isinstance(outcome, Done | Failed)):
            return outcome
        # An equal call that came at the same moment has this number, and has ended.


def _to_be_told(row: ActionRow, now: Instant) -> bool:
    match row.state:
        case ActionState.PARKED | ActionState.STARTED | ActionState.UNCERTAIN:
            return True
        case ActionState.DONE:
            said = row.requirements != ()
        case ActionState.REFUSED:
            said = row.reason is Reason.APPROVAL_DENIED
        case ActionState.SUGGESTED:
            said = True
        case ActionState.ASKED | ActionState.FAILED | ActionState.ABANDONED:
            said = False
    return said and now < row.changed_at + _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Equal:
    """Equal calls of one caller, by their numbers from 1."""

    gateway: Gateway
    caller: Caller
    what: str

    async def call(self, proposal: Proposal, number: int) -> Outcome:
        return await self.gateway.call(self.caller, replace(proposal, key=self._name(number)))

    async def newest(self) -> tuple[int, ActionRow | None]:
        """Find the last number that was given; 0 where none was."""
        number, row = await self._last_of(1 << doubling for doubling in range(_DOUBLINGS))
        below = 2 * number if row is not None else 1
        while below - number > 1:
            step = -(-(below - number) // _AT_ONCE)
            higher, known = await self._last_of(range(number + step, below, step))
            if known is not None:
                number, row = higher, known
            below = min(below, number + step)
        return number, row

    async def _last_of(self, numbers: Iterable[int]) -> tuple[int, ActionRow | None]:
        keys = {number: given_key(self.caller, self._name(number), self.gateway.secrets) for number in numbers}
        store = self.gateway.store.for_tenant(self.caller.tenant)
        rows = await store.read(Needs(keys=frozenset(keys.values())))
        given = [number for number, key in keys.items() if rows.keys[key] is not None]
        last = max(given, default=0)
        return last, rows.keys[keys[last]] if last else None

    def _name(self, number: int) -> str:
        return f"new:{self.what}:{number}"
