"""What an adoption declares lost is told apart from what somebody has done to a ledger."""

from collections.abc import Sequence

import pytest

from interlock.core.ids import Instant, ProcessId
from interlock.core.outcome import Receipt
from interlock.ledger import change
from interlock.ledger.audit import Report, audit
from interlock.ledger.export import Export
from interlock.ledger.note import signed
from interlock.ledger.seal import ChangeEntry, Kind, seal
from interlock.ledger.tree import Head, Tree, leaf_hash
from judges.test_audit import KEY, SIGNER, a_change

pytestmark = pytest.mark.promise("ledger")

OLD = [a_change(n) for n in range(9)]
SHARED = 4
"""How many entries were in the backup."""


def head_of(lines: Sequence[bytes]) -> Head:
    tree = Tree()
    for line in lines:
        tree = tree.add(line)
    return tree.head()


def note(lines: Sequence[bytes]) -> str:
    return signed(SIGNER, head_of(lines), KEY.sign)


def a_word(kind: Kind, detail: change.Detail) -> bytes:
    entry = ChangeEntry(
        kind=kind, at=Instant(9), epoch=9, process=ProcessId("p"), by="kim", known_by="os:1", detail=detail
    )
    return seal(entry)


def gone_on(last: int, *, more: int = 6) -> list[bytes]:
    """A ledger that was restored to its first entries, and adopted with a head over `last` old ones at hand."""
    copy = a_word(Kind.RESTORED, change.restored(head_of(OLD[:SHARED])))
    taken = a_word(Kind.ADOPTED, change.adopted(head_of(OLD[:last]), shared=SHARED, tokens_end=True))
    return [*OLD[:SHARED], copy, taken, *(a_change(n) for n in range(100, 100 + more))]


def looked_at(lines: list[bytes], *heads: str, receipts: Sequence[Receipt] = ()) -> Report:
    export = Export(signer=SIGNER, size=len(lines), lines=tuple(lines), head=note(lines))
    return audit(export, pinned=SIGNER, heads=heads, receipts=receipts)


def receipt(index: int) -> Receipt:
    return Receipt(leaf=leaf_hash(OLD[index]).hex(), index=index, head=note(OLD[: index + 1]))


@pytest.mark.parametrize("more", [0, 6])
def test_a_head_or_receipt_of_a_lost_entry_is_a_declared_gap(more: int) -> None:
    lines = gone_on(8, more=more)
    assert looked_at(lines, note(OLD[:SHARED]), note(lines[:5])).sound
    for size in range(SHARED + 1, 9):
        report = looked_at(lines, note(OLD[:size]), receipts=[receipt(size - 1)])
        assert [each.declared for each in report.findings] == [True, True]
        assert not report.sound
    (gap,) = looked_at(lines).gaps
    assert (gap.shared, gap.lost, gap.declared_at, gap.by) == (SHARED, 4, 5, "kim")


def test_what_is_not_declared_is_found_as_ever() -> None:
    lines = gone_on(7)
    forged = [*OLD[:6], a_change(66)]
    cases = {
        "more was lost than was declared": looked_at(lines, note(OLD[:8])),
        "the last head is another one": looked_at(lines, note(forged)),
        "a receipt behind the gap": looked_at(lines, receipts=[receipt(7)]),
        "an entry before the gap": looked_at([a_change(50), *lines[1:]], note(OLD[:SHARED])),
        "cut off after the adoption": looked_at(lines[:8], note(lines)),
        "the adoption itself is gone": looked_at([*lines[:5], *lines[6:]], note(OLD[:6])),
    }
    for case, report in cases.items():
        assert any(not finding.declared for finding in report.findings), case


def test_an_adoption_without_a_loss_declares_nothing() -> None:
    report = looked_at(gone_on(SHARED), note(OLD[:5]))
    assert report.gaps == ()
    assert [finding.declared for finding in report.findings] == [False]
