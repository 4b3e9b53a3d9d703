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
from typing import Any, Protocol, cast

from msgspec import Struct
from msgspec import field as named

from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.errors import InterlockError
from interlock.core.hint import Hint
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
from interlock.door.mcp.wire import Message, Params, RequestId, WireError, params_of
from interlock.gateway.force import Force

LOOK_SECONDS = 5.0  # between two looks at the contract in force; it rarely changes, and calls are judged by the new one
LISTENERS_MAX = 1_000  # in one process; each costs one read of the store per look
LISTENERS_OF_ONE_MAX = 50  # of one token, or of one who is known in another way
WATCHED_MAX = 100  # resources of one listener
_SESSIONS_MAX = 10_000  # that watch resources; the one that began first is forgotten

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
    watched: "OrderedDict[str, set[str]]" = field(default_factory=OrderedDict[str, set[str]])
    """What sessions watch that said so to this process."""
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

    async def in_session(self, caller: Caller, session: str, stream: Stream, still: Still, over: asyncio.Event) -> None:
        """Listen for the client of a session until it leaves, or `over` is set.

        Raises:
            WireError: too many listen.
        """

        def tell(method: str, params: JsonObject) -> bool:
            return stream.push(wire.notification(method, params))

        def watched() -> Collection[str]:
            return self.watched.get(session, ())

        lists = (TOOLS_CHANGED, PROMPTS_CHANGED, RESOURCES_CHANGED)
        listener = Listener(caller=caller, lists=lists, watched=watched, tell=tell, still=still, over=over)
        with self._place(caller):
            force = await self.front.force(caller)
            stream.open()
            await self._until_over(listener, force)

    def watch(self, session: str, uri: str) -> None:
        """Tell a session of changes of a resource from now on.

        Raises:
            WireError: it watches too many.
        """
        watched = self.watched.setdefault(session, set())
        if len(watched) >= WATCHED_MAX and uri not in watched:
            raise WireError(INVALID_REQUEST, f"a session watches at most {WATCHED_MAX} resources")
        watched.add(uri)
        if len(self.watched) > _SESSIONS_MAX:
            self.watched.popitem(last=False)

    def unwatch(self, session: str, uri: str) -> None:
        """Tell it of them no more."""
        self.watched.get(session, set[str]()).discard(uri)

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
