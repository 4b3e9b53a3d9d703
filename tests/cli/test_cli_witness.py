"""Heads that a witness cosigns: asked for, kept, checked; and a ledger that was set back or written anew is found."""

import json
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from command_line import Shell
from interlock import post
from interlock.app import open_store
from interlock.core.ids import TenantId
from interlock.core.limits import ANCHOR_ANSWER_BYTES_MAX
from interlock.ledger.note import Verifier, signed
from interlock.ledger.tree import Head
from interlock.ledger.witness import Asked, write
from loopback import answering, http
from witnesses import Served, seen, serve

pytestmark = [pytest.mark.promise("ledger"), pytest.mark.slow]


def key_of(shell: Shell) -> str:
    return shell("ledger", "keys", "--current").strip()


@pytest.fixture
def shop(on_file: Shell) -> Shell:
    on_file.publish()
    return on_file


@pytest.fixture
def served(shop: Shell, tmp_path: Path) -> Generator[Served]:
    running = serve(tmp_path / "w1", Verifier.parse(key_of(shop)))
    yield running
    running.kill()


def copy(shop: Shell, name: str) -> None:
    """Keep the database as it is now, as a backup would."""
    for end in ("", "-wal", "-shm"):
        if Path(f"interlock.db{end}").exists():
            shutil.copy(f"interlock.db{end}", f"{name}{end}")


def set_back(shop: Shell, name: str) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"interlock.db{end}").unlink(missing_ok=True)
        if Path(f"{name}{end}").exists():
            shutil.copy(f"{name}{end}", f"interlock.db{end}")


def test_a_cosigned_head_is_kept_in_the_book_and_says_who_saw_what_when(shop: Shell, served: Served) -> None:
    for invoice in ("INV-1", "INV-2"):
        shop.refund(invoice, 5)
        kept = shop.data("ledger", "anchor", "--to", served.to)["kept"]
        assert [each["to"] for each in kept] == [served.to]
    assert seen(served.folder) == {f"interlock/{shop.tenant}": 5}
    pinned = ["--witness", str(served.cosigner)]
    found = shop.data("ledger", "verify", *pinned)
    assert [(each["by"], each["entries"]) for each in found["seen"]] == [
        ("witness.example/w1", 3),
        ("witness.example/w1", 5),
    ]
    assert (found["sound"], found["last_anchor"]["to"]) == (True, served.to)
    assert "seen by witness.example/w1: 3 entries, at " in " ".join(shop("ledger", "verify", *pinned).split())
    assert "not checked what witness.example/w1 signed" in " ".join(shop("ledger", "verify").split())
    shop("ledger", "export", "--out", "ledger.jsonl")
    outside = ["--key", key_of(shop), "--anchors", str(shop.folder / "keys" / "anchors.jsonl"), *pinned]
    shop.where, shop.folder = "/nowhere/at/all.db", Path("/nowhere")
    assert len(shop.data("ledger", "verify", "ledger.jsonl", *outside)["seen"]) == 2


def test_a_witness_that_is_known_and_has_signed_nothing_is_a_finding(shop: Shell, served: Served) -> None:
    shop("ledger", "anchor")
    found = shop.data("ledger", "verify", "--witness", str(served.cosigner), code=1)["findings"]
    assert [each["what"] for each in found] == ["nothing that you kept is cosigned by the witness witness.example/w1"]
    assert "not the public key of a witness" in shop.unmeant("ledger", "verify", "--witness", key_of(shop))


def test_a_ledger_that_was_set_back_is_found_by_the_witness_even_if_the_book_was_too(
    shop: Shell, served: Served
) -> None:
    copy(shop, "older")
    shop.refund("INV-1", 5)
    shop("ledger", "anchor", "--to", served.to)
    book = shop.folder / "keys" / "anchors.jsonl"
    set_back(shop, "older")
    for _ in range(2):
        said = " ".join(shop.failed("ledger", "anchor", "--to", served.to).split())
        assert "3 entries" in said
        assert "and the ledger has 1" in said or "it has only 1 entries" in said
        book.unlink(missing_ok=True)
    shop.refund("INV-2", 5)  # as many entries as it had, and others
    said = " ".join(shop.failed("ledger", "anchor", "--to", served.to).split())
    assert "the witness witness.example/w1 has signed other entries of this ledger" in said
    shop.refund("INV-3", 5)  # and more of them
    said = " ".join(shop.failed("ledger", "anchor", "--to", served.to).split())
    assert "the witness witness.example/w1 has signed other entries of this ledger" in said
    assert seen(served.folder) == {f"interlock/{shop.tenant}": 3}


