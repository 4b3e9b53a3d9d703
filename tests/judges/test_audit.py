"""An export is checked by whoever has the public key and anything that was kept: a head, a receipt, an anchor."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from interlock.anchor.file import AnchorFile
from interlock.core.action import Action, ActionState, Caller
from interlock.core.charge import Charge, Unit
from interlock.core.effect import EffectClass, Tier
from interlock.core.errors import LedgerBroken
from interlock.core.ids import (
    ActionId,
    AgentId,
    BudgetId,
    Digest,
    Environment,
    GrantId,
    Instant,
    Key,
    PayloadId,
    PrincipalId,
    ProcessId,
    RuleId,
    RunId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.core.money import Money
from interlock.core.outcome import Receipt
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.ledger.anchor import Anchor, standing
from interlock.ledger.anchor import line as anchor_line
from interlock.ledger.anchor import read as read_anchors
from interlock.ledger.audit import Report, audit
from interlock.ledger.export import ProvedEntry, proves, read_proof, write_proof
from interlock.ledger.export import read as read_export
from interlock.ledger.export import write as write_export
from interlock.ledger.note import Verifier, signed
from interlock.ledger.proof import Proof, inclusion
from interlock.ledger.reading import ActionLine, ChangeLine, read
from interlock.ledger.seal import ActionEntry, ChangeEntry, Kind, Used, seal
from interlock.ledger.tree import Growing, Tree, full_root, leaf_hash

pytestmark = pytest.mark.promise("ledger")

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIGNER = Verifier.of(TenantId("acme"), KEY.public_key().public_bytes_raw())
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def a_change(n: int) -> bytes:
    return seal(
        ChangeEntry(
            kind=Kind.CLOCK,
            at=Instant(n),
            epoch=n,
            process=ProcessId("p"),
            by="kim",
            known_by="os:1",
            detail={},
        )
    )


LINES = tuple(a_change(n) for n in range(40))


def head(lines: tuple[bytes, ...], key: Ed25519PrivateKey = KEY) -> str:
    tree = Tree()
    for line in lines:
        tree = tree.add(line)
    return signed(SIGNER, tree.head(), key.sign)


def receipt(index: int, lines: tuple[bytes, ...] = LINES) -> Receipt:
    return Receipt(leaf=leaf_hash(lines[index]).hex(), index=index, head=head(lines[: index + 1]))


def of(lines: tuple[bytes, ...], note: str | None = None, **kept: object) -> Report:
    text = write_export(SIGNER, lines, size=len(lines), head=head(lines) if note is None else note)
    return audit(read_export(text), pinned=SIGNER, **kept)  # pyright: ignore[reportArgumentType]


def found(report: Report) -> list[tuple[int | None, str]]:
    return [(finding.index, finding.what) for finding in report.findings]


def test_an_export_reads_as_json_lines_and_comes_back_as_it_was() -> None:
    text = list(write_export(SIGNER, LINES[:2], size=2, head=head(LINES[:2])))
    assert [sorted(json.loads(line)) for line in text] == snapshot(
        [
            ["export", "key", "origin", "size"],
            ["at", "by", "detail", "epoch", "format", "kind", "known_by", "process"],
            ["at", "by", "detail", "epoch", "format", "kind", "known_by", "process"],
            ["head"],
        ]
    )
    assert text[1].encode() == LINES[0] + b"\n"
    export = read_export(text)
    assert (export.signer, export.size, tuple(export.lines), export.head) == (SIGNER, 2, LINES[:2], head(LINES[:2]))


@given(st.lists(st.binary(max_size=20)))
def test_an_export_carries_any_bytes_whatever_they_are(stored: list[bytes]) -> None:
    text = "".join(write_export(SIGNER, stored, size=len(stored), head="n"))
    assert tuple(read_export(text.split("\n")[:-1]).lines) == tuple(stored)


def test_a_forged_line_does_not_pass_as_what_it_quotes() -> None:
    _, quoted, _ = write_export(SIGNER, [b"\n"], size=1, head="")
    export = read_export(write_export(SIGNER, [quoted.strip().encode()], size=1, head=""))
    assert tuple(export.lines) == (quoted.strip().encode(),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"export":1}',
        "\udcff",
        "[1]",
        '{"export":2,"key":"","origin":"","size":0}',
        f'{{"export":1,"key":"{SIGNER}","origin":"interlock/other","size":0}}',
    ],
)
def test_what_is_not_an_export_is_refused(text: str) -> None:
    with pytest.raises(LedgerBroken):
        read_export([text])


def test_a_sound_export_says_what_was_checked() -> None:
    report = of(LINES, heads=[head(LINES[:7]), head(())], receipts=[receipt(3), receipt(39)])
    assert report.sound
    assert (report.entries, report.heads, report.receipts, report.pinned) == (40, 4, 2, True)
    assert of(()).sound
    assert not audit(read_export(write_export(SIGNER, LINES, size=40, head=head(LINES)))).pinned


@given(st.data())
def test_whoever_holds_one_older_head_finds_any_change_under_it(data: st.DataObject) -> None:
    held = data.draw(st.integers(1, len(LINES)))
    at, to = data.draw(st.integers(0, held - 1)), data.draw(st.integers(0, held - 1))
    forged = list(LINES)
    match data.draw(st.sampled_from(["edit", "insert", "delete", "swap", "truncate"])):
        case "edit":
            forged[at] = a_change(1_000)
        case "insert":
            forged.insert(at, a_change(1_000))
        case "delete":
            del forged[at]
        case "swap":
            forged[at], forged[to] = forged[to], forged[at]
        case _:
            del forged[at:]
    assume(tuple(forged) != LINES)
    # Whoever has stolen the signing key can sign any history, and is found all the same.
    assert not of(tuple(forged), heads=[head(LINES[:held])]).sound
    assert not of(tuple(forged), receipts=[receipt(held - 1)]).sound


def test_a_finding_names_the_entries_between_the_last_good_head_and_the_first_bad_one() -> None:
    forged = (*LINES[:20], a_change(1_000), *LINES[21:])
    kept = [head(LINES[:size]) for size in (5, 10, 30, 40)]
    assert found(of(forged, heads=kept, receipts=[receipt(20), receipt(2)])) == snapshot(
        [
            (10, "a head that you kept is over other entries: one from 10 to 20 was changed, added, moved or cut"),
            (10, "a head that you kept is over other entries: one from 10 to 29 was changed, added, moved or cut"),
            (10, "a head that you kept is over other entries: one from 10 to 39 was changed, added, moved or cut"),
            (20, "it is not the entry that was receipted"),
        ]
    )


def test_a_history_that_was_cut_is_found_by_who_saw_more() -> None:
    assert found(of(LINES[:30], receipts=[receipt(35)])) == snapshot(
        [
            (30, "a head that you kept is over 36 entries: 6 are gone from the end"),
            (35, "it was receipted, and it is gone"),
        ]
    )


def test_a_file_that_was_cut_off_or_lengthened_is_found() -> None:
    text = list(write_export(SIGNER, LINES[:3], size=3, head=head(LINES[:3])))
    assert found(audit(read_export(text[:-1]), pinned=SIGNER)) == snapshot(
        [(None, "it has no signed head: the file was cut off")]
    )
    assert not audit(read_export(text[:-2]), pinned=SIGNER).sound
    assert not audit(read_export([text[0], text[-1]]), pinned=SIGNER).sound
    assert not audit(read_export([*text[:-1], text[1], text[-1]]), pinned=SIGNER).sound
    assert not audit(read_export([*text, "\n"]), pinned=SIGNER).sound


def test_a_file_is_read_and_audited_a_line_at_a_time() -> None:
    text = list(write_export(SIGNER, LINES, size=40, head=head(LINES)))
    ahead = list[int]()

    def one_by_one() -> Iterator[str]:
        for n, line in enumerate(text):
            ahead.append(n)
            yield line

    export = read_export(one_by_one())
    taken = 0
    for taken, _ in enumerate(export.lines, start=1):
        assert len(ahead) <= taken + 2, "the head is known one line late, and nothing is read before it is asked for"
    assert (taken, export.head) == (40, head(LINES))
    assert audit(read_export(one_by_one()), pinned=SIGNER, receipts=[receipt(3)]).sound


def test_a_head_over_another_number_of_entries_than_announced_is_found_once() -> None:
    text = list(write_export(SIGNER, LINES[:9], size=9, head=head(LINES[:4])))
    assert found(audit(read_export(text), pinned=SIGNER)) == snapshot(
        [(None, "its head is over 4 entries, and it has 9")]
    )


def test_a_key_that_is_not_the_pinned_one_is_found() -> None:
    thief = Verifier.of(TenantId("acme"), OTHER.public_key().public_bytes_raw())
    forged = (*LINES[:20], a_change(1_000))
    text = list(write_export(thief, forged, size=21, head=head(forged, OTHER)))
    assert not audit(read_export(text), pinned=SIGNER).sound
    assert not of(LINES, head(LINES, OTHER)).sound
    assert not of(LINES, heads=[head(LINES[:3], OTHER)]).sound


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"\xff{}",
        LINES[0] + b" ",
        LINES[0].replace(b'"format":1', b'"format":2'),
        LINES[0].replace(b'"clock"', b'"unheard_of"'),
        LINES[0].replace(b'{"at":0,', b'{"and":1,"at":0,'),
        b'{"by":"kim",' + LINES[0].replace(b'"by":"kim",', b"")[1:],
    ],
)
def test_an_entry_that_we_would_not_have_written_is_found_by_its_index(line: bytes) -> None:
    (finding,) = of((*LINES[:2], line)).findings
    assert finding.index == 2


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT), st.dictionaries(TEXT, st.integers(0, 9)), st.sampled_from(Kind))
def test_what_is_sealed_is_read_back_and_nothing_of_it_is_lost(
    name: str, code: str, detail: dict[str, str], costs: dict[str, int], kind: Kind
) -> None:
    caller = Caller(
        tenant=TenantId(name),
        workflow=WorkflowId(code),
        environment=Environment(name),
        agent=AgentId(code),
        principal=PrincipalId(name),
    )
    action = Action(
        id=ActionId(name),
        key=Key(""),
        digest=Digest(""),
        what=code,
        caller=caller,
        run=RunId(code),
        tool=ToolName(name),
        effect=EffectClass.OPAQUE,
        tier=Tier.RED,
        arguments=PayloadId(""),
        asked_at=Instant(7),
    )
    entry = ActionEntry(
        kind=kind,
        at=Instant(1),
        epoch=2,
        process=ProcessId(name),
        action=action,
        state=ActionState.DONE,
        rules=(RuleId(name),),
        reason=Reason.POLICY,
        grants=(Used(grant=GrantId(name), person=code, known_by=name),),
        holds=(Charge(budget=BudgetId(name), unit=Unit.USD, amount=1, limit=2),),
        costs={BudgetId(id): amount for id, amount in costs.items()},
        cost=Money(3),
        detail=detail,
    )
    line = read(seal(entry))
    assert isinstance(line, ActionLine)
    assert (line.action, line.rules, line.costs, line.detail, line.reason) == (name, (name,), costs, detail, "policy")
    change = of_change(kind, detail, code)
    assert isinstance(read(seal(change)), ChangeLine)


def of_change(kind: Kind, detail: dict[str, str], by: str) -> ChangeEntry:
    return ChangeEntry(
        kind=kind, at=Instant(1), epoch=2, process=ProcessId(by), by=by, known_by=by, detail={**detail, "n": 1}
    )


def a_proof(index: int, size: int) -> ProvedEntry:
    leaves = [leaf_hash(line) for line in LINES]
    path = inclusion(lambda level, at: full_root(leaves[at << level : (at + 1) << level]), index, size)
    return ProvedEntry(line=LINES[index], index=index, proof=Proof(path=path, head=head(LINES[:size])))


def test_the_proof_of_an_entry_is_a_text_that_stands_for_itself() -> None:
    text = write_proof(a_proof(5, 11))
    assert text.splitlines()[0] == "c2sp.org/tlog-proof@v1"
    assert read_proof(text) == a_proof(5, 11)
    assert proves(read_proof(text), SIGNER)
    assert proves(read_proof(write_proof(a_proof(0, 1))), SIGNER)
    assert not proves(replace(a_proof(5, 11), line=LINES[6]), SIGNER)
    assert not proves(replace(a_proof(5, 11), index=6), SIGNER)
    with pytest.raises(LedgerBroken):
        proves(replace(a_proof(5, 11), proof=replace(a_proof(5, 11).proof, head=head(LINES[:11], OTHER))), SIGNER)


@given(st.data())
def test_a_proof_that_was_touched_anywhere_proves_nothing_else(data: st.DataObject) -> None:
    text = write_proof(a_proof(5, 11))
    at = data.draw(st.integers(0, len(text) - 1))
    forged = text[:at] + data.draw(st.characters(min_codepoint=10, max_codepoint=126)) + text[at + 1 :]
    try:
        proved = read_proof(forged)
        assert not proves(proved, SIGNER) or (proved.line, proved.index) == (LINES[5], 5)
    except LedgerBroken:
        pass


def test_anchors_are_kept_in_a_file_that_only_grows(tmp_path: Path) -> None:
    file = AnchorFile(tmp_path / "anchors")
    assert file.read() == ()
    kept = tuple(Anchor(at=Instant(100 * size), head=head(LINES[:size])) for size in (1, 5, 9))
    for anchor in kept:
        file.append(anchor)
    assert file.read() == kept
    last = standing(file.read(), SIGNER.origin, 12, Instant(1_000))
    assert last is not None
    assert (last.at, last.age, last.size, last.since, last.missing) == (900, 100, 9, 3, 0)
    assert standing(file.read(), "interlock/other", 12, Instant(1_000)) is None
    heads = [anchor.head for anchor in file.read()]
    assert of(LINES, heads=heads).sound
    assert not of((a_change(1_000), *LINES[1:]), heads=heads).sound
    assert not of(LINES[:8], heads=heads).sound


def test_an_anchor_that_a_crash_tore_is_named() -> None:
    lines = [anchor_line(Anchor(at=Instant(1), head="n")), '{"at":2,"he']
    with pytest.raises(LedgerBroken, match="line 2 is not an anchor"):
        read_anchors(lines)


def test_an_anchor_that_is_kept_elsewhere_comes_before_one_beside_the_keys_and_a_longer_one_than_the_ledger_shows() -> (
    None
):
    far = Anchor(at=Instant(1), head=head(LINES[:9]), to="git:/elsewhere")
    near = Anchor(at=Instant(2), head=head(LINES[:5]))
    last = standing([near, far], SIGNER.origin, 7, Instant(5))
    assert last is not None
    assert (last.to, last.size, last.since, last.missing) == ("git:/elsewhere", 9, 0, 2)
    assert read_anchors([anchor_line(far), anchor_line(near)]) == (far, near)
    no_size = Anchor(at=Instant(1), head=f"{SIGNER.origin}\n{'9' * 5_000}\n")
    assert standing([no_size], SIGNER.origin, 7, Instant(5)) is None


@given(st.lists(st.binary(max_size=4), max_size=40), st.lists(st.integers(0, 50)))
def test_one_pass_gives_the_roots_of_all_sizes_that_there_are(lines: list[bytes], sizes: list[int]) -> None:
    trees = [Tree()]
    for line in lines:
        trees.append(trees[-1].add(line))
    leaves = [leaf_hash(line) for line in lines]
    growing = Growing(sizes)
    for leaf in leaves:
        growing.add(leaf)
    assert growing.root() == trees[-1].head().root
    assert growing.roots == {size: trees[size].head().root for size in sizes if size <= len(lines)}
