"""Clients that listen: told when a list that they may have read is another one now, or a resource that they watch.

Stateless clients listen by `subscriptions/listen`, those of sessions by a GET that stays open, or over their pipe. What
they hear is a hint, and names nothing that they do not see anyway. What nobody listens for is lost: whoever begins to
listen reads the lists anew.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Protocol, cast

from msgspec import Struct
from msgspec import field as named

from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.errors import InterlockError
from interlock.core.hint import Hint
from interlock.core.ids import RunId
from interlock.core.mcp import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PROMPTS_CHANGED,
    RESOURCE_UPDATED,
    RESOURCES_CHANGED,
    SUBSCRIPTION_KEY,
    TOOLS_CHANGED,
)
from interlock.door.mcp import wire
from interlock.door.mcp.front import Front
from interlock.door.mcp.places import Who, a_place
from interlock.door.mcp.upstream import Behind, Looking, servers_of
from interlock.door.mcp.wants import WATCHED_MAX, Wanted, not_watching, on_stream, watching
from interlock.door.mcp.wire import Message, Params, RequestId, WireError, params_of
from interlock.gateway.force import Force

LOOK_SECONDS = 5.0  # between two looks at the contract in force; it rarely changes, and calls are judged by the new one
LISTENERS_MAX = 1_000  # in one process; each costs two or three reads of the store per look
LISTENERS_OF_ONE_MAX = 50  # of one token, or of one who is known in another way
_SESSIONS_MAX = 10_000  # that watch resources; what the one that began first watches is watched anew

Tell = Callable[[str, JsonObject], bool]
"""Says something to a client, by method and parameters; says whether that can still be done."""
Still = Callable[[], Awaitable[bool]]
"""Says whether whoever listens may still be here."""


class Stream(Protocol):
    """The way to a client that listens in a session."""

    def open(self) -> None:
        """Begin it, before there is anything to say."""
        ...

    def push(self, message: bytes) -> bool:
        """Send a message; say whether that can still be done."""
        ...


class Filter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client wants to hear of."""

    tools: bool = named(name="toolsListChanged", default=False)
    prompts: bool = named(name="promptsListChanged", default=False)
    resources: bool = named(name="resourcesListChanged", default=False)
    uris: tuple[str, ...] = named(name="resourceSubscriptions", default=())