def test_a_head_that_was_cosigned_before_is_held_against_the_ledger(shop: Shell, served: Served) -> None:
    copy(shop, "older")
    shop.refund("INV-1", 5)
    shop("ledger", "anchor", "--to", served.to)
    set_back(shop, "older")
    shop.refund("INV-2", 5)
    shop.refund("INV-3", 5)
    assert "does not go on from the head of 3 entries" in shop.failed("ledger", "anchor", "--to", served.to)
    assert not shop.data("ledger", "verify", "--witness", str(served.cosigner), code=1)["sound"]


def test_the_key_of_a_ledger_that_was_set_back_is_not_rotated_before_it_is_adopted(shop: Shell) -> None:
    copy(shop, "older")
    shop.refund("INV-1", 5)
    shop("ledger", "anchor")
    set_back(shop, "older")
    rotate = ["ledger", "rotate", "--why", "leaked", "--yes"]
    said = " ".join(shop.failed(*rotate).split())
    assert "2 entries are lost" in said
    assert "`interlock ledger adopt --store" in said
    shop("ledger", "adopt", "--lost", "2")
    shop(*rotate)


def test_a_book_that_was_lost_is_no_harm_to_an_honest_ledger(shop: Shell, served: Served) -> None:
    shop("ledger", "anchor", "--to", served.to)
    (shop.folder / "keys" / "anchors.jsonl").unlink()
    shop.refund("INV-1", 5)
    assert shop.data("ledger", "anchor", "--to", served.to)["entries"] == 3


def test_a_witness_that_was_killed_in_between_goes_on(shop: Shell, served: Served) -> None:
    shop("ledger", "anchor", "--to", served.to)
    served.kill()
    assert "cannot be reached" in shop.failed("ledger", "anchor", "--to", served.to)
    again = serve(served.folder, Verifier.parse(key_of(shop)), port=served.port)
    shop.refund("INV-1", 5)
    shop("ledger", "anchor", "--to", served.to)
    again.kill()


def test_a_witness_that_does_not_know_the_ledger_is_told_how_to(shop: Shell, tmp_path: Path) -> None:
    other = Shell(str(tmp_path / "other.db"), tmp_path / "other", shop.tenant, shop.clock, shop.capsys)
    other.folder.mkdir()
    other("contract", "publish", "shop.yaml", "--env", "prod")
    key = Verifier.parse(key_of(other))
    elsewhere = Verifier(origin="interlock/globex", public_key=key.public_key)
    for trusted, said in ((key, "trusts another key for this ledger"), (elsewhere, "does not know this ledger")):
        running = serve(tmp_path / "w1", trusted)
        assert said in shop.failed("ledger", "anchor", "--to", running.to)
        assert "`--trust KEY`" in " ".join(shop.err.split())
        running.kill()


NOT_COSIGNED = b"\xe2\x80\x94 witness.example/w1 AAAAAAAAAAAA\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "does not answer as HTTP does"),
        (b"\x00" * 100, "does not answer as HTTP does"),
        (http("200 OK"), "is not signed by the witness"),
        (http("200 OK", b"hello\n"), "is no cosignature"),
        (http("200 OK", b"\xff"), "is no cosignature"),
        (http("200 OK", NOT_COSIGNED), "is not signed by the witness"),
        (http("200 OK", NOT_COSIGNED * 99), "is no cosignature"),
        (http("200 OK", b"x" * (ANCHOR_ANSWER_BYTES_MAX + 1)), "answers with more than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "does not answer as HTTP does"),
        (http("302 Found", b"", "text/plain", "Location: http://127.0.0.1:1/"), "sends elsewhere, and nobody follows"),
        (http("409 Conflict", b"7\n"), "answers with 409"),
        (http("409 Conflict", b"-7\n", "text/x.tlog.size"), "answers with 409"),
        (http("409 Conflict", b"9" * 5_000, "text/x.tlog.size"), "answers with 409"),
        (http("409 Conflict", b"7000\n", "text/x.tlog.size"), "7,000 entries, and the ledger has 1"),
        (http("409 Conflict", b"0\n", "text/x.tlog.size"), "has signed other entries"),
        (http("422 No"), "has signed other entries"),
        (http("500 No", b"<secret>"), "answers with 500"),
        (None, "no whole answer from"),
    ],
)
def test_whatever_a_witness_answers_ends_with_an_error_and_nothing_in_the_book(
    shop: Shell, answer: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if answer is None:
        monkeypatch.setattr(post, "ANCHOR_SECONDS_MAX", 0.2)
    key = json.loads(shop("witness", "key", "new", "witness.example/w1", "--json"))["key"]
    with answering(lambda _: answer) as port:
        told = " ".join(shop.failed("ledger", "anchor", "--to", f"witness:http://127.0.0.1:{port}#{key}").split())
    assert said in told
    assert "secret" not in told
    assert not (shop.folder / "keys" / "anchors.jsonl").exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("witness:http://127.0.0.1:1", "the key of the witness is missing"),
        ("witness:ftp://127.0.0.1#K", "not the address of a place"),
        ("witness:http://user:hunter2@127.0.0.1#K", "not the address of a place"),
        ("witness:http://127.0.0.1:99999#K", "not the address of a place"),
        ("witness:http://127.0.0.1/a b#K", "not the address of a place"),
        ("witness:http://[::1#K", "not the address of a place"),
        ("witness:http://127.0.0.1:1#abc", "not the public key of a witness"),
    ],
)
def test_a_place_that_cannot_be_meant_is_an_error(shop: Shell, place: str, said: str) -> None:
    assert said in shop.unmeant("ledger", "anchor", "--to", place)
    assert "hunter2" not in shop.err


