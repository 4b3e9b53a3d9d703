"""`policy diff`: what changed, for a person to review and for a machine to stop at."""

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import Shell, variant
from interlock.door.cli.main import main

OPENS = {"over_usd: 50": "over_usd: 80", "usd: 1.00": "usd: 0.50", "mode: read_only": "mode: suggest"}


@pytest.mark.promise("explain")
def test_what_opens_comes_first_and_ends_with_3(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    on_file.contract()
    variant("new.yaml", **OPENS)
    assert on_file("policy", "diff", "shop.yaml", "new.yaml", code=3) == snapshot("""\
shop.yaml -> new.yaml: 2 looser, 1 tighter

LOOSER   `refund`: require_human_approval_over_usd 50 -> 80
         shop.yaml:52 -> new.yaml:52
LOOSER   environment `dark`: mode read_only -> suggest  (shop.yaml -> new.yaml)
TIGHTER  budget usd per day: limit 1 -> 0.5  (shop.yaml:61 -> new.yaml:61)
""")
    assert on_file("policy", "diff", "shop.yaml", "new.yaml", "--allow-looser").startswith("shop.yaml -> new.yaml")
    assert on_file("policy", "diff", "new.yaml", "shop.yaml", code=3).count("LOOSER") == 1


def test_what_only_closes_ends_with_0(on_file: Shell) -> None:
    on_file.contract()
    variant("new.yaml", **{"over_usd: 50": "over_usd: 20", "mode: act": "mode: ask"})
    said = on_file.data("policy", "diff", "shop.yaml", "new.yaml")
    assert (said["opens"], {each["way"] for each in said["changes"]}) == (0, {"tighter"})
    assert said["changes"][0] == {
        "way": "tighter",
        "about": "refund",
        "change": "require_human_approval_over_usd 50 -> 20",
        "old": "shop.yaml:52:5",
        "new": "new.yaml:52:5",
    }
    assert on_file("policy", "diff", "shop.yaml", "shop.yaml") == "shop.yaml -> shop.yaml: nothing changed\n"


def test_in_a_pipe_a_change_is_one_line(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    on_file.contract()
    variant("new.yaml", **OPENS)
    monkeypatch.delenv("COLUMNS")
    assert on_file("policy", "diff", "shop.yaml", "new.yaml", code=3).splitlines()[2:] == snapshot(
        [
            "LOOSER   `refund`: require_human_approval_over_usd 50 -> 80  (shop.yaml:52 -> new.yaml:52)",
            "LOOSER   environment `dark`: mode read_only -> suggest  (shop.yaml -> new.yaml)",
            "TIGHTER  budget usd per day: limit 1 -> 0.5  (shop.yaml:61 -> new.yaml:61)",
        ]
    )


def test_what_is_in_force_is_compared_with_what_would_be_published(shell: Shell) -> None:
    shell.publish()
    assert shell.data("policy", "diff", "--in-force", "shop.yaml")["changes"] == []
    variant("new.yaml", **{"over_usd: 50": "over_usd: 80"})
    (change,) = shell.data("policy", "diff", "--in-force", "new.yaml", "--env", "prod", code=3)["changes"]
    assert (change["way"], change["change"]) == ("looser", "require_human_approval_over_usd 50 -> 80")
    assert "published for `nobody`" in shell.failed("policy", "diff", "--in-force", "new.yaml", "--workflow", "nobody")


def test_policy_files_are_read_beside_the_contract(on_file: Shell) -> None:
    on_file.contract()
    Path("a.cedar").write_text('@id("org.no") forbid(principal, action, resource);', encoding="utf-8")
    variant("new.yaml", **{"permissions:": "permissions:\n  policy_files: [a.cedar]"})
    said = on_file("policy", "diff", "shop.yaml", "new.yaml", code=3)
    assert 'TIGHTER  policy `org.no`: added: @id("org.no") forbid(principal, action, resource);' in said
    variant("gone.yaml", **{"permissions:": "permissions:\n  policy_files: [b.cedar]"})
    assert "`b.cedar` matches no file" in on_file.failed("policy", "diff", "shop.yaml", "gone.yaml")


@pytest.mark.parametrize("words", [["a.yaml"], ["a.yaml", "b.yaml", "c.yaml"], ["a.yaml", "b.yaml", "--in-force"]])
def test_the_wrong_number_of_files_is_said(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "diff", *words, "--json"]) == 2
    said = json.loads(capsys.readouterr().err)
    assert "to compare" in said["error"]
    assert "`OLD NEW`" in said["fix"]


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("shop.yaml").write_text("version: 1\n", encoding="utf-8")
    for words in (["gone.yaml", "shop.yaml"], ["shop.yaml", "gone.yaml"], ["--in-force", "gone.yaml"]):
        assert main(["policy", "diff", *words]) == 1
        assert capsys.readouterr().err == "error: there is no file `gone.yaml`\nfix: name a contract that is there\n"
