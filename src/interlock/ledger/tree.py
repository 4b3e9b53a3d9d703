"""The ledger is a Merkle tree as in RFC 6962: a head is its size and root, and no two histories share one."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256

from msgspec import Struct

from interlock.core.errors import LedgerBroken


class Head(Struct, frozen=True, kw_only=True):
    """What a caller keeps outside, to hold the ledger to it later."""

    size: int
    root: bytes


def leaf_hash(line: bytes) -> bytes:
    """Hash one entry as a leaf (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one (RFC 6962, section 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(peaks: Sequence[bytes]) -> bytes:
    """Hash subtrees that stand side by side, widest first, into the root over them all."""
    if not peaks:
        return sha256().digest()
    return reduce(lambda right, left: node_hash(left, right), reversed(peaks))


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Hash a row of equal subtrees, as many as a power of two, into the root over them all."""
    row = hashes
    while len(row) > 1:
        row = [node_hash(row[n], row[n + 1]) for n in range(0, len(row), 2)]
    return row[0]


class Tree(Struct, frozen=True, kw_only=True):
    """All that is needed to go on: the roots of the full subtrees, one for each bit set in `size`."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def add(self, line: bytes) -> "Tree":
        """Append an entry."""
        return self.with_leaf(leaf_hash(line))

    def with_leaf(self, leaf: bytes) -> "Tree":
        """Append the hash of an entry, joining subtrees of equal height as a binary counter carries."""
        peaks, top = self.peaks, leaf
        carry = self.size
        while carry & 1:
            peaks, top, carry = peaks[:-1], node_hash(peaks[-1], top), carry >> 1
        return Tree(size=self.size + 1, peaks=(*peaks, top))

    def head(self) -> Head:
        return Head(size=self.size, root=root_of(self.peaks))

    def to_bytes(self) -> bytes:
        """Write the peaks one after the other, 32 bytes each."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, peaks: bytes) -> "Tree":
        """Read what `to_bytes` wrote.

        Raises:
            LedgerBroken: `peaks` are not those of a tree of this size.
        """
        if size < 0 or len(peaks) != 32 * size.bit_count():
            raise LedgerBroken("the stored head does not fit its size", fix="run `interlock ledger verify`")
        return cls(size=size, peaks=tuple(peaks[i : i + 32] for i in range(0, len(peaks), 32)))


@dataclass(slots=True)
class Growing:
    """A tree that grows a leaf at a time, remembers nothing but its peaks, and notes its root at some sizes."""

    wanted: Collection[int]
    roots: dict[int, bytes] = field(default_factory=dict[int, bytes])
    """The root at each of the wanted sizes that it has had."""
    size: int = 0
    _peaks: list[bytes] = field(default_factory=list[bytes])

    def __post_init__(self) -> None:
        if 0 in self.wanted:
            self.roots[0] = root_of(())

    def add(self, leaf: bytes) -> None:
        """Append the hash of an entry."""
        self.size = carry = self.size + 1
        while not carry & 1:
            leaf, carry = sha256(b"\x01" + self._peaks.pop() + leaf).digest(), carry >> 1
        self._peaks.append(leaf)
        if self.size in self.wanted:
            self.roots[self.size] = root_of(self._peaks)

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return root_of(self._peaks)


def verify(lines: Iterable[bytes], *, older: Head) -> Head:
    """Check that `lines` still begin with the history behind `older`, and return the head of them all.

    Lines after `older` are held only by a newer head: keep the one that this returns.

    Raises:
        LedgerBroken: a line under `older` was edited, inserted, deleted or moved.
    """
    tree, found = Tree(), Tree().head()
    for line in lines:
        tree = tree.add(line)
        if tree.size == older.size:
            found = tree.head()
    if found != older:
        raise LedgerBroken(
            f"the first {older.size} of {tree.size} entries are not those of the head you hold",
            fix="stop writing and compare with an export: `interlock ledger verify FILE`",
        )
    return tree.head()
