"""The HTTP API: finds the line of the table that a request is for, and holds who asks and what they say against it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from interlock.core.errors import ActionUnknown, InterlockError, StoreError
from interlock.core.limits import REQUEST_BYTES_MAX
from interlock.door.asgi import (
    BODY_SECONDS_MAX,
    JSON,
    PING,
    Left,
    Receive,
    Scope,
    Send,
    TooLarge,
    TooSlow,
    answer,
    begin,
    begin_events,
    body_of,
    end,
    header,
    in_time,
    send_event,
    send_part,
    sent_twice,
)
from interlock.door.entrance import Entrance, TooOften
from interlock.door.http.openapi import document
from interlock.door.http.problem import Problem, cut_off, invalid, later, no_route, not_let_in, nothing_there
from interlock.door.http.reading import body_as, pairs_of, query_as
from interlock.door.http.route import Answer, Events, Route, Text
from interlock.door.http.visit import Visit, names_of
from interlock.door.http.watch import Watches
from interlock.door.told.measures import plain
from interlock.gateway.call import Gateway
from interlock.identity.bearer import FOREIGN, Bearer, NotKnown

_ONCE = (b"authorization", b"content-type", b"idempotency-key", b"interlock-tenant", b"last-event-id", b"host")
_LOG = logging.getLogger("interlock.serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Everything below `/v1`."""

    gateway: Gateway
    entrance: Entrance
    watches: Watches
    tree: "Tree"
    document: Callable[[], orjson.Fragment]

    @classmethod
    def of(cls, gateway: Gateway, entrance: Entrance, watches: Watches, routes: Sequence[Route]) -> "Api":
        """Put a table before a gateway."""
        described = cache(lambda: orjson.Fragment(orjson.dumps(document(routes))))
        return cls(gateway=gateway, entrance=entrance, watches=watches, tree=Tree.of(routes), document=described)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        sent = _Sent(send)
        try:
            await self._answered(scope, receive, sent)
        except Problem as wrong:
            await wrong.answer(sent)
        except Left:
            return
        except asyncio.CancelledError:
            if sent.begun or not self.watches.stop.is_set():
                raise
            await cut_off().answer(sent)
        except InterlockError as error:
            if sent.begun:
                raise  # it ends in the middle, as whoever reads it must see
            wrong = _world(error)
            if wrong.status >= 500:
                _LOG.warning("a request could not be answered: %s", type(error).__name__)
            await wrong.answer(sent)

    async def _answered(self, scope: Scope, receive: Receive, send: "_Sent") -> None:
        if not self.entrance.from_here(scope):
            fix = "name it as it is served: `interlock serve --name NAME`"
            raise Problem("not-from-here", "this server is not reached by that name, or from that page", fix=fix)
        twice = sent_twice(scope, _ONCE)
        if twice is not None:
            why = f"the header `{twice}` is there twice"
            raise invalid(why, f"$header.{twice}", "duplicate", fix="send it once")
        route, path = self.tree.find(scope["method"], scope["path"])
        bearer = None if route.needs.anybody else await self._let_in(scope, route)
        visit: Visit[Any, Any] = Visit(
            gateway=self.gateway,
            entrance=self.entrance,
            watches=self.watches,
            known=bearer,
            roles=route.needs.roles,
            scope=scope,
            path=path,
            query=_query(scope, bearer, route),
            body=await _body(scope, receive, route),
            document=self.document,
        )
        if route.body is not None and not _held_as_it_starts(route):
            await visit.still_let_in()  # what has come meanwhile may have taken its time
        found = await route.does(visit)
        match found:
            case Answer():
                body = b"" if found.status == 204 else _encoded(found.data)
                await answer(send, found.status, body, JSON, found.headers)
            case Text():
                await _send_text(send, found)
            case Events():
                await _send_events(send, found)

    async def _let_in(self, scope: Scope, route: Route) -> Bearer:
        bearer = await self.entrance.bearer(scope, fresh=not _held_as_it_starts(route))
        if isinstance(bearer, NotKnown):
            raise not_let_in(bearer)
        if isinstance(bearer, TooOften):
            fix = "wait as `Retry-After` says"
            raise Problem("too-often", TooOften.WHY, fix=fix, headers=(bearer.retry_after,))
        if not route.needs.lets_in(bearer):
            raise Problem("not-permitted", f"this is for {route.needs.says}", fix=_ask_for(route))
        return bearer


