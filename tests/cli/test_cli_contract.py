"""`contract` and `policy`: what is wrong and where, what is in force, why a call goes on."""

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import ROOT, SHOP, Shell
from interlock.door.cli.main import main

CASES = (ROOT / "tests" / "cli" / "shop-cases.yaml").read_text(encoding="utf-8")
FULL = ROOT / "tests" / "contract" / "files" / "support-refunds.yaml"


def test_a_contract_is_checked_with_place_problem_and_fix(on_file: Shell) -> None:
    Path("good.yaml").write_text(SHOP.read_text(encoding="utf-8"), encoding="utf-8")
    Path("bad.yaml").write_text(
        SHOP.read_text(encoding="utf-8").replace("tier: green", "tier: gren", 1).replace("kim, ann", "kim, kim bo"),
        encoding="utf-8",
    )
    assert on_file("contract", "check", "good.yaml", "bad.yaml", code=1) == snapshot("""\
good.yaml: ok
  not looked at here: 5 sources; `interlock contract publish FILE --env ENV` does

bad.yaml: 2 problems
bad.yaml:10:11: unknown word `gren`
    fix: did you mean `green`?
bad.yaml:59:25: expected a person's name in this system, without spaces, found `kim bo`
    fix: write one such as `ada@example.com`
""")
    found = on_file.data("contract", "check", "good.yaml", "bad.yaml", "nowhere.yaml", code=1)
    assert [(each["file"], each["ok"], len(each["problems"])) for each in found] == [
        ("good.yaml", True, 0),
        ("bad.yaml", False, 2),
        ("nowhere.yaml", False, 1),
    ]


def test_what_is_assumed_and_what_is_not_enforced_is_said(on_file: Shell) -> None:
    said = on_file("contract", "check", str(FULL))
    assert "  assumed:\n" in said
    assert "  not enforced (checked and kept" in said
    assert "trust trust protects something" in " ".join(said.split())
    (found,) = on_file.data("contract", "check", str(FULL))
    assert {each["section"] for each in found["not_enforced"] if each["protects"]} >= {"trust", "redaction", "done"}


def test_a_check_says_who_is_missing_and_what_it_has_not_looked_at(on_file: Shell) -> None:
    text = (
        SHOP.read_text(encoding="utf-8")
        .replace("  people: { lead: [kim, ann] }\n", "")
        .replace("bot: {}", "bot: { key: bot.pub }")
    )
    Path("shop.yaml").write_text(text, encoding="utf-8")
    said = " ".join(on_file("contract", "check", "shop.yaml").split())
    assert (
        "nobody holds the role `lead`, which approves `yellow` and `red`: name people under `approvals.people`" in said
    )
    assert said.endswith("not looked at here: 5 sources, 1 key file; `interlock contract publish FILE --env ENV` does")
    (found,) = on_file.data("contract", "check", "shop.yaml")
    assert found["ok"]
    assert "nobody holds the role `lead`" in str(found["worth_knowing"])
    assert found["not_looked_at"]["keys"] == ["bot.pub"]
    assert "python:corner_shop:look" in found["not_looked_at"]["sources"]


def test_a_contract_that_looks_at_nothing_outside_has_nothing_unseen(on_file: Shell) -> None:
    Path("bare.yaml").write_text("interlock: 1\nworkflow: w\ntenant: t\n", encoding="utf-8")
    assert "not looked at" not in on_file("contract", "check", "bare.yaml")


def test_a_contract_is_shown_in_full_from_a_file_or_as_it_is_in_force(shell: Shell) -> None:
    path = str(shell.contract())
    from_file = shell("contract", "show", path)
    shell.publish()
    in_force = shell("contract", "show")
    assert set(from_file.splitlines()) <= set(in_force.splitlines())
    assert "result_schema" in in_force  # what publishing found out about the functions
    assert shell("contract", "show", "--tool", "look").startswith("look:\n  from: python:corner_shop:look")
    assert "the contract has no tool `lok`" in shell.failed("contract", "show", path, "--tool", "lok")
    assert "did you mean `look`?" in shell.err


def test_the_schema_is_a_json_schema(on_file: Shell) -> None:
    assert json.loads(on_file("contract", "schema"))["title"] == "Interlock contract"


def test_a_contract_is_published_for_its_own_tenant(on_file: Shell) -> None:
    path = str(on_file.contract())
    said = on_file.data("contract", "publish", path, "--env", "prod")
    assert (said["workflow"], said["environment"], said["mode"], said["epoch"]) == ("shop", "prod", "act", 1)
    assert on_file.data("contract", "publish", path, "--env", "dark")["epoch"] == 2
    assert "has no environment `prd`" in on_file.failed("contract", "publish", path, "--env", "prd")
    known, on_file.tenant = on_file.tenant, "other"
    assert f"is of the tenant `{known}`, and `other` was said" in on_file.failed(
        "contract", "publish", path, "--env", "prod"
    )
    assert main(["contract", "publish", path, "--env", "prod", *on_file.common[:4]]) == 0
    assert f"hint: other commands need `--tenant {known}`" in on_file.capsys.readouterr().err


