"""Anchors: heads that are kept outside the database, so that who can edit it cannot undo what was once anchored.

An anchor is one line of JSON with a time and a signed note. A file of them only grows.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant, Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A signed head, and when it was put down. The time is the word of whoever put it down."""

    at: Instant
    head: str

    @property
    def origin(self) -> str:
        """Whose ledger it is of."""
        return self.head.partition("\n")[0]


_decode = msgspec.json.Decoder(Anchor).decode


def line(anchor: Anchor) -> str:
    """Write an anchor, with its line feed."""
    return json.dumps({"at": anchor.at, "head": anchor.head}, ensure_ascii=False, separators=(",", ":")) + "\n"


def read(lines: Iterable[str]) -> tuple[Anchor, ...]:
    """Read anchors, oldest first.

    Raises:
        LedgerBroken: a line is none.
    """
    found: list[Anchor] = []
    for number, text in enumerate(lines, start=1):
        try:
            found.append(_decode(text))
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise LedgerBroken(
                f"line {number} is not an anchor", fix="restore the file, or take the line out if a crash tore it"
            ) from error
    return tuple(found)


def age(anchors: Iterable[Anchor], origin: str, now: Instant) -> Micros | None:
    """Return how old the last anchor of a ledger is, or nothing where there is none."""
    last = max((anchor.at for anchor in anchors if anchor.origin == origin), default=None)
    return None if last is None else Micros(now - last)
