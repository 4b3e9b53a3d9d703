"""A witness signs one history of each ledger, whatever it is sent, and whenever it is killed."""

import http.client
import json
import os
import socket
import stat
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.anchor.seen import SeenFile
from interlock.anchor.witness_key import load, make
from interlock.core.errors import InterlockError, LedgerBroken, NotPermitted, Occupied, StoreClosed
from interlock.core.limits import WITNESS_BODY_BYTES_MAX
from interlock.ledger import witness
from interlock.ledger.tree import Head
from interlock.ledger.witness import Asked, Last
from witnesses import Log, Replied, Served, forked, seen, serve

pytestmark = [pytest.mark.promise("ledger"), pytest.mark.slow]

OLD, NEW, NEWEST = (Log(key=Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2, 3))
"""One ledger under three generations of its key."""
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def served(tmp_path: Path) -> Generator[Served]:
    running = serve(tmp_path / "w1", Log().verifier)
    yield running
    running.kill()


def conflict(size: int) -> Replied:
    return Replied(409, "text/x.tlog.size", f"{size}\n")


def test_a_witness_cosigns_what_goes_on_from_what_it_has_seen(served: Served) -> None:
    log = Log()
    for old, new in ((0, 3), (3, 3), (3, 8), (8, 9), (9, 40)):
        reply = served.add(log.asks(old, new))
        assert served.seen_at(log.note(new), reply) is not None
        assert reply.body.startswith(f"\u2014 {served.cosigner.name} ")
        assert seen(served.folder) == {"interlock/acme": new}


