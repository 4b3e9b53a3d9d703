"""Heads that a time-stamping authority stamps, and whatever else one may answer."""

import base64
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from authority import Authority
from command_line import Shell
from interlock import post
from interlock.anchor.stamp import certificates, stamped_at
from interlock.core.errors import LedgerBroken
from interlock.ledger.anchor import Anchor
from interlock.ledger.anchor import read as read_anchors
from loopback import answering, http

pytestmark = [
    pytest.mark.promise("ledger"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the authority of these tests is `openssl ts`"),
    pytest.mark.slow,
]

REPLY = "application/timestamp-reply"
REJECTED = bytes.fromhex("30053003020102")


@pytest.fixture
def shop(on_file: Shell) -> Shell:
    on_file.publish()
    return on_file


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def body(question: bytes) -> bytes:
    return question.partition(b"\r\n\r\n")[2]


def stamps(by: Authority) -> Callable[[bytes], bytes]:
    return lambda question: http("200 OK", by.stamp(body(question)), REPLY)


def asked(text: bytes) -> bytes:
    return TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build().as_bytes()


def book(shop: Shell) -> tuple[Anchor, ...]:
    text = (shop.folder / "keys" / "anchors.jsonl").read_text(encoding="utf-8")
    return read_anchors(text.splitlines())


def test_a_stamp_is_kept_in_the_book_and_says_when_the_head_was_there(shop: Shell, authority: Authority) -> None:
    with answering(stamps(authority)) as port:
        place = f"rfc3161:http://127.0.0.1:{port}/tsa?key=hunter2#{authority.root}"
        assert shop.data("ledger", "anchor", "--to", place)["entries"] == 1
    (kept,) = book(shop)
    assert kept.to == f"rfc3161:http://127.0.0.1:{port}/tsa#{authority.root}"
    assert "not checked 1 time stamp" in " ".join(shop("ledger", "verify").split())
    found = shop.data("ledger", "verify", "--tsa", str(authority.root))
    assert [(each["by"], each["entries"]) for each in found["seen"]] == [
        (f"a time stamp (rfc3161:http://127.0.0.1:{port}/tsa)", 1)
    ]
    assert found["sound"]


def test_a_stamp_that_was_moved_to_another_head_or_is_of_another_authority_is_a_finding(
    shop: Shell, authority: Authority, tmp_path: Path
) -> None:
    with answering(stamps(authority)) as port:
        shop("ledger", "anchor", "--to", f"rfc3161:http://127.0.0.1:{port}#{authority.root}")
    other = Authority(tmp_path / "other")
    findings = shop.data("ledger", "verify", "--tsa", str(other.root), code=1)["findings"]
    assert len(findings) == 2
    assert "is no time stamp of this head by that authority" in findings[0]["what"]
    (kept,) = book(shop)
    roots = certificates(authority.root)
    assert stamped_at(kept.stamp, kept.head, roots) > 0
    with pytest.raises(LedgerBroken):
        stamped_at(kept.stamp, kept.head + " ", roots)
    with pytest.raises(LedgerBroken, match="is not written as one"):
        stamped_at("*", kept.head, roots)
    assert (
        "nothing that you kept has a time stamp"
        in shop.data("ledger", "verify", "--anchors", empty(tmp_path), "--tsa", str(authority.root), code=1)[
            "findings"
        ][0]["what"]
    )


def empty(folder: Path) -> str:
    (folder / "empty.jsonl").touch()
    return str(folder / "empty.jsonl")


@given(data=st.data())
def test_a_stamp_that_was_touched_is_none_and_nothing_falls_over(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not STAMPED:
        made = Authority(tmp_path_factory.mktemp("stamped") / "authority")
        STAMPED.append((made, made.stamp(asked(b"head"))))
    made, whole = STAMPED[0]
    roots = certificates(made.root)
    assert stamped_at(base64.b64encode(whole).decode(), "head", roots) > 0
    raw = bytearray(whole)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        found = stamped_at(base64.b64encode(bytes(raw)).decode(), "head", roots)
    except LedgerBroken:
        return
    # What is not signed says nothing: certificates that nobody needs, and how long they are.
    assert found == stamped_at(base64.b64encode(whole).decode(), "head", roots)


STAMPED: list[tuple[Authority, bytes]] = []


Answers = Callable[[Authority, bytes], bytes | None]
"""Given the authority, and the head that it was asked about."""


def stamped(text: bytes | None = None) -> Answers:
    """Stamp, but not what was asked: another text, or the same one to somebody else's question."""
    return lambda by, head: http("200 OK", by.stamp(asked(head if text is None else text)), REPLY)


def says(answer: bytes | None) -> Answers:
    return lambda by, head: answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (stamped(b"something else"), "no time stamp of this head"),
        (stamped(), "Nonce mismatch"),
        (says(http("200 OK", REJECTED, REPLY)), "no time stamp of this head"),
        (says(http("200 OK", b"", REPLY)), "no time stamp of this head"),
        (says(http("200 OK", b"\x30\x84\xff\xff\xff\xff", REPLY)), "no time stamp of this head"),
        (says(http("200 OK", b"hello", "text/html")), "answers with 200 and not with a time stamp"),
        (says(http("500 No", b"", REPLY)), "answers with 500 and not with a time stamp"),
        (says(http("307 No", b"", REPLY, "Location: /")), "sends elsewhere, and nobody follows"),
        (says(b"\xff" * 50), "does not answer as HTTP does"),
        (says(None), "no whole answer from"),
    ],
)
def test_whatever_an_authority_answers_ends_with_an_error_and_nothing_in_the_book(
    shop: Shell,
    authority: Authority,
    answer: Answers,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if said.startswith("no whole"):
        monkeypatch.setattr(post, "ANCHOR_SECONDS_MAX", 0.2)
    shop("ledger", "anchor", "--to", "anchors.jsonl")
    head = read_anchors(Path("anchors.jsonl").read_text(encoding="utf-8").splitlines())[0].head.encode()
    with answering(lambda _: answer(authority, head)) as port:
        told = shop.failed("ledger", "anchor", "--to", f"rfc3161:http://127.0.0.1:{port}#{authority.root}")
    assert said in " ".join(told.split())
    assert len(book(shop)) == 1


def test_a_certificate_that_has_ended_or_leads_to_another_root_stamps_nothing(shop: Shell, tmp_path: Path) -> None:
    ended = Authority(tmp_path / "ended", ends_in_days=-1)
    with answering(stamps(ended)) as port:
        told = shop.failed("ledger", "anchor", "--to", f"rfc3161:http://127.0.0.1:{port}#{ended.root}")
    assert "is of no use" in told
    other = Authority(tmp_path / "other")
    with answering(stamps(other)) as port:
        told = shop.failed("ledger", "anchor", "--to", f"rfc3161:http://127.0.0.1:{port}#{ended.root}")
    assert "is of no use" in told


def test_an_authority_that_cannot_be_meant_is_an_error(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("letter.txt").write_text("dear all\n", encoding="utf-8")
    for place, said in (
        ("rfc3161:http://127.0.0.1:1", "the certificate of the authority is missing"),
        ("rfc3161:http://127.0.0.1:1#letter.txt", "`letter.txt` holds no certificates"),
    ):
        assert shop.run("ledger", "anchor", "--to", place) == (1 if "letter" in place else 2, "")
        assert said in shop.err
    for name in ("interlock.anchor.stamp", "rfc3161_client"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    monkeypatch.delattr("interlock.anchor.stamp")
    shop.failed("ledger", "anchor", "--to", "rfc3161:http://127.0.0.1:1#x")
    assert "pip install 'interlock[timestamp]'" in shop.err