def test_the_key_of_a_witness_is_made_once_and_shown_again(on_file: Shell) -> None:
    made = on_file.data("witness", "key", "new", "witness.example/w1")
    assert made["file"] == "w1.key"
    assert on_file("witness", "key", "show", "w1.key").strip() == made["key"]
    assert "is there already" in on_file.failed("witness", "key", "new", "witness.example/w1")
    assert "cannot be the name of a witness" in on_file.unmeant("witness", "key", "new", "a b")
    assert "cannot be used" in on_file.failed("witness", "key", "show", "gone.key")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--bind", "localhost"], "is no place to listen at"),
        (["--bind", "127.0.0.1:99999"], "is no place to listen at"),
        (["--trust", "abc"], "this is not a public key of a ledger"),
    ],
)
def test_a_witness_that_cannot_be_meant_does_not_start(shop: Shell, more: list[str], said: str) -> None:
    assert said in " ".join(shop.unmeant(*serving(shop), *more).split())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--bind", "203.0.113.1:8733"], "nobody can listen at"),
        (["--key", "gone.key"], "`gone.key` cannot be used"),
        (["--state", "."], "cannot be used"),
    ],
)
def test_a_witness_that_finds_no_place_does_not_start(shop: Shell, more: list[str], said: str) -> None:
    assert said in " ".join(shop.failed(*serving(shop), *more).split())


def serving(shop: Shell) -> list[str]:
    shop("witness", "key", "new", "w1")
    return ["witness", "serve", "--key", "w1.key", "--state", "w1.seen", "--trust", key_of(shop)]


def test_after_a_rotation_the_witness_signs_again_once_it_is_told_of_the_new_key_and_for_the_old_one_never(
    shop: Shell, served: Served
) -> None:
    shop("ledger", "anchor", "--to", served.to)
    old = shop.data("ledger", "keys")["key"]
    shop("ledger", "rotate", "--why", "leaked", "--yes")
    new = shop.data("ledger", "keys")["key"]
    said = shop.failed("ledger", "anchor", "--to", served.to)
    assert "trusts another key for this ledger" in " ".join(said.split())
    served.kill()
    again = serve(served.folder, Verifier.parse(new))
    try:
        shop.refund("INV-1", 5)
        shop("ledger", "anchor", "--to", again.to)
        assert seen(served.folder) == {f"interlock/{shop.tenant}": 4}
        assert shop.data("ledger", "verify", "--key", old, "--witness", str(again.cosigner))["sound"]
        opened = open_store(shop.where, shop.folder / "keys", clock=shop.clock)
        try:
            tenant = TenantId(shop.tenant)
            head = Head(size=9, root=bytes(32))
            stolen = signed(Verifier.parse(old), head, lambda text: opened.secrets.sign(tenant, text, generation=1))
        finally:
            opened.close()
        reply = again.add(write(Asked(old=4, path=(), note=stolen)))
        assert reply.status == 403
    finally:
        again.kill()
    words = ["witness", "serve", "--key", str(served.folder / "w1.key"), "--state", str(served.folder / "w1.seen")]
    said = " ".join(shop.failed(*words, "--trust", old).split())
    assert "a newer key came after: nothing would be signed" in said
    assert "`interlock ledger keys --current`" in said


def test_a_store_that_was_set_back_over_a_rotation_is_not_cosigned_and_the_error_says_what_it_may_be(
    shop: Shell, served: Served
) -> None:
    old = key_of(shop)
    copy(shop, "older")
    shop("ledger", "rotate", "--why", "leaked", "--yes")
    served.kill()
    both = serve(served.folder, Verifier.parse(old), Verifier.parse(key_of(shop)))
    try:
        shop("ledger", "anchor", "--to", both.to)
        set_back(shop, "older")
        (shop.folder / "keys" / "anchors.jsonl").unlink()
        for invoice in ("INV-1", "INV-2"):
            shop.refund(invoice, 5)
        said = " ".join(shop.failed("ledger", "anchor", "--to", both.to).split())
        assert "or a newer one has signed" in said
        assert "unless the store was set back (`interlock ledger verify`)" in said
    finally:
        both.kill()
