"""`call`, `action`, `undo`: outcomes, their exit codes, and what people say of them afterwards."""

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from corner_shop import done


def test_each_outcome_has_an_exit_code_and_its_words(shell: Shell) -> None:
    shell.publish()
    assert shell.refund("INV-1", 20, code=0)["outcome"] == "done"
    assert shell.refund("INV-2", 80, code=3)["outcome"] == "parked"
    closed = shell.data("call", "close_account", '{"customer":"C1"}', code=4)
    assert (closed["outcome"], closed["draft"]) == ("suggested", True)
    refused = shell.refund("INV-3", 500, code=5)
    assert (refused["outcome"], refused["reason"]) == ("refused", "policy")
    assert shell.refund("INV-4", 13, code=6)["outcome"] == "failed"
    assert shell.refund("INV-5", 14, code=7)["outcome"] == "uncertain"
    assert [each["refund"] for each in done()] == ["INV-1"]


def test_of_what_nobody_knows_the_end_it_is_said_why(on_file: Shell) -> None:
    on_file.publish()
    _, said = on_file.run("call", "refund", '{"invoice":"INV-5","usd":14}', "--for", "sam")
    (why,) = [line.removeprefix("why").strip() for line in said.splitlines() if line.startswith("why ")]
    (row,) = on_file.data("action", "list")
    assert row["state"] == "uncertain"
    assert why
    assert why in row["why"]
    assert on_file.refund("INV-6", 14, code=7)["why"] == row["why"]


@pytest.mark.parametrize("whole", [True, False], ids=["run", "action"])
def test_of_an_undo_that_nobody_knows_the_end_of_it_is_said_why(shell: Shell, whole: bool) -> None:
    shell.publish()
    ids = [shell.refund(f"INV-{run}", 15, "--run", f"r{run}")["action"] for run in (1, 2)]
    first, second = [("undo", *(("--run", f"r{run}") if whole else (ids[run - 1],))) for run in (1, 2)]
    assert "\nwhy " in shell(*first, code=7)
    told = shell.data(*second, code=7)
    (uncertain,) = [each["undo"] for each in told["undone"]] if whole else (told,)
    assert "does not know whether it happened" in uncertain["why"]


def test_of_a_draft_that_nobody_knows_the_end_of_it_is_said_why(shell: Shell) -> None:
    shell.publish(**{"approvals:\n": "approvals:\n  separation_of_duties: false\n"})
    draft = shell.data("call", "close_account", '{"customer":"C14"}', code=4)["action"]
    started = shell.data("action", "start", draft, code=3)["action"]
    said = shell.data("approvals", "approve", started, "--seen", shell.seen(started))
    assert "does not know whether it happened" in said["outcome"]["why"]
    assert "does not know whether it happened" in shell.data("action", "start", draft, code=7)["why"]
    assert "\nwhy " in shell("action", "start", draft, code=7)


def test_what_was_wrong_with_the_arguments_is_said_by_place_and_kind(on_file: Shell) -> None:
    on_file.publish()
    refused = on_file.data("call", "refund", '{"usd":"secret"}', code=5)
    assert {(each["path"], each["kind"]) for each in refused["wrong"]} == {("$.invoice", "Required"), ("$.usd", "Type")}
    assert "secret" not in json.dumps(refused)


def test_a_person_reads_in_words_what_was_wrong_with_the_arguments(on_file: Shell) -> None:
    on_file.publish()
    said = on_file("call", "refund", '{"usd":"secret"}', code=5)
    assert "$.invoice is missing (Required)" in said
    assert "$.usd is of another type than the schema says (Type)" in said
    said = on_file("call", "refund", "{usd:7}", code=5)
    assert "$ is no JSON (not_json)" in said
    assert "send one JSON object" in said


def test_a_refusal_names_the_action_in_what_explains_it(on_file: Shell) -> None:
    on_file.publish()
    refused = on_file.refund("INV-3", 500, code=5)
    assert f"`interlock policy explain --action {refused['action']}` shows why" in refused["fix"]
    assert "denies" in on_file("policy", "explain", "--action", refused["action"])


