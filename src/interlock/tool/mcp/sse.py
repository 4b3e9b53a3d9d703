"""Server-sent events out of the bytes of an answer, in whatever pieces they come. No I/O."""

from collections.abc import Iterator

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One event."""

    data: bytes
    id: str = ""
    retry_millis: int | None = None


class Events:
    """Puts events together. How many bytes there may be in all is up to whoever feeds it."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._id = ""
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take more bytes, and return the events that they complete."""
        whole = self._rest + chunk
        # A carriage return at the end may be the first half of a line's end.
        held = b"\r" if whole.endswith(b"\r") else b""
        *lines, last = whole.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = last + held
        for line in lines:
            if line:
                self._field(line)
            elif self._data or self._id:
                yield Event(data=b"\n".join(self._data), id=self._id, retry_millis=self._retry)
                self._data, self._id, self._retry = [], "", None

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id" and value.isascii() and value.decode().isprintable():
            # It goes back in a header; what no header can have is no id.
            self._id = value.decode()
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self._retry = int(value)
