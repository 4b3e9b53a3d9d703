"""A file of anchors, to be kept where those who can edit the database cannot write."""

import os
from dataclasses import dataclass
from pathlib import Path

from interlock.core.errors import LedgerBroken, StoreBusy
from interlock.ledger import anchor
from interlock.ledger.anchor import Anchor, Since


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """Appends and never rewrites, so that the file may be one that only takes appends (`chattr +a`)."""

    path: Path

    @property
    def name(self) -> str:
        """How the place is called in the book of anchors."""
        return str(self.path)

    async def keep(self, new: Anchor, old: int, since: Since) -> Anchor:
        """Put an anchor at the end, unless the file holds something else or was torn by a crash."""
        self.read()
        self.append(new)
        return new

    def append(self, new: Anchor) -> None:
        """Put an anchor at the end, and return once it is on disk.

        Raises:
            StoreBusy: the file cannot be written.
        """
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, anchor.line(new).encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            fix = "make its folder" if isinstance(error, FileNotFoundError) else "make room, or mend its rights"
            raise StoreBusy(f"the anchor `{self.path}` cannot be written ({error.strerror})", fix=fix) from error

    def read(self) -> tuple[Anchor, ...]:
        """Return every anchor, oldest first; none where there is no file.

        Raises:
            LedgerBroken: a line is not an anchor.
        """
        try:
            with self.path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
                return anchor.read(lines)
        except LedgerBroken as broken:
            raise LedgerBroken(f"`{self.path}`: {broken}", fix=broken.fix) from broken
        except FileNotFoundError:
            return ()
