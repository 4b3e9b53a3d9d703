"""Equal calls of one caller, numbered from 1, each number an action: so that the next one can be told from the last.

Number n + 1 is given once n has ended, and what has ended keeps its number. So there is a newest one, and it is found
in few looks however many came before.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from interlock.contract.arguments import Arguments
from interlock.core.action import Caller
from interlock.core.door import Door
from interlock.core.ids import ToolName
from interlock.core.outcome import Outcome
from interlock.core.value import replace
from interlock.gateway.call import Gateway
from interlock.gateway.keyed import equal_key
from interlock.gateway.proposal import Proposal
from interlock.ports import ActionRow, Needs

_LOOKED_AT = (1, 2, 3, 4, 8, 16, *(4**n for n in range(3, 12)))
"""The numbers that are looked at first: most calls have few equal ones before them."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The last number that was given, 0 where none was, and what the action of it has come to."""

    number: int
    row: ActionRow | None
    door: Door
    """The door as it was when it was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualCalls:
    """Equal calls of one caller: the same tool, the same canonical arguments."""

    gateway: Gateway
    caller: Caller
    tool: ToolName
    arguments: Arguments
    among: str
    """In which run they are equal, and under which number, where their caller counts them."""

    async def call(self, proposal: Proposal, number: int) -> Outcome:
        """Make the call of a number, or tell what became of it."""
        return await self.gateway.call(self.caller, replace(proposal, equal=which(self.among, number)))

    async def newest(self) -> Newest:
        """Find the last number that was given."""
        found = await self._last_of(_LOOKED_AT)
        below = next((number for number in _LOOKED_AT if number > found.number), found.number + 1)
        while below - found.number > 1:
            step = -(-(below - found.number) // _AT_ONCE)
            higher = await self._last_of(range(found.number + step, below, step))
            below = min(below, max(higher.number, found.number) + step)
            found = higher if higher.row is not None else found
        return found

    async def _last_of(self, numbers: Iterable[int]) -> Newest:
        secrets, tool, text = self.gateway.secrets, self.tool, self.arguments.text
        keys = {n: equal_key(self.caller, tool, text, which(self.among, n), secrets) for n in numbers}
        rows = await self.gateway.store.for_tenant(self.caller.tenant).read(Needs(keys=frozenset(keys.values())))
        last = max((number for number, key in keys.items() if rows.keys[key] is not None), default=0)
        return Newest(number=last, row=rows.keys[keys[last]] if last else None, door=rows.door)


def which(among: str, number: int) -> str:
    """Name one of several equal calls."""
    return f"{among}:{number}"
