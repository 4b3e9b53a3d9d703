"""`policy backtest`: recorded decisions against a contract that may be published, and against their own."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import Shell, steady, variant
from interlock.app import open_store
from interlock.core.ids import ActionId, PayloadId, SubjectId, TenantId
from interlock.gateway.recall import row_of

pytestmark = pytest.mark.slow


def history(shell: Shell) -> dict[str, str]:
    """Make a few calls of every kind and return the actions by name."""
    shell.publish()
    ids = {
        "small": shell.refund("INV-1", 20)["action"],
        "asked": shell.parked(),
        "large": shell.refund("INV-3", 500, code=5)["action"],
        "fraud": shell.refund("INV-666", 20, code=5)["action"],
        "draft": shell.data("call", "close_account", '{"customer":"C1"}', code=4)["action"],
        "wrong": shell.data("call", "refund", '{"invoice":7}', code=5)["action"],
    }
    shell("approvals", "approve", ids["asked"], "--seen", shell.seen(ids["asked"]))
    return ids


@pytest.mark.promise("explain")
def test_what_would_come_of_the_recorded_calls(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    history(on_file)
    changes = {
        "over_usd: 50": "over_usd: 10",
        "max_amount_usd: 200": "max_amount_usd: 900",
        "    deny_if_fraud: true\n": "",
    }
    variant("new.yaml", **changes)
    assert steady(on_file("policy", "backtest", "new.yaml", code=3)) == snapshot("""\
replayed    6 decisions of shop in prod, from 2026-01-01 13:00:00 +01:00 to
            2026-01-01 13:00:00 +01:00
against     new.yaml
looser      2
not judged  1 refused before any rule was asked

         MOVE            ACTIONS  OF
LOOSER   deny -> ask           2  refund 2
TIGHTER  allow -> ask          1  refund 1
         draft -> draft        1  close_account 1
         ask -> ask            1  refund 1

A DAY            RECORDED  CANDIDATE
approvals asked       1.0        4.0
refusals              2.0        0.0

deny -> ask
  ACTION1_____________  refund: refund.fraud -> refund.approval_over
  ACTION2_____________  refund: refund.max_amount -> refund.approval_over
allow -> ask
  ACTION3_____________  refund: allow.refund -> refund.approval_over
