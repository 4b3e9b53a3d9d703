"""From any one key that is known the rotations lead to all others, and none of them signs what is not its to sign."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from interlock.core.canonical import line_bytes
from interlock.core.errors import LedgerBroken
from interlock.core.outcome import Receipt
from interlock.ledger.export import ProvedEntry, proves
from interlock.ledger.note import signed
from interlock.ledger.proof import Proof, inclusion
from interlock.ledger.reading import read as read_entry
from interlock.ledger.rotation import chain_of, rotation_of
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Head, full_root, leaf_hash
from rotations import (
    ALL,
    KEPT,
    KEYS,
    Turned,
    a_change,
    an_entry,
    audited,
    note,
    rotated,
    rotation,
    told,
    tree_of,
    verifier,
)

pytestmark = pytest.mark.promise("ledger")


def edited(line: bytes, **detail: str | int) -> bytes:
    entry = json.loads(line)
    entry["detail"] |= detail
    return line_bytes(entry)


@pytest.mark.parametrize("pinned", [*ALL, None])
def test_heads_and_receipts_of_every_generation_verify_from_any_key_that_is_known(pinned: int | None) -> None:
    ledger = Turned()
    heads = [ledger.head(size, by) for size, by in KEPT]
    report = audited(ledger.lines, *heads, pinned=pinned)
    assert told(report) == []
    assert (report.heads, report.pinned) == (len(KEPT), pinned is not None)
    assert [(each.number, each.first, each.last) for each in report.generations] == [
        (1, 0, 5),
        (2, 6, 11),
        (3, 12, None),
    ]


def test_a_ledger_of_one_generation_is_told_as_one() -> None:
    report = audited([a_change(0)], pinned=1, by=1)
    assert [(each.number, each.key, each.range()) for each in report.generations] == [
        (1, verifier(1), "heads of every size")
    ]


@pytest.mark.parametrize("pinned", ALL)
def test_no_key_signs_a_head_over_a_size_beyond_its_range(pinned: int) -> None:
    ledger = Turned()
    found = dict[tuple[int, int], bool]()
    for by in ALL:
        for size in range(len(ledger.lines) + 1):
            report = audited(ledger.lines, ledger.head(size, by), pinned=pinned)
            found[by, size] = report.sound
    theirs = {1: range(6), 2: range(6, 12), 3: range(12, 17)}
    assert {place for place, sound in found.items() if sound} == {
        (by, n) for by, sizes in theirs.items() for n in sizes
    }
    assert told(audited(ledger.lines, ledger.head(9, 1), pinned=pinned)) == snapshot(
        [
            (
                5,
                "a head that you kept is signed over 9 entries with the key of generation 1, which signs heads over 0 "
                "to 5 entries",
            )
        ]
    )


def test_whoever_stole_an_old_key_and_signs_a_whole_other_history_is_found_by_who_knows_the_rotation() -> None:
    ledger = Turned()
    forged = [*ledger.lines[:5], *(a_change(100 + n) for n in range(9))]
    for pinned in (2, 3):  # they know a later key
        assert not audited(forged, pinned=pinned, by=1).sound
    for size, by in KEPT[2:]:  # or they kept a head, a receipt or an anchor of after the rotation
        assert not audited(forged, ledger.head(size, by), pinned=1, by=1).sound
    # Who knows the oldest key alone and kept nothing cannot know that it was followed by another.
    assert audited(forged, pinned=1, by=1).sound


def test_the_signed_head_of_an_export_is_found_out_if_an_old_key_signed_it() -> None:
    ledger = Turned()
    assert told(audited(ledger.lines, pinned=1, by=2)) == snapshot(
        [
            (None, "it names another key as its own than its rotations lead to"),
            (
                11,
                "the signed head of this export is signed over 16 entries with the key of generation 2, which signs "
                "heads over 6 to 11 entries",
            ),
        ]
    )


def test_an_older_key_holds_what_stood_before_its_rotation_though_the_newer_one_was_stolen() -> None:
    ledger = Turned()
    lines = [*ledger.lines[:2], a_change(100), *ledger.lines[3:]]
    assert told(audited(lines, pinned=1)) == snapshot(
        [
            (None, "it names another key as its own than its rotations lead to"),
            (
                None,
                "a signed head cannot be trusted: it does not carry the signature of this ledger",
            ),
            (5, "it is no rotation of the key: it was signed over other entries than those before it"),
            (11, "it is no rotation of the key: it takes over from a key that does not sign: generation 1 does"),
        ]
    )


AT = 5


def by_the_old_key_alone(lines: list[bytes]) -> bytes:
    made = rotation(lines[:AT], 1, 2)
    return rotated(replace(made, by_new=made.by_old))


def by_the_new_key_alone(lines: list[bytes]) -> bytes:
    made = rotation(lines[:AT], 1, 2)
    return rotated(replace(made, by_old=made.by_new))


def over_another_ledger(lines: list[bytes]) -> bytes:
    made = rotation(lines[:AT], 1, 2, "globex")
    return rotated(replace(made, old=verifier(1), new=verifier(2)))


def copied_from_another_tenant(lines: list[bytes]) -> bytes:
    return rotated(rotation(lines[:AT], 1, 2, "globex"))


def to_the_key_of_another_tenant(lines: list[bytes]) -> bytes:
    made = replace(rotation(lines[:AT], 1, 2), new=verifier(2, "globex"))
    text = made.text()
    return rotated(replace(made, by_old=KEYS[1].sign(text), by_new=KEYS[2].sign(text)))


def of_other_entries(lines: list[bytes]) -> bytes:
    return rotated(rotation([*lines[: AT - 1], a_change(100)], 1, 2))


def of_fewer_entries(lines: list[bytes]) -> bytes:
    return rotated(rotation(lines[: AT - 1], 1, 2))


def of_another_number(lines: list[bytes]) -> bytes:
    return edited(rotated(rotation(lines[:AT], 1, 2)), generation=3)


def of_its_own_number(lines: list[bytes]) -> bytes:
    return rotated(rotation(lines[:AT], 1, 2, number=1))


def to_itself(lines: list[bytes]) -> bytes:
    return rotated(rotation(lines[:AT], 1, 1, number=2))


def with_one_size_edited(lines: list[bytes]) -> bytes:
    return edited(rotated(rotation(lines[:AT], 1, 2)), entries=AT + 1)


def without_a_signature(lines: list[bytes]) -> bytes:
    return edited(rotated(rotation(lines[:AT], 1, 2)), by_old="")


def that_says_nothing(lines: list[bytes]) -> bytes:
    return an_entry(Kind.ROTATED, AT, {"generation": 2})


def of_base64_that_is_none(lines: list[bytes]) -> bytes:
    return edited(rotated(rotation(lines[:AT], 1, 2)), by_old="%")


@pytest.mark.parametrize("pinned", [*ALL, None])
@pytest.mark.parametrize(
    "forged",
    [
        by_the_old_key_alone,
        by_the_new_key_alone,
        over_another_ledger,
        copied_from_another_tenant,
        to_the_key_of_another_tenant,
        of_other_entries,
        of_fewer_entries,
        of_another_number,
        of_its_own_number,
        to_itself,
        with_one_size_edited,
        without_a_signature,
        that_says_nothing,
        of_base64_that_is_none,
    ],
)
def test_a_forged_rotation_is_a_finding_though_whoever_forged_it_signs_every_head_anew(
    forged: Callable[[list[bytes]], bytes], pinned: int | None
) -> None:
    lines = Turned().lines[:AT]
    lines = [*lines, forged(lines)]
    lines += [a_change(50 + n) for n in range(5)]
    lines.append(rotated(rotation(lines, 2, 3)))
    report = audited(lines, pinned=pinned)
    assert AT in [finding.index for finding in report.findings]


@pytest.mark.parametrize("pinned", [*ALL, None])
@pytest.mark.parametrize(("was", "to"), [(1, 3), (7, 3), (7, 7)])
def test_a_rotation_that_takes_over_from_a_key_that_does_not_sign_is_a_finding(
    was: int, to: int, pinned: int | None
) -> None:
    lines = Turned().lines[:11]
    lines.append(rotated(rotation(lines, was, to, number=3)))
    lines += [a_change(50 + n) for n in range(5)]
    assert 11 in [finding.index for finding in audited(lines, pinned=pinned).findings]


def test_who_stole_the_newest_key_and_makes_up_an_older_one_is_found_by_who_knows_the_true_one() -> None:
    ledger = Turned()
    lines = [a_change(100 + n) for n in range(5)]
    lines.append(rotated(rotation(lines, 7, 3)))
    assert not audited(lines, pinned=1).sound
    assert not audited(lines, pinned=2).sound
    assert not audited(lines, ledger.head(3, 1), pinned=3).sound
    # Who knows the newest key alone, and kept nothing, has the word of that key for what came before.
    assert audited(lines, pinned=3).sound


@pytest.mark.parametrize("pinned", ALL)
@pytest.mark.parametrize("how", ["cut away", "swapped", "moved", "doubled"])
def test_a_rotation_that_is_not_where_it_was_is_a_finding(how: str, pinned: int) -> None:
    lines = Turned().lines
    first, second = lines[5], lines[11]
    match how:
        case "cut away":
            del lines[5]
        case "swapped":
            lines[5], lines[11] = second, first
        case "moved":
            lines.insert(8, lines.pop(5))
        case _:
            lines.insert(8, first)
    for by in ALL:
        assert not audited(lines, pinned=pinned, by=by).sound


@given(st.data())
def test_whatever_is_edited_in_a_rotation_it_is_one_no_more(data: st.DataObject) -> None:
    lines = Turned().lines
    name = data.draw(st.sampled_from(["generation", "entries", "root", "old", "new", "by_old", "by_new"]))
    stands = json.loads(lines[5])["detail"][name]
    other = data.draw(st.integers(0, 9) if isinstance(stands, int) else st.text("0123abAB=+/", max_size=90))
    if other == stands:
        return
    lines[5] = edited(lines[5], **{name: other})
    assert 5 in [finding.index for finding in audited(lines).findings]


@pytest.mark.parametrize("pinned", ALL)
def test_a_receipt_of_any_generation_is_held_against_the_ledger(pinned: int) -> None:
    ledger = Turned()
    receipts = [
        Receipt(leaf=leaf_hash(ledger.lines[size - 1]).hex(), index=size - 1, head=ledger.head(size, by))
        for size, by in KEPT
    ]
    heads = [each.head for each in receipts]
    assert audited(ledger.lines, *heads, pinned=pinned).sound
    for index in range(15):
        lines = [*ledger.lines[:index], a_change(100), *ledger.lines[index + 1 :]]
        assert not audited(lines, *heads, pinned=pinned).sound


def proved(ledger: Turned, index: int, size: int, by: int) -> ProvedEntry:
    leaves = [leaf_hash(line) for line in ledger.lines]
    path = inclusion(lambda level, at: full_root(leaves[at << level : (at + 1) << level]), index, size)
    return ProvedEntry(line=ledger.lines[index], index=index, proof=Proof(path=path, head=ledger.head(size, by)))


def test_the_proof_of_an_entry_holds_by_a_chain_where_its_signer_may_sign_it() -> None:
    ledger = Turned()
    rotations = [each for line in ledger.lines if (each := rotation_of(read_entry(line))) is not None]
    chain = chain_of(rotations, verifier(1))
    for size, by in KEPT:
        assert proves(proved(ledger, size - 1, size, by), chain)
        assert proves(proved(ledger, size - 1, size, by), verifier(by))
        for other in set(ALL) - {by}:
            with pytest.raises(LedgerBroken):
                proves(proved(ledger, size - 1, size, by), verifier(other))
            with pytest.raises(LedgerBroken, match="with the key of generation"):
                proves(proved(ledger, size - 1, size, other), chain)


def test_a_note_that_several_generations_have_signed_is_that_of_whose_range_it_is_in() -> None:
    ledger = Turned()
    lines = [note(ledger.lines[:8], by).partition("\n\n")[2] for by in ALL]
    both = note(ledger.lines[:8], 1) + lines[1] + lines[2]
    assert audited(ledger.lines, both).sound


def test_what_a_rotation_signs_is_no_head() -> None:
    made = rotation([a_change(0)], 1, 2)
    assert made.text().decode().splitlines()[:4] == snapshot(["interlock key rotation 1", "interlock/acme", "2", "1"])
    line = signed(verifier(1), made.before, lambda _: made.by_old).partition("\n\n")[2]
    with pytest.raises(LedgerBroken):
        chain_of([made], verifier(1)).opened(f"{made.text().decode()}\n{line}")


def test_an_entry_of_another_kind_is_no_rotation() -> None:
    assert rotation_of(read_entry(a_change(1))) is None


def test_two_rotations_may_follow_each_other_at_once() -> None:
    lines = [a_change(0)]
    lines.append(rotated(rotation(lines, 1, 2)))
    lines.append(rotated(rotation(lines, 2, 3)))
    heads = [note(lines[:1], 1), note(lines[:2], 2), note(lines, 3)]
    report = audited(lines, *heads)
    assert told(report) == []
    assert [(each.first, each.last) for each in report.generations] == [(0, 1), (2, 2), (3, None)]


def test_a_generation_may_be_left_out() -> None:
    lines = [a_change(0)]
    lines.append(rotated(rotation(lines, 1, 3)))
    assert [each.number for each in audited(lines, pinned=1).generations] == [1, 3]


def a_gap(lines: list[bytes], last: Head, shared: int) -> bytes:
    detail: dict[str, str | int] = {
        "entries": last.size,
        "root": last.root.hex(),
        "shared": shared,
        "lost": last.size - shared,
    }
    return an_entry(Kind.ADOPTED, len(lines), detail)


def test_of_a_lost_line_that_rotated_elsewhere_every_head_is_declared_and_none_of_this_line() -> None:
    lost = Turned()
    lines = lost.lines[:3]
    lines.append(rotated(rotation(lines, 1, 3)))
    lines.append(a_gap(lines, tree_of(lost.lines[:15]).head(), 3))
    lines += [a_change(200 + n) for n in range(15)]
    heads = [lost.head(4, 1), lost.head(5, 1), lost.head(12, 3), lost.head(15, 3)]
    report = audited(lines, *heads, pinned=1)
    assert len(report.findings) == 4
    assert {finding.declared for finding in report.findings} == {True}
    # What the old key signs of this line is in no gap, however large it is.
    assert [each.declared for each in audited(lines, note(lines[:10], 1), pinned=1).findings] == [False]


def test_a_rotation_reads_back_as_it_was_made() -> None:
    made = rotation([a_change(0)], 1, 2)
    assert rotation_of(read_entry(rotated(made))) == made
