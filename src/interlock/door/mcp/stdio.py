"""One client over standard input and output: a message a line, answered as soon as its answer is there."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

from interlock.core.action import Caller
from interlock.core.errors import UsageWrong
from interlock.core.ids import RunId
from interlock.core.limits import REQUEST_BYTES_MAX
from interlock.core.mcp import INVALID_REQUEST, LISTEN, VERSION_KEY
from interlock.door.mcp import wire
from interlock.door.mcp.client import Client, capabilities, negotiated
from interlock.door.mcp.front import Initialize
from interlock.door.mcp.talk import Talk, here, meta_of
from interlock.door.mcp.wire import Message, Params, RequestId, WireError, params_of

_LAST_ANSWERS_SECONDS = 10.0  # for what a client had asked that closes its end, as `echo` in a shell does
_UNREAD_BYTES_MAX = 4 * 1024 * 1024  # of a client that does not read
TOO_LONG = wire.error(None, WireError(INVALID_REQUEST, f"a message has at most {REQUEST_BYTES_MAX:,} bytes"))
"""What is said to a line that was not read to its end."""
REQUESTS_MAX = 64  # that are looked at at once; what comes beyond that waits until one has ended
WAITING_MAX = 1_000  # that wait or are looked at; answers, and words of whoever gives up, come between them
TOO_MANY = WireError(INVALID_REQUEST, f"{WAITING_MAX:,} requests wait for their answers; read some, then send more")
"""What is said to a request beyond that."""


@dataclass(slots=True, kw_only=True)
class Stdio:
    """The session of one process that started us."""

    talk: Talk
    caller: Caller
    run: RunId
    writer: asyncio.StreamWriter
    client: Client | None = None
    listens: "asyncio.Task[None] | None" = None
    """Tells a client that began with a handshake what changes."""
    endless: "set[asyncio.Task[None]]" = field(default_factory=set["asyncio.Task[None]"])
    """Requests to listen, which have no end by themselves."""
    under_way: dict[RequestId, asyncio.Task[None]] = field(default_factory=dict[RequestId, "asyncio.Task[None]"])
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REQUESTS_MAX))

    async def serve(self, lines: AsyncIterator[bytes | None]) -> None:
        """Answer line by line until the client closes an end, and what it had asked until then.

        What has started goes on.
        """
        async for line in lines:
            if line is None:
                self._send(TOO_LONG)
            elif line.strip():
                await self._hear(line)
            await taken(self.writer)
        endless = [*self.endless, *([self.listens] if self.listens is not None else [])]
        for task in endless:
            task.cancel()
        self.talk.give_up()
        if self.under_way:
            await asyncio.wait(self.under_way.values(), timeout=_LAST_ANSWERS_SECONDS)
        left = [*endless, *self.under_way.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _hear(self, line: bytes) -> None:
        try:
            message = wire.read(line)
        except WireError as wrong:
            self._send(wire.error(wire.id_of(line), wrong))
            return
        if message.is_answer:
            await self.talk.answers.come(self.caller.tenant, self.run, message)
        elif message.is_notification:
            self._notified(message)
        elif message.is_request:
            id = cast("RequestId", message.id)
            if id in self.under_way:
                self._send(wire.error(id, WireError(INVALID_REQUEST, "this id is under way")))
                return
            if len(self.under_way) >= WAITING_MAX:
                self._send(wire.error(id, TOO_MANY))
                return
            task = self.under_way[id] = asyncio.create_task(self._answer(id, message))
            if message.method == LISTEN:
                self.endless.add(task)
            task.add_done_callback(lambda ended: self._ended(id, ended))

    def _ended(self, id: RequestId, task: "asyncio.Task[None]") -> None:
        self.under_way.pop(id, None)
        self.endless.discard(task)

    def _notified(self, message: Message) -> None:
        if message.method == "notifications/initialized" and self.listens is None:
            listening = self.talk.listening.in_session(self.caller, self.run, self, here, asyncio.Event())
            self.listens = asyncio.create_task(listening)
        if message.method != "notifications/cancelled":
            return
        with suppress(WireError):
            # Whoever cancels stops waiting. What has started is carried to its end, and is in the ledger.
            task = self.under_way.get(params_of(message, Cancelled).request_id)
            if task is not None:
                task.cancel()

    async def _answer(self, id: RequestId, message: Message) -> None:
        async with self.room:
            try:
                self._send(wire.result(id, await self._found(message)))
            except WireError as wrong:
                self._send(wire.error(id, wrong))
            await taken(self.writer)

    async def _found(self, message: Message) -> dict[str, Any]:
        if VERSION_KEY in meta_of(message) or message.method == "server/discover":
            return await self.talk.stateless(self.caller, message, self.push)
        if message.method == "initialize":
            asked = params_of(message, Initialize)
            can = capabilities(asked.capabilities)
            self.client = Client(era="handshake", version=negotiated(asked.version), can=can, run=self.run)
        if self.client is None and message.method != "ping":
            raise WireError(INVALID_REQUEST, "begin with `initialize`")
        client = self.client or Client(era="handshake", version="")
        return await self.talk.in_session(
            self.caller,
            client,
            message,
            self.push,
            session=self.run,
        )

    def open(self) -> None:
        """Nothing: the pipe is open."""

    def push(self, message: bytes) -> bool:
        """Send a message. A client that does not read loses what it is told in the meantime, never its answers."""
        if self.writer.is_closing() or self.writer.transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
            return False
        self._send(message)
        return True

    def _send(self, message: bytes) -> None:
        say(self.writer, message)


class Cancelled(Params, frozen=True, kw_only=True, rename="camel"):
    """The parameters of `notifications/cancelled`."""

    request_id: RequestId


def say(writer: asyncio.StreamWriter, message: bytes) -> None:
    """Send a message. To a client that has gone nothing can be said: what it asked for is in the ledger."""
    if not writer.is_closing():
        writer.write(message + b"\n")


async def taken(writer: asyncio.StreamWriter) -> None:
    """Wait until a client has room for more, or has gone."""
    with suppress(ConnectionError):
        await writer.drain()


async def lines_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[bytes | None]:
    """Yield each line as long as somebody reads the answers; nothing in place of one that is too long."""
    passing_over = False
    while not writer.is_closing():
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as too_long:
            await reader.readexactly(too_long.consumed)
            passing_over = True
            continue
        except asyncio.IncompleteReadError as end:
            if end.partial.strip() and not passing_over:
                yield end.partial
            return
        yield None if passing_over else line
        passing_over = False


async def opened() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Take standard input and output for the protocol alone: what a tool prints goes to standard error instead.

    Raises:
        UsageWrong: one of them is a file, a terminal that is read from, or closed, and no client's.
    """
    if not (_is_a_clients(sys.stdin) and (_is_a_clients(sys.stdout) or sys.stdout.isatty())):
        raise UsageWrong(
            "standard input and output have to be pipes, as a client makes them",
            fix="let an MCP client start it; by hand: `cat FILE | interlock mcp --workflow W --env E | cat`",
        )
    loop = asyncio.get_running_loop()
    ours = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    reader = asyncio.StreamReader(limit=REQUEST_BYTES_MAX + 1)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(lambda: asyncio.streams.FlowControlMixin(loop=loop), ours)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _is_a_clients(stream: TextIO | None) -> bool:
    """Say whether a loop can wait for this end; one of C gives up the process over what it cannot wait for."""
    if stream is None:
        return False
    mode = os.fstat(stream.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