look at one: `interlock explain ACTION`
""")


def test_the_same_contract_moves_nothing_on_either_store(shell: Shell) -> None:
    ids = history(shell)
    said = shell.data("policy", "backtest", "shop.yaml", "--workflow", "shop", "--env", "prod")
    assert {(move["from"], move["to"]): move["tools"] for move in said["moves"]} == {
        ("deny", "deny"): {"refund": 2},
        ("draft", "draft"): {"close_account": 1},
        ("ask", "ask"): {"refund": 1},
        ("allow", "allow"): {"refund": 1},
    }
    assert (said["decisions"], said["not_judged"], said["cannot_be_told"], said["wrong"]) == (6, 1, 0, [])
    assert shell.data("policy", "backtest", "--in-force")["follow"] == 6
    assert ids["wrong"] not in json.dumps(said)


def test_less_consent_for_the_same_call_is_looser(on_file: Shell) -> None:
    history(on_file)
    variant("new.yaml", **{"yellow: { approvers: [lead]": "yellow: { approvers: [lead, boss]"})
    said = on_file.data("policy", "backtest", "new.yaml", code=3)
    (moved,) = [move for move in said["moves"] if move["looser"]]
    assert (moved["from"], moved["to"], len(moved["examples"])) == ("ask", "ask", 1)
    on_file("policy", "backtest", "new.yaml", "--max-looser", "1")


def test_a_narrower_schema_and_a_tool_that_is_gone_refuse(on_file: Shell) -> None:
    history(on_file)
    changes = {"usd: { type: number }": "usd: { type: number, maximum: 10 }", "refund, close_account]": "refund]"}
    variant("new.yaml", **changes)
    said = on_file.data("policy", "backtest", "new.yaml")
    assert {(move["from"], move["to"]) for move in said["moves"]} == {
        ("draft", "deny"), ("ask", "deny"), ("allow", "deny"), ("deny", "deny")
    }  # fmt: skip


def test_what_the_record_does_not_say_is_counted_and_not_guessed(on_file: Shell) -> None:
    on_file.publish()
    on_file("mode", "shop", "read_only", "--env", "prod")
    on_file.refund("INV-1", 20, code=5)  # refused before anything was looked up
    on_file.refund("INV-2", 500, code=5)
    assert on_file.data("policy", "backtest", "shop.yaml")["cannot_be_told"] == 0
    said = on_file.data("policy", "backtest", "shop.yaml", "--mode", "act")
    # Whatever the fact was, the amount was too much.
    assert (said["cannot_be_told"], said["decisions"]) == (1, 1)
    assert said["missing_facts"] == [{"tool": "refund", "fact": "fraud", "decisions": 1}]
    assert "1 decision: 1 of `refund` lack `fraud`" in on_file("policy", "backtest", "shop.yaml", "--mode", "act")


def test_how_far_back_it_looks_can_be_said(on_file: Shell) -> None:
    on_file.publish()
    for number in range(3):
        on_file.refund(f"INV-{number}", 20)
        on_file.clock.forward(days=1)
    for words, count in ((["--last", "2"], 2), (["--since", "36h"], 1), (["--since", "2026-01-02"], 2), ([], 3)):
        assert on_file.data("policy", "backtest", "shop.yaml", *words)["decisions"] == count, words
    rates = on_file.data("policy", "backtest", "shop.yaml", "--mode", "ask")["a_day"]
    assert rates["approvals_asked"] == {"recorded": 0.0, "candidate": 1.5}
    for words in (["--since", "never"], ["--last", "0"], ["--mode", "fly"]):
        assert "fix:" in on_file.unmeant("policy", "backtest", "shop.yaml", *words)


@pytest.mark.promise("forget")
def test_what_was_erased_is_counted_as_erased(shell: Shell) -> None:
    shell.publish()
    shell.refund("INV-1", 20, "--run", "r1")
    shell.refund("INV-2", 20)
    opened = open_store(shell.where, shell.folder / "keys", clock=shell.clock)
    opened.secrets.destroy(opened.secrets.subject_name(TenantId(shell.tenant), SubjectId("run:r1")))
    opened.close()
    said = shell.data("policy", "backtest", "shop.yaml")
    assert (said["erased"], said["decisions"], said["wrong"]) == (1, 1, [])
    assert shell.data("policy", "backtest", "--in-force")["follow"] == 1


async def _rewrite(shell: Shell, id: str, *, was: bytes, by: bytes) -> None:
    """Put another question in place of the one that was asked, as only someone with the keys could."""
    opened = open_store(shell.where, shell.folder / "keys", clock=shell.clock)
    tenant = TenantId(shell.tenant)
    store = opened.store.for_tenant(tenant)
    row = await row_of(store, ActionId(id))
    assert row is not None
    assert row.question is not None
    sealed = await store.payload(row.question)
    assert sealed is not None
    text = opened.secrets.open(tenant, row.question, sealed)
    assert was in text
    again = opened.secrets.seal(tenant, row.question, text.replace(was, by), frozenset({SubjectId("month:2026-01")}))
    opened.close()
    _put(shell, row.question, again)


def _put(shell: Shell, id: PayloadId, sealed: bytes) -> None:
    with sqlite3.connect(shell.where) as db:
        db.execute("update payload set sealed = ? where id = ?", (sealed, id))


@pytest.mark.promise("ledger")
def test_a_question_that_was_rewritten_is_found(on_file: Shell) -> None:
    ids = history(on_file)
    asyncio.run(_rewrite(on_file, ids["large"], was=b'"500000000"', by=b'"100000000"'))
    for words in (["shop.yaml"], ["--in-force"]):
        said = on_file.data("policy", "backtest", *words, code=1)
        assert said["wrong"] == [
            {
                "action": ids["large"],
                "entry": said["wrong"][0]["entry"],
                "what": "what policy was asked is not what the ledger commits to",
            }
        ]
    assert "the record does not hold" in on_file("policy", "backtest", "--in-force", code=1)


@pytest.mark.promise("ledger")
def test_a_row_that_was_edited_says_nothing_of_the_others(on_file: Shell) -> None:
    ids = history(on_file)
    with sqlite3.connect(on_file.where) as db:
        db.execute("update action set body = cast(body || ' ' as blob) where id = ?", (ids["small"],))
    said = on_file.data("policy", "backtest", "--in-force", code=1)
    assert [each["action"] for each in said["wrong"]] == [ids["small"]]
    assert said["follow"] == 5


def test_a_contract_of_another_workflow_is_no_candidate(on_file: Shell) -> None:
    history(on_file)
    variant("other.yaml", **{"workflow: shop": "workflow: other"})
    assert "is the contract of `other`" in on_file.failed("policy", "backtest", "other.yaml")
    assert "say what the record is held against" in on_file.unmeant("policy", "backtest")
    assert Path("shop.yaml").exists()
