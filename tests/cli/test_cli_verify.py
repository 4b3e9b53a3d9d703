"""`verify`: what a user sees of the checks, on the store that they have."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import ROOT, Shell, child
from interlock.budget import hold as holding
from interlock.verify.every import EVERY
from promises import PROMISES
from transcript import type_again


def schemas(shell: Shell) -> list[str]:
    import psycopg

    with psycopg.connect(shell.where) as db:
        found = db.execute(
            "select schema_name from information_schema.schemata where schema_name like 'interlock_verify%'"
        )
        return [name for (name,) in found]


def test_a_promise_is_verified_on_a_scratch_store_that_is_gone_afterwards(shell: Shell) -> None:
    out = shell("verify", "--only", "budget", "--only", "door")
    wanted = [check for check in EVERY if check.promise in ("budget", "door")]
    assert out.endswith(f"{len(wanted)} checks, every promise is kept\n")
    if shell.where.startswith("postgres"):
        assert schemas(shell) == []
    else:
        assert not list(Path(shell.where).parent.glob(".interlock-verify-*"))


def test_a_promise_that_is_broken_is_named_and_ends_with_one(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding.Balance, "left", lambda self: 10**9)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    out = on_file("verify", "--only", "budget", code=1)
    assert "BROKEN     budget" in out
    assert "checks found fault" in out
    found = on_file.data("verify", "--only", "budget", code=1)
    assert found["kept"] is False
    (budget,) = found["promises"]
    assert (budget["id"], budget["says"]) == ("budget", PROMISES["budget"].says)
    assert {check["verdict"] for check in budget["checks"]} >= {"broken"}


def test_a_report_is_signed_and_one_that_was_edited_is_refused(on_file: Shell) -> None:
    on_file.publish()
    key = on_file.data("ledger", "keys", "--current")
    report = on_file.folder / "report.jsonl"
    on_file("verify", "--only", "explain", "--report", str(report))
    assert "fix: name another file" in on_file.failed("verify", "--only", "explain", "--report", str(report))
    pinned: str = key["key"]
    said = on_file("verify", "--check", str(report), "--key", pinned)
    assert said == "1 check, 0 found fault; signed by the key that you know\n"
    assert on_file.data("verify", "--check", str(report))["kept"] is True
    text = report.read_text(encoding="utf-8")
    report.write_text(text.replace('"kept":true', '"kept":false', 1), encoding="utf-8")
    assert "its signature does not fit" in on_file.failed("verify", "--check", str(report))
    for broken in ("", "{}", text.partition("\n")[0], text.replace("signature", "signed")):
        report.write_text(broken, encoding="utf-8")
        assert "it is no report" in on_file.failed("verify", "--check", str(report))


def test_what_would_be_checked_is_listed_and_what_is_no_promise_is_said(on_file: Shell) -> None:
    listed = on_file.data("verify", "--list")
    assert [each["name"] for each in listed] == [*(check.name for check in EVERY), "killed_at_any_step"]
    assert "did you mean `budget`" in on_file.unmeant("verify", "--only", "budgt")
    assert "no number of kills" in on_file.unmeant("verify", "--kill", "0")


def test_without_a_store_it_says_what_this_machine_keeps(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "interlock", "verify", "--only", "explain", "--json"]
    ran = subprocess.run(command, cwd=tmp_path, env=child(), capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["kept"] is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.promise("once")
def test_processes_are_killed_on_the_store_that_is_there(shell: Shell) -> None:
    out = shell("verify", "--only", "once", "--kill", "30")
    assert "30 kills, 3 freezes, 0 duplicates, 0 lost holds" in out


def test_the_page_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS"):
        monkeypatch.delenv(name, raising=False)
    type_again((ROOT / "docs" / "verify.md").read_text(encoding="utf-8"), capsys)


def test_times_are_text_but_in_what_is_signed_they_are_microseconds(on_file: Shell) -> None:
    on_file.publish()
    assert on_file.data("verify", "--only", "explain")["at"] == on_file.clock.now()
    assert on_file.data("ledger", "show")[0]["entry"]["at"] == on_file.clock.now() == 1_767_268_800_000_000
    action = on_file.refund("INV-1", 5)["action"]
    on_file("ledger", "anchor")
    on_file.clock.forward(seconds=0.842)
    told = on_file.data("explain", action)
    assert told["asked_at"] == "2026-01-01T12:00:00.000000Z"
    assert told["receipt"]["last_anchor"]["age_seconds"] == 0.842
