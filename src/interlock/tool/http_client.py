"""An HTTP client for tools: pooled, bounded in time and size; no redirects, no cookies, no proxy.

It says what a failure means: nothing was sent, or nobody knows. What a status means, and whose credential goes along,
is up to who asks.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.limits import (
    HTTP_CONNECT_SECONDS_MAX,
    HTTP_CONNECTIONS_MAX,
    HTTP_HOST_CONNECTIONS_MAX,
    PERFORM_SECONDS_MAX,
    RESULT_BYTES_MAX,
)
from interlock.tool.address import PRIVATE_REFUSED, only_public

_LOOK = "look whether it runs and can be reached from here"
_UNDONE = frozenset({307, 308})
"""Redirects that say: not here, send it there as it is. After any other, something may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, of whom, and how long and how large the answer may be."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    private: bool = False
    """Whether the other side may be in a private network, or on this machine."""
    seconds: float = PERFORM_SECONDS_MAX
    bytes_max: int = RESULT_BYTES_MAX

    @property
    def host(self) -> str:
        """Name the other side as it may be shown: a path or a query can hold a key."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back as a whole. Nothing of it is to be believed."""

    status: int
    headers: Mapping[str, str]
    """By name, whatever the case."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """An answer whose body is still coming in."""

    status: int
    headers: Mapping[str, str]
    _question: Question
    _response: aiohttp.ClientResponse

    async def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it comes, no more of it than may come.

        Raises:
            UpstreamSilent: it is longer, or it broke off.
        """
        left = self._question.bytes_max
        with _told(self._question, sent=lambda: True):
            async for chunk in self._response.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    raise _silent(self._question, f"answers with more than {self._question.bytes_max:,} bytes")
                yield chunk

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            UpstreamSilent: it is too long, or it broke off.
        """
        return b"".join([chunk async for chunk in self.chunks()])


class HttpClient:
    """Sends questions over connections that are kept: a pool for the world outside, and one for private addresses."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pools: dict[bool, aiohttp.ClientSession] = {}
        self._tls: ssl.SSLContext | None = None

    async def ask(self, question: Question, *, before: Callable[[], None] = lambda: None) -> Answer:
        """Ask once and return the whole answer.

        Args:
            question: it is never sent again by itself.
            before: called when the connection stands, just before the first byte; what it raises goes through.

        Raises:
            UpstreamFailed: nothing was sent, or a redirect says that nothing was done.
            UpstreamSilent: it was sent, and no whole answer came.
        """
        async with self.answering(question, before=before) as answering:
            return Answer(status=answering.status, headers=answering.headers, body=await answering.body())

    @asynccontextmanager
    async def answering(
        self, question: Question, *, before: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Answering]:
        """Ask once, and read the answer as it comes in. Whoever leaves early closes the connection.

        Raises:
            UpstreamFailed: nothing was sent, or a redirect says that nothing was done.
            UpstreamSilent: it was sent, and no answer began.
        """
        url = _url(question)
        first_byte = _FirstByte(before)
        with _told(question, sent=lambda: first_byte.left):
            response = await self._pool(private=question.private).request(
                question.method,
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "interlock", **question.headers},
                data=question.body,
                allow_redirects=False,
                skip_auto_headers=("Content-Type",),
                timeout=aiohttp.ClientTimeout(total=question.seconds, connect=HTTP_CONNECT_SECONDS_MAX),
                middlewares=(first_byte.watch,),
            )
        try:
            _stay_here(question, response)
            yield Answering(status=response.status, headers=response.headers, _question=question, _response=response)
        finally:
            # What was read to its end has given its connection back already.
            response.close()

    def _pool(self, *, private: bool) -> aiohttp.ClientSession:
        """Return the connections of this loop. Those of a loop that has ended are forgotten."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self.close()
            self._loop = loop
        if private not in self._pools:
            # Reading the certificates takes 20 ms, so it is done once.
            self._tls = self._tls or ssl.create_default_context()
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                limit=HTTP_CONNECTIONS_MAX,
                limit_per_host=HTTP_HOST_CONNECTIONS_MAX,
                socket_factory=None if private else only_public,
            )
            self._pools[private] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_Request,
                trust_env=False,
                auto_decompress=False,
            )
        return self._pools[private]

    def close(self) -> None:
        """Close every connection. Called on the loop that asks, or after it has ended."""
        for pool in self._pools.values():
            closing = pool.close()
            # Its first step closes them; what it would wait for then is that the other side hears of it.
            with suppress(StopIteration):
                closing.send(None)
            closing.close()
        self._pools.clear()


class _Request(aiohttp.ClientRequest):
    """A question that says when its first byte leaves."""

    leaves: Callable[[], None] = staticmethod(lambda: None)

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        self.leaves()
        return await super().send(conn)


class _FirstByte:
    """Asks for leave before the first byte, and knows whether it left."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before
        self.left = False

    async def watch(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        assert isinstance(request, _Request), "the pools make no other"
        request.leaves = self._leave
        try:
            return await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if not self.left:
                raise
            # Under its own name, aiohttp would take it as a reason to send a PUT or DELETE once more.
            raise aiohttp.ClientPayloadError(str(error)) from error

    def _leave(self) -> None:
        self._before()
        self.left = True


class _told:
    """Turns what aiohttp raises into what it means for the effect."""

    def __init__(self, question: Question, *, sent: Callable[[], bool]) -> None:
        self._question = question
        self._sent = sent

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, aiohttp.ClientError | TimeoutError | OSError | ValueError):
            return
        if self._sent():
            late = isinstance(error, TimeoutError)
            why = f"did not answer within {self._question.seconds:g} s" if late else "broke off before a whole answer"
            raise _silent(self._question, why) from error
        if PRIVATE_REFUSED in str(error):
            fix = "name another host, or allow it with `private: true`"
            raise UpstreamFailed(f"`{self._question.host}` is in a private network", fix=fix) from error
        raise UpstreamFailed(f"`{self._question.host}` cannot be reached, so nothing was sent", fix=_LOOK) from error


def _silent(question: Question, why: str) -> UpstreamSilent:
    return UpstreamSilent(f"`{question.host}` {why}", fix=_LOOK)


def _stay_here(question: Question, response: aiohttp.ClientResponse) -> None:
    """Refuse to be sent elsewhere: a credential, and private data, would go along."""
    if 300 <= response.status < 400:
        kind = UpstreamFailed if response.status in _UNDONE else UpstreamSilent
        raise kind(f"`{question.host}` sends elsewhere, and nobody follows", fix="name the place itself")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        # What unpacks to a thousand times its size is not worth a decoder.
        raise _silent(question, "answers in an encoding that it was not asked for")


def _url(question: Question) -> URL:
    """Return the address exactly as it was asked for.

    Raises:
        UpstreamFailed: it is none, or a header could be read as two.
    """
    try:
        parts = urlsplit(question.url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known, parts = False, None
    clean = question.url.isascii() and question.url.isprintable() and not set(' "<>\\^`{|}') & set(question.url)
    if not known or not clean or parts is None or "@" in parts.netloc or parts.fragment:
        raise UpstreamFailed(
            "this is no address that may be asked, so nothing was sent",
            fix="write `https://HOST/PATH`, without a user, a password or a fragment",
        )
    if not all(_is_plain(text) for header in question.headers.items() for text in header):
        raise UpstreamFailed("a header has characters that none may have, so nothing was sent", fix="correct its value")
    return URL(question.url, encoded=True)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
