"""A client over standard input and output, passed on to an interlock that serves: several clients, one that performs.

It knows no contract and decides nothing: each message goes on as it came, with the token, and so does each answer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import msgspec

from interlock.core.mcp import INTERNAL_ERROR, LISTEN, VERSION_KEY
from interlock.core.mirrored import in_header
from interlock.door.mcp import wire
from interlock.door.mcp.mirror import NAMED, argument_headers
from interlock.door.mcp.stdio import REQUESTS_MAX, TOO_LONG, TOO_MANY, WAITING_MAX, say, taken
from interlock.door.mcp.wire import Message, RequestId, WireError

_ANSWER_SECONDS = 300  # longer than any call may take, the wait for an answer of the client included
_NO_MCP = (
    "what answers there speaks no MCP: give `--url` the address that `interlock serve` prints behind `mcp`, "
    "such as `http://127.0.0.1:7400/mcp`"
)
_LINE_BYTES_MAX = 8 * 1024 * 1024  # a result, its text and its structure


@dataclass(slots=True, kw_only=True)
class Bridge:
    """One client, and the session that it has on the other side."""

    url: str
    token: str
    http: aiohttp.ClientSession
    writer: asyncio.StreamWriter
    session: str | None = None
    schemas: dict[str, Any] = field(default_factory=dict[str, Any])
    """What each tool takes, as it was listed last: some arguments are repeated in headers."""
    under_way: "set[asyncio.Task[None]]" = field(default_factory=set["asyncio.Task[None]"])
    listens: "dict[RequestId | None, asyncio.Task[None]]" = field(
        default_factory=dict["RequestId | None", "asyncio.Task[None]"]
    )
    """What has no end by itself: requests to listen by their ids, and the stream of the session."""
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REQUESTS_MAX))

    async def serve(self, lines: AsyncIterator[bytes | None]) -> None:
        """Pass on what comes until the client closes an end, then end the session."""
        async for line in lines:
            if line is None:
                self._say(TOO_LONG)
                continue
            if not line.strip():
                continue
            try:
                message = wire.read(line)
            except WireError as wrong:
                self._say(wire.error(wire.id_of(line), wrong))
                continue
            if message.is_request and len(self.under_way) >= WAITING_MAX:
                self._say(wire.error(cast("RequestId", message.id), TOO_MANY))
                continue
            if len(self.under_way) >= 2 * WAITING_MAX:
                await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._passed_on(line.strip(), message))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
            if message.method == "initialize":
                await asyncio.wait({task})  # what follows needs its session
            self._listen(message, task)
        for task in self.listens.values():
            task.cancel()
        await asyncio.gather(*self.listens.values(), return_exceptions=True)
        await asyncio.gather(*self.under_way, return_exceptions=True)
        if self.session is not None:
            with suppress(aiohttp.ClientError, TimeoutError):  # where nobody is there any more, it ends by itself
                async with self.http.delete(self.url, headers=self._headers({}), allow_redirects=False):
                    pass

    def _listen(self, message: Message, task: "asyncio.Task[None]") -> None:
        """Keep what listens apart, so that it can be ended: by its client, or with it."""
        if message.method == LISTEN and message.is_request:
            self.listens[cast("RequestId", message.id)] = task
        elif message.method == "notifications/initialized" and self.session is not None and None not in self.listens:
            self.listens[None] = asyncio.create_task(self._told())
        elif message.method == "notifications/cancelled" and isinstance(message.params, msgspec.Raw):
            ended = self.listens.pop(_at(_read(bytes(message.params)), "requestId"), None)
            if ended is not None:
                ended.cancel()

    async def _told(self) -> None:
        """Pass on what a session is told without asking. It is a hint, so nothing is lost with it."""
        with suppress(aiohttp.ClientError, TimeoutError, ValueError):
            wanted = self._headers({"accept": "text/event-stream"})
            async with self.http.get(self.url, headers=wanted, allow_redirects=False) as answer:
                if answer.content_type == "text/event-stream":
                    async for said in _events(answer):
                        self._say(said)
                        await taken(self.writer)

    async def _passed_on(self, raw: bytes, message: Message) -> None:
        id = message.id if isinstance(message.id, str | int) and message.is_request else None
        # What is no request is the answer to one of the other side, or gives one up, and waits for none.
        room = self.room if message.is_request else nullcontext()
        try:
            async with (
                room,
                self.http.post(
                    self.url, data=raw, headers=self._headers(self._mirrors(message)), allow_redirects=False
                ) as answer,
            ):
                self.session = answer.headers.get("mcp-session-id", self.session)
                if answer.content_type == "text/event-stream":
                    async for said in _events(answer):
                        self._heard(message, said)
                        await taken(self.writer)
                elif id is not None:
                    self._heard(message, _with_id(await answer.read(), id))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if id is not None:
                why = f"nothing answers there ({type(error).__name__}): look whether `interlock serve` runs"
                self._say(wire.error(id, WireError(INTERNAL_ERROR, why)))
        await taken(self.writer)

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        session = {"mcp-session-id": self.session} if self.session is not None else {}
        return {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **session,
            **more,
        }

    def _heard(self, asked: Message, said: bytes) -> None:
        if asked.method == "tools/list":
            for tool in _at(_read(said), "result", "tools") or ():
                name = _at(tool, "name")
                if isinstance(name, str):
                    self.schemas[name] = _at(tool, "inputSchema")
        self._say(said)

    def _say(self, message: bytes) -> None:
        say(self.writer, message)

    def _mirrors(self, message: Message) -> dict[str, str]:
        """Mirror a stateless request in headers, as its transport wants it."""
        params = _read(bytes(message.params)) if isinstance(message.params, msgspec.Raw) else None
        version = _at(params, "_meta", VERSION_KEY)
        if not message.is_request or not isinstance(version, str):
            return {}
        method = cast("str", message.method)
        named = _at(params, NAMED.get(method, ""))
        mirrored = {"mcp-name": in_header(named)} if isinstance(named, str) else {}
        if method == "tools/call":
            mirrored |= argument_headers(self.schemas.get(str(named)), _at(params, "arguments"))
        return {"mcp-protocol-version": in_header(version), "mcp-method": in_header(method), **mirrored}


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Return the data of each event as it comes. An interlock writes it in one line."""
    async for line in answer.content:
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").strip()


def _read(text: bytes) -> Any:  # noqa: ANN401  any JSON value
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _at(value: Any, *names: str) -> Any:  # noqa: ANN401  a part of any JSON value
    for name in names:
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return value


def _with_id(answer: bytes, id: RequestId) -> bytes:
    """Give an error that was about the request as a whole the id of the request, so that its client hears of it."""
    said = _read(answer)
    if _at(said, "jsonrpc") != "2.0":
        return wire.error(id, WireError(INTERNAL_ERROR, _NO_MCP))
    known = cast("dict[str, Any]", said)
    return msgspec.json.encode({**known, "id": id} if known.get("id") is None else known)


def client_session() -> aiohttp.ClientSession:
    """Open connections to the other side. Nothing of the environment is asked for a proxy."""
    waits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_ANSWER_SECONDS)
    return aiohttp.ClientSession(timeout=waits, trust_env=False, read_bufsize=_LINE_BYTES_MAX)
