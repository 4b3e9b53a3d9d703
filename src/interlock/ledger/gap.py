"""What an adoption declares lost: entries that were on the ledger once, that somebody may still hold a receipt of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.core.errors import LedgerBroken
from interlock.ledger.reading import ChangeLine, EntryLine
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Entries that are lost, by the word of an entry."""

    declared_at: int
    """The index of the entry that says so."""
    by: str
    shared: int
    """How many entries the lost line and this ledger have in common, as far as anybody knew."""
    last: Head
    """The last head of the lost line that was known."""

    @property
    def lost(self) -> int:
        return self.last.size - self.shared

    def covers(self, head: Head) -> bool:
        """Whether a head that this ledger does not lead to may be one of the lost line."""
        if head.size == self.last.size:
            return head.root == self.last.root
        return self.shared < head.size < self.last.size

    def covers_entry(self, index: int) -> bool:
        """Whether an entry that is not on this ledger may have been on the lost line."""
        return self.shared <= index < self.last.size


def gap_of(index: int, entry: EntryLine) -> Gap | None:
    """Return what an entry declares lost, or nothing.

    Raises:
        LedgerBroken: it is an adoption that does not say what is lost.
    """
    if not isinstance(entry, ChangeLine) or entry.kind is not Kind.ADOPTED:
        return None
    detail = entry.detail
    try:
        last = Head(size=int(detail["entries"]), root=bytes.fromhex(str(detail["root"])))
        gap = Gap(declared_at=index, by=entry.by, shared=int(detail["shared"]), last=last)
    except (KeyError, ValueError) as error:
        raise LedgerBroken(
            "an adoption does not say what is lost", fix="read it with the version of Interlock that wrote it"
        ) from error
    return gap if gap.lost > 0 else None


def copied(entries: Iterable[EntryLine]) -> Head | None:
    """Return the head of the backup that the ledger was restored from, or nothing where that is adopted.

    Restored again before it was adopted, it parted from what callers saw where it was restored first.
    """
    copy: Head | None = None
    for entry in entries:
        if isinstance(entry, ChangeLine) and entry.kind is Kind.RESTORED and copy is None:
            copy = Head(size=int(entry.detail["entries"]), root=bytes.fromhex(str(entry.detail["root"])))
        elif isinstance(entry, ChangeLine) and entry.kind is Kind.ADOPTED:
            copy = None
    return copy


def declaring(gaps: Sequence[Gap], head: Head) -> Gap | None:
    """Return the gap that a head may be out of."""
    return next((gap for gap in gaps if gap.covers(head)), None)