def test_arguments_come_from_a_file_or_from_standard_input(
    on_file: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_file.publish()
    (tmp_path / "args.json").write_text('{"invoice": "INV-1", "usd": 5}', encoding="utf-8")
    assert on_file.data("call", "refund", "--args", "args.json")["outcome"] == "done"
    with (tmp_path / "args.json").open(encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert on_file.data("call", "look", "--args", "-", code=5)["reason"] == "invalid_arguments"
    assert "given twice" in on_file.unmeant("call", "refund", "{}", "--args", "args.json")
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in on_file.failed("call", "refund", "--args", "bad")
    assert "`nowhere` cannot be used: no such file" in on_file.failed("call", "refund", "--args", "nowhere")


def test_the_same_call_under_a_key_is_answered_from_the_record(shell: Shell) -> None:
    shell.publish()
    first = shell.refund("INV-1", 20, "--key", "k1")
    again = shell.refund("INV-1", 20, "--key", "k1")
    assert (again["action"], again["recalled"]) == (first["action"], True)
    assert len(done()) == 1


def test_a_call_names_its_place_where_several_are_published(on_file: Shell) -> None:
    on_file.publish()
    on_file("contract", "publish", "shop.yaml", "--env", "dark")
    assert "several are published: shop/dark, shop/prod" in on_file.failed("call", "look", '{"invoice":"I"}')
    assert on_file.data("call", "look", '{"invoice":"I"}', "--env", "dark")["outcome"] == "done"
    assert "nothing is published for `other`" in on_file.failed("call", "look", "{}", "--workflow", "other")
    assert "nothing is published in `other`" in on_file.failed("call", "look", "{}", "--env", "other")


def test_the_screen_of_a_call(demo: Shell) -> None:
    demo.publish()
    text = demo("call", "refund", '{"invoice":"INV-1","usd":20}', "--for", "sam")
    assert steady(text) == snapshot("""\
done     ACTION1_____________
result   {"id": 7, "invoice": "INV-1"}
cost     $0.05
check    passed
receipt  entry 2, leaf SEEN1___________
""")
    text = demo("call", "refund", '{"invoice":"INV-1","usd":20}', "--for", "sam", code=5)
    assert steady(text) == snapshot("""\
refused  ACTION1_____________
reason   duplicate
why      `ACTION2_____________` had the same effect on the same business key
fix      look at it: `interlock action show ACTION2_____________`
receipt  entry 3, leaf SEEN1___________
""")
    text = demo("call", "refund", '{"invoice":"INV-2","usd":80}', "--for", "sam", code=3)
    assert steady(text) == snapshot("""\
parked     ACTION1_____________
waits for  one person of lead (rule `refund.approval_over`)
until      2026-01-01 14:00:00 +01:00
next       `interlock approvals show ACTION1_____________`
receipt    entry 4, leaf SEEN1___________
""")


def test_actions_are_listed_and_shown_by_a_beginning_of_their_id(shell: Shell) -> None:
    shell.publish()
    first = shell.refund("INV-1", 20, "--run", "r1")["action"]
    shell.clock.forward(minutes=5)
    parked = shell.parked()
    assert [each["id"] for each in shell.data("action", "list")] == [parked, first]
    assert [each["id"] for each in shell.data("action", "list", "--state", "done")] == [first]
    assert [each["id"] for each in shell.data("action", "list", "--run", "r1")] == [first]
    for words in (["--workflow", "shop"], ["--env", "prod"], ["--tool", "refund"]):
        assert len(shell.data("action", "list", *words)) == 2, words
        assert shell.data("action", "list", words[0], "another") == []
    assert len(shell.data("action", "list", "--limit", "1")) == 1
    shown = shell.data("action", "show", first[:-3])
    assert (shown["id"], shown["arguments"], shown["result"]["id"]) == (first, {"invoice": "INV-1", "usd": 20}, 7)


def test_a_beginning_that_several_ids_have_lists_them(on_file: Shell) -> None:
    on_file.publish()
    ids = [on_file.refund("INV-1", 20)["action"], on_file.parked()]
    err = on_file.failed("action", "show", "a")
    assert all(id in err for id in ids)
    assert err.endswith("fix: type more of it\n")


@pytest.mark.parametrize("id", ["", "zz", "a b", "a%", "a_", "*", "a'", "\n"])
def test_what_is_the_beginning_of_no_id_is_an_error(on_file: Shell, id: str) -> None:
    on_file.publish()
    on_file.refund("INV-1", 20)
    for words in (["action", "show"], ["explain"], ["undo"], ["approvals", "approve"]):
        assert "error: " in on_file.failed(*words, id)


@pytest.mark.promise("undo")
def test_an_effect_is_undone_and_a_plan_names_what_would_be(shell: Shell) -> None:
    shell.publish()
    id = shell.refund("INV-1", 20)["action"]
    (step,) = shell.data("undo", id, "--plan")
    assert (step["undo_tool"], step["arguments"], step["why_not"]) == ("take_back", '{"id":7}', None)
    assert done() == [{"refund": "INV-1", "usd": 20}]
    assert shell.data("undo", id)["outcome"] == "done"
    assert done()[-1] == {"taken_back": 7}
    assert "no effect that stands" in shell.failed("undo", id)


@pytest.mark.promise("undo")
def test_whoever_takes_an_undo_tool_away_hears_which_effects_nobody_can_undo_any_more(shell: Shell) -> None:
    shell.publish()
    id = shell.refund("INV-1", 20)["action"]
    shell.data("undo", shell.refund("INV-4", 20)["action"])
    shell.clock.forward(minutes=5)
    without = {"  take_back:\n": "  give_back:\n", "tool: take_back, args": "tool: give_back, args"}
    said = shell.data("contract", "publish", str(shell.contract(**without)), "--env", "prod")
    assert said["undo_lost"] == {"take_back": 1}
    (step,) = shell.data("undo", id, "--plan")
    assert (step["undo_tool"], step["why_not"]) == (None, "the contract in force has no tool `take_back`")
    assert "no tool `take_back`" in shell.failed("undo", id)
    shell.publish()
    assert shell.data("undo", id)["outcome"] == "done"


@pytest.mark.promise("undo")
def test_a_run_is_undone_last_in_first_out_and_names_what_cannot_be(shell: Shell) -> None:
    shell.publish()
    ids = [shell.refund("INV-1", 20, "--run", "r1")["action"]]
    shell.clock.forward(seconds=1)
    ids.append(shell.refund("INV-2", 30, "--run", "r1")["action"])
    shell.clock.forward(seconds=1)
    silent = shell.refund("INV-3", 14, "--run", "r1", code=7)["action"]
    steps = shell.data("undo", "--run", "r1", "--plan")
    assert [step["effect"] for step in steps] == [silent, ids[1], ids[0]]
    undone = shell.data("undo", "--run", "r1", code=1)
    assert [each["effect"] for each in undone["undone"]] == [ids[1], ids[0]]
    assert [each["effect"] for each in undone["cannot_be_undone"]] == [silent]
    assert undone["not_tried"] == []
    assert "resolve it first" in shell("undo", "--run", "r1", code=1)
    told = shell.failed("undo", "--run", "r9")
    assert "there is no run `r9`" in told and "interlock run list" in told


@pytest.mark.promise("once")
def test_a_person_resolves_what_nobody_knows(shell: Shell) -> None:
    shell.publish()
    ids = [shell.refund(f"INV-{n}", 14, code=7)["action"] for n in range(4)]
    happened = shell.data("action", "resolve", ids[0], "happened", "--result", '{"id": 9}')
    assert (happened["state"], happened["verdict"], happened["retried"]) == ("done", "happened", None)
    assert shell.data("undo", ids[0])["outcome"] == "done"
    assert done() == [{"taken_back": 9}]
    assert shell.data("action", "resolve", ids[1], "did-not-happen")["state"] == "failed"
    assert shell.data("action", "resolve", ids[2], "abandon")["state"] == "abandoned"
    assert "may still happen" in shell.failed("action", "resolve", ids[3], "retry")
    retried = shell.data("action", "resolve", ids[3], "retry", "--first-may-still-happen", code=7)
    assert (retried["state"], retried["retried"]["outcome"]) == ("abandoned", "uncertain")
    assert "nobody doubts how" in shell.failed("action", "resolve", ids[0], "abandon")
    assert "belongs to `happened`" in shell.unmeant("action", "resolve", ids[0], "abandon", "--result", "1")
    assert "is not JSON" in shell.unmeant("action", "resolve", ids[0], "happened", "--result", "{")