class Listen(Params, frozen=True, kw_only=True):
    """The parameters of `subscriptions/listen`."""

    notifications: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A client that listens."""

    caller: Caller
    lists: Collection[str]
    """The notifications about lists that it wants."""
    watched: Callable[[], Collection[str]]
    """The resources that it watches now."""
    tell: Tell
    still: Still
    over: asyncio.Event
    """Ends it, when somebody sets it."""


@dataclass(slots=True, kw_only=True)
class Listening:
    """Everybody who listens to this process."""

    front: Front
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends all of it."""
    wanted: Wanted
    _here: "OrderedDict[RunId, set[str]]" = field(default_factory=OrderedDict[RunId, set[str]])
    """What this process has had watched for sessions."""
    _looks: asyncio.Event = field(default_factory=asyncio.Event)
    _open: "Counter[Who]" = field(default_factory=Counter[Who])

    async def stateless(
        self, caller: Caller, message: Message, push: Callable[[bytes], bool], still: Still
    ) -> dict[str, Any]:
        """Listen for a stateless client until it leaves; the answer is the end of it.

        Raises:
            WireError: it takes no stream, or too many listen.
        """
        wanted = params_of(message, Listen).notifications
        id = cast("RequestId", message.id)
        about = {"_meta": {SUBSCRIPTION_KEY: id}}
        force = await self.front.force(caller)
        behind = Behind.of(force)
        heard = Filter(
            tools=wanted.tools,
            prompts=wanted.prompts and bool(behind.prompts),
            resources=wanted.resources and bool(behind.resources),
            uris=await self._watched(caller, force, wanted.uris[:WATCHED_MAX]),
        )

        def tell(method: str, params: JsonObject) -> bool:
            return push(wire.notification(method, {**about, **params}))

        over = asyncio.Event()
        listener = Listener(
            caller=caller, lists=_lists(heard), watched=lambda: heard.uris, tell=tell, still=still, over=over
        )
        with self._place(caller):
            if not tell("notifications/subscriptions/acknowledged", {"notifications": heard}):
                raise WireError(INVALID_REQUEST, "listening takes a stream: accept `text/event-stream`")
            await self._until_over(listener, force)
        return about

    async def _watched(self, caller: Caller, force: Force | None, uris: tuple[str, ...]) -> tuple[str, ...]:
        """Have resources watched, and name those that are."""
        looking = Looking(gateway=self.front.gateway, caller=caller, line=None, not_found=INVALID_PARAMS)
        are = [await looking.watched(force, uri) for uri in uris]
        return tuple(uri for uri, is_watched in zip(uris, are, strict=True) if is_watched)

    async def in_session(
        self, caller: Caller, session: RunId, stream: Stream, still: Still, over: asyncio.Event
    ) -> None:
        """Listen for the client of a session until it leaves, opens another stream anywhere, or `over` is set.

        Raises:
            WireError: too many listen.
            StoreError: what it wants to hear of cannot be had.
        """
        name = token_hex(8)

        def tell(method: str, params: JsonObject) -> bool:
            return stream.push(wire.notification(method, params))

        def watched() -> Collection[str]:
            return self.wanted.known(caller.tenant, session).watched

        async def wanted() -> bool:
            return await still() and await self._wanted(caller, session, name, tell)

        lists = (TOOLS_CHANGED, PROMPTS_CHANGED, RESOURCES_CHANGED)
        listener = Listener(caller=caller, lists=lists, watched=watched, tell=tell, still=wanted, over=over)
        with self._place(caller):
            if not await self.wanted.change(caller.tenant, session, on_stream(name)):
                return  # it was ended meanwhile
            force = await self.front.force(caller)
            stream.open()
            with suppress(InterlockError):
                if not await self._wanted(caller, session, name, tell):
                    return
            await self._until_over(listener, force)

    async def _wanted(self, caller: Caller, session: RunId, stream: str, tell: Tell) -> bool:
        """Have watched here what a session watches since it said so elsewhere; say whether it still has this stream."""
        wants = await self.wanted.by(caller.tenant, session, fresh=True)
        if wants.stream != stream:
            return False
        new = [uri for uri in wants.watched if uri not in self._here.get(session, ())]
        if new:
            force = await self.front.force(caller)
            for uri in new:
                self._is_here(session, uri)
            # What has changed meanwhile, nobody has said here.
            told = [tell(RESOURCE_UPDATED, {"uri": uri}) for uri in await self._watched(caller, force, tuple(new))]
            return all(told)
        return True

    async def watch(self, caller: Caller, session: RunId, uri: str) -> None:
        """Tell a session of changes of a resource from now on. This process has had it watched.

        Raises:
            WireError: it watches too many.
            StoreError: that cannot be kept.
        """
        self._is_here(session, uri)
        if not await self.wanted.change(caller.tenant, session, watching(uri)):
            raise WireError(
                INVALID_REQUEST, f"a session watches at most {WATCHED_MAX} resources, and none once it was ended"
            )

    async def unwatch(self, caller: Caller, session: RunId, uri: str) -> None:
        """Tell it of them no more.

        Raises:
            StoreError: that cannot be kept.
        """
        self._here.get(session, set[str]()).discard(uri)
        await self.wanted.change(caller.tenant, session, not_watching(uri))

    async def forget(self, caller: Caller, session: RunId) -> None:
        """Forget what a session wanted, at its end.

        Raises:
            StoreError: it cannot be forgotten.
        """
        self._here.pop(session, None)
        await self.wanted.forget(caller.tenant, session)

    def _is_here(self, session: RunId, uri: str) -> None:
        self._here.setdefault(session, set()).add(uri)
        if len(self._here) > _SESSIONS_MAX:
            self._here.popitem(last=False)

    def look(self) -> None:
        """Look at the contract in force at once."""
        self._looks.set()
        self._looks = asyncio.Event()

    async def _until_over(self, listener: Listener, force: Force | None) -> None:
        def hear(hint: Hint) -> None:
            wanted = hint.method in listener.lists or hint.method == RESOURCE_UPDATED and hint.uri in listener.watched()
            if not wanted or hint.server not in servers_of(force):
                return
            if not listener.tell(hint.method, {"uri": hint.uri} if hint.uri else {}):
                listener.over.set()

        deaf = self.front.gateway.hints.listen(listener.caller.tenant, hear)
        try:
            while not (self.stop.is_set() or listener.over.is_set()):
                await self._pause(listener.over)
                # A store that is away has changed nothing.
                with suppress(InterlockError):
                    if not await listener.still():
                        return
                    before, force = force, await self.front.force(listener.caller)
                    if _made_of(force) != _made_of(before) and not _told(listener):
                        return
        finally:
            deaf()

    async def _pause(self, over: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self.stop, self._looks, over)]
        try:
            await asyncio.wait(waits, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _place(self, caller: Caller) -> AbstractContextManager[None]:
        """Take a place among those who listen.

        Raises:
            WireError: there is none.
        """
        full = "too many listen already; end one of them"
        return a_place(self._open, caller, most=LISTENERS_MAX, of_one=LISTENERS_OF_ONE_MAX, full=full)


def _lists(wanted: Filter) -> tuple[str, ...]:
    kinds = ((wanted.tools, TOOLS_CHANGED), (wanted.prompts, PROMPTS_CHANGED), (wanted.resources, RESOURCES_CHANGED))
    return tuple(method for is_wanted, method in kinds if is_wanted)


def _told(listener: Listener) -> bool:
    """Say that the lists are others now, all of them, because the contract is another one."""
    return all([listener.tell(method, {}) for method in listener.lists])


def _made_of(force: Force | None) -> object:
    """Return what tells one state of the lists from another."""
    return None if force is None else (force.hash, force.mode, tuple(sorted(force.unfit)))
