"""The answer to one POST: JSON, unless something has to be said before it is there; then a stream of events."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from interlock.door.asgi import (
    PING,
    PING_SECONDS,
    Left,
    Scope,
    Send,
    answer,
    begin_events,
    end,
    header,
    in_time,
    send_event,
    send_part,
)

Headers = tuple[tuple[bytes, bytes], ...]

_QUEUED_MAX = 1_000  # a client that does not read loses what is said in the meantime, and is let go in the end
_QUEUED_BYTES_MAX = 4 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Reply:
    """One answer that is on its way."""

    send: Send
    streams: bool
    """Whether the client takes a stream of events."""
    more: Headers = ()
    """Headers that it has of its own."""
    _queue: deque[bytes] = field(default_factory=deque[bytes])
    _queued_bytes: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _writer: "asyncio.Task[None] | None" = None
    _timer: asyncio.TimerHandle | None = None
    _ended: bool = False

    @classmethod
    def to(cls, scope: Scope, send: Send, more: Headers = ()) -> "Reply":
        """Begin to answer a request."""
        accepted = header(scope, b"accept") or ""
        events, json = accepted.find("text/event-stream"), accepted.find("application/json")
        reply = cls(send=send, streams=events >= 0 or "*/*" in accepted, more=more)
        if 0 <= events < json:
            reply._begin()  # whoever names it first prefers it
        elif reply.streams:
            reply._timer = asyncio.get_running_loop().call_later(PING_SECONDS, reply._begin)
        return reply

    def push(self, message: bytes) -> bool:
        """Send a message before the answer. Returns whether that can still be done."""
        full = len(self._queue) >= _QUEUED_MAX or self._queued_bytes + len(message) > _QUEUED_BYTES_MAX
        if not self.streams or self._ended or full:
            return False
        self._queue.append(message)
        self._queued_bytes += len(message)
        self._begin()
        self._wake.set()
        return True

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Leave nothing running behind that would write on, where it came to no end."""
        self._end()
        if error is not None and self._writer is not None:
            self._writer.cancel()

    async def finish(self, status: int, message: bytes) -> None:
        """Send the answer, and end."""
        self._end()
        if self._writer is None:
            await answer(self.send, status, message, more=self.more)
            return
        self._queue.append(message)
        self._queued_bytes += len(message)
        self._wake.set()
        await self._writer

    def open(self) -> None:
        """Begin a stream that has no answer at its end, only messages until it is closed."""
        self._begin()

    async def close(self) -> None:
        """End it without an answer."""
        self._end()
        if self._writer is not None:
            self._wake.set()
            await self._writer

    def _end(self) -> None:
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self) -> None:
        if self._writer is None and not self._ended:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        with suppress(Left):
            await in_time(begin_events(self.send, self.more))
            while True:
                while self._queue:
                    message = self._queue.popleft()
                    self._queued_bytes -= len(message)
                    await in_time(send_event(self.send, message))
                if self._ended:
                    return await end(self.send)
                self._wake.clear()
                try:
                    await asyncio.wait_for(self._wake.wait(), PING_SECONDS)
                except TimeoutError:
                    await in_time(send_part(self.send, PING))
        self._end()  # whoever does not read is told nothing any more
        return None
