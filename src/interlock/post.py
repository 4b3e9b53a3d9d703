"""One question over HTTP to somebody who may be hostile: bounded in time and size, no redirects, no secrets shown."""

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from types import MappingProxyType
from typing import cast
from urllib.parse import urlsplit

from interlock.core.errors import UpstreamFailed, UpstreamSilent, UsageWrong
from interlock.core.limits import ANCHOR_ANSWER_BYTES_MAX, ANCHOR_SECONDS_MAX

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_FIX = "look whether it runs and can be reached from here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a question goes: `http://` or `https://`, without a user and a password."""

    secure: bool
    host: str
    port: int
    path: str
    query: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read a URL.

        Raises:
            UsageWrong: it is none that may be asked.
        """
        wrong = UsageWrong(
            "this is not the address of a place", fix="write `http://HOST:PORT` or `https://HOST`, without a password"
        )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise wrong from error
        plain = text.isascii() and text.isprintable() and " " not in text
        if not plain or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise wrong
        secure = parts.scheme == "https"
        number = port if port is not None else 443 if secure else 80
        return cls(secure=secure, host=parts.hostname, port=number, path=parts.path, query=parts.query)

    def __str__(self) -> str:
        """Write it as it may be shown: a query can hold a key."""
        return f"{'https' if self.secure else 'http'}://{self._host}:{self.port}{self.path}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def stays_here(self) -> bool:
        """Whether it leads to this machine and nowhere else."""
        return (
            self.host == "localhost" or self.host == "::1" or re.fullmatch(r"127(\.\d{1,3}){3}", self.host) is not None
        )

    def head(self, method: str, more_path: str, size: int, more: Mapping[str, str]) -> bytes:
        """Write the head of a question."""
        path = (self.path.rstrip("/") + more_path) or "/"
        query = f"?{self.query}" if self.query else ""
        own = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        return (
            f"{method} {path}{query} HTTP/1.1\r\nHost: {self._host}:{self.port}\r\n"
            f"Content-Length: {size}\r\n{own}Connection: close\r\nUser-Agent: interlock\r\n\r\n"
        ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Nothing of it is to be believed."""

    status: int
    kind: str
    body: bytes
    wants: str = ""
    """What it says in `WWW-Authenticate`."""


async def post(
    to: Address,
    body: bytes,
    *,
    kind: str,
    path: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
    seconds: float | None = None,
) -> Answer:
    """Ask once.

    Args:
        to: whom.
        body: what.
        kind: of which type it is.
        path: what stands behind the path of the address.
        headers: more of them, without line breaks.
        seconds: for connecting, asking and the whole answer.

    Raises:
        UpstreamSilent: no whole answer came in time.
        UpstreamFailed: it cannot be reached, sends elsewhere, or does not speak HTTP.
    """
    head = to.head("POST", path, len(body), {"Content-Type": kind, **headers})
    answer = await _asked(to, "POST", head + body, ANCHOR_SECONDS_MAX if seconds is None else seconds)
    if 300 <= answer.status < 400:
        raise UpstreamFailed(f"{to} sends elsewhere, and nobody follows", fix="name the place itself")
    return answer


async def get(
    to: Address,
    *,
    headers: Mapping[str, str] = MappingProxyType({}),
    seconds: float = ANCHOR_SECONDS_MAX,
    bytes_max: int = ANCHOR_ANSWER_BYTES_MAX,
) -> Answer:
    """Ask for a document once. If it is elsewhere, the status says so, and nobody follows.

    Args:
        to: where it is.
        headers: more of them, without line breaks.
        seconds: for connecting, asking and the whole answer.
        bytes_max: of the whole answer.

    Raises:
        UpstreamSilent: no whole answer came in time.
        UpstreamFailed: it cannot be reached, answers with too much, or does not speak HTTP.
    """
    return await _asked(to, "GET", to.head("GET", "", 0, headers), seconds, bytes_max)


async def _asked(
    to: Address, method: str, question: bytes, most_seconds: float, bytes_max: int = ANCHOR_ANSWER_BYTES_MAX
) -> Answer:
    try:
        async with asyncio.timeout(most_seconds):
            raw = await _exchange(to, question, bytes_max)
    except TimeoutError as error:
        raise UpstreamSilent(f"no whole answer from {to} within {most_seconds:g} s", fix=_FIX) from error
    except (OSError, ValueError) as error:  # a name that is none is a ValueError
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise UpstreamFailed(f"{to} cannot be reached ({why.lower()})", fix=_FIX) from error
    if len(raw) > bytes_max:
        raise UpstreamFailed(f"{to} answers with more than {bytes_max:,} bytes", fix=_FIX)
    return _read(to, method, raw)


async def _exchange(to: Address, question: bytes, bytes_max: int) -> bytes:
    secure = ssl.create_default_context() if to.secure else None
    reader, writer = await asyncio.open_connection(to.host, to.port, ssl=secure)
    try:
        writer.write(question)
        await writer.drain()
        raw = b""
        while len(raw) <= bytes_max and not _is_whole(raw) and (more := await reader.read(bytes_max)):
            raw += more
        return raw
    finally:
        writer.transport.abort()


def _is_whole(raw: bytes) -> bool:
    """Whether an answer has come to the end that it says: not everybody closes a connection that is to be closed."""
    head, end, body = raw.partition(b"\r\n\r\n")
    size = _LENGTH.search(head) if end else None
    return size is not None and len(body) >= int(size[1])


class _Received:
    """Bytes that have come in, where `http.client` expects a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._raw)


def _read(to: Address, method: str, raw: bytes) -> Answer:
    try:
        response = HTTPResponse(cast("ssl.SSLSocket", _Received(raw)), method=method)
        response.begin()
        return Answer(
            status=response.status,
            kind=response.getheader("Content-Type", ""),
            body=response.read(),
            wants=response.getheader("WWW-Authenticate", ""),
        )
    except (HTTPException, ValueError, OSError) as error:
        raise UpstreamFailed(f"{to} does not answer as HTTP does", fix=_FIX) from error
