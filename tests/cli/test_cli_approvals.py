"""`approvals`, and who the person is: a user of this machine, a key, or for the demo whoever they say."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from corner_shop import done
from interlock.door.cli.person import user_name
from interlock.store.tenant import SqlStore


@pytest.mark.promise("consent")
def test_a_yes_to_what_was_shown_carries_the_action_on(shell: Shell) -> None:
    shell.publish()
    id = shell.parked()
    (waiting,) = shell.data("approvals", "list")
    assert (waiting["id"], waiting["requirements"][0]["approvers"], waiting["expired"]) == (id, ["lead"], False)
    said = shell.data("approvals", "approve", id[:-1], "--seen", shell.seen(id))
    assert (said["by"], said["known_by"]) == (user_name(), f"os:{os.getuid()}")
    assert (said["complete"], said["outcome"]["outcome"]) == (True, "done")
    assert done() == [{"refund": "INV-2", "usd": 80}]
    assert shell("approvals", "list") == "nothing waits for a person\n"
    assert "does not wait: it is done" in shell.failed("approvals", "deny", id)


def test_the_list_asks_the_store_as_often_for_many_as_for_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, look = list[object](), SqlStore.look

    def counted(store: SqlStore, question: Any, **more: Any) -> object:
        looked.append(question)
        return look(store, question, **more)

    shell.publish()
    first = shell.parked("INV-0")
    monkeypatch.setattr(SqlStore, "look", counted)
    assert [row["id"] for row in shell.data("approvals", "list")] == [first]
    for_one = len(looked)
    more = [shell.parked(f"INV-{n}") for n in (1, 2, 3)]
    looked.clear()
    assert {row["id"] for row in shell.data("approvals", "list")} == {first, *more}
    assert len(looked) == for_one


@pytest.mark.promise("consent")
def test_a_yes_names_what_was_seen_or_is_no_yes(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.parked()
    assert "a yes needs somebody who has seen" in on_file.failed("approvals", "approve", id)
    for seen in ("", on_file.seen(id)[:15], "0" * 16):
        assert "look again" in on_file.failed("approvals", "approve", id, "--seen", seen)
    assert done() == []


@pytest.mark.promise("consent")
def test_whoever_edits_cannot_approve_and_who_saw_the_old_arguments_looks_again(on_file: Shell) -> None:
    on_file.publish()
    id, old = on_file.parked(), on_file.seen(on_file.data("approvals", "list")[0]["id"])
    edited = on_file.data("approvals", "edit", id, '{"invoice":"INV-2","usd":60}')
    assert edited["outcome"]["outcome"] == "parked"
    assert on_file.seen(id) != old
    assert on_file.data("approvals", "show", id)["arguments"] == {"invoice": "INV-2", "usd": 60}
    assert "look again" in on_file.failed("approvals", "approve", id, "--seen", old)
    assert "wrote these arguments" in on_file.failed("approvals", "approve", id, "--seen", on_file.seen(id))
    assert "the new arguments are missing" in on_file.unmeant("approvals", "edit", id)
    assert "do not fit" in on_file.failed("approvals", "edit", id, '{"usd":1}')


def test_a_no_is_the_answer(shell: Shell) -> None:
    shell.publish()
    id = shell.parked()
    assert shell.data("approvals", "deny", id)["reason"] == "approval_denied"
    assert shell.data("action", "show", id)["why"] == f"`{user_name()}` said no"


def test_who_asked_cannot_approve(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.data("call", "refund", '{"invoice":"INV-2","usd":80}', code=3)["action"]
    assert "asked for this action" in on_file.failed("approvals", "approve", id, "--seen", on_file.seen(id))


@pytest.mark.promise("consent")
def test_a_key_signs_what_it_saw_and_is_known_by_its_fingerprint(shell: Shell) -> None:
    key = shell.data("keys", "new", "ada")
    assert (Path("ada.pem").stat().st_mode & 0o777, key["file"]) == (0o600, "ada.pem")
    assert "is there already" in shell.failed("keys", "new", "ada")
    shell.publish(people=f", '{key['known_by']}'")
    id = shell.parked()
    said = shell.data("approvals", "approve", id, "--seen", shell.seen(id), "--sign-with", "ada.pem")
    assert (said["by"], said["known_by"]) == (key["known_by"], key["known_by"])
    assert said["known_by"].startswith("key:SHA256:")
    consent = shell.data("explain", id)["consent"]["given"]
    assert [(vote["known_by"], vote["used"]) for vote in consent] == [(key["known_by"], True)]


def test_a_key_that_the_contract_does_not_name_may_not_approve(on_file: Shell) -> None:
    on_file("keys", "new", "eve")
    on_file.publish()
    id = on_file.parked()
    said = on_file.failed("approvals", "approve", id, "--seen", on_file.seen(id), "--sign-with", "eve.pem")
    assert "holds none of the roles lead" in said


def test_a_key_is_a_key_that_nobody_else_can_read(on_file: Shell, tmp_path: Path) -> None:
    on_file.publish()
    id = on_file.parked()
    on_file("keys", "new", "ada", "--out", "mine")
    (tmp_path / "mine").chmod(0o644)
    assert "others can read the key" in on_file.failed("approvals", "deny", id, "--sign-with", "mine")
    (tmp_path / "none").write_text("-----BEGIN NOTHING-----", encoding="utf-8")
    (tmp_path / "none").chmod(0o600)
    assert "is no Ed25519 key" in on_file.failed("approvals", "deny", id, "--sign-with", "none")
    assert "cannot be the name of a key" in on_file.unmeant("keys", "new", "../ada")


def test_a_name_that_is_said_is_believed_for_the_demo_alone(demo: Shell, on_file: Shell) -> None:
    demo.publish()
    id = demo.parked()
    said = demo.data("approvals", "approve", id, "--seen", demo.seen(id), "--as", "kim")
    assert (said["by"], said["known_by"]) == ("kim", f"demo:os:{os.getuid()}")
    on_file.publish()
    id = on_file.parked("INV-9")
    for words in (
        ["approvals", "approve", id, "--seen", on_file.seen(id)],
        ["switch", "stop"],
        ["mode", "shop", "act"],
    ):
        assert "`--as` is believed for the tenant `demo` alone" in on_file.failed(*words, "--as", "kim")
    assert on_file.data("approvals", "list")[0]["id"] == id


def test_a_person_at_a_terminal_is_shown_and_asked(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        says = "n\n"

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.says

    terminal = Terminal()
    monkeypatch.setattr("sys.stdin", terminal)
    on_file.publish()
    id = on_file.parked()
    assert "you did not say yes" in on_file.failed("approvals", "approve", id)
    terminal.says = "y\n"
    assert on_file("approvals", "approve", id).startswith("approved")
    assert "approve exactly this? [y/N]" in on_file.err
    assert '{"invoice": "INV-2", "usd": 80}' in on_file.err


def test_what_agents_wrote_cannot_move_the_cursor(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.data("call", "refund", json.dumps({"invoice": "\x1b[2J\u202eINV", "usd": 80}), "--for", "sam", code=3)
    shown = on_file("approvals", "show", id["action"])
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\u001b[2J\\u202eINV" in shown


def test_the_screens_of_an_approval(demo: Shell) -> None:
    demo.publish()
    id = demo.parked()
    assert steady(demo("approvals", "list")) == snapshot("""\
