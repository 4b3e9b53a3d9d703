"""Proofs that an entry is in the ledger, and that one head goes on from another (RFC 9162, section 2.1).

Making a proof asks for the roots of full subtrees and for nothing else; checking one asks for nothing at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from interlock.ledger.tree import Head, node_hash, root_of

Hashes = Callable[[int, int], bytes]
"""Given a level and an index: the root over the `2**level` entries from `index * 2**level` on, all of which exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What leads from something that you hold to a signed head."""

    path: tuple[bytes, ...]
    head: str
    """The signed note that the path leads to."""


def inclusion(hashes: Hashes, index: int, size: int) -> tuple[bytes, ...]:
    """Return what leads from the entry at `index` to the root over `size` entries (section 2.1.3.1)."""
    assert 0 <= index < size, "only an entry that is there can be proved"
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_root(hashes, middle, end))
            end = middle
        else:
            path.append(_root(hashes, begin, middle))
            begin = middle
    return tuple(reversed(path))


def consistency(hashes: Hashes, old: int, new: int) -> tuple[bytes, ...]:
    """Return what leads from the root over `old` entries to the one over `new` entries (section 2.1.4.1)."""
    assert 0 <= old <= new, "a ledger only grows"
    if old in (0, new):
        return ()
    path: list[bytes] = []
    begin, end = 0, new
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_root(hashes, middle, end))
            end = middle
        else:
            path.append(_root(hashes, begin, middle))
            begin = middle
    if begin:  # else the old root is itself what the path begins with, and whoever checks has it
        path.append(_root(hashes, begin, end))
    return tuple(reversed(path))


def root(hashes: Hashes, size: int) -> bytes:
    """Return the root over the first `size` entries."""
    return _root(hashes, 0, size)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` leads from the leaf hash at `index` to the root over `size` entries (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            at, last = _up_while_left(at, last)
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def check_consistency(old: Head, new: Head, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the entries under `new` begin with those under `old` (section 2.1.4.2)."""
    if old.size == new.size:
        return not path and old.root == new.root
    if old.size == 0:
        return not path and old.root == root_of(())
    if not path or not 0 < old.size < new.size:
        return False
    first, *rest = path if old.size & (old.size - 1) else (old.root, *path)
    at, last = old.size - 1, new.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = first
    for sibling in rest:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            at, last = _up_while_left(at, last)
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old.root and after == new.root


def _up_while_left(at: int, last: int) -> tuple[int, int]:
    # A subtree at the right edge has no sibling on these levels.
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _split(width: int) -> int:
    """Return the largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1


def _root(hashes: Hashes, begin: int, end: int) -> bytes:
    """Return the root over the entries from `begin` to `end`, put together from full subtrees, widest first."""
    roots: list[bytes] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        roots.append(hashes(level, begin >> level))
        begin += 1 << level
    return root_of(roots)
