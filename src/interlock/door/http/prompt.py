"""Connections on which nobody says who asks, or takes the answer: each is closed before some leave no room for others.

A token is in the head of a request, so until that is there nobody knows who holds a connection, nor who fills memory.
"""

import asyncio
import struct
import sys
import termios
from fcntl import ioctl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from interlock.core.limits import HEAD_BYTES_MAX
from interlock.door.asgi import TAKE_SECONDS_MAX

HEAD_SECONDS_MAX = 20.0  # from the first byte of a request, or the start of a connection, to the end of its head


class Prompt(HttpToolsProtocol):
    """Closes a connection whose request does not say in time, and in so many bytes, what it is; or takes no answer."""

    _waiting: asyncio.TimerHandle | None = None
    _looking: asyncio.TimerHandle | None = None
    _left = sys.maxsize
    """Of what nothing is added to, how much had not been taken at the last look."""
    _about = 0
    """Bytes since the last end of a head, or part of a body, that are neither."""
    _behind_head = False

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more, and begin none of the requests that wait for their turn."""
        self._wait_no_more()
        if self._looking is not None:
            self._looking.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, a little at a time, so that what is too much is found before all of it was kept."""
        for at in range(0, len(data), HEAD_BYTES_MAX):
            part = data[at : at + HEAD_BYTES_MAX]
            self._about += len(part)
            super().data_received(part)
            if self.transport.is_closing():
                return
            if self._about > HEAD_BYTES_MAX:
                return self._too_much()
        if self._waiting is None and (not self.cycle or self.cycle.response_complete):
            self._wait()  # it was answered already: what comes now is a request that begins, or nothing

    def on_message_begin(self) -> None:
        """Wait for the end of the head of a request."""
        self._wait()
        self._behind_head = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. One behind the body is none: the head was judged without it (RFC 9110, 6.5.1)."""
        if not self._behind_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait no more: who asks is known, and what they may take is up to the door."""
        self._wait_no_more()
        self._behind_head = True
        self._about = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, whose length the door looks at."""
        self._about = 0
        super().on_body(body)

    def resume_writing(self) -> None:
        """Send on: something was taken."""
        self._left = sys.maxsize
        super().resume_writing()

    def _look(self) -> None:
        """Cut off a client that has taken nothing since the last look; to close would wait until it does."""
        left = self.transport.get_write_buffer_size() + _sent_and_not_taken(self.transport)
        grows = bool(self.cycle) and not (self.flow.write_paused or self.cycle.response_complete)
        if not grows and left >= self._left:
            return self.transport.abort()
        self._left = sys.maxsize if grows or not left else left
        self._looking = self.loop.call_later(TAKE_SECONDS_MAX, self._look)

    def _too_much(self) -> None:
        if self._behind_head:
            return self.transport.close()  # what is under way may have been answered in part
        self.send_400_response(f"The head of a request has at most {HEAD_BYTES_MAX} bytes.")

    def _wait(self) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _sent_and_not_taken(transport: asyncio.Transport) -> int:
    """Count the bytes that the kernel keeps for the other side; nothing where it does not say (only Linux does)."""
    try:
        (kept,) = struct.unpack("i", ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):
        return 0
    return kept
