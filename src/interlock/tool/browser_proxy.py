"""The only way out of a browser: a proxy of our own, one for each action, that connects to what it allows.

It sees everything that leaves, whatever asked for it: redirects, workers, sockets, and what the browser does by itself.
What it sees of `https` is the host; paths are looked at in the browser.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from interlock.core.limits import BROWSER_BYTES_MAX, BROWSER_STOP_SECONDS_MAX, HTTP_CONNECT_SECONDS_MAX
from interlock.tool.address import is_public
from interlock.tool.browser_plan import Addresses

_HEAD_BYTES_MAX = 64 * 1024
_CHUNK = 64 * 1024
_ACCEPT_PAUSE_SECONDS = 0.05
_HOP = re.compile(rb"^(?:proxy-[a-z-]+|connection|keep-alive)\s*:", re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length\s*:\s*(\d{1,15})\s*$", re.IGNORECASE)
_NO = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LOST = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Refused(Exception):
    """What was asked for is not allowed."""


@dataclass(slots=True, kw_only=True)
class Proxy:
    """Listens on this machine for one browser context."""

    allowed: tuple[Addresses, ...]
    refused: Callable[[str], None]
    """Told of an origin that was asked for and is not allowed."""
    may: Callable[[str, str], bool] = lambda method, url: True
    """Whether something may be sent to an address now, where that can be seen: without TLS."""
    flooded: Callable[[], None] = lambda: None
    """Told once more has come in than a page may have."""
    sent: int = 0
    """How many bytes have left."""
    came: int = 0
    """How many have come in."""
    port: int = 0
    _listener: socket.socket | None = None
    _pause: asyncio.TimerHandle | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def begin(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._listen(self._listener)

    async def end(self) -> None:
        """Cut everything that is still open."""
        if self._pause is not None:
            self._pause.cancel()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _listen(self, listener: socket.socket) -> None:
        # Neither `asyncio.start_server` nor `sock_accept`: of both, what comes as they end is never closed.
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection in: from here on there is always a task that closes it."""
        try:
            there, _ = listener.accept()
        except OSError:  # it has gone again, or there is no room for one more
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            self._pause = loop.call_later(_ACCEPT_PAUSE_SECONDS, self._listen, listener)
            return
        there.setblocking(False)
        task = asyncio.ensure_future(self._serve(there))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        # Not within the task: one that is cancelled before it begins closes nothing.
        task.add_done_callback(lambda _: there.close())

    async def _serve(self, there: socket.socket) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            reader, writer = await asyncio.open_connection(sock=there, limit=_HEAD_BYTES_MAX)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._one(head, reader, writer)
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), BROWSER_STOP_SECONDS_MAX)
            finally:
                writer.transport.abort()

    async def _one(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        target = rest.rpartition(b" ")[0].decode("latin-1")
        try:
            if method == b"CONNECT":
                await self._tunnel(target, reader, writer)
            else:
                await self._plain(method, target, head, reader, writer)
        except Refused as no:
            self.refused(str(no))
            writer.write(_NO)
            await writer.drain()
        except (OSError, TimeoutError):
            writer.write(_LOST)
            await writer.drain()

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.rpartition(":")
        origin = f"https://{host}" if port == "443" else f"https://{target}"
        known = [each for each in self.allowed if each.origin == origin]
        if not known:
            raise Refused(origin)
        there = await _connected(host, int(port), private=any(each.private for each in known))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await self._both_ways((reader, writer), there)

    async def _plain(
        self, method: bytes, url: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        scheme, _, rest = url.partition("://")
        name, _, path = rest.partition("/")
        known = [each for each in self.allowed if each.has(url)]
        lines = head.split(b"\r\n")[1:-2]
        if not self.may(method.decode("latin-1"), url):
            raise Refused(f"{scheme}://{name}")
        if scheme != "http" or not known or any(line.lower().startswith(b"upgrade:") for line in lines):
            raise Refused(f"{scheme}://{name}")
        host, _, port = name.rpartition(":") if re.search(r":\d+$", name) else (name, "", "80")
        there, back = await _connected(host, int(port), private=any(each.private for each in known))
        kept = [line for line in lines if not _HOP.match(line)]
        asked = b"\r\n".join([method + b" /" + path.encode("latin-1") + b" HTTP/1.1", *kept, b"Connection: close"])
        self.sent += len(asked)
        back.write(asked + b"\r\n\r\n")
        lengths = [int(found[1]) for line in lines if (found := _LENGTH.match(line))]
        try:
            # What follows the one body is another question, which is asked on a connection of its own.
            back.write(await reader.readexactly(lengths[0] if lengths else 0))
            await back.drain()
            answer = await there.readuntil(b"\r\n\r\n")
            said = [line for line in answer.split(b"\r\n")[:-2] if not _HOP.match(line)]
            writer.write(b"\r\n".join([*said, b"Connection: close"]) + b"\r\n\r\n")
            try:
                await _copied(there, writer, self._coming)
            except OSError:
                writer.transport.abort()  # an end in good order would say that this was all
        finally:
            back.transport.abort()

    def _coming(self, size: int) -> None:
        """Count what comes in.

        Raises:
            ConnectionAbortedError: it is more than a page may have.
        """
        self.came += size
        if self.came > BROWSER_BYTES_MAX:
            self.flooded()
            raise ConnectionAbortedError

    async def _both_ways(
        self,
        one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        def leaving(size: int) -> None:
            self.sent += size

        ways = [
            asyncio.ensure_future(_copied(one[0], other[1], leaving)),
            asyncio.ensure_future(_copied(other[0], one[1], self._coming)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            other[1].transport.abort()


async def _connected(host: str, port: int, *, private: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the address that a name stands for, if it may be reached.

    Raises:
        Refused: it is of this machine or of a private network, and the contract does not say that it may be.
        OSError: it cannot be reached.
        TimeoutError: it takes too long.
    """
    async with asyncio.timeout(HTTP_CONNECT_SECONDS_MAX):
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        may = [address for address in addresses if private or is_public(address)]
        if not may:
            raise Refused(f"{host}, which is not outside")
        failed: OSError = OSError("no address")
        for address in may:
            try:
                return await asyncio.open_connection(address, port, limit=_HEAD_BYTES_MAX)
            except OSError as error:
                failed = error
        raise failed


async def _copied(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copied: Callable[[int], None] = lambda size: None
) -> None:
    while chunk := await reader.read(_CHUNK):
        copied(len(chunk))
        writer.write(chunk)
        await writer.drain()
