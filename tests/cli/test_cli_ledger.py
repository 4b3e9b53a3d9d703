"""The ledger on the command line: shown, checked, proved, exported, anchored, on either store."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Shell


def exported(shell: Shell) -> list[str]:
    """Export the ledger of a shop with one refund, and return the lines: a first one, the entries, the head."""
    shell.publish()
    shell.refund("INV-1", 5)
    shell("ledger", "export", "--out", "ledger.jsonl")
    return Path("ledger.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)


def key_of(shell: Shell) -> str:
    return shell("ledger", "keys", "--current").strip()


def test_an_export_and_a_proof_are_checked_by_the_public_key_alone(shell: Shell) -> None:
    shell.publish()
    done = shell.refund("INV-1", 5)
    key = key_of(shell)
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    shell("ledger", "export", "--out", "ledger.jsonl")
    Path("proof.txt").write_text(shell("ledger", "prove", done["action"]) + "\n", encoding="utf-8")
    shell.where, shell.folder = "/nowhere/at/all.db", Path("/nowhere")
    outside = ["--key", key, "--anchors", "anchors.jsonl"]
    assert shell.data("ledger", "verify", "ledger.jsonl", *outside)["sound"]
    assert shell.data("ledger", "verify", "proof.txt", "--key", key)["proved"]


def test_entries_are_shown_from_an_index_on_or_about_an_action(shell: Shell) -> None:
    shell.publish()
    first, second = shell.refund("INV-1", 5)["action"], shell.refund("INV-2", 5)["action"]
    whole = shell.data("ledger", "show")
    assert [each["index"] for each in whole] == list(range(len(whole)))
    assert shell.data("ledger", "show", "--after", "2") == whole[2:]
    assert shell.data("ledger", "show", "--after", "1", "--limit", "2") == whole[1:3]
    assert shell.data("ledger", "show", "--limit", "2") == whole[-2:]
    for action in (first, second):
        about = shell.data("ledger", "show", "--action", action)
        assert [each["entry"]["kind"] for each in about] == ["started", "ended"]
        assert about == [each for each in whole if each["entry"].get("action") == action]
    assert shell("ledger", "show", "--after", str(len(whole))) == "no entry is there\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--after", "-1"], "no entry has the index `-1`"),
        (["--after", "9" * 30], f"no entry has the index `{'9' * 30}`"),
        (["--limit", "0"], "a list has 1 to 10,000 lines"),
        (["--limit", "9" * 30], "a list has 1 to 10,000 lines"),
        (["--action", "zz"], "no action has an id that begins with `zz`"),
    ],
)
def test_entries_that_cannot_be_meant_are_an_error(shell: Shell, words: list[str], said: str) -> None:
    shell.publish()
    assert shell.run("ledger", "show", *words) == (1 if "--action" in words else 2, "")
    assert said in shell.err


def test_the_store_is_checked_against_everything_that_was_kept(shell: Shell) -> None:
    shell.publish()
    receipt = shell.refund("INV-1", 5)["receipt"]
    assert shell.data("ledger", "verify")["heads"] == 0
    assert "never anchored: whoever takes this machine over can rewrite all of it" in shell("ledger", "verify")
    shell("ledger", "anchor")
    Path("receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    found = shell.data("ledger", "verify", "--state", "--receipt", "receipt.json", "--key", key_of(shell))
    assert (found["sound"], found["heads"], found["receipts"], found["rows"]) == (True, 1, 1, True)
    said = " ".join(shell("ledger", "verify", "--state").split())
    assert "last anchor less than a second ago, 0 entries since, beside the keys alone" in said
    assert "rows held against the entries" in said
    Path("receipt.json").write_text(json.dumps({**receipt, "leaf": "00" * 32}), encoding="utf-8")
    (wrong,) = shell.data("ledger", "verify", "--receipt", "receipt.json", code=1)["findings"]
    assert wrong == {"index": receipt["index"], "what": "it is not the entry that was receipted"}


def test_what_was_kept_of_another_ledger_does_not_make_this_one_sound(shell: Shell, tmp_path: Path) -> None:
    shell.publish()
    other = Shell(str(tmp_path / "other.db"), tmp_path / "other", shell.tenant, shell.clock, shell.capsys)
    other.folder.mkdir()
    other("contract", "publish", "shop.yaml", "--env", "prod")
    said = shell("ledger", "verify", "--key", key_of(other), code=1)
    assert "not by the key that you know" in said


def cut(lines: list[str]) -> list[str]:
    return [*lines[:1], *lines[2:]]


def changed(lines: list[str]) -> list[str]:
    return [*lines[:2], lines[2].replace('"tool":"refund"', '"tool":"refind"'), *lines[3:]]


def swapped(lines: list[str]) -> list[str]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def shortened(lines: list[str]) -> list[str]:
    return lines[:-1]


def doubled(lines: list[str]) -> list[str]:
    return [*lines[:2], *lines[1:]]


@pytest.mark.parametrize("tamper", [cut, changed, swapped, shortened, doubled])
def test_an_export_that_was_tampered_with_is_found_out(shell: Shell, tamper: Callable[[list[str]], list[str]]) -> None:
    lines = exported(shell)
    assert tamper(lines) != lines
    assert shell.data("ledger", "verify", "ledger.jsonl", "--key", key_of(shell))["sound"]
    Path("tampered.jsonl").write_text("".join(tamper(lines)), encoding="utf-8")
    found = shell.data("ledger", "verify", "tampered.jsonl", "--key", key_of(shell), code=1)
    assert found["findings"]
    said = shell("ledger", "verify", "tampered.jsonl", code=1)
    assert re.search(r"verdict +(1 thing is|\d+ things are) wrong\n", said)


def test_an_export_that_was_cut_off_before_it_was_signed_is_found_by_an_anchor(shell: Shell) -> None:
    shell.publish()
    shell("ledger", "export", "--out", "older.jsonl")
    shell.refund("INV-1", 5)
    assert shell.data("ledger", "verify", "older.jsonl", "--key", key_of(shell))["sound"]
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    outside = ["--key", key_of(shell), "--anchors", "anchors.jsonl"]
    found = shell.data("ledger", "verify", "older.jsonl", *outside, code=1)
    assert "gone from the end" in found["findings"][0]["what"]


def test_an_export_goes_to_a_file_or_to_standard_output(shell: Shell) -> None:
    lines = exported(shell)
    assert shell("ledger", "export") == "".join(lines)
    said = shell.data("ledger", "export", "--out", "again.jsonl")
    assert (said["entries"], said["file"], said["key"]) == (len(lines) - 2, "again.jsonl", key_of(shell))
    assert "`.` cannot be written" in shell.failed("ledger", "export", "--out", ".")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jsonl"], "`nowhere.jsonl` cannot be read"),
        (["letter.txt"], "this is not an export of a ledger"),
        (["--anchors", "nowhere.jsonl"], "`nowhere.jsonl` cannot be read: there is no such file"),
        (["--anchors", "letter.txt"], "line 1 is not an anchor"),
        (["--receipt", "nowhere.json"], "`nowhere.json` cannot be read"),
        (["--receipt", "letter.txt"], "`letter.txt` is not a receipt"),
        (["--key", "abc"], "this is not a public key of a ledger"),
    ],
)
def test_what_cannot_be_read_never_counts_as_sound(shell: Shell, words: list[str], said: str) -> None:
    shell.publish()
    Path("letter.txt").write_text("dear all\n", encoding="utf-8")
    assert shell.run("ledger", "verify", *words) == (2 if "--key" in words else 1, "")
    assert said in shell.err


def test_one_entry_is_proved_by_its_index_or_by_its_action(shell: Shell) -> None:
    shell.publish()
    done = shell.refund("INV-1", 5)
    key, last = key_of(shell), done["receipt"]["index"]
    by_action = shell.data("ledger", "prove", done["action"])
    assert by_action["index"] == last
    assert shell.data("ledger", "prove", str(last)) == by_action
    Path("proof.txt").write_text(by_action["proof"], encoding="utf-8")
    assert f"entry {last} is in the ledger of interlock/{shell.tenant}" in shell(
        "ledger", "verify", "proof.txt", "--key", key
    )
    Path("other.txt").write_text(by_action["proof"].replace(f"index {last}", "index 0"), encoding="utf-8")
    assert "is not proved to be in the ledger" in shell("ledger", "verify", "other.txt", "--key", key, code=1)
    assert "a proof is checked by a public key" in shell.unmeant("ledger", "verify", "proof.txt")


@pytest.mark.parametrize("entry", ["99", "9" * 30, "-1", "zz", "", "²"])
def test_an_entry_that_is_not_there_cannot_be_proved(shell: Shell, entry: str) -> None:
    shell.publish()
    said = shell.failed("ledger", "prove", "--", entry)
    assert (f"there is no entry {entry}" if entry.isascii() and entry.isdecimal() else "no action has an id") in said


def test_a_file_of_anchors_only_grows(shell: Shell) -> None:
    shell.publish()
    first = shell.data("ledger", "anchor", "--to", "anchors.jsonl")
    before = Path("anchors.jsonl").read_bytes()
    shell.refund("INV-1", 5)
    second = shell.data("ledger", "anchor", "--to", "anchors.jsonl")
    assert second["entries"] > first["entries"]
    assert Path("anchors.jsonl").read_bytes().startswith(before)
    assert second["root"] == shell.data("ledger", "verify")["root"]
    found = shell.data("ledger", "verify", "--anchors", "anchors.jsonl")
    assert (found["sound"], found["heads"]) == (True, 2)


def test_the_book_beside_the_keys_has_a_line_for_each_anchor_wherever_it_was_put(shell: Shell) -> None:
    shell.publish()
    book = shell.folder / "keys" / "anchors.jsonl"
    kept = shell.data("ledger", "anchor", "--to", "one.jsonl", "--to", "file:two.jsonl")["kept"]
    assert [each["to"] for each in kept] == ["one.jsonl", "two.jsonl"]
    shell("ledger", "anchor", "--to", str(book))
    lines = [json.loads(line) for line in book.read_text(encoding="utf-8").splitlines()]
    assert [line.get("to") for line in lines] == ["one.jsonl", "two.jsonl", None]
    assert shell.data("ledger", "verify")["heads"] == 1  # three times the same one


def test_a_place_that_fails_keeps_no_other_one_from_having_the_head(shell: Shell) -> None:
    shell.publish()
    said = shell.data("ledger", "anchor", "--to", "gone/anchors.jsonl", "--to", "anchors.jsonl", code=1)
    assert "`gone/anchors.jsonl` cannot be written" in said["failed"][0]["error"]
    assert [each["to"] for each in said["kept"]] == ["anchors.jsonl"]
    assert "cannot be written" in json.loads(shell.err)["error"]


def test_an_anchor_is_not_written_on_what_is_no_file_of_anchors(shell: Shell) -> None:
    shell.publish()
    Path("letter.txt").write_text("dear all\n", encoding="utf-8")
    assert "line 1 is not an anchor" in shell.failed("ledger", "anchor", "--to", "letter.txt")
    assert Path("letter.txt").read_text(encoding="utf-8") == "dear all\n"
    for place in (".", "gone/anchors.jsonl"):
        assert f"`{place}` cannot be" in shell.failed("ledger", "anchor", "--to", place)


def test_the_age_of_the_last_anchor_is_told_wherever_something_is_proved(shell: Shell) -> None:
    never = "never anchored: whoever takes this machine over can rewrite all of it"
    shell.publish()
    action = shell.refund("INV-1", 5)["action"]
    ways = (["ledger", "verify"], ["ledger", "prove", "0"], ["ledger", "show"], ["explain", action])
    for way in ways:
        assert never in " ".join((shell(*way) + shell.err).split()), way
    assert shell.data("ledger", "prove", "0")["last_anchor"] is None
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    shell.clock.forward(minutes=180)
    shell.refund("INV-2", 5)
    for way in ways:
        assert "3 hours ago, 2 entries since, in anchors.jsonl" in " ".join((shell(*way) + shell.err).split()), way
    told = [shell.data(*way) for way in (*ways[:2], ["explain", action])]
    for last in (told[0]["last_anchor"], told[1]["last_anchor"], told[2]["receipt"]["last_anchor"]):
        assert (last["age_seconds"], last["entries_since"], last["to"]) == (10_800, 2, "anchors.jsonl")
    assert told[2]["receipt"]["anchored"]
    later = shell.refund("INV-3", 5)["action"]
    assert "this entry is not under it" in " ".join(shell("explain", later).split())


def test_the_age_of_an_anchor_is_unknown_where_the_book_is_torn_and_nothing_else_fails(shell: Shell) -> None:
    shell.publish()
    action = shell.refund("INV-1", 5)["action"]
    shell("ledger", "anchor")
    with (shell.folder / "keys" / "anchors.jsonl").open("a", encoding="utf-8") as book:
        book.write('{"at":2,"he')
    assert "last anchor unknown:" in " ".join(shell("explain", action).split())
    assert "line 2 is not an anchor" in shell.data("explain", action)["receipt"]["last_anchor"]["unreadable"]
    assert "line 2 is not an anchor" in " ".join(shell.failed("ledger", "verify").split())


def test_how_far_anchors_reach_into_an_export_is_told_by_their_time(shell: Shell) -> None:
    exported(shell)
    outside = ["--key", key_of(shell)]
    assert "none at hand" in shell("ledger", "verify", "ledger.jsonl", *outside)
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    said = " ".join(shell("ledger", "verify", "ledger.jsonl", *outside, "--anchors", "anchors.jsonl").split())
    assert "last anchor 2026-01-01 13:00:00 +01:00, 0 entries since, in anchors.jsonl" in said
