"""How what a talk asks for goes over HTTP, as far as blocking and awaiting make no difference."""

import ssl
from collections.abc import Generator
from typing import Any

import anyio
import httpx2

from interlock_sdk.errors import NotUnderstood, NotWanted
from interlock_sdk.talk import Ask, Heard, Lost

ANSWER_BYTES_MAX = 32 * 1024 * 1024  # many times what a result may have; more is something else that answers
CONNECT_SECONDS = 5.0
CONNECTIONS_MAX = 100  # at once, and as many that wait; a further one waits for one of them

LOST = (httpx2.RequestError, OSError, RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError)
"""What ends a request without an answer. A connection whose event loop has ended is a `RuntimeError`."""
_NOTHING_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class Bearer(httpx2.Auth):
    """Shows a token to the server, and to nobody who prints this.

    Raises:
        NotWanted: it could not be sent.
    """

    def __init__(self, token: str) -> None:
        if not (token and token.isascii() and token.isprintable() and " " not in token):
            fix = "pass it as it was printed, without the end of a line: `.strip()` what was read from a file"
            raise NotWanted("the token is empty, or has characters that no token has", fix=fix)
        self._show = lambda: f"Bearer {token}"

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Put the token into a request."""
        request.headers["Authorization"] = self._show()
        yield request


def options(address: str, *, here: bool, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """Say how a client of httpx2 is made. No redirect is followed, and no proxy stands before this machine."""
    return {
        "base_url": address,
        "headers": {"Accept": "application/json"},
        "follow_redirects": False,
        "trust_env": not here,
        "limits": httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=20, keepalive_expiry=30.0),
        **({"verify": tls} if tls is not None else {}),
    }


def limits_of(asked: Ask) -> httpx2.Timeout:
    """Say how long each part of a request may take."""
    return httpx2.Timeout(asked.seconds, connect=CONNECT_SECONDS, pool=asked.seconds)


def lost(error: Exception) -> Lost:
    """Say whether anything may have arrived. Its text is not told: it may have parts of what was sent."""
    return Lost(sent=not isinstance(error, _NOTHING_SENT), why=type(error).__name__)


class Gathered:
    """The bytes of an answer, up to a bound."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def add(self, part: bytes) -> None:
        """Take one more part.

        Raises:
            NotUnderstood: it has become too much.
        """
        self._parts += part
        if len(self._parts) > ANSWER_BYTES_MAX:
            fix = "see whether this address is that of `interlock serve`"
            raise NotUnderstood("the answer does not end", fix=fix)

    def heard(self, answer: httpx2.Response) -> Heard:
        """Return the whole answer."""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Heard(status=answer.status_code, headers=headers, body=bytes(self._parts))