ID                    TOOL    AGENT FOR    EXPIRES    WAITS FOR
ACTION1_____________  refund  bot for sam  in 60 min  one person of lead (rule
                                                      `refund.approval_over`)
""")
    assert steady(demo("approvals", "show", id)) == snapshot("""\
action     ACTION1_____________
tool       refund (opaque, yellow)
arguments  {"invoice": "INV-2", "usd": 80}
facts      fraud: false
agent      bot for sam, shop in prod
waits for  one person of lead (rule `refund.approval_over`)
expires    2026-01-01 14:00:00 +01:00 (in 60 min)
seen       SEEN1___________
to agree   `interlock approvals approve ACTION1_____________ --seen SEEN1___________`
to refuse  `interlock approvals deny ACTION1_____________`
""")
    assert steady(demo("approvals", "approve", id, "--seen", demo.seen(id), "--as", "kim")) == snapshot("""\
approved  ACTION1_____________
by        kim (demo:os:UID)
answers   refund.approval_over
grant     DRAWN1___________
then      nothing is missing

done     ACTION1_____________
result   {"id": 7, "invoice": "INV-2"}
cost     $0.05
check    passed
receipt  entry 4, leaf SEEN1___________
""")


def test_an_approval_that_expired_says_so(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.parked()
    on_file.clock.forward(minutes=61)
    assert "expired" in on_file("approvals", "list")
    assert f"`{id}` expired" in on_file.failed("approvals", "approve", id, "--seen", on_file.seen(id))
