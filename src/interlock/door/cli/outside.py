"""What was kept outside the store, as a command line names it: anchors and receipts."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec

from interlock.app import anchor_file
from interlock.core.outcome import Receipt
from interlock.door.cli.anchored import book, placed
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.screen import Typed
from interlock.ledger.anchor import Anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What was kept outside the store."""

    anchors: tuple[Anchor, ...]
    receipts: tuple[Receipt, ...]

    def heads(self, origin: str) -> tuple[str, ...]:
        """Return the signed heads of one ledger."""
        of_anchors = (anchor.head for anchor in self.anchors if anchor.origin == origin)
        return (*of_anchors, *(receipt.head for receipt in self.receipts))


def kept_outside(typed: Typed) -> Outside:
    """Read what a line names: files of anchors, receipts.

    Raises:
        InputWrong: a file is not there, or not what it should be.
        LedgerBroken: an anchor is none.
    """
    given = typed.given
    for each in given.anchors or ():
        if not Path(each).is_file():
            raise InputWrong(
                f"`{each}` cannot be read: there is no such file", fix="name the file that anchors went to"
            )
    found = anchor_file(book(typed.settings.keys)).read() if not given.anchors else ()
    for place in map(Path, given.anchors or ()):
        found += placed(anchor_file(place).read(), place)
    return Outside(anchors=found, receipts=tuple(_receipt(Path(each)) for each in given.receipt or ()))


def _receipt(file: Path) -> Receipt:
    try:
        return msgspec.json.decode(text_of(file), type=Receipt)
    except msgspec.DecodeError as error:
        raise InputWrong(
            f"`{file}` is not a receipt", fix="keep the `receipt` of an outcome as it was given"
        ) from error


def text_of(file: Path, *, chars: int = -1) -> str:
    """Read a file, or so many characters from its beginning.

    Raises:
        InputWrong: it cannot be read.
    """
    with opened_text(file) as found:
        return found.read(chars)


@contextmanager
def opened_text(file: Path) -> Generator[TextIO]:
    """Open a file to be read a line at a time, as it stands: nothing but a line feed ends a line.

    Raises:
        InputWrong: it cannot be read.
    """
    try:
        with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as found:
            yield found
    except OSError as error:
        raise InputWrong(f"`{file}` cannot be read ({error.strerror})", fix="name a file that is there") from error
