"""`ledger prune` on the command line: what goes, what stays, and what proves it afterwards."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from interlock.door.cli.screen import Screen

pytestmark = pytest.mark.promise("forget")

DAYS = {"interlock: 1\n": "interlock: 1\nretention: { ledger: 30d }\n"}


def a_month_later(shell: Shell) -> list[str]:
    """Make two refunds, and let their days pass."""
    shell.publish(**DAYS)
    ids = [shell.refund(invoice, 20)["action"] for invoice in ("INV-1", "INV-4")]
    shell.clock.forward(days=31)
    return ids


def test_what_is_past_its_days_goes_and_every_proof_of_it_holds(shell: Shell, tmp_path: Path) -> None:
    a_month_later(shell)
    archive, later = str(tmp_path / "archive.jsonl"), str(tmp_path / "later.jsonl")
    would = shell.data("ledger", "prune", "--dry-run")
    assert (would["actions"], would["entries"], would["dry_run"]) == (2, 4, True)
    assert steady(shell("ledger", "prune", "--archive", archive, "--yes")) == snapshot("""\
taken out                  4 entries about 2 actions
payloads                   8
past their days, and kept  none
stays                      the hash of each entry, and what answers a repetition of each call
""")
    assert f"all entries of now are in {archive}" in " ".join(shell.err.split())
    assert shell("ledger", "prune", "--yes") == "nothing is past its days\n"
    key = shell("ledger", "keys", "--current").strip()
    verified = shell.data("ledger", "verify", "--state")
    assert (verified["sound"], verified["pruned"]) == (True, 4)
    shell("ledger", "export", "--out", later)
    alone = shell.data("ledger", "verify", later, "--key", key)
    assert (alone["sound"], alone["pruned"], alone["root"]) == (True, 4, verified["root"])
    filled = shell.data("ledger", "verify", later, "--key", key, "--archive", archive)
    assert (filled["sound"], filled["pruned"]) == (True, 0)
    assert "of which 4 were pruned: the hash stands for each" in " ".join(shell("ledger", "verify", later).split())
    assert "was pruned" in shell.failed("ledger", "prove", "1")
    proof = tmp_path / "proof"
    proof.write_text(shell("ledger", "prove", "1", "--archive", archive))
    assert "entry 1 is in the ledger" in shell("ledger", "verify", str(proof), "--key", key)


def test_what_is_left_of_an_action_says_so_wherever_it_is_looked_at(shell: Shell) -> None:
    first, _ = a_month_later(shell)
    shell.clock.forward(days=2)
    assert "the ledger tells of actions that are past the days of their contract" in " ".join(shell("doctor").split())
    shell("ledger", "prune", "--yes")
    assert "past the days of their contract" not in " ".join(shell("doctor").split())
    assert "(pruned: its hash is here)" in shell("ledger", "show")
    assert shell.data("ledger", "show", "--after", "1", "--limit", "1")[0]["entry"] is None
    assert "what was known of it was pruned" in shell("action", "list")
    assert shell.data("action", "show", first)["pruned"] is True
    assert "an export of the ledger from before that has it" in " ".join(shell("explain", first).split())
    assert shell.data("explain", first)["pruned_by"] == 5
    assert not {"steps", "arguments"} & set(shell("explain", first).split())
    assert "what policy was asked is pruned" in shell.failed("policy", "explain", "--action", first)
    assert "what its undo needs was pruned" in " ".join(shell.failed("undo", first).split())


def test_a_draft_that_was_pruned_is_not_started(shell: Shell) -> None:
    shell.publish(**DAYS)
    draft = shell.data("call", "close_account", '{"customer": "c1"}', "--for", "sam", code=4)
    shell.clock.forward(days=31)
    shell("ledger", "prune", "--yes")
    assert "what it would do was pruned" in " ".join(shell.failed("action", "start", draft["action"]).split())


def test_an_archive_of_another_ledger_is_named(shell: Shell, tmp_path: Path) -> None:
    a_month_later(shell)
    another = replace(shell, tenant=f"{shell.tenant}-2")
    another.publish()
    mine, other = str(tmp_path / "mine.jsonl"), str(tmp_path / "other.jsonl")
    shell("ledger", "export", "--out", mine)
    another("ledger", "export", "--out", other)
    for words in (["verify"], ["verify", mine], ["prove", "1"]):
        said = shell.failed("ledger", *words, "--archive", other)
        assert f"is an export of `interlock/{another.tenant}`" in " ".join(said.split())


def test_where_nothing_goes_no_archive_is_made_and_no_dry_run_is_told(shell: Shell, tmp_path: Path) -> None:
    shell.publish(**DAYS)
    archive = tmp_path / "archive.jsonl"
    told = shell.data("ledger", "prune", "--yes", "--archive", str(archive))
    assert (told["dry_run"], told["actions"], told["archive"]) == (False, 0, None)
    assert not archive.exists()


def test_an_archive_is_on_the_disk_before_anything_goes(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_month_later(on_file)
    on_disk = list[int]()

    def synced(file: int) -> None:
        on_disk.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", synced)
    archive = tmp_path / "archive.jsonl"
    on_file("ledger", "prune", "--archive", str(archive), "--yes")
    assert archive.stat().st_size in on_disk


def no(_screen: Screen, _question: str) -> bool:
    return False


def test_nothing_goes_without_a_yes_or_over_a_file(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_month_later(shell)
    there = tmp_path / "there"
    there.write_text("mine")
    assert "never written over" in shell.failed("ledger", "prune", "--archive", str(there), "--yes")
    monkeypatch.setattr(Screen, "ask", no)
    assert "nothing was taken out" in shell.failed("ledger", "prune")
    assert "no `--archive FILE`" in shell.err
    assert shell.data("ledger", "verify")["pruned"] == 0
    assert there.read_text() == "mine"


def test_a_ledger_that_would_forget_before_its_payloads_is_no_contract(shell: Shell) -> None:
    days = {"interlock: 1\n": "interlock: 1\nretention: { ledger: 30d, payloads: 90d }\n"}
    with pytest.raises(AssertionError, match="the ledger tells of them for 30"):
        shell.publish(**days)
