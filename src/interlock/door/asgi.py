"""ASGI, as far as a door needs it: headers, a body that is bounded, and answers. See https://asgi.readthedocs.io."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any, TypeVar

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Answered = TypeVar("Answered")

JSON = b"application/json"
PROBLEM = b"application/problem+json"
TEXT = b"text/plain; charset=utf-8"
EVENTS = b"text/event-stream"


class TooLarge(Exception):
    """A body is longer than anything that is expected there."""


class TooSlow(Exception):
    """A body does not come to its end in time."""


class Left(Exception):
    """The client went away before it had said everything, or takes nothing of what is said to it."""


def header(scope: Scope, name: bytes) -> str | None:
    """Return a header by its lower-case name; nothing where it is missing, or was sent more than once.

    Blanks around a value are no part of it (RFC 9110, 5.5), and not every parser takes them away.
    """
    found = [value for each, value in scope["headers"] if each == name]
    return found[0].strip(b" \t").decode("latin-1") if len(found) == 1 else None


def sent_twice(scope: Scope, names: Iterable[bytes]) -> str | None:
    """Name a header that was sent more than once, of those that readers could take differently."""
    for name in names:
        if sum(each == name for each, _ in scope["headers"]) > 1:
            return name.decode()
    return None


async def body_of(receive: Receive, *, most: int) -> bytes:
    """Read a body.

    Raises:
        TooLarge: it has more than `most` bytes.
        TooSlow: it takes longer than `BODY_SECONDS_MAX`.
        Left: the client went away.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Left
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > most:
                    raise TooLarge
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError as error:
        raise TooSlow from error


async def while_here(receive: Receive, work: Coroutine[Any, Any, Answered]) -> Answered | None:
    """Do something for as long as the client stays; return nothing if it left before that was done."""
    doing, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(
    send: Send, status: int, body: bytes = b"", kind: bytes = JSON, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a whole answer."""
    about = [(b"content-type", kind)] if body else []
    headers = [*about, (b"content-length", str(len(body)).encode()), *_GUARDS, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def begin(send: Send, kind: bytes) -> None:
    """Begin a body that comes part by part."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), *_GUARDS]})


async def begin_events(send: Send, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Begin a stream of server-sent events."""
    headers = [(b"content-type", EVENTS), (b"cache-control", b"no-store, no-transform"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, *more]})


async def send_event(send: Send, data: bytes, *, event: str = "message", id: str | None = None) -> None:
    """Send one event. Its data is one line, as JSON is."""
    named = f"id: {id}\n" if id is not None else ""
    await send_part(send, f"{named}event: {event}\ndata: ".encode() + data + b"\n\n")


async def send_part(send: Send, part: bytes) -> None:
    """Send a part of a body that goes on."""
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def in_time(sending: Awaitable[None]) -> None:
    """Send something to a client that takes it.

    Raises:
        Left: it does not within `TAKE_SECONDS_MAX`.
    """
    try:
        async with asyncio.timeout(TAKE_SECONDS_MAX):
            await sending
    except TimeoutError as error:
        raise Left from error


async def end(send: Send) -> None:
    """End a body."""
    await send({"type": "http.response.body", "body": b""})


BODY_SECONDS_MAX = 30.0  # to come; whoever takes longer holds a connection for nothing
TAKE_SECONDS_MAX = 30.0  # what is sent; the same
PING = b": ping\n\n"
PING_SECONDS = 15.0  # between two; proxies end what is silent for longer, often after 30 or 60
_GUARDS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
