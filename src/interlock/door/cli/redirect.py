"""Where a browser brings the answer of a login: one listener on this machine, for one answer and a few minutes.

Nothing of what comes in is shown again, and what is not the answer is told no more than that.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from interlock.core.errors import InterlockError, UpstreamSilent
from interlock.core.limits import LOGIN_SECONDS_MAX

_HERE = "127.0.0.1"
_PATH = "/callback"
_HEAD_BYTES_MAX = 32 * 1024
_READ_SECONDS = 5
_LINE = re.compile(r"GET ([^ ?]+)(?:\?([^ ]*))? HTTP/1\.[01]")
_DONE = "The answer has come, and is being checked. Go back to the terminal: it says whether you are logged in."
_REFUSED = "You are not logged in. Go back to the terminal to see why."
_NOT = (
    "This is not the answer that is waited for, and the terminal waits on. "
    "If the login was refused on the page before this one, end the command there (Ctrl-C)."
)

Answer = Mapping[str, str]


class Redirect:
    """A listener, and the answer once it is there."""

    def __init__(self, is_meant: Callable[[Answer], bool]) -> None:
        self.port = 0
        self._is_meant = is_meant
        self._came: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    @property
    def uri(self) -> str:
        return f"http://{_HERE}:{self.port}{_PATH}"

    async def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            UpstreamSilent: it did not come.
        """
        try:
            async with asyncio.timeout(LOGIN_SECONDS_MAX):
                return await self._came
        except TimeoutError as error:
            what = f"nobody has logged in within {LOGIN_SECONDS_MAX / 60:.0f} minutes"
            fix = "begin anew, in a browser on this machine; if the page there refuses, its words say why"
            raise UpstreamSilent(what, fix=fix) from error

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what one connection brings."""
        try:
            async with asyncio.timeout(_READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = b""
        # However many are made up: nobody guesses a state, and the one that is right must not come in vain.
        found = self._read(head.decode("latin-1"))
        meant = found is not None and not self._came.done() and self._is_meant(found)
        try:
            told = _page("200 OK", _told(found)) if meant and found is not None else _page("400 Bad Request", _NOT)
            writer.write(told)
            async with asyncio.timeout(_READ_SECONDS):
                await writer.drain()
        except (TimeoutError, OSError):
            pass
        finally:
            writer.close()
        if meant and found is not None and not self._came.done():
            self._came.set_result(found)

    def _read(self, head: str) -> Answer | None:
        """Read an answer, if it is one that was meant for this listener."""
        first, *lines = head.split("\r\n")
        asked = _LINE.fullmatch(first)
        hosts = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("host:")]
        # A page elsewhere whose name was made to lead here has another name.
        if asked is None or asked[1] != _PATH or hosts != [f"{_HERE}:{self.port}"]:
            return None
        try:
            pairs = parse_qsl(asked[2] or "", keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError:
            return None
        return dict(pairs) if len(dict(pairs)) == len(pairs) else None


@asynccontextmanager
async def listening(port: int, is_meant: Callable[[Answer], bool]) -> AsyncGenerator[Redirect]:
    """Listen on this machine and nowhere else.

    Args:
        port: where; 0 is wherever there is room.
        is_meant: whether an answer is the one that is waited for.

    Raises:
        InterlockError: the port is taken.
    """
    redirect = Redirect(is_meant)
    try:
        server = await asyncio.start_server(redirect.visit, _HERE, port, limit=_HEAD_BYTES_MAX)
    except OSError as error:
        raise InterlockError(f"nothing can listen on port {port}", fix="name another one: `--port N`") from error
    redirect.port = server.sockets[0].getsockname()[1]
    try:
        yield redirect
    finally:
        server.close()


def _told(found: Answer) -> str:
    return _REFUSED if "error" in found or not found.get("code") else _DONE


def _page(status: str, text: str) -> bytes:
    body = f"<!doctype html><title>Interlock</title><p>{text}</p>".encode()
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Content-Security-Policy: default-src 'none'",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
