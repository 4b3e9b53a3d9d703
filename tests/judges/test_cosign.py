"""Notes with several signatures, cosignatures, and what a witness makes of a question: pure, and of any text."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant
from interlock.core.limits import NOTE_SIGNATURES_MAX
from interlock.ledger.anchor import Anchor
from interlock.ledger.cosign import Checkpoint, Cosigner, Note, checkpoint, cosigned, parse, with_lines
from interlock.ledger.note import opened
from interlock.ledger.sighted import sightings, unchecked
from interlock.ledger.tree import Head
from interlock.ledger.witness import Cosign, Decline, Last, judge
from witnesses import Log

pytestmark = pytest.mark.promise("ledger")

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(4)]
COSIGNERS = [
    Cosigner(name=f"witness.example/w{n}", public_key=key.public_key().public_bytes_raw()) for n, key in enumerate(KEYS)
]
NOTE = Log().note(7)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="+"), min_size=1, max_size=9)


def line(n: int, at: int, note: str = NOTE) -> str:
    return cosigned(COSIGNERS[n], parse(note).text, at, KEYS[n].sign)


@given(
    st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=9), min_size=1, max_size=5),
    st.lists(st.tuples(NAMES, st.binary(min_size=5, max_size=80)), min_size=1, max_size=NOTE_SIGNATURES_MAX),
)
def test_a_note_is_read_as_it_was_written_with_all_its_signatures(
    lines: list[str], signatures: list[tuple[str, bytes]]
) -> None:
    text = "".join(f"{each}\n" for each in lines)
    under = [(name, base64.b64encode(raw).decode()) for name, raw in signatures]
    note = parse(text + "\n" + "".join(f"\u2014 {name} {encoded}\n" for name, encoded in under))
    assert note.text == text
    assert [(each.name, each.key_id + each.signature) for each in note.signatures] == signatures


@given(st.text(st.sampled_from("interlock/acme\n \u2014+=AQ0\r\t\u00a0"), max_size=60) | st.text())
def test_any_text_is_a_note_or_refused(text: str) -> None:
    try:
        note = parse(text)
    except LedgerBroken:
        return
    assert note.signatures
    again = (
        note.text
        + "\n"
        + "".join(
            f"\u2014 {each.name} {base64.b64encode(each.key_id + each.signature).decode()}\n"
            for each in note.signatures
        )
    )
    assert again == text  # nothing is read in two forms


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**40)), max_size=8), st.data())
def test_each_witness_is_found_among_the_signatures_of_others_and_a_touched_one_is_refused(
    by: list[tuple[int, int]], data: st.DataObject
) -> None:
    note = NOTE + "".join(line(n, at) for n, at in by)
    for n, cosigner in enumerate(COSIGNERS):
        assert cosigner.seen_at(parse(note)) == max((at for one, at in by if one == n), default=None)
    assert opened(note, Log().verifier).size == 7  # to the ledger itself they are signatures of others
    if by:
        n, _ = by[-1]
        raw = bytearray(parse(note).signatures[-1].signature)
        raw[data.draw(st.integers(0, 71))] ^= data.draw(st.integers(1, 255))
        forged = base64.b64encode(COSIGNERS[n].key_id() + bytes(raw)).decode()
        with pytest.raises(LedgerBroken, match="and not its signature"):
            COSIGNERS[n].seen_at(parse(with_lines(note, f"\u2014 {COSIGNERS[n].name} {forged}\n")))


def test_what_is_no_note_is_refused() -> None:
    text, _, signature = NOTE.rpartition("\n\n")
    for wrong in (
        "",
        NOTE.rstrip("\n"),
        text + "\n\n",
        text + "\n" + signature,
        NOTE.replace("\u2014", "-"),
        NOTE.replace("=", ""),
        NOTE + "\u2014 a b c\n",
        NOTE + "\u2014 a+b AAAAAAAA\n",
        NOTE + "\u2014 a AAAA\n",
        NOTE + "\n",
        NOTE.replace("interlock", "inter\tlock"),
        "\ud800" + NOTE,
        NOTE + line(0, 1) * NOTE_SIGNATURES_MAX,
        "x" * 200_000 + NOTE,
    ):
        with pytest.raises(LedgerBroken):
            parse(wrong)
    with pytest.raises(LedgerBroken):
        with_lines(NOTE, "hello\n")


def test_the_text_of_a_head_is_read_with_the_lines_that_others_may_add() -> None:
    root = base64.b64encode(bytes(32)).decode()
    assert checkpoint(f"a\n7\n{root}\n") == Checkpoint(origin="a", head=Head(size=7, root=bytes(32)))
    assert checkpoint(f"a\n7\n{root}\nmore\n").head.size == 7
    for wrong in (
        "", "a\n", f"\n7\n{root}\n", f"a\n07\n{root}\n", f"a\n-1\n{root}\n", f"a\n\u0667\n{root}\n", "a\n7\nAAAA\n",
        f"a\n{2**63}\n{root}\n", f"a\n{'9' * 5_000}\n{root}\n", f"a\n7\n{root[:-2]}B=\n", f"a\n7\n{root}\n\nb\n",
    ):  # fmt: skip
        with pytest.raises(LedgerBroken):
            checkpoint(wrong)


def test_the_key_of_a_witness_is_written_in_one_form_and_is_not_that_of_a_ledger() -> None:
    text = str(COSIGNERS[0])
    assert Cosigner.parse(f" {text}\n") == COSIGNERS[0]
    for wrong in ("", "a", "a+b+c", text[:-2], text.replace("w0", "w1"), str(Log().verifier)):
        with pytest.raises(LedgerBroken, match="not the public key of a witness"):
            Cosigner.parse(wrong)


def test_the_text_that_a_witness_signs_is_that_of_the_specification() -> None:
    # The example of https://c2sp.org/tlog-cosignature, with the time and the head as they stand there.
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    signed: list[bytes] = []

    def sign(said: bytes) -> bytes:
        signed.append(said)
        return KEYS[0].sign(said)

    under = cosigned(COSIGNERS[0], text, 1_679_315_147, sign)
    assert signed == [b"cosignature/v1\ntime 1679315147\n" + text.encode()]
    raw = base64.b64decode(under.split(" ")[2])
    assert (len(raw), raw[4:12]) == (76, (1_679_315_147).to_bytes(8, "big"))


@given(st.binary(max_size=200) | st.sampled_from([Log().asks(3, 7), Log().asks(0, 7)]), st.data())
def test_a_witness_signs_nothing_but_what_goes_on_from_what_it_has_seen(body: bytes, data: st.DataObject) -> None:
    log = Log()
    at = data.draw(st.integers(0, max(0, len(body) - 1)))
    touched = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :] if body else body
    held = Last(head=checkpoint(parse(log.note(3)).text).head)
    judged = judge(touched, {log.verifier.origin: [log.verifier]}, {log.verifier.origin: held})
    if isinstance(judged, Cosign):
        assert judged.last.head == checkpoint(parse(NOTE).text).head
    else:
        assert judged.status in (400, 403, 404, 409, 422)


def test_a_ledger_may_have_several_keys_and_a_line_that_is_forged_under_one_of_them_is_a_no() -> None:
    log, later = Log(), Log(key=KEYS[3])
    trusted = {log.verifier.origin: [log.verifier, later.verifier]}
    assert isinstance(judge(log.asks(0, 3), trusted, {}), Cosign)
    assert isinstance(judge(later.asks(0, 3), trusted, {}), Cosign)
    both = later.note(3) + log.note(4).rpartition("\n\n")[2]
    judged = judge(b"old 0\n\n" + both.encode(), trusted, {})
    assert isinstance(judged, Decline)
    assert judged.status == 403


def test_who_saw_which_size_when_is_told_by_keys_that_are_known_alone() -> None:
    anchors = [
        Anchor(at=Instant(1), head=Log().note(size) + line(n, at, Log().note(size)))
        for n, size, at in ((0, 3, 50), (1, 5, 40), (0, 7, 60))
    ]
    seen, wrong = sightings(anchors, COSIGNERS[:1])
    assert wrong == []
    assert [(each.by, each.size, each.at) for each in seen] == [
        ("witness.example/w0", 3, 50_000_000),
        ("witness.example/w0", 7, 60_000_000),
    ]
    assert unchecked(anchors, COSIGNERS[:1]) == ["witness.example/w1"]
    _, wrong = sightings(anchors, COSIGNERS[3:])
    assert [each.what for each in wrong] == ["nothing that you kept is cosigned by the witness witness.example/w3"]
    moved = Anchor(at=Instant(1), head=Log().note(5) + line(0, 9, Log().note(3)))
    seen, wrong = sightings([moved], COSIGNERS[:1])
    assert "and not its signature" in wrong[0].what
    assert isinstance(parse(moved.head), Note)
