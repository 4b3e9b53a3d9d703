"""One document from an issuer: bounded in time and size, no redirects, no proxy, nothing sent but the question."""

import asyncio
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.limits import ISSUER_BYTES_MAX, ISSUER_SECONDS_MAX

_FIX = "look whether the issuer runs and can be reached from here"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def may_be_asked(url: str) -> bool:
    """Whether a URL is one that an issuer may have: HTTPS, or plain HTTP on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc and not parts.fragment
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return plain and safe and bool(parts.hostname)


async def fetched(url: str) -> bytes:
    """Fetch a document.

    Raises:
        UpstreamSilent: it did not come in time.
        UpstreamFailed: it cannot be had.
    """
    if not may_be_asked(url):
        raise UpstreamFailed("the address of the issuer is not one that is asked", fix="use `https://`")
    try:
        async with asyncio.timeout(ISSUER_SECONDS_MAX + 1):
            return await asyncio.to_thread(_get, urlsplit(url))
    except TimeoutError as error:
        raise UpstreamSilent(f"no whole answer from the issuer within {ISSUER_SECONDS_MAX} s", fix=_FIX) from error
    except (OSError, HTTPException, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise UpstreamFailed(f"the issuer cannot be asked ({why.lower()})", fix=_FIX) from error


def _get(parts: SplitResult) -> bytes:
    ends = time.monotonic() + ISSUER_SECONDS_MAX
    host = parts.hostname or ""
    connection = (
        HTTPSConnection(host, parts.port, timeout=ISSUER_SECONDS_MAX, context=ssl.create_default_context())
        if parts.scheme == "https"
        else HTTPConnection(host, parts.port, timeout=ISSUER_SECONDS_MAX)
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise UpstreamFailed(f"the issuer answers with {answer.status}", fix=_FIX)
        body = b""
        while more := answer.read1(65_536):
            body += more
            if len(body) > ISSUER_BYTES_MAX:
                raise UpstreamFailed(f"the issuer answers with more than {ISSUER_BYTES_MAX:,} bytes", fix=_FIX)
            if time.monotonic() > ends:
                raise TimeoutError
        return body
    finally:
        connection.close()
