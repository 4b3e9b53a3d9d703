"""Every screen can be read where 80 characters fit into a line; where nobody looks, a row stays one line."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from command_line import ROOT, SHOP, Shell
from interlock.door.cli.main import main
from interlock.door.cli.page import plain
from interlock.door.cli.render import table, wrapped
from interlock.door.cli.table import COMMANDS, GROUPS

WHOLE = re.compile(r"[^\s=]{60,}")
"""Something that has no place to be broken: a hash, a key, a base-64 text."""


def too_wide(text: str, width: int = 80) -> list[str]:
    return [line for line in text.splitlines() if len(line) > width and not WHOLE.search(line)]


@pytest.mark.parametrize("words", [[], *([*c.name.split()] for c in COMMANDS), *([group] for group in GROUPS)], ids=str)
def test_every_help_fits(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*words, "--help"]) == 0
    assert too_wide(capsys.readouterr().out) == []


def test_every_screen_fits(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    on_file.publish()
    done, parked = on_file.refund("INV-1", 5)["action"], on_file.parked()
    on_file("switch", "stop", "--tool", "close_account")
    Path("wrong.yaml").write_text(SHOP.read_text(encoding="utf-8").replace("tier:", "ter:"), encoding="utf-8")
    lines = [
        "action list", f"action show {done}", f"explain {done}", f"explain {parked}", f"approvals show {parked}",
        "approvals list", "budget show --all", "contract check shop.yaml", "contract show", "ledger show",
        "ledger verify --state", "mode", f"policy explain --action {done}", "switch show", f"undo {done} --plan",
        "policy backtest --in-force", "policy backtest shop.yaml --mode ask", "policy diff --in-force shop.yaml",
    ]  # fmt: skip
    for line in lines:
        assert too_wide(on_file(*line.split())) == [], line
        assert too_wide(on_file.err) == [], line
    assert too_wide(on_file("contract", "check", "wrong.yaml", code=1)) == []


def test_a_command_stands_in_one_line_where_it_fits_into_one() -> None:
    command = "`interlock contract show --tool refund --workflow shop`"
    assert wrapped(f"fix: compare the call with it: {command}, and again", 61, hang=5) == "\n".join(
        ["fix: compare the call with it:", f"     {command},", "     and again"]
    )
    assert wrapped(f"fix: {command}", 40, hang=5).splitlines()[0] == "fix: `interlock contract show --tool"


def test_a_word_that_nobody_can_break_goes_on_below_where_it_fits() -> None:
    rule = "`refund_order.approval_over`)"
    assert table(["ID", "WAITS FOR"], [["a" * 20, f"one person {rule}"]], 46) == "\n".join(
        ["ID", "    WAITS FOR", "a" * 20, f"    one person {rule}"]
    )


def test_every_line_of_an_error_and_of_a_finding_fits(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = SHOP.read_text(encoding="utf-8").replace(
        "python:corner_shop", "python:there_is_no_such_module_anywhere_here"
    )
    Path("wrong.yaml").write_text(text.replace("tenant: default", f"tenant: {on_file.tenant}"), encoding="utf-8")
    on_file.failed("contract", "publish", "wrong.yaml", "--env", "prod")
    assert on_file.err.count("there_is_no_such_module_anywhere_here") > 1
    assert too_wide(on_file.err) == []
    on_file.publish()
    on_file("ledger", "export", "--out", "l.jsonl")
    lines = Path("l.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("l.jsonl").write_text("".join([lines[0], *lines[2:]]), encoding="utf-8")
    assert too_wide(on_file("ledger", "verify", "l.jsonl", code=1)) == []


def test_what_does_not_fit_goes_on_below_and_nothing_is_cut_off() -> None:
    rows = [["a" * 30, "1", "x"], ["b" * 20, "22", ""]]
    assert table(["NAME", "N", "REMARK"], rows, 37, right=(1,)) == "\n".join(
        [f"{'NAME':30}   N", "    REMARK", "a" * 30 + "   1", "    x", f"{'b' * 20:30}  22"]
    )
    assert table(["NAME", "N", "REMARK"], rows, 37, right=(1,), fold=1) == "\n".join(
        ["NAME", "     N  REMARK", "a" * 30, "     1  x", "b" * 20, "    22"]
    )
    assert table(["NAME", "N", "REMARK"], rows, 80, right=(1,), fold=1).splitlines()[1] == "a" * 30 + "   1  x"


def test_a_command_that_is_broken_can_be_copied_as_it_stands(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    on_file.publish()
    said = on_file("approvals", "show", on_file.parked())
    command = said.partition("to agree   `")[2].partition("`")[0]
    assert len(command.splitlines()) == 2
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True).stdout
    assert on_file.data(*words.split()[1:])["complete"]


def test_in_a_pipe_a_row_is_one_line(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    on_file.publish()
    for number in range(3):
        on_file.refund(f"INV-{number}", 5)
    monkeypatch.delenv("COLUMNS")
    entries = on_file.data("ledger", "show")
    header, *rows = on_file("ledger", "show").splitlines()
    assert header.split() == ["INDEX", "AT", "WHAT", "ACTION", "TOOL", "WHO", "WHY"]
    assert [int(row.split()[0]) for row in rows] == [each["index"] for each in entries]
    assert all(
        each["entry"]["action"] in row for each, row in zip(entries, rows, strict=True) if "action" in each["entry"]
    )
    assert len(on_file("action", "list").splitlines()) == 1 + len(json.loads(on_file("action", "list", "--json")))


@pytest.mark.parametrize("page", sorted(path.stem for path in (ROOT / "docs").glob("[a-z]*.md")))
def test_every_page_fits(page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["help", page]) == 0
    assert too_wide(capsys.readouterr().out) == []


def test_code_that_does_not_fit_can_still_be_typed() -> None:
    typed = "```sh\n$ interlock ledger verify --key KEY --anchors a.jsonl\n```\n"
    page = typed + "\n    find: { effect: read }  # it changes nothing\n"
    assert plain(page, 38) == "\n".join(
        [
            "    $ interlock ledger verify --key \\",
            "        KEY --anchors a.jsonl",
            "",
            "    # it changes nothing",
            "    find: { effect: read }",
        ]
    )


def test_what_is_told_of_a_store_that_was_restored_fits(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    on_file.publish(**{"    price: 0.05\n": "    price: 0.05\n    subject: $.args.invoice\n"})
    done = on_file.refund("INV-1", 5)["action"]
    on_file("backup", "monday.backup")
    assert too_wide(on_file("restore", "monday.backup", "--over")) == []
    on_file.clock.forward(seconds=1)
    refused = on_file.refund("INV-2", 5, code=5)["action"]
    on_file("ledger", "adopt", "--nothing-newer")
    for line in (f"explain {refused}", f"explain {done}", "ledger show", "data show INV-1", "data erase INV-1 --yes"):
        assert too_wide(on_file(*line.split())) == [], line
        assert too_wide(on_file.err) == [], line