@dataclass(slots=True)
class _Sent:
    """Sends, and remembers whether an answer has begun."""

    send: Send
    begun: bool = False

    async def __call__(self, message: Any) -> None:  # noqa: ANN401  a message of ASGI
        self.begun = True
        await self.send(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The table, by path: those that are plain, and those that vary, by how many parts they have."""

    plain: Mapping[str, Mapping[str, Route]]
    varying: Mapping[int, Sequence[tuple[tuple[str, ...], Mapping[str, Route]]]]

    @classmethod
    def of(cls, routes: Sequence[Route]) -> "Tree":
        """Sort a table."""
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        varying: dict[int, list[tuple[tuple[str, ...], Mapping[str, Route]]]] = {}
        for path, methods in by_path.items():
            if "{" in path:
                parts = tuple(path.split("/"))
                varying.setdefault(len(parts), []).append((parts, methods))
        return cls(plain={path: each for path, each in by_path.items() if "{" not in path}, varying=varying)

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Find the route of a request, and what varies in its path.

        Raises:
            Problem: there is no such path, or it is there for other methods.
        """
        methods, found = self.plain.get(path), dict[str, str]()
        if methods is None:
            parts = path.split("/")
            for names, each in self.varying.get(len(parts), ()):
                if all(name == part or name.startswith("{") for name, part in zip(names, parts, strict=True)):
                    methods = each
                    found = {n[1:-1]: part for n, part in zip(names, parts, strict=True) if n.startswith("{")}
                    break
        if methods is None:
            raise no_route()
        if method not in methods:
            allowed = ", ".join(sorted(methods))
            more = ((b"allow", allowed.encode()),)
            raise Problem("another-method", f"this path is there for {allowed}", fix="use one of them", headers=more)
        return methods[method], found


def _held_as_it_starts(route: Route) -> bool:
    """Whether whoever asks is held against the door of its moment as what they ask for starts; anybody else is here."""
    return route.name == "propose"


def _ask_for(route: Route) -> str:
    roles = names_of(route.needs.roles)
    if route.needs.person:
        return f"log in as a person who holds one of the roles {roles}"
    if not roles:
        return "ask for a token of an agent: `interlock token new NAME --workflow W --env E --expires 90d`"
    return (
        f"ask for a token with one of the roles {roles}: `interlock token new NAME --service --role ROLE --expires 90d`"
    )


def _query(scope: Scope, bearer: Bearer | None, route: Route) -> Any:  # noqa: ANN401  of the type of the route
    """Read the query. A tenant that it names, or a header, can only be that of the token."""
    pairs = pairs_of(scope.get("query_string", b""))
    named = {value for name, value in pairs if name == "tenant"} | {header(scope, b"interlock-tenant")} - {None}
    if bearer is not None and named - {bearer.tenant}:
        raise not_let_in(FOREIGN)
    return query_as([(name, value) for name, value in pairs if name != "tenant"], route.query)


async def _body(scope: Scope, receive: Receive, route: Route) -> Any:  # noqa: ANN401  of the type of the route
    if route.body is None:
        return None
    kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(
            "another-type",
            "the body is not said to be JSON",
            fix="send `Content-Type: application/json` and a JSON object, `{}` where there is nothing to say",
        )
    try:
        raw = await body_of(receive, most=REQUEST_BYTES_MAX)
    except TooLarge as error:
        why = f"a body has at most {REQUEST_BYTES_MAX:,} bytes"
        raise Problem("too-large", why, fix="send less; a file goes by reference") from error
    except TooSlow as error:
        why = f"a body comes within {BODY_SECONDS_MAX:g} s"
        raise Problem("too-slow", why, fix="send it again, over a connection that is faster") from error
    return body_as(raw, route.body)


def _world(error: InterlockError) -> Problem:
    """Say what went wrong in the world."""
    match error:
        case ActionUnknown():
            return nothing_there()
        case StoreError():
            return later("the store does not answer")
        case _:
            return Problem("not-now", str(error), fix=error.fix)


def _encoded(data: Any) -> bytes:  # noqa: ANN401  whatever a route found
    # Times and amounts are dataclasses that know their own form.
    return orjson.dumps(data, default=plain, option=orjson.OPT_PASSTHROUGH_DATACLASS)


async def _send_text(send: "_Sent", text: Text) -> None:
    first = await anext(text.parts, b"")  # what is wrong from the beginning is a problem, and not half an answer
    await begin(send, text.kind)
    await in_time(send_part(send, first))
    async for part in text.parts:
        await in_time(send_part(send, part))
    await end(send)


async def _send_events(send: "_Sent", events: Events) -> None:
    async with aclosing(events.parts):
        async for event in events.parts:
            # Whoever does not read is let go, and may go on behind the last event that they had.
            await in_time(_send_one(send, event))
        await end(send)


async def _send_one(send: "_Sent", event: tuple[str, str, bytes] | None) -> None:
    if not send.begun:
        await begin_events(send)
    if event is None:
        return await send_part(send, PING)
    id, name, data = event
    await send_event(send, data, event=name, id=id)