def test_each_thing_that_is_wrong_has_its_status(served: Served) -> None:
    log, fork = Log(), forked(2)
    assert served.add(log.asks(0, 8)).status == 200
    of_another = Log(tenant="globex")
    wrong = Asked(old=8, path=(bytes(32),), note=log.note(12))
    for body, status in (
        (b"", 400),
        (b"\xff\n\n", 400),
        (b"old 8\n\nno note\n", 400),
        (b"old 08\n\n" + log.note(8).encode(), 400),
        (b"new 8\n\n" + log.note(8).encode(), 400),
        (b"old 8\nAAAA\n\n" + log.note(8).encode(), 400),
        (log.asks(8, 12).replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n" * 64 + b"\n", 1), 400),
        (witness.write(Asked(old=9, path=(), note=log.note(8))), 400),  # the old size is larger than the new one
        (of_another.asks(0, 3), 404),
        (witness.write(Asked(old=8, path=log.path(8, 12), note=log.note(12, OTHER))), 403),
        (witness.write(wrong), 422),
        (witness.write(Asked(old=8, path=(), note=log.note(12))), 422),
        (witness.write(Asked(old=8, path=(bytes(32),), note=log.note(8))), 422),
        (fork.asks(8, 12), 422),
    ):
        assert served.add(body).status == status, body
    assert served.add(log.asks(0, 12)) == conflict(8)
    assert served.add(log.asks(3, 12)) == conflict(8)
    assert served.add(log.asks(3, 5)) == conflict(8)
    assert served.add(fork.asks(8, 8)) == conflict(8)
    assert seen(served.folder) == {"interlock/acme": 8}
    assert served.add(log.asks(8, 12)).status == 200


def test_no_order_of_questions_and_kills_makes_it_sign_two_histories(tmp_path: Path) -> None:
    log, fork = Log(), forked(2)
    folder = tmp_path / "w1"
    running = serve(folder, log.verifier)
    assert running.add(log.asks(0, 5)).status == 200
    for old, new in ((5, 9), (9, 20), (20, 40)):
        running.kill()
        running = serve(folder, log.verifier)
        assert running.add(fork.asks(0, new)) == conflict(old)
        assert running.add(fork.asks(old, new)).status == 422
        assert running.add(fork.asks(old, old)) == conflict(old)
        assert running.add(log.asks(old, new)).status == 200
    running.kill()


def test_what_was_asked_when_it_was_killed_is_signed_wholly_or_not_at_all(tmp_path: Path) -> None:
    log, fork = Log(), forked(0)
    folder = tmp_path / "w1"
    for _ in range(5):
        running = serve(folder, log.verifier)
        before = seen(folder).get("interlock/acme", 0)
        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(_or_nothing, running, log.asks(before, before + 3))
            running.kill()
        reply = asked.result()
        after = seen(folder).get("interlock/acme", 0)
        assert after in (before, before + 3)
        assert reply is None or after == before + 3  # what was answered was on disk
        again = serve(folder, log.verifier)
        if after:
            assert again.add(fork.asks(after, 40)).status == 422
        assert again.add(log.asks(after, after + 1)).status == 200
        again.kill()


def _or_nothing(running: Served, body: bytes) -> Replied | None:
    try:
        return running.add(body)
    except (OSError, http.client.HTTPException):
        return None


def test_of_forks_that_come_at_the_same_time_one_is_signed(served: Served) -> None:
    forks = [forked(n) for n in range(12)]
    with ThreadPoolExecutor(len(forks)) as pool:
        replies = list(pool.map(served.add, [fork.asks(0, 30) for fork in forks]))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 11
    assert {reply.body for reply in replies if reply.status == 409} == {"30\n"}
    winner = forks[[reply.status for reply in replies].index(200)]
    assert served.add(winner.asks(30, 40)).status == 200


def both(newer: Log, size: int) -> str:
    """A head that the old key has signed as well."""
    return newer.note(size) + OLD.note(size).partition("\n\n")[2]


def test_once_a_newer_key_has_signed_an_older_one_signs_nothing_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "w1"
    running = serve(folder, OLD.verifier, NEW.verifier)
    assert running.add(OLD.asks(0, 3)).status == 200
    assert running.add(OLD.asks(3, 5)).status == 200  # its range may not be over
    assert running.add(witness.write(Asked(old=5, path=NEW.path(5, 8), note=both(NEW, 8)))).status == 200
    for trusted in ((OLD, NEW), (OLD, NEW, NEWEST), (NEWEST, OLD), (NEW, OLD)):
        running.kill()
        running = serve(folder, *(log.verifier for log in trusted))
        for asked in (OLD.asks(8, 9), OLD.asks(8, 8), OLD.asks(0, 9), forked(2).asks(8, 9)):
            assert running.add(asked).status == 403
        assert seen(folder) == {"interlock/acme": 8}
    assert running.add(NEW.asks(8, 9)).status == 200
    running.kill()


def test_a_key_that_was_replaced_never_signs_again_whatever_the_witness_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "w1"
    for at, log in enumerate((OLD, NEW, NEWEST)):
        running = serve(folder, log.verifier)
        assert running.add(log.asks(at, at + 1)).status == 200
        running.kill()
    running = serve(folder, NEWEST.verifier, OLD.verifier, NEW.verifier)
    assert [running.add(log.asks(3, 4)).status for log in (OLD, NEW, NEWEST)] == [403, 403, 200]
    running.kill()


def test_keys_that_are_named_in_the_wrong_order_keep_the_newer_one_out(tmp_path: Path) -> None:
    running = serve(tmp_path / "w1", NEW.verifier, OLD.verifier)
    assert running.add(OLD.asks(0, 3)).status == 200
    assert running.add(NEW.asks(3, 4)).status == 403
    running.kill()
    running = serve(tmp_path / "w1", OLD.verifier, NEW.verifier)
    assert running.add(NEW.asks(3, 4)).status == 200
    running.kill()


def test_the_file_of_a_witness_that_did_not_write_down_who_signed_is_read(tmp_path: Path) -> None:
    running = serve(tmp_path / "w1", OLD.verifier)
    assert running.add(OLD.asks(0, 3)).status == 200
    running.kill()
    path = tmp_path / "w1" / "w1.seen"
    written = json.loads(path.read_text())
    for each in written["seen"].values():
        del each["key"], each["past"]
    path.write_text(json.dumps(written))
    running = serve(tmp_path / "w1", OLD.verifier, NEW.verifier)
    assert running.add(NEW.asks(3, 4)).status == 200
    assert running.add(OLD.asks(4, 5)).status == 403
    running.kill()


def test_two_witnesses_cannot_work_with_one_file(served: Served) -> None:
    with pytest.raises(Occupied):
        SeenFile.open(served.folder / "w1.seen", served.cosigner)


def exchanged(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(4096):
            answer += more
        return answer


def test_what_is_no_question_is_told_so_and_harms_nothing(served: Served) -> None:
    for raw, said in (
        (b"GET /add-checkpoint HTTP/1.1\r\n\r\n", b" 501 "),
        (b"POST /other HTTP/1.1\r\n\r\n", b" 404 "),
        (b"POST /add-checkpoint HTTP/1.1\r\n\r\n", b" 411 "),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b" 411 "),
        (b"POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", b" 411 "),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (WITNESS_BODY_BYTES_MAX + 1), b" 413 "),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", b" 413 "),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 10\r\n\r\nold", b""),
        (b"\x16\x03\x01\x02\x00", b""),
    ):
        answer = exchanged(served.port, raw)
        assert said in answer.partition(b"\r\n")[0], raw
        assert b"Traceback" not in answer
    assert served.add(Log().asks(0, 3)).status == 200


