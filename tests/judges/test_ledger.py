"""Properties of the tree, the notes and the bytes that hold for any history."""

from hashlib import sha256

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from interlock.core.canonical import line_bytes
from interlock.core.errors import LedgerBroken
from interlock.ledger.note import Verifier, opened, signed
from interlock.ledger.tree import Head, Tree, verify

LINES = st.lists(st.binary(max_size=8), max_size=40)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = Verifier(origin="interlock/acme", public_key=KEY.public_key().public_bytes_raw())


def tree_of(lines: list[bytes]) -> Tree:
    tree = Tree()
    for line in lines:
        tree = tree.add(line)
    return tree


def head_of(lines: list[bytes]) -> Head:
    return tree_of(lines).head()


def rfc_6962_root(lines: list[bytes]) -> bytes:
    """The definition of the RFC, word for word."""
    if len(lines) < 2:
        return sha256(b"\x00" + lines[0] if lines else b"").digest()
    k = 1 << (len(lines) - 1).bit_length() - 1
    return sha256(b"\x01" + rfc_6962_root(lines[:k]) + rfc_6962_root(lines[k:])).digest()


@pytest.mark.promise("ledger")
@given(LINES)
def test_the_root_is_that_of_rfc_6962(lines: list[bytes]) -> None:
    assert head_of(lines) == Head(size=len(lines), root=rfc_6962_root(lines))


@given(LINES)
def test_a_tree_is_read_back_as_it_was_written(lines: list[bytes]) -> None:
    tree = tree_of(lines)
    assert Tree.from_bytes(tree.size, tree.to_bytes()) == tree


def test_peaks_that_do_not_fit_the_size_are_refused() -> None:
    with pytest.raises(LedgerBroken):
        Tree.from_bytes(3, bytes(32))


@given(LINES, LINES)
def test_an_untouched_ledger_verifies_against_every_older_head(old: list[bytes], new: list[bytes]) -> None:
    assert verify(old + new, older=head_of(old)) == head_of(old + new)


@pytest.mark.promise("ledger")
@given(LINES, LINES, st.data())
def test_any_edit_insertion_deletion_or_move_under_an_older_head_is_found(
    old: list[bytes], new: list[bytes], data: st.DataObject
) -> None:
    assume(old)
    at, to = data.draw(st.integers(0, len(old) - 1)), data.draw(st.integers(0, len(old) - 1))
    forged = list(old)
    match data.draw(st.sampled_from(["edit", "insert", "delete", "swap", "truncate"])):
        case "edit":
            forged[at] += b"!"
        case "insert":
            forged.insert(at, data.draw(st.binary(max_size=8)))
        case "delete":
            del forged[at]
        case "swap":
            forged[at], forged[to] = forged[to], forged[at]
        case _:
            forged, new = forged[:at], []
    assume((forged + new)[: len(old)] != old)
    with pytest.raises(LedgerBroken):
        verify(forged + new, older=head_of(old))


@given(st.dictionaries(ASCII, st.integers(-(2**53) + 1, 2**53 - 1) | TEXT | st.lists(TEXT) | st.booleans()))
def test_our_bytes_are_those_of_rfc_8785(value: dict[str, int | str | list[str] | bool]) -> None:
    assert line_bytes(value) == rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]  invariant dict


def check(signature: bytes, text: bytes) -> bool:
    return KEY.sign(text) == signature


@given(LINES)
def test_a_signed_note_gives_back_its_head(lines: list[bytes]) -> None:
    head = head_of(lines)
    assert opened(signed(VERIFIER, head, KEY.sign), VERIFIER, check) == head
    assert Verifier.parse(str(VERIFIER)) == VERIFIER


@pytest.mark.promise("ledger")
@given(LINES, st.data())
def test_a_note_that_was_touched_anywhere_is_not_a_note(lines: list[bytes], data: st.DataObject) -> None:
    note = signed(VERIFIER, head_of(lines), KEY.sign)
    at = data.draw(st.integers(0, len(note) - 1))
    char = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    forged = note[:at] + char + note[at + 1 :]
    assume(forged != note)
    with pytest.raises(LedgerBroken):
        opened(forged, VERIFIER, check)


def test_the_note_of_another_ledger_is_refused() -> None:
    other = Verifier(origin="interlock/other", public_key=VERIFIER.public_key)
    with pytest.raises(LedgerBroken):
        opened(signed(other, head_of([b"a"]), KEY.sign), VERIFIER, check)
