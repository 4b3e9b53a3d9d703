"""Anchors: heads that are kept outside the database, so that who can edit it cannot undo what was once anchored.

An anchor is one line of JSON with a time and a signed note. A file of them only grows. The book of anchors, beside the
keys, has a line for each one that was put anywhere, with what the place answered.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import msgspec

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant, Micros
from interlock.core.limits import SAFE_INTEGER
from interlock.ledger.proof import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A signed head, and when it was put down. The time is the word of whoever put it down."""

    at: Instant
    head: str
    """The note. A witness has signed it beside the ledger."""
    to: str = ""
    """Where it was put; empty in the place itself."""
    stamp: str = ""
    """What a time-stamping authority answered about the note, in base64; empty where none was asked."""

    @property
    def origin(self) -> str:
        """Whose ledger it is of."""
        return self.head.partition("\n")[0]

    @property
    def size(self) -> int | None:
        """Over how many entries it is, by its own word; nothing where it does not say."""
        size = self.head.partition("\n")[2].partition("\n")[0]
        return int(size) if size.isascii() and size.isdecimal() and len(size) <= len(str(SAFE_INTEGER)) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A place says that it knows another size of the ledger than it was asked to go on from."""

    by: str
    size: int


Since = Callable[[int], Awaitable[Proof]]
"""Given a size: what leads from the ledger as it was then to the signed head of now."""

_decode = msgspec.json.Decoder(Anchor).decode


def line(anchor: Anchor) -> str:
    """Write an anchor, with its line feed."""
    more = {name: value for name, value in (("to", anchor.to), ("stamp", anchor.stamp)) if value}
    written = {"at": anchor.at, "head": anchor.head, **more}
    return json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far what was anchored reaches. It is what the anchors say: whether they are true is for the audit."""

    at: Instant
    age: Micros
    size: int
    to: str
    """Where the last one was put; empty where that is the book alone, on the machine of the keys."""
    since: int
    """How many entries there are behind it."""
    missing: int
    """How many more entries the longest anchor is over than there are."""


def standing(anchors: Iterable[Anchor], origin: str, entries: int, now: Instant) -> Standing | None:
    """Say which anchor of a ledger is the last one, and how much came after it; nothing where there is none.

    One that was put elsewhere comes before any that is in the book alone.
    """
    own = [(anchor, size) for anchor in anchors if anchor.origin == origin and (size := anchor.size) is not None]
    if not own:
        return None
    last, size = max(own, key=lambda each: (bool(each[0].to), each[0].at))
    return Standing(
        at=last.at,
        age=Micros(now - last.at),
        size=size,
        to=last.to,
        since=max(0, entries - size),
        missing=max(0, max(size for _, size in own) - entries),
    )
