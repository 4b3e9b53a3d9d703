"""Stateless calls that ask something in the middle: each is under way here while its client finds the answers.

What the client brings along to go on, `requestState`, names the call under our MAC, and whose it is and about what.
It says nothing else, and opens nothing that its bearer could not ask for anew.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Any

import msgspec
from msgspec import Struct

from interlock.core.action import Caller
from interlock.core.mcp import INVALID_PARAMS
from interlock.door.mcp.line import Waiting, give_up
from interlock.door.mcp.places import Who
from interlock.door.mcp.wire import WireError
from interlock.door.sealed import opened, sealed
from interlock.ports import Secrets

_KEPT_SECONDS = 60.0  # after its end; the same call is answered from the record later, too
_CALLS_MAX = 1_000  # that wait for answers at once; of whoever has most, the one that waits for longest is given up
_OVER = "the call that this belongs to is over; make it anew"
_CALLS_OF_ONE_MAX = 50  # of one token, or of one who is known in another way


class _State(Struct, frozen=True, kw_only=True):
    call: str
    of: str
    turn: int
    """How often the client has been asked, this time included."""


@dataclass(slots=True, kw_only=True)
class UnderWay:
    """A call that is under way, and its line."""

    task: "asyncio.Task[dict[str, Any]]"
    line: Waiting
    who: Who
    """Whose it is."""
    turn: int = 1
    """How often its client has been asked, this time included."""


@dataclass(slots=True, kw_only=True)
class Rounds:
    """The calls that wait for their clients."""

    secrets: Secrets
    _calls: "OrderedDict[str, UnderWay]" = field(default_factory=OrderedDict[str, UnderWay])

    async def begin(self, caller: Caller, about: bytes, round: UnderWay) -> dict[str, Any]:
        """Wait for the end of a call, or for its questions; return either as a result."""
        return await self._on(caller, about, token_hex(16), round)

    async def go_on(self, caller: Caller, about: bytes, state: str, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Give a call the answers that its client found.

        Raises:
            WireError: the state is not ours, of somebody else, about something else, or of a call that is over.
        """
        text = opened(self.secrets, caller.tenant, "mcp round", state)
        known = msgspec.json.decode(text, type=_State) if text is not None else None
        if known is None or known.of != _of(caller, about):
            raise WireError(INVALID_PARAMS, "this `requestState` is not that of this call")
        round = self._calls.get(known.call)
        if round is None:
            raise WireError(INVALID_PARAMS, _OVER)
        if known.turn == round.turn:
            round.line.take(answers)
            round.turn += not round.line.round.is_set()
        return await self._on(caller, about, known.call, round)

    def give_up(self) -> None:
        """Wait for none of the clients any more: their calls end without an answer."""
        for round in self._calls.values():
            give_up(future for _, future in round.line.posed.values())

    async def _on(self, caller: Caller, about: bytes, call: str, round: UnderWay) -> dict[str, Any]:
        posed = asyncio.create_task(round.line.round.wait())
        try:
            await asyncio.wait({round.task, posed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            posed.cancel()
        if round.task.done():
            self._calls.pop(call, None)
            if round.task.cancelled():
                raise WireError(INVALID_PARAMS, _OVER)  # it was given up to make room while its client waited here
            return round.task.result()
        if call not in self._calls:
            self._calls[call] = round
            round.task.add_done_callback(lambda ended: self._ended(call, ended))
            self._make_room()
        wanted = {
            name: {"method": question.method, "params": question.params}
            for name, (question, future) in round.line.posed.items()
            if not future.done()
        }
        state = msgspec.json.encode(_State(call=call, of=_of(caller, about), turn=round.turn))
        return {
            "resultType": "input_required",
            "inputRequests": wanted,
            "requestState": sealed(self.secrets, caller.tenant, "mcp round", state),
        }

    def _make_room(self) -> None:
        """Give up the oldest of whoever has most, so that nobody ends the calls of others by making many."""
        (most, count), *_ = Counter(each.who for each in self._calls.values()).most_common(1)
        if count <= _CALLS_OF_ONE_MAX and len(self._calls) <= _CALLS_MAX:
            return
        oldest = self._calls.pop(next(call for call, each in self._calls.items() if each.who == most))
        oldest.task.cancel()  # its caller stops waiting, and so do its questions; what has started is settled
        for _, future in oldest.line.posed.values():
            future.cancel()

    def _ended(self, call: str, ended: "asyncio.Task[dict[str, Any]]") -> None:
        """Keep an end for a while for a client that may still come for it."""
        if not ended.cancelled():
            ended.exception()  # who comes for it hears of it; nobody else has to
        asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._calls.pop, call, None)


def _of(caller: Caller, about: bytes) -> str:
    """Name whose call it is and about what, so that nobody goes on with another's, or with other arguments."""
    who = "\0".join((caller.tenant, caller.workflow, caller.environment, caller.agent, caller.principal))
    return sha256(who.encode() + b"\0" + about).hexdigest()
