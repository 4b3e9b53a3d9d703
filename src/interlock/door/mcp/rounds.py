"""Stateless calls that ask something in the middle: each is under way in a process while its client finds the answers.

What the client brings along to go on, `requestState`, names the call and its process under our MAC, and whose it is and
about what. It says nothing else, and opens nothing that its bearer could not ask for anew. Another process, where it
comes to one, leaves a letter for that one, and tells what it answers.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Any

import msgspec
from msgspec import Struct

from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.errors import InterlockError
from interlock.core.ids import MemoId, ProcessId, TenantId
from interlock.core.mcp import INTERNAL_ERROR, INVALID_PARAMS
from interlock.door.mcp.line import Waiting, give_up
from interlock.door.mcp.places import Who, a_place
from interlock.door.mcp.post import LOOK_SECONDS, Box, Post
from interlock.door.mcp.wire import WireError
from interlock.door.sealed import opened, sealed

_KEPT_SECONDS = 60.0  # after its end; the same call is answered from the record later, too
_CALLS_MAX = 1_000  # that wait for answers at once; of whoever has most, the one that waits for longest is given up
_CALLS_OF_ONE_MAX = 50  # of one token, or of one who is known in another way
_WAITS_OF_ONE_MAX = 100  # for calls of other processes; each costs some reads of the store a second
_TAKEN_SECONDS = 5.0  # for a process to take a letter; one that does not has ended, or is frozen
_SIGN_SECONDS = 3.0  # between two signs of life while a call goes on that another process waits for
_SIGN_GOOD_SECONDS = 12.0  # for one; whoever sees none any more waits no longer
_OVER = "the call that this belongs to is over; make it anew"
_GONE = "nobody goes on with this call: its process has ended, or it was over a while ago; the same call tells of it"


class _State(Struct, frozen=True, kw_only=True):
    call: str
    of: str
    turn: int
    """How often the client has been asked, this time included."""
    process: ProcessId


class _Turn(Struct, frozen=True, kw_only=True):
    """What a client said to another process: answers to the questions of a turn."""

    call: str
    of: str
    turn: int
    answers: dict[str, Any]


class _Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the process of a call says to it: nothing while the call goes on."""

    result: dict[str, Any] | None = None
    error: tuple[int, str, JsonObject | None] | None = None


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

    post: Post
    _calls: "OrderedDict[str, UnderWay]" = field(default_factory=OrderedDict[str, UnderWay])
    waits: Counter[Who] = field(default_factory=Counter[Who])
    """How many wait here for calls of other processes, and whose they are."""
    _replies: "dict[MemoId, asyncio.Task[None]]" = field(default_factory=dict[MemoId, "asyncio.Task[None]"])
    """To other processes, by where they are left."""

    @classmethod
    def by(cls, post: Post) -> "Rounds":
        """Hear of answers that came to other processes, too."""
        rounds = cls(post=post)
        post.boxes["turn"] = Box(awaited=lambda: {call.who[0] for call in rounds._calls.values()}, take=rounds._brought)
        return rounds

    async def begin(self, caller: Caller, about: bytes, round: UnderWay) -> dict[str, Any]:
        """Wait for the end of a call, or for its questions; return either as a result."""
        return await self._on(caller.tenant, _of(caller, about), token_hex(16), round)

    async def go_on(self, caller: Caller, about: bytes, state: str, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Give a call the answers that its client found.

        Raises:
            WireError: the state is not ours, of somebody else, about something else, or of a call that is over.
        """
        text = opened(self.post.gateway.secrets, caller.tenant, "mcp round", state)
        known = msgspec.json.decode(text, type=_State) if text is not None else None
        if known is None or known.of != _of(caller, about):
            raise WireError(INVALID_PARAMS, "this `requestState` is not that of this call")
        turn = _Turn(call=known.call, of=known.of, turn=known.turn, answers=dict(answers))
        if known.process == self.post.gateway.process:
            return await self._taken(caller.tenant, turn)
        full = "too many wait here for calls of other processes already; ask again later"
        with a_place(self.waits, caller, most=_CALLS_MAX, of_one=_WAITS_OF_ONE_MAX, full=full):
            return await self._elsewhere(caller.tenant, known.process, turn)

    async def _taken(self, tenant: TenantId, turn: _Turn) -> dict[str, Any]:
        round = self._calls.get(turn.call)
        if round is None:
            raise WireError(INVALID_PARAMS, _OVER)
        if turn.turn == round.turn:
            round.line.take(turn.answers)
            round.turn += not round.line.round.is_set()
        return await self._on(tenant, turn.of, turn.call, round)

    async def _elsewhere(self, tenant: TenantId, process: ProcessId, turn: _Turn) -> dict[str, Any]:
        """Leave answers for the process that carries the call, and tell what it says to them."""
        letter = msgspec.json.encode(turn, order="deterministic")
        name = sha256(letter).hexdigest()
        said = await self._said(tenant, name)
        if said is None:
            await self.post.send(tenant, process, "turn", name, letter)
            until = asyncio.get_running_loop().time() + _TAKEN_SECONDS
            while said is None and asyncio.get_running_loop().time() < until:
                await asyncio.sleep(LOOK_SECONDS / 2)
                said = await self._said(tenant, name)
            if said is None:
                raise WireError(INTERNAL_ERROR, _GONE)
        while said.result is None and said.error is None:
            await asyncio.sleep(LOOK_SECONDS / 2)
            said = await self._said(tenant, name)
            if said is None:
                raise WireError(INTERNAL_ERROR, _GONE)
        if said.error is not None:
            raise WireError(*said.error)
        assert said.result is not None, "one of both is said"
        return said.result

    async def _said(self, tenant: TenantId, name: str) -> _Said | None:
        text = await self.post.found(tenant, _place(name))
        return msgspec.json.decode(text, type=_Said) if text is not None else None

    def _brought(self, tenant: TenantId, name: str, text: bytes) -> None:
        """Answer a letter, in a task of its own; a second one that says the same gets the same answer."""
        place = _place(name)
        if place not in self._replies:
            reply = asyncio.create_task(self._reply(tenant, place, msgspec.json.decode(text, type=_Turn)))
            self._replies[place] = reply
            reply.add_done_callback(lambda _: self._replies.pop(place, None))

    async def _reply(self, tenant: TenantId, place: MemoId, turn: _Turn) -> None:
        answered = asyncio.create_task(self._answered(tenant, turn))
        try:
            while not answered.done():
                # A sign that is not seen is one less; whoever waits sees the next one.
                with suppress(InterlockError):
                    await self.post.leave(tenant, place, msgspec.json.encode(_Said()), seconds=_SIGN_GOOD_SECONDS)
                await asyncio.wait({answered}, timeout=_SIGN_SECONDS)
            with suppress(InterlockError):
                await self.post.leave(tenant, place, msgspec.json.encode(answered.result()), seconds=_KEPT_SECONDS)
        finally:
            answered.cancel()

    async def _answered(self, tenant: TenantId, turn: _Turn) -> _Said:
        try:
            return _Said(result=await self._taken(tenant, turn))
        except WireError as wrong:
            return _Said(error=(wrong.code, wrong.message, wrong.data))
        except InterlockError:
            return _Said(error=(INTERNAL_ERROR, "this cannot be answered now; try again", None))

    def give_up(self) -> None:
        """Wait for none of the clients any more: their calls end without an answer."""
        for round in self._calls.values():
            give_up(future for _, future in round.line.posed.values())

    async def _on(self, tenant: TenantId, of: str, call: str, round: UnderWay) -> dict[str, Any]:
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
            self.post.look()
        wanted = {
            name: {"method": question.method, "params": question.params}
            for name, (question, future) in round.line.posed.items()
            if not future.done()
        }
        state = _State(call=call, of=of, turn=round.turn, process=self.post.gateway.process)
        return {
            "resultType": "input_required",
            "inputRequests": wanted,
            "requestState": sealed(self.post.gateway.secrets, tenant, "mcp round", msgspec.json.encode(state)),
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


def _place(name: str) -> MemoId:
    """Say where the answer to a letter is left."""
    return MemoId(f"from:{name}")