def test_what_is_not_enforced_is_said_as_it_is_published(on_file: Shell) -> None:
    path = str(on_file.contract())
    text = Path(path).read_text(encoding="utf-8")
    Path(path).write_text(
        f"{text}accept_unenforced: [redaction]\nredaction: {{ pii: true }}\nslo: {{}}\n", encoding="utf-8"
    )
    on_file("contract", "publish", path, "--env", "prod")
    assert "not enforced in this version: `redaction`, `slo`" in " ".join(on_file.err.split())
    said = on_file.data("contract", "publish", path, "--env", "prod")
    assert {each["section"]: each["protects"] for each in said["not_enforced"]} == {"redaction": True, "slo": False}


def test_a_contract_that_cannot_be_honoured_is_not_published(on_file: Shell) -> None:
    Path("bad.yaml").write_text("workflow: [", encoding="utf-8")
    err = on_file.failed("contract", "publish", "bad.yaml", "--env", "prod")
    assert err.startswith("error: bad.yaml:")
    assert not Path(on_file.where).exists()


def test_a_call_that_is_made_up_is_explained(on_file: Shell) -> None:
    path = str(on_file.contract())
    words = ["policy", "explain", "refund", '{"invoice":"I","usd":80}', "--contract", path, "--fact", "fraud=false"]
    assert on_file(*words) == snapshot("""\
`refund` waits for a person
rule `refund.approval_over` at shop.yaml:52:5 asks, one person of lead within 1h
  `usd` is 80; the limit is 50
""")
    assert on_file.data(*words, "--env", "dark")["decision"] == "deny"
    assert on_file.data(*words, "--mode", "suggest")["decision"] == "suggest"
    assert on_file.data(*words[:-2])["decision"] == "deny"
    assert "is no fact" in on_file.unmeant(*words, "--fact", "fraud")
    assert "no contract is named" in on_file.unmeant("policy", "explain", "refund", "{}")
    assert "say which call is meant" in on_file.unmeant("policy", "explain")
    assert "did you mean `refund`?" in on_file.failed("policy", "explain", "refnd", "--contract", path)


@pytest.mark.promise("explain")
def test_a_recorded_decision_is_explained_by_the_contract_that_decided(shell: Shell) -> None:
    shell.publish()
    id = shell.refund("INV-666", 20, code=5)["action"]
    shell.publish(**{"    deny_if_fraud: true\n": ""})
    said = shell.data("policy", "explain", "--action", id)
    assert (said["decision"], said["rules"]) == ("deny", ["refund.fraud"])
    unread = shell.data("call", "refund", "{}", code=5)["action"]
    assert "no rule was asked about it" in shell.failed("policy", "explain", "--action", unread)


def test_a_table_of_cases_comes_out_as_expected_or_says_what_did_not(on_file: Shell) -> None:
    on_file.contract()
    Path("cases.yaml").write_text(CASES, encoding="utf-8")
    assert on_file("policy", "test", "cases.yaml") == "5 cases: all as expected\n"
    Path("cases.yaml").write_text(CASES.replace("expect: draft", "expect: allow"), encoding="utf-8")
    assert on_file("policy", "test", "cases.yaml", code=1) == snapshot("""\
5 cases: 1 came out otherwise

CASE                                  EXPECTED  FOUND             WHY
an account is never closed by itself  allow     draft (tier:red)  `close_account` is drafted; a
                                                                  person may start it
""")
    (failed,) = on_file.data("policy", "test", "cases.yaml", code=1)["failed"]
    assert (failed["expected"], failed["found"], failed["rules"]) == ("allow", "draft", ["tier:red"])


def test_cases_are_read_as_strictly_as_a_contract(on_file: Shell) -> None:
    on_file.contract()
    wrong = CASES.replace("expect: ask", "expect: maybe").replace("tool: look", "tol: look") + "more: 1\n"
    Path("cases.yaml").write_text(wrong, encoding="utf-8")
    assert on_file.failed("policy", "test", "cases.yaml") == snapshot("""\
error: cases.yaml:9:13: unknown word `maybe`
  fix: use one of `allow`, `ask`, `deny`, `draft`, `suggest`
  cases.yaml:12:5: `tool` is missing
  fix: add `tool: ...`
  cases.yaml:12:38: unknown key `tol`
  fix: did you mean `tool`?
  cases.yaml:14:1: unknown key `more`
  fix: did you mean `mode`?
fix: mend what is listed above, then try again
""")
    for text in ("", "[", "cases: []", "cases: {}", "1"):
        Path("cases.yaml").write_text(text, encoding="utf-8")
        assert "error: cases.yaml:" in on_file.failed("policy", "test", "cases.yaml")
    Path("cases.yaml").write_text(CASES.replace("contract: shop.yaml\n", ""), encoding="utf-8")
    assert "no contract is named" in on_file.failed("policy", "test", "cases.yaml")
    assert on_file("policy", "test", "cases.yaml", "--contract", "shop.yaml").startswith("5 cases")


def test_a_file_that_is_not_there_has_one_fix(on_file: Shell) -> None:
    said = on_file.failed("contract", "publish", "nofile.yaml", "--env", "prod")
    assert (said.count("fix:"), "name a file that is there" in said) == (1, True)


def test_a_contract_is_no_table_of_cases(on_file: Shell) -> None:
    on_file.publish()
    said = " ".join(on_file.failed("policy", "test", "shop.yaml").split())
    assert "this is a contract, and no table of cases fix: name the file that has `cases`" in said
    Path("cases.yaml").write_text("contract: shop.yaml\ncases: []\n", encoding="utf-8")
    assert "this is a table of cases, and no contract" in on_file("contract", "check", "cases.yaml", code=1)
