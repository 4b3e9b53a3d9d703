"""A server on this machine that answers one question after the other with whatever it is told to."""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

Answer = Callable[[bytes], bytes | None]
"""Given the question as it came in: what to send back, or nothing at all and no end either."""


@contextmanager
def answering(answer: Answer) -> Generator[int]:
    """Listen, and yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def work() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            try:
                question = _question(connection)
                said = answer(question) if question else None  # whoever was let go has asked nothing
                if said is not None:
                    connection.sendall(said)
                    connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()
        for each in open_ones:
            each.close()


def _question(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = connection.recv(65_536)
        if not more:
            return raw
        raw += more
    head, _, body = raw.partition(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    length = int(sizes[0].split(b":")[1]) if sizes else 0
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def http(status: str, body: bytes = b"", kind: str = "text/plain", *more: str) -> bytes:
    """Write an answer as HTTP does."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body
