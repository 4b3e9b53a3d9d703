"""A database that is there and goes silent: what is said to it is taken, and no answer comes any more."""

import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from psycopg.conninfo import conninfo_to_dict


@dataclass
class Silence:
    """A way to a real database over TCP, which goes silent where it is told to."""

    at: bytes | None = None
    """What a connection goes silent at, as it comes from whoever asks; no bytes at all are the beginning."""
    passes_on: bool = False
    """Whether the database still hears what it goes silent at."""
    closed: Event = field(default_factory=Event)
    """Whoever asked has given up, and closed the connection."""
    connections: int = 0
    address: str = ""
    _open: list[socket.socket] = field(default_factory=list[socket.socket])

    def serve(self, listener: socket.socket, database: str) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.socket(socket.AF_UNIX)
            far.connect(database)
            self._open += [near, far]
            silent = Event()
            for pump in (self._there, self._back):
                Thread(target=pump, args=(near, far, silent), daemon=True).start()

    def _there(self, near: socket.socket, far: socket.socket, silent: Event) -> None:
        while data := _received(near):
            heard = not silent.is_set()
            if heard and self.at is not None and self.at in data:
                silent.set()
                heard = self.passes_on
                # One that is opened anew speaks, unless it should never have begun to.
                self.at = self.at and None
            if heard:
                _sent(far, data)
        self.closed.set()
        far.close()

    def _back(self, near: socket.socket, far: socket.socket, silent: Event) -> None:
        while data := _received(far):
            if not silent.is_set():
                _sent(near, data)

    def close(self) -> None:
        for each in self._open:
            each.close()


def _received(peer: socket.socket) -> bytes:
    try:
        return peer.recv(65536)
    except OSError:
        return b""


def _sent(peer: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        peer.sendall(data)


@contextmanager
def silence(url: str) -> Generator[Silence]:
    """Stand between whoever asks and a database on a Unix socket."""
    known = conninfo_to_dict(url)
    database = f"{known['host']}/.s.PGSQL.{known.get('port') or 5432}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = Silence(address=f"postgresql://{known['user']}@127.0.0.1:{port}/{known['dbname']}")
        Thread(target=found.serve, args=(listener, database), daemon=True).start()
        yield found
        found.close()
