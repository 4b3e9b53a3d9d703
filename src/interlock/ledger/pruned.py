"""A pruned entry: its bytes are gone and its leaf hash stands in their place, so that every proof still holds.

An entry of kind `pruned` names those that were taken out, each by its index. What is gone and is named nowhere was
taken out by somebody else.
"""

import re
from collections.abc import Iterable, Iterator

from interlock.core.errors import LedgerBroken
from interlock.ledger.reading import ChangeLine, EntryLine
from interlock.ledger.seal import Kind
from interlock.ledger.tree import leaf_hash

Span = tuple[int, int]
"""The first and the last of entries that stand side by side."""

_MARK = b"\0"  # no entry begins with it: an entry is a line of JSON
_SIZE = 33
_SPAN = re.compile(r"([0-9]{1,16})(?:-([0-9]{1,16}))?")


def gone(leaf: bytes) -> bytes:
    """Return what is stored in place of an entry with this leaf hash."""
    return _MARK + leaf


def is_pruned(stored: bytes) -> bool:
    """Whether what is stored is the leaf hash of an entry, and not the entry."""
    return len(stored) == _SIZE and stored.startswith(_MARK)


def leaf_of(stored: bytes) -> bytes:
    """Return the leaf hash of what is stored: that of an entry, or the one that stands for it."""
    return stored[1:] if is_pruned(stored) else leaf_hash(stored)


def lengthen(spans: list[Span], index: int) -> None:
    """Add an index to spans, all of which lie before it."""
    if spans and spans[-1][1] == index - 1:
        spans[-1] = spans[-1][0], index
    else:
        spans.append((index, index))


def spans_text(indexes: Iterable[int]) -> str:
    """Write indexes as an entry names them: `0-41,44,50-61`."""
    spans: list[Span] = []
    for index in sorted(indexes):
        lengthen(spans, index)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def declared(index: int, entry: EntryLine) -> tuple[Span, ...]:
    """Return what an entry says was taken out; nothing if it is of another kind.

    Args:
        index: where the entry stands.
        entry: the entry.

    Raises:
        LedgerBroken: it does not say which, or names some that stand behind it.
    """
    if not isinstance(entry, ChangeLine) or entry.kind is not Kind.PRUNED:
        return ()
    found: list[Span] = []
    for part in str(entry.detail.get("entries", "")).split(","):
        match = _SPAN.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not (found[-1][1] if found else -1) < first <= last < index:
            raise LedgerBroken(
                "an entry of kind `pruned` does not say which entries were taken out",
                fix="read it with the version of Interlock that wrote it",
            )
        found.append((first, last))
    return tuple(found)


def undeclared(missing: Iterable[Span], named: Iterable[Span]) -> Iterator[Span]:
    """Yield what is missing and is not named, in rising order.

    Args:
        missing: spans in rising order.
        named: spans in any order.
    """
    known, place = sorted(named), 0
    for first, last in missing:
        at = first
        while at <= last:
            while place < len(known) and known[place][1] < at:
                place += 1
            if place < len(known) and known[place][0] <= at:
                at = known[place][1] + 1
                continue
            end = min(last, known[place][0] - 1) if place < len(known) else last
            yield at, end
            at = end + 1
