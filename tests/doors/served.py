"""A real server on the loopback, in the loop of a test, and whoever talks to it."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import msgspec
import uvicorn

from cards import issued
from interlock.core.credential import CredentialKind, Held
from interlock.core.ids import AgentId, PersonId, PrincipalId
from interlock.door.asgi import Scope, header
from interlock.door.entrance import Entrance, TooOften
from interlock.door.http import shapes
from interlock.door.http.openapi import document
from interlock.door.http.prompt import Prompt
from interlock.door.http.routes import ROUTES
from interlock.door.http.server import Server, server_behind
from interlock.identity.bearer import Bearer, BearerKind, NotKnown
from interlock.identity.token import Drawn
from world import NOON, World

YEAR = 366 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Login(Entrance):
    """An entrance that knows people by a word, as one that asks an issuer would."""

    people: dict[str, Bearer] = field(default_factory=dict[str, Bearer])

    async def bearer(self, scope: Scope, *, fresh: bool) -> Bearer | NotKnown | TooOften:
        said = (header(scope, b"authorization") or "").removeprefix("Bearer ")
        person = self.people.get(said)
        return person if person is not None else await Entrance.bearer(self, scope, fresh=fresh)


@dataclass(kw_only=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str
    data: Any


@dataclass(kw_only=True)
class Served:
    """A server, and a client that talks to it."""

    world: World
    url: str
    app: Server
    running: uvicorn.Server
    login: Login
    http: aiohttp.ClientSession

    async def agent(self, **fields: Any) -> Drawn:
        """Issue a token of the usual agent."""
        given = {"agents": (AgentId("bot"),), "principal": PrincipalId("sam"), **fields}
        return (await issued(self.world, **given))[0]

    async def service(self, *roles: str, **fields: Any) -> Drawn:
        """Issue a token that holds roles, each `role` or `role@workflow`."""
        held = tuple(map(Held.read, roles))
        kind, nowhere = CredentialKind.SERVICE, {"workflow": None, "environment": None}
        return (await issued(self.world, kind=kind, roles=held, **{**nowhere, **fields}))[0]

    def person(self, name: str, *roles: str) -> str:
        """Let a person log in, and return the word that they are known by."""
        held = tuple(map(Held.read, roles))
        word = f"login-{name}-{self.world.tenant}"
        self.login.people[word] = Bearer(
            tenant=self.world.tenant,
            kind=BearerKind.PERSON,
            known_by="oidc:corp",
            roles=held,
            person=PersonId(name),
            ends_at=type(NOON)(NOON + YEAR),
        )
        return word

    async def ask(
        self, method: str, path: str, token: Drawn | str | None = None, body: Any = None, **more: Any
    ) -> Reply:
        """Send a request, and read all of the answer."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token if isinstance(token, str) else token.text}"
        if body is not None:
            more["json"] = body
        async with self.http.request(method, self.url + path, headers=headers, **more) as reply:
            text = await reply.text()
            kind = reply.headers.get("Content-Type", "")
            data = await reply.json(content_type=None) if "json" in kind else None
            as_the_table_says(method, path, reply.status, kind, text)
            return Reply(status=reply.status, headers=reply.headers, text=text, data=data)

    async def propose(self, token: Drawn, tool: str = "mail.send", key: str | None = None, **more: Any) -> Reply:
        """Ask for an action."""
        arguments = more.pop("arguments", {"to": "sam"})
        headers = {"Idempotency-Key": key} if key is not None else {}
        said = {"tool": tool, "arguments": arguments, **more}
        return await self.ask("POST", "/v1/actions", token, said, headers=headers)


_DOCUMENT = document(ROUTES)


def as_the_table_says(method: str, path: str, status: int, kind: str, text: str) -> None:
    """Hold an answer against the type that the table announces: every field is known there."""
    parts = path.partition("?")[0].split("/")
    for route in ROUTES:
        names = route.path.split("/")
        if (
            route.method == method
            and len(names) == len(parts)
            and all(n == p or n.startswith("{") for n, p in zip(names, parts, strict=True))
        ):
            break
    else:
        return
    if status >= 400:
        problem = msgspec.json.decode(text, type=shapes.Problem)
        known = {each.encode_name for each in msgspec.structs.fields(shapes.Problem)}
        assert json.loads(text).keys() <= known, text
        assert str(status) in _DOCUMENT["paths"][route.path][method.lower()]["responses"], (route, status)
        assert problem.status == status and problem.fix and kind == "application/problem+json"
        return
    assert status in route.answers, (route.path, status)
    type = route.answers[status]
    if not isinstance(type, str):
        found = msgspec.json.decode(text, type=type)
        lost = _lost(json.loads(text), msgspec.to_builtins(found))
        assert not lost, f"{route.path}: the document does not know {lost}"


def _lost(said: Any, known: Any, at: str = "$") -> list[str]:
    """Name what is in an answer and not in its type."""
    if isinstance(said, dict) and isinstance(known, dict):
        said, known = cast("dict[str, Any]", said), cast("dict[str, Any]", known)
        gone = [f"{at}.{name}" for name, value in said.items() if name not in known and value not in _DEFAULTS]
        inner = [_lost(value, known[name], f"{at}.{name}") for name, value in said.items() if name in known]
        return gone + [each for some in inner for each in some]
    if isinstance(said, list) and isinstance(known, list):
        pairs = zip(cast("list[Any]", said), cast("list[Any]", known), strict=True)
        return [each for one, two in pairs for each in _lost(one, two, at + "[]")]
    return []


_DEFAULTS: tuple[object, ...] = (None, "", 0, False, [], "0")
"""What a type may leave out where it is nothing."""


@asynccontextmanager
async def serving(world: World, **more: Any) -> AsyncGenerator[Served]:
    """Serve a world until the end of the block."""
    login = Login(gateway=world.gateway, **more)
    app = server_behind(login)
    config = uvicorn.Config(
        app, lifespan="on", access_log=False, log_config=None, ws="none", timeout_graceful_shutdown=5, http=Prompt
    )
    running = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(running.serve([listening]))
    while not running.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            yield Served(world=world, url=url, app=app, running=running, login=login, http=http)
    finally:
        app.stop.set()
        running.should_exit = True
        await task
