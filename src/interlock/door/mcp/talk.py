"""One request answered, whatever it came over: with the way back to its client, as its era has it."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from interlock.core.action import Caller
from interlock.core.errors import InterlockError
from interlock.core.ids import RunId
from interlock.core.mcp import INTERNAL_ERROR, LEVEL_KEY, LISTEN, SET_LEVEL, UNWATCH, WATCH
from interlock.door.mcp.client import Client, stateless
from interlock.door.mcp.front import METHODS, Exchange, Front, SetLevel
from interlock.door.mcp.line import LEVELS, Answers, Asking, InSession, Waiting
from interlock.door.mcp.listening import Listening, Still
from interlock.door.mcp.places import who_is
from interlock.door.mcp.post import Post
from interlock.door.mcp.rounds import Rounds, UnderWay
from interlock.door.mcp.upstream import servers_of
from interlock.door.mcp.wants import Wanted, at_level
from interlock.door.mcp.wire import Message, Params, WireError, params_of
from interlock.gateway.call import Gateway

Push = Callable[[bytes], bool]
"""Sends a message before the answer; says whether that can still be done."""


async def here() -> bool:
    """Say yes: whoever is at the other end of a pipe stays who it is."""
    return True


class Watched(Params, frozen=True, kw_only=True):
    """The parameters of `resources/subscribe` and `resources/unsubscribe`."""

    uri: str


class Round(Params, frozen=True, kw_only=True):
    """What a stateless client says when it calls again with answers."""

    state: str | None = msgspec.field(name="requestState", default=None)
    responses: dict[str, Any] | None = msgspec.field(name="inputResponses", default=None)
    name: str = ""
    uri: str = ""
    arguments: Any = None

    def about(self, method: str) -> bytes:
        """Name what is asked for, whatever the order in which it is written."""
        return msgspec.json.encode([method, self.name, self.uri, self.arguments], order="deterministic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What transports have in common: the front, and what clients were asked and have not answered."""

    front: Front
    rounds: Rounds
    listening: Listening
    answers: Answers

    @classmethod
    def of(cls, gateway: Gateway) -> "Talk":
        """Begin with nothing asked."""
        front = Front.of(gateway)
        post = Post(gateway=gateway)
        listening = Listening(front=front, wanted=Wanted(gateway=gateway))
        return cls(front=front, rounds=Rounds.by(post), listening=listening, answers=Answers.by(post))

    def give_up(self) -> None:
        """Wait for no client any more that was asked something, and for no person on behalf of one."""
        self.answers.give_up()
        self.rounds.give_up()
        self.front.tasks.give_up()

    async def stateless(self, caller: Caller, message: Message, push: Push, still: Still = here) -> dict[str, Any]:
        """Answer a stateless request, or say what has to be known before.

        `still` says whether whoever asks may still be here, in the middle of what has no end by itself.

        Raises:
            WireError: what the protocol has an error for.
        """
        with unless_away():
            return await self._stateless(caller, message, push, still)

    async def _stateless(self, caller: Caller, message: Message, push: Push, still: Still) -> dict[str, Any]:
        meta = meta_of(message)
        client, method = stateless(meta), cast("str", message.method)
        if method == LISTEN:
            return {"resultType": "complete", **await self.listening.stateless(caller, message, push, still)}
        known = METHODS.get(method)
        if known is None or not known.asks:
            return await self.front.answer(Exchange(caller=caller, client=client, message=message))
        said = params_of(message, Round)
        if said.state is not None:
            return await self.rounds.go_on(caller, said.about(method), said.state, said.responses or {})
        asking = await self._asking(caller, client, meta, push, level=meta.get(LEVEL_KEY))
        line = Waiting(asking=asking, given=dict(said.responses or {}))
        whole = Exchange(caller=caller, client=client, message=message, asking=asking, line=line)
        if not asking.asks:
            return await self.front.answer(whole)
        task = asyncio.create_task(self.front.answer(whole))
        return await self.rounds.begin(caller, said.about(method), UnderWay(task=task, line=line, who=who_is(caller)))

    async def in_session(
        self,
        caller: Caller,
        client: Client,
        message: Message,
        push: Push,
        *,
        session: RunId,
    ) -> dict[str, Any]:
        """Answer a request of a session.

        Raises:
            WireError: what the protocol has an error for.
        """
        known, asking, line = METHODS.get(cast("str", message.method)), None, None
        with unless_away():
            if known is not None and known.asks:
                asking = await self._asking(caller, client, meta_of(message), push, session=session)
                line = InSession(asking=asking, session=session, answers=self.answers)
            exchange = Exchange(caller=caller, client=client, message=message, asking=asking, line=line)
            found = await self.front.answer(exchange)
            if message.method == WATCH:
                await self.listening.watch(caller, session, params_of(message, Watched).uri)
            elif message.method == UNWATCH:
                await self.listening.unwatch(caller, session, params_of(message, Watched).uri)
            elif message.method == SET_LEVEL:
                level = at_level(params_of(message, SetLevel).level)
                await self.listening.wanted.change(caller.tenant, session, level)
        return found

    async def _asking(
        self,
        caller: Caller,
        client: Client,
        meta: Mapping[str, Any],
        push: Push,
        *,
        level: object = None,
        session: RunId | None = None,
    ) -> Asking:
        token, force = meta.get("progressToken"), await self.front.force(caller, fresh=False)
        if session is not None and servers_of(force):  # nobody else has anything to say in the middle of a call
            level = (await self.listening.wanted.by(caller.tenant, session)).level
        return Asking(
            gateway=self.front.gateway,
            force=force,
            caller=caller,
            client=client,
            run=client.run,
            push=push,
            progress=token if isinstance(token, str | int) else None,
            level=level if isinstance(level, str) and level in LEVELS else None,
        )


@contextmanager
def unless_away() -> Generator[None]:
    """Answer with an error of the protocol where the store, or what is in it, cannot be had.

    Raises:
        WireError: so it is.
    """
    try:
        yield
    except InterlockError as away:
        raise WireError(INTERNAL_ERROR, "this cannot be answered now; try again") from away


def meta_of(message: Message) -> Mapping[str, Any]:
    """Return `params._meta` of a request.

    Raises:
        WireError: the parameters are none.
    """
    return params_of(message, Params).meta if message.is_request else {}
