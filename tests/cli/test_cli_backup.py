"""Backup, restore and adoption as an operator types them; the commands of `docs/backup.md` are run here."""

import json
import re
import shlex
from pathlib import Path
from secrets import token_hex

import pytest
from inline_snapshot import snapshot

import command_line
from command_line import ROOT, Shell, steady
from corner_shop import done
from interlock.door.cli.main import main
from postgres import Server

pytestmark = [pytest.mark.promise("ledger", "once"), pytest.mark.slow]


@pytest.fixture(params=("sqlite", "postgres"))
def shell(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A tenant in a store of its own: a backup is of a whole store."""
    if request.param == "sqlite":
        return command_line.shell_on(str(tmp_path / "interlock.db"), tmp_path, capsys)
    server: Server = request.getfixturevalue("postgres_server")
    return command_line.shell_on(server.a_database(f"shop{token_hex(4)}"), tmp_path, capsys)


def of_the_page(shell: Shell, name: str) -> list[str]:
    """Run the commands of a file of the page, and return what they said."""
    lines = (ROOT / "docs_src" / "backup" / name).read_text(encoding="utf-8").splitlines()
    return [shell(*shlex.split(line)[1:]) for line in lines]


def kept(receipt: object) -> str:
    Path("receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    return "receipt.json"


def test_the_commands_of_the_page_bring_a_store_back(shell: Shell) -> None:
    shell.publish()
    of_the_page(shell, "make.sh")
    receipt = kept(shell.refund("INV-1", 5)["receipt"])
    shell("ledger", "anchor", "--to", "anchors.jsonl")
    of_the_page(shell, "restore.sh")
    shell.where = "restored.db"
    shell.refund("INV-2", 5)
    assert [each["refund"] for each in done()] == ["INV-1", "INV-2"]
    found = shell.data("ledger", "verify", "--receipt", receipt, "--anchors", "anchors.jsonl", code=1)
    assert (found["sound"], found["lost"], {each["declared"] for each in found["findings"]}) == (False, 2, {True})
    assert "say `--lost 2`" in " ".join(shell("ledger", "verify", "--receipt", receipt, code=1).split())
    shell("ledger", "verify", "--receipt", receipt, "--lost", "1", code=1)
    assert shell.data("ledger", "verify", "--receipt", receipt, "--lost", "2", "--state")["sound"]
    shell("ledger", "export", "--out", "ledger.jsonl")
    key = shell("ledger", "keys", "--current").strip()
    assert not shell.data("ledger", "verify", "ledger.jsonl", "--key", key, "--receipt", receipt, code=1)["sound"]
    assert shell.data("ledger", "verify", "ledger.jsonl", "--key", key, "--receipt", receipt, "--lost", "2")["sound"]


def test_a_restore_over_a_later_ledger_keeps_its_head_to_be_compared_with(shell: Shell) -> None:
    # An address of Postgres is left out: it has a password.
    options = shell.common if shell.where.endswith(".db") else shell.common[2:]
    adopt = f"`interlock ledger adopt {' '.join(options)}`"
    shell.publish()
    id = shell.parked()
    shell("backup", "monday.backup")
    shell("approvals", "approve", id, "--seen", shell.seen(id))
    assert done() == [{"refund": "INV-2", "usd": 80}]
    restored = shell.data("restore", "monday.backup", "--over")
    (replaced,) = restored["replaced"]
    assert replaced["entries"] > restored["tenants"][0]["entries"]
    shell.clock.forward(seconds=1)
    refused = shell.refund("INV-3", 5, code=5)
    assert (refused["reason"], adopt in refused["fix"]) == ("stopped", True)
    assert "opens nothing" in shell.failed("approvals", "approve", id, "--seen", shell.seen(id))
    assert adopt in " ".join(shell.err.split())
    assert f"nothing starts until {adopt}" in shell("switch", "show")
    assert adopt in shell("doctor", "--json", code=1)
    lost = replaced["entries"] - restored["tenants"][0]["entries"]
    assert f"say `--lost {lost}`" in shell.failed("ledger", "adopt")
    adopted = shell.data("ledger", "adopt", "--lost", str(lost))
    assert (adopted["lost"], adopted["waiting"], adopted["under_way"]) == (lost, 1, 0)
    assert shell.data("approvals", "show", id)["may_have_been_done"]
    assert "may have been done" in " ".join(shell("approvals", "show", id).split())
    shell.clock.forward(seconds=1)
    shell("attend", "--once")
    assert done() == [{"refund": "INV-2", "usd": 80}]
    assert shell.data("action", "show", id)["state"] == "parked"


def test_what_a_backup_may_still_hold_is_printed(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = on_file
    monkeypatch.setenv("COLUMNS", "80")
    shell.publish()
    assert all(len(line) <= 80 for line in shell("backup", "first.backup").splitlines())
    said = shell("backup", "monday.backup", "--with-keys", "monday.keys").replace(shell.tenant, "TENANT")
    assert "warning: keep `monday.keys` apart from every backup" in " ".join(shell.err.split())
    assert steady(said) == snapshot("""\
backup     monday.backup
as of      2026-01-01 13:00:00 +01:00
ledger     TENANT: 1 entry, root
           HASH1
readable   who asked, for whom and who agreed, tools, amounts and times are in
           it in the clear
encrypted  arguments, results and previews are in it encrypted, and no key is
erasing    what is erased or expires later can be read with it for as long as
           `monday.keys` exists
keys       monday.keys: 0
""")
    held = shell.data("backup", "again.backup")
    assert (held["keys"], held["tenants"][0]["entries"]) == (None, 1)
    assert "its key is destroyed, not copied" in held["may_hold"][2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backup", "shop.yaml"], "`shop.yaml` is there already"),
        (["backup", "nowhere/monday.backup"], "cannot be written"),
        (["backup", "new.backup", "--with-keys", "shop.yaml"], "`shop.yaml` is there already"),
        (["restore", "nowhere.backup"], "there is no file `nowhere.backup`"),
        (["restore", "shop.yaml"], "this is not a backup"),
        (["restore", "monday.backup"], "the store holds"),
        (["restore", "monday.backup", "--with-keys", "shop.yaml"], "is no backup of keys"),
        (["restore", "monday.backup", "--keys", "elsewhere"], "the keys of this installation are not in"),
        (["ledger", "adopt"], "there is nothing to adopt"),
        (["ledger", "adopt", "--lost", "-1"], "cannot be lost"),
        (["ledger", "adopt", "--receipt", "shop.yaml"], "is not a receipt"),
    ],
)
def test_what_cannot_be_meant_is_an_error(on_file: Shell, words: list[str], said: str) -> None:
    shell = on_file
    shell.publish()
    shell("backup", "monday.backup")
    before = shell.data("ledger", "verify")["root"]
    assert shell.run(*words) == (2 if "-1" in words else 1, "")
    assert said in " ".join(shell.err.split())
    assert shell.data("ledger", "verify")["root"] == before


def test_what_to_do_before_it_is_adopted_is_printed_as_it_is_typed(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = on_file
    monkeypatch.setenv("COLUMNS", "80")
    shell.publish()
    shell("backup", "monday.backup")
    shell.where = "restored.db"
    said = shell("restore", "monday.backup").replace("\\\n", " ")
    first, then = (re.sub(r" +", " ", line) for line in re.findall(r"`interlock ([^`]+)`", said))
    assert first.split()[:5] == ["mode", "shop", "ask", "--env", "prod"]
    for line in (first, f"{then} --nothing-newer"):
        assert main(shlex.split(line), clock=shell.clock) == 0
    shell.clock.forward(seconds=1)
    shell.capsys.readouterr()
    assert shell.refund("INV-1", 5, code=3)["outcome"] == "parked"
