"""Proofs hold against the definition of RFC 6962, and for nothing else than what they prove."""

from dataclasses import dataclass
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.ledger.proof import check_consistency, check_inclusion, consistency, inclusion
from interlock.ledger.tree import Head, Tree, full_root, leaf_hash

pytestmark = pytest.mark.slow

SMALL = 80


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    k = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), root(leaves[k:])]
    return [*path(index - k, leaves[k:]), root(leaves[:k])]


def subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*subproof(old, leaves[:k], whole), root(leaves[k:])]
    return [*subproof(old - k, leaves[k:], whole=False), root(leaves[:k])]


@dataclass
class Ledger:
    """A ledger that knows the root of each full subtree."""

    leaves: list[bytes]

    def hashes(self, level: int, index: int) -> bytes:
        row = self.leaves[index << level : (index + 1) << level]
        assert len(row) == 1 << level, "only full subtrees are asked for"
        return full_root(row)

    def head(self, size: int) -> Head:
        return Head(size=size, root=root(self.leaves[:size]))


def a_ledger(size: int) -> Ledger:
    return Ledger([leaf_hash(b"%d" % n) for n in range(size)])


LEDGER = a_ledger(700)
SIZES = st.integers(1, len(LEDGER.leaves))


def test_every_small_inclusion_proof_is_that_of_the_rfc_and_holds() -> None:
    for size in range(1, SMALL + 1):
        head = LEDGER.head(size)
        for index in range(size):
            proof = inclusion(LEDGER.hashes, index, size)
            assert list(proof) == path(index, LEDGER.leaves[:size])
            assert check_inclusion(LEDGER.leaves[index], index, size, proof, head.root)


def test_every_small_consistency_proof_is_that_of_the_rfc_and_holds() -> None:
    heads = [LEDGER.head(size) for size in range(SMALL + 1)]
    for new in range(SMALL + 1):
        for old in range(new + 1):
            proof = consistency(LEDGER.hashes, old, new)
            if old:
                assert list(proof) == subproof(old, LEDGER.leaves[:new], whole=True)
            assert check_consistency(heads[old], heads[new], proof)


@given(SIZES, st.data())
def test_larger_inclusion_proofs_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(LEDGER.hashes, index, size)
    assert check_inclusion(LEDGER.leaves[index], index, size, proof, LEDGER.head(size).root)


@given(SIZES, st.data())
def test_larger_consistency_proofs_hold(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    assert check_consistency(LEDGER.head(old), LEDGER.head(new), consistency(LEDGER.hashes, old, new))


@pytest.mark.promise("ledger")
@given(SIZES, st.data())
def test_an_inclusion_proof_holds_for_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf, root, proof = LEDGER.leaves[index], LEDGER.head(size).root, inclusion(LEDGER.hashes, index, size)
    assert not check_inclusion(leaf_hash(b"another"), index, size, proof, root)
    assert not check_inclusion(leaf, index, size, proof, leaf_hash(b"another"))
    assert not check_inclusion(leaf, index, size, (*proof, leaf), root)
    assert not check_inclusion(leaf, size, size, proof, root)
    assert not check_inclusion(leaf, -1, size, proof, root)
    other = data.draw(st.integers(0, size - 1))
    assert check_inclusion(leaf, other, size, proof, root) == (other == index)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not check_inclusion(leaf, index, size, proof[:-1], root)
        assert not check_inclusion(leaf, index, size, (*proof[:at], leaf_hash(b"x"), *proof[at + 1 :]), root)


@pytest.mark.promise("ledger")
def test_an_inclusion_proof_says_of_what_size_its_ledger_was() -> None:
    # Two sizes in which an entry has the same path look alike until the root is compared, so the sizes that are
    # taken are those whose shape above the entry is the same: never one with a longer or a shorter path.
    for size in range(1, 40):
        for index in range(size):
            proof = inclusion(LEDGER.hashes, index, size)
            for other in range(1, 40):
                taken = check_inclusion(LEDGER.leaves[index], index, other, proof, LEDGER.head(size).root)
                assert taken <= (index < other and len(path(index, LEDGER.leaves[:other])) == len(proof))


@pytest.mark.promise("ledger")
@given(SIZES, st.data())
def test_a_consistency_proof_holds_for_nothing_else(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    before, after = LEDGER.head(old), LEDGER.head(new)
    proof = consistency(LEDGER.hashes, old, new)
    forged = Head(size=old, root=leaf_hash(b"another"))
    assert not check_consistency(forged, after, proof)
    if 0 < old < new:
        assert not check_consistency(before, Head(size=new, root=leaf_hash(b"another")), proof)
        assert not check_consistency(before, after, proof[:-1])
        assert not check_consistency(before, after, (*proof, proof[-1]))
        assert not check_consistency(after, before, proof)


@given(st.lists(st.binary(max_size=4), max_size=60))
def test_peaks_are_the_roots_of_full_subtrees(lines: list[bytes]) -> None:
    tree, leaves = Tree(), [leaf_hash(line) for line in lines]
    for line in lines:
        tree = tree.add(line)
    begin, peaks = 0, list[bytes]()
    for bit in reversed(range(len(lines).bit_length())):
        if len(lines) >> bit & 1:
            peaks.append(full_root(leaves[begin : begin + (1 << bit)]))
            begin += 1 << bit
    assert tree.peaks == tuple(peaks)
