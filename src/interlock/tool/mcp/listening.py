"""Hears from a server what has changed there, for as long as it is kept, and tells it on. Nothing of it is believed."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from interlock.core.canonical import Json
from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.hint import Hint
from interlock.core.ids import TenantId
from interlock.core.mcp import RESOURCE_UPDATED, STATELESS, WATCH
from interlock.tool.mcp.link import LOOK
from interlock.tool.mcp.reach import Place
from interlock.tool.mcp.session import Session
from interlock.tool.mcp.wire import RpcError

Tell = Callable[[Hint], None]
"""Takes what a server says has changed."""

_URI_CHARS_MAX = 2_048
_WATCHED_MAX = 1_000  # resources of one server
_BEGIN_SECONDS_MAX = 5.0  # until a server says that it tells
_PAUSE_SECONDS = (1.0, 60.0)  # before it is listened to again, if it ends that


def nobody_told(hint: Hint) -> None:
    """Let it pass."""


class Listening:
    """What one server says has changed."""

    def __init__(self, server: str, tenant: TenantId, tell: Tell) -> None:
        self._server = server
        self._tenant = tenant
        self._tell = tell
        self._watched: OrderedDict[str, set[Place]] = OrderedDict()
        """For whom, each."""
        self._task: asyncio.Task[None] | None = None

    def begin(self, session: Session) -> None:
        """Listen to a session, and to no other one from now on."""
        self.end()
        session.link.noticed = self._noticed
        if session.tells:
            self._task = asyncio.create_task(self._hear(session, _Begun()))

    def end(self) -> None:
        """Listen no more."""
        if self._task is not None:
            with suppress(RuntimeError):  # its loop has ended
                self._task.cancel()
            self._task = None

    async def watch(self, session: Session, uri: str, place: Place) -> None:
        """Hear of changes of a resource from now on, for those of a place.

        Nobody says when that may end, because others may watch it still: the one that was asked for least lately falls
        out as new ones come, and what nobody watches any more nobody is told of.

        Raises:
            UpstreamFailed: the server does not tell of it.
        """
        new = uri not in self._watched
        self._watched.setdefault(uri, set()).add(place)
        self._watched.move_to_end(uri)
        if not new:
            return
        if len(self._watched) > _WATCHED_MAX:
            self._watched.popitem(last=False)
        try:
            await (self._again(session) if session.version == STATELESS else _said(session, uri))
        except UpstreamFailed:
            self._watched.pop(uri, None)
            raise

    def give_up(self, place: Place) -> list[str]:
        """Watch nothing for those of a place any more, and return what was watched for them."""
        theirs = [uri for uri, places in self._watched.items() if place in places]
        for uri in theirs:
            self._watched[uri].discard(place)
            if not self._watched[uri]:
                del self._watched[uri]
        return theirs

    def take_over(self, session: Session | None, uris: list[str], place: Place) -> None:
        """Watch what was watched at another server, which is reached no more by those of a place: it may be another."""
        for uri in uris:
            self._watched.setdefault(uri, set()).add(place)
            self._tell(Hint(tenant=self._tenant, server=self._server, method=RESOURCE_UPDATED, uri=uri))
        while len(self._watched) > _WATCHED_MAX:
            self._watched.popitem(last=False)
        if session is not None and uris:
            self.begin(session)

    async def _again(self, session: Session) -> None:
        """Listen anew, to what is watched now."""
        self.end()
        begun = _Begun()
        self._task = asyncio.create_task(self._hear(session, begun))
        try:
            await asyncio.wait_for(begun.event.wait(), _BEGIN_SECONDS_MAX)
        except TimeoutError as error:
            raise UpstreamFailed(f"`{self._server}` does not tell of changes", fix=LOOK) from error

    async def _hear(self, session: Session, begun: "_Begun") -> None:
        if session.version != STATELESS:
            for uri in tuple(self._watched):
                # A session that is new knows of none of them.
                with suppress(UpstreamError):
                    await _said(session, uri)
        low, high = _PAUSE_SECONDS
        pause = low
        while session.link.alive:
            try:
                await session.listen(self._watched, begun)
                pause = low
            except UpstreamFailed:
                return
            except UpstreamSilent:
                pause = min(2 * pause, high)
            await asyncio.sleep(pause)

    def _noticed(self, method: str, params: Mapping[str, Any]) -> None:
        uri = params.get("uri", "")
        if isinstance(uri, str) and len(uri) <= _URI_CHARS_MAX:
            self._tell(Hint(tenant=self._tenant, server=self._server, method=method, uri=uri))


async def _said(session: Session, uri: str) -> None:
    """Ask a server with a session to tell of a resource."""
    answer = await session.link.ask(WATCH, {"uri": uri})
    if isinstance(answer, RpcError):
        raise UpstreamFailed(f"`{WATCH}` is refused (error {answer.code})", fix=LOOK)


class _Begun:
    """Learns when a server has begun to tell."""

    token = ""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def hear(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "notifications/subscriptions/acknowledged":
            self.event.set()

    async def answer(self, method: str, params: Mapping[str, Any]) -> Json:
        raise UpstreamFailed("nobody is there to be asked", fix=LOOK)
