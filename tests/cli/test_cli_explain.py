"""`explain`: the whole story on one screen, from rows, payloads and entries alone."""

import json

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady
from interlock.app import open_store
from interlock.core.ids import SubjectId, TenantId


@pytest.mark.promise("explain")
def test_the_whole_story_of_an_effect_that_somebody_agreed_to(demo: Shell) -> None:
    demo.publish()
    id = demo.data("call", "refund", '{"invoice":"INV-2","usd":80}', "--for", "sam", "--run", "r1", code=3)["action"]
    demo.clock.forward(minutes=3)
    demo("approvals", "approve", id, "--seen", demo.seen(id), "--as", "kim")
    demo.clock.forward(minutes=10)
    assert steady(demo("explain", id)) == snapshot("""\
ACTION1_____________  refund  DONE, 10 min ago

who
  agent     bot
  for       sam
  workflow  shop in prod, tenant demo
  run       r1
  asked     2026-01-01 13:00:00.000 +01:00

what
  tool       refund (opaque, yellow)
  arguments  {"invoice": "INV-2", "usd": 80}
  contract   CONTRACT1___, in force
  mode       act
  epoch      1

why
  `refund` waits for a person
  rule `refund.approval_over` at shop.yaml:52:5 asks, one person of lead within 1h
    `usd` is 80; the limit is 50

consent
  wanted: one person of lead, for rule refund.approval_over
  yes  2026-01-01 13:03:00 +01:00  kim (demo:os:UID) for refund.approval_over; grant
    DRAWN1___________, used

cost
  it cost $0.05
  BUDGET                                              HELD      CHARGED
  shop:prod/tool_calls/run:r1                  1 tool call  1 tool call
  shop:prod/usd/day:2026-01-01                       $0.05        $0.05
  shop:prod:refund/usd_of_args/day:2026-01-01       $80.00       $80.00

read
  fraud  false, as of 2026-01-01 13:03:00 +01:00

changed
  came back  {"id": 7, "invoice": "INV-2"}
  check      passed
  before     {"invoice": "INV-2", "open": true}
  after      {"invoice": "INV-2", "open": false}
  undo       until 2026-01-02 13:03:00 +01:00: `interlock undo ACTION1_____________`
             by take_back {"id": 7}

steps
  ENTRY  AT                              KIND     STATE    REMARK
      1  2026-01-01 13:00:00.000 +01:00  parked   parked   refund.approval_over
      2  2026-01-01 13:03:00.000 +01:00  granted  parked   kim (demo:os:UID)
      3  2026-01-01 13:03:00.000 +01:00  started  started  kim (demo:os:UID)
      4  2026-01-01 13:03:00.000 +01:00  ended    done     cost $0.05

receipt
  entry        4
  leaf         HASH1
  head         interlock/demo, 5 entries
  last anchor  never anchored: whoever takes this machine over can rewrite all of it
""")


@pytest.mark.promise("explain")
def test_the_story_of_a_refusal_names_the_rule_its_place_and_what_met_it(demo: Shell) -> None:
    demo.publish()
    id = demo.refund("INV-3", 500, code=5)["action"]
    assert steady(demo("explain", id)) == snapshot("""\
ACTION1_____________  refund  REFUSED, now
  policy: denied by `refund.max_amount` (shop.yaml:51:5)

who
  agent     bot
  for       sam
  workflow  shop in prod, tenant demo
  run       RUN1________________
  asked     2026-01-01 13:00:00.000 +01:00

what
  tool       refund (opaque, yellow)
  arguments  {"invoice": "INV-3", "usd": 500}
  contract   CONTRACT1___, in force
  mode       act
  epoch      1

why
  `refund` is refused as `policy`: denied by `refund.max_amount` (shop.yaml:51:5)
  rule `refund.max_amount` at shop.yaml:51:5 denies
    `usd` is 500; the range is 0 to 200
  fix: change the call, or the rule at shop.yaml:51:5

cost
  BUDGET                                                HELD      CHARGED
  shop:prod/tool_calls/run:RUN1________________  1 tool call  1 tool call

read
  fraud  false, as of 2026-01-01 13:00:00 +01:00

steps
  ENTRY  AT                              KIND     STATE    REMARK
      1  2026-01-01 13:00:00.000 +01:00  refused  refused  policy

receipt
  entry        1
  leaf         HASH1
  head         interlock/demo, 2 entries
  last anchor  never anchored: whoever takes this machine over can rewrite all of it
""")


