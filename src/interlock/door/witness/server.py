"""The door of a witness: reads `add-checkpoint`, has it judged, and answers once what was seen is on disk."""

import io
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Protocol

from interlock.core.errors import StoreClosed
from interlock.core.limits import (
    WITNESS_BODY_BYTES_MAX,
    WITNESS_CONNECTION_SECONDS_MAX,
    WITNESS_CONNECTIONS_MAX,
)
from interlock.ledger.cosign import Cosigner, cosigned
from interlock.ledger.note import Verifier
from interlock.ledger.witness import PATH, SIZE_TYPE, Cosign, Decline, Last, judge
from interlock.ports import Clock

_TEXT = "text/plain; charset=utf-8"


class Seen(Protocol):
    """What the witness has seen, kept so that no crash loses it."""

    @property
    def last(self) -> Mapping[str, Last]: ...

    def advance(self, origin: str, new: Last) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    text: str
    kind: str = _TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Signs one history of each ledger that it trusts a key of."""

    cosigner: Cosigner
    sign: Callable[[bytes], bytes]
    trusted: Mapping[str, Sequence[Verifier]]
    """The keys of each ledger, by its origin, oldest first and each once."""
    seen: Seen
    clock: Clock
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes) -> Reply:
        """Judge what was sent. One at a time: between the look at what was seen and the disk nobody else gets in."""
        with self._turn:
            try:
                judged = judge(body, self.trusted, self.seen.last)
                if isinstance(judged, Cosign):
                    self.seen.advance(judged.origin, judged.last)
            except StoreClosed as closed:
                return Reply(status=503, text=f"{closed}\n")
        match judged:
            case Decline(status=status, said=said):
                return Reply(status=status, text=f"{said}\n", kind=SIZE_TYPE if status == 409 else _TEXT)
            case Cosign(note=note):
                now = self.clock.now() // 1_000_000
                return Reply(status=200, text=cosigned(self.cosigner, note.text, now, self.sign))


class _Until(io.RawIOBase):
    """Reads from a socket until a moment, however slowly it comes in."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  what `io` hands over
        self.hurry()
        return self._connection.recv_into(buffer)

    def hurry(self) -> None:
        """Let the connection wait no longer than there is time.

        Raises:
            TimeoutError: there is none.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "WitnessServer"  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        super().setup()
        self._bounded = _Until(self.connection, time.monotonic() + WITNESS_CONNECTION_SECONDS_MAX)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._bounded)

    def do_POST(self) -> None:
        if self.path != PATH:
            self._send(Reply(status=404, text=f"there is only {PATH}\n"), close=True)
            return
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdecimal():
            self._send(Reply(status=411, text="say how long it is\n"), close=True)
            return
        if len(length) > len(str(WITNESS_BODY_BYTES_MAX)) or int(length) > WITNESS_BODY_BYTES_MAX:
            self._send(Reply(status=413, text="it is too long\n"), close=True)
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        self._send(self.server.witness.answer(body), close=self.close_connection)

    def _send(self, reply: Reply, *, close: bool) -> None:
        self.close_connection = close
        body = reply.text.encode()
        self._bounded.hurry()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "interlock"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401  as `http.server` calls it
        """Say nothing: whoever asks is not to be believed, and need not fill a disk."""


class WitnessServer(ThreadingHTTPServer):
    """Listens for one witness."""

    daemon_threads = True

    def __init__(self, host: str, port: int, witness: Witness, told: Callable[[str], None]) -> None:
        self.witness = witness
        self._told = told
        self._free = threading.BoundedSemaphore(WITNESS_CONNECTIONS_MAX)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # The one of `http.server` asks the name service who we are, which may take long and says nothing.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as `socketserver` calls it
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  see above
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  see above
        """Go on. A connection that ends in the middle is no news; anything else is a bug of ours, told by its name."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._told(f"a question could not be answered: {type(error).__name__}")
