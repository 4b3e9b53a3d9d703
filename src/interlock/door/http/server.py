"""One process that serves on one port. It ends by finishing what is under way."""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from interlock.core.errors import InterlockError
from interlock.door.asgi import TEXT, Receive, Scope, Send, answer
from interlock.door.attended import finish, look_after
from interlock.door.entrance import Entrance
from interlock.door.http.api import Api
from interlock.door.http.problem import later, no_route
from interlock.door.http.routes import ROUTES
from interlock.door.http.watch import Watches
from interlock.door.mcp.protected import MCP, PLACES, described
from interlock.door.mcp.streamable import Endpoint
from interlock.gateway.call import Gateway

FINISH_SECONDS = 30.0  # what takes longer is left to its lease: the next look at the store finds it
_LOG = logging.getLogger("interlock.serve")


@dataclass(slots=True, kw_only=True)
class Server:
    """Everything that is reached over HTTP. It is an ASGI application."""

    gateway: Gateway
    entrance: Entrance
    mcp: Endpoint
    api: Api
    stop: asyncio.Event
    """Set when it is about to end: it is not ready any more, and whoever listens is let go."""
    _looking: "asyncio.Task[None] | None" = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to whatever answers its path."""
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        path = scope["path"]
        if path == MCP or path in PLACES:
            return await self._mcp(scope, receive, send)
        if path.startswith("/v1/"):
            return await self.api(scope, receive, send)
        if path == "/healthz":
            return await answer(send, 200, b"ok\n", TEXT)
        if path == "/readyz":
            return await self._ready(send)
        return await no_route().answer(send)

    async def _mcp(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer over MCP, and who issues tokens for it; in the words of HTTP where the store is away at the door."""
        try:
            if scope["path"] == MCP:
                return await self.mcp(scope, receive, send)
            about = await described(self.entrance, scope) if scope["method"] == "GET" else None
            if about is None:
                return await no_route().answer(send)
            return await answer(send, 200, about)
        except InterlockError as down:
            _LOG.warning("a request could not be answered: %s", type(down).__name__)
            await later("this cannot be answered now").answer(send)

    async def _ready(self, send: Send) -> None:
        """Say whether calls would be carried out: the store answers, and this process is not about to end."""
        try:
            await asyncio.to_thread(self.gateway.store.tenants)
        except InterlockError:
            return await answer(send, 503, msgspec.json.encode({"ready": False, "why": "the store does not answer"}))
        if self.stop.is_set():
            return await answer(send, 503, msgspec.json.encode({"ready": False, "why": "it is about to end"}))
        return await answer(send, 200, msgspec.json.encode({"ready": True}))

    async def _let_go(self) -> None:
        """Once it is about to end, wait for no client to answer a question."""
        await self.stop.wait()
        self.mcp.talk.give_up()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._looking = asyncio.create_task(look_after(self.gateway, self.stop))
        letting_go = asyncio.create_task(self._let_go())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.stop.set()
        await letting_go
        self.mcp.talk.give_up()  # what was asked in the meantime
        left = await finish(self.gateway, within=FINISH_SECONDS)
        if left:
            _LOG.warning("%d actions are left to their leases", left)
        await self._looking
        await send({"type": "lifespan.shutdown.complete"})


def server_of(gateway: Gateway, names: frozenset[str], *, behind_tls: bool = False) -> Server:
    """Make a server that is reached by these names, maybe behind a proxy that speaks TLS."""
    return server_behind(Entrance(gateway=gateway, names=names, behind_tls=behind_tls))


def server_behind(entrance: Entrance) -> Server:
    """Make a server behind an entrance."""
    gateway, endpoint = entrance.gateway, Endpoint.of(entrance.gateway, entrance)
    stop = endpoint.talk.listening.stop
    api = Api.of(gateway, entrance, Watches(store=gateway.store, stop=stop), ROUTES)
    return Server(gateway=gateway, entrance=entrance, mcp=endpoint, api=api, stop=stop)
