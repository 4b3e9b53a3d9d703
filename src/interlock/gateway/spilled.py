"""What is added up by name, however many names there are: so many are held at once, and the rest waits on the disk."""

import tempfile
from collections.abc import Callable, Iterator
from functools import reduce
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import IO, Generic, TypeVar

import msgspec

_HELD_MAX = 50_000  # names, some hundred bytes each with its part; a file for each of so many

Part = TypeVar("Part")


class Spilled(Generic[Part]):
    """Adds parts up by name. What does not fit into memory waits sorted in files that have no name of their own."""

    def __init__(self, kind: type[Part], add: Callable[[Part, Part], Part], *, held_max: int = _HELD_MAX) -> None:
        """Begin with nothing.

        Args:
            kind: what parts are; `msgspec` must be able to write them.
            add: adds two parts up; in which order must not matter.
            held_max: how many names are held at once.
        """
        self._add, self._held_max = add, held_max
        self._read = msgspec.json.Decoder(tuple[str, kind]).decode
        self._held: dict[str, Part] = {}
        self._files: list[IO[bytes]] = []

    def __enter__(self) -> "Spilled[Part]":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def put(self, name: str, part: Part) -> None:
        """Add a part to those of this name."""
        known = self._held.get(name)
        self._held[name] = part if known is None else self._add(known, part)
        if len(self._held) >= self._held_max:
            self._spill()

    def items(self) -> Iterator[tuple[str, Part]]:
        """Yield each name with the sum of its parts, by name."""
        for file in self._files:
            file.seek(0)
        parts = merge(*(map(self._read, file) for file in self._files), self._sorted(), key=itemgetter(0))
        for name, same in groupby(parts, key=itemgetter(0)):
            yield name, reduce(self._add, (part for _, part in same))

    def _sorted(self) -> list[tuple[str, Part]]:
        return sorted(self._held.items(), key=itemgetter(0))

    def _spill(self) -> None:
        file = tempfile.TemporaryFile()
        file.writelines(msgspec.json.encode(each) + b"\n" for each in self._sorted())
        self._files.append(file)
        self._held = {}