def test_one_connection_serves_several_questions(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    for old, new in ((0, 3), (3, 5)):
        connection.request("POST", witness.PATH, Log().asks(old, new))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def test_a_file_that_cannot_be_trusted_stops_a_witness_before_it_signs(tmp_path: Path) -> None:
    cosigner = make(tmp_path / "w1.key", "w1")
    path = tmp_path / "w1.seen"
    SeenFile.open(path, cosigner).close()
    whole = json.loads(path.read_text())
    for text in (
        "",
        "{}",
        "[]",
        '{"witness":1}',
        json.dumps({**whole, "seen": {"a": {"size": -1, "root": ""}}}),
        "\xff",
    ):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(LedgerBroken, match="is not what a witness has seen"):
            SeenFile.open(path, cosigner)
    path.write_text(json.dumps(whole))
    with pytest.raises(LedgerBroken, match="that of another witness"):
        SeenFile.open(path, make(tmp_path / "w2.key", "w2"))


def test_a_witness_that_could_not_write_signs_nothing_until_it_is_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    cosigner = make(tmp_path / "w1.key", "w1")
    file = SeenFile.open(folder / "w1.seen", cosigner)
    new = Last(head=Head(size=1, root=bytes(32)), key="new", past=frozenset({"old", "older"}))
    (folder / "w1.seen.new").mkdir()
    with pytest.raises(StoreClosed):
        file.advance("interlock/acme", new)
    (folder / "w1.seen.new").rmdir()
    with pytest.raises(StoreClosed):
        file.advance("interlock/acme", new)
    file.close()
    again = SeenFile.open(folder / "w1.seen", cosigner)
    again.advance("interlock/acme", new)
    assert again.last == {"interlock/acme": new}
    again.close()
    once_more = SeenFile.open(folder / "w1.seen", cosigner)
    assert once_more.last == {"interlock/acme": new}
    once_more.close()


def test_the_key_file_of_a_witness_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "w1.key"
    made = make(path, "witness.example/w1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(path).cosigner == made
    text = path.read_text()
    for other in ("", "PRIVATE+KEY+", text.replace("w1+", "w2+"), text.replace("PRIVATE", "PUBLIC"), text + "x"):
        path.write_text(other)
        with pytest.raises(NotPermitted, match="is no key of a witness"):
            load(path)
    os.chmod(path, 0o640)
    with pytest.raises(NotPermitted, match="others can read the key"):
        load(path)
    for name in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(InterlockError, match="cannot be the name"):
            make(tmp_path / "no.key", name)