@pytest.mark.promise("explain")
def test_the_story_as_data_says_the_same(shell: Shell) -> None:
    shell.publish()
    id = shell.parked()
    shell("approvals", "approve", id, "--seen", shell.seen(id))
    story = shell.data("explain", id)
    assert (story["state"], story["principal"], story["arguments"]["usd"]) == ("done", "sam", 80)
    assert (story["decision"]["said"], story["decision"]["rules"]) == ("ask", ["refund.approval_over"])
    assert story["decision"]["facts"]["fraud"]["value"] is False
    assert [step["kind"] for step in story["steps"]] == ["parked", "granted", "started", "ended"]
    assert (story["before"]["open"], story["after"]["open"], story["check"]) == (True, False, "passed")
    assert (story["undo"]["tool"], story["undo"]["arguments"]) == ("take_back", {"id": 7})
    assert {each["budget"].partition("/")[2].partition("/")[0]: each["cost"] for each in story["budgets"]} == {
        "tool_calls": "1",
        "usd": "0.05",
        "usd_of_args": "80",
    }
    assert story["receipt"]["index"] == story["steps"][-1]["index"]
    assert story["receipt"]["head"].startswith(f"interlock/{shell.tenant}\n")
    assert story["under"] == {
        "contract": shell.data("mode")["published"][0]["contract"],
        "in_force": True,
        "slice": story["under"]["slice"],
        "epochs": [1],
    }


@pytest.mark.promise("explain", "forget")
def test_what_was_erased_says_so_and_the_rest_still_stands(shell: Shell) -> None:
    shell.publish()
    id = shell.refund("INV-1", 20, "--run", "r1")["action"]
    opened = open_store(shell.where, shell.folder / "keys", clock=shell.clock)
    opened.secrets.destroy(opened.secrets.subject_name(TenantId(shell.tenant), SubjectId("run:r1")))
    opened.close()
    text, story = shell("explain", id), shell.data("explain", id)
    assert "undo       not any more: what it needs is erased" in text
    assert "arguments  [erased]" in text
    assert "what policy was asked cannot be shown: erased" in text
    assert (story["arguments"], story["result"]) == ({"unreadable": "erased"}, {"unreadable": "erased"})
    assert [step["state"] for step in story["steps"]] == ["started", "done"]
    assert "[erased]" in shell("action", "show", id)
    assert "not any more: what it needs is erased" in shell("action", "show", id)


def test_a_call_that_was_never_judged_has_a_story_too(on_file: Shell) -> None:
    on_file.publish()
    id = on_file.data("call", "nothing", "{}", code=5)["action"]
    assert "no rule was asked: the contract does not know this tool" in on_file("explain", id)


def test_every_outcome_has_a_story(on_file: Shell) -> None:
    on_file.publish()
    ids = [
        on_file.refund("INV-1", 20)["action"],
        on_file.parked(),
        on_file.data("call", "close_account", '{"customer":"C1"}', code=4)["action"],
        on_file.refund("INV-4", 13, code=6)["action"],
        on_file.refund("INV-5", 14, code=7)["action"],
    ]
    on_file("action", "resolve", ids[-1], "did-not-happen")
    on_file("approvals", "deny", ids[1])
    on_file("undo", ids[0])
    undone = on_file("explain", ids[0])
    assert "undone by a" in undone
    assert "did_not_happen" in on_file("explain", ids[-1])
    assert "no   2026-01-01 13:00:00 +01:00" in on_file("explain", ids[1])
    for id in [each["id"] for each in on_file.data("action", "list")]:
        assert json.dumps(on_file.data("explain", id))
        assert max(len(line) for line in on_file("explain", id).splitlines()) <= 110
