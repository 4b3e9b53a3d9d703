"""`issuer` and `access`: whose word counts, who may do what by which rule, and who has not needed it for long."""

import pytest
from inline_snapshot import snapshot

from command_line import Shell

ADD = ("issuer", "add", "corp", "--url", "https://login.example.com", "--audience", "interlock")
TOKEN = ("--workflow", "shop", "--env", "prod")


def test_an_issuer_is_added_listed_and_removed(shell: Shell) -> None:
    shell.publish()
    maps = (
        "--map",
        "leads=lead@shop",
        "--map",
        "leads=approver",
        "--map-sub",
        "graphs=viewer",
        "--map-sub",
        "b=shop/prod/bot",
    )
    added = shell.data(*ADD, *maps)
    assert added["groups"] == {"leads": ["lead@shop", "approver"]}
    assert added["services"] == {"graphs": "viewer", "b": "shop/prod/bot"}
    assert shell.data("issuer", "list") == [added]
    assert "login.example.com" in shell("issuer", "list")
    assert "counts no more" in shell("issuer", "remove", "corp")
    assert "no issuer" in shell.failed("issuer", "remove", "corp")
    assert shell("ledger", "verify", "--state")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (ADD, "lets nobody do anything"),
        ((*ADD[:3], "--url", "http://login.example.com", "--audience", "a", "--map", "a=b"), "no address"),
        (("issuer", "add", "Corp", *ADD[3:], "--map", "a=b"), "no name"),
        ((*ADD, "--map", "leads"), "gives nothing"),
        ((*ADD, "--map", "leads=a b"), "no role"),
        ((*ADD, "--map-sub", "bot=shop/prod/bot/x"), "no place"),
        ((*ADD, "--map-sub", "bot=lead"), "no role on the API"),
        (("access", "grant", "ann", "approver", "--for", "32d"), "at most 31 days"),
    ],
)
def test_a_line_that_cannot_be_meant_says_what_would_do(on_file: Shell, words: tuple[str, ...], why: str) -> None:
    on_file.publish()
    assert why in on_file.unmeant(*words)


def test_a_role_that_nothing_asks_for_is_given_and_said_to_be_one(on_file: Shell) -> None:
    on_file.publish()
    grant = ("access", "grant", "ann", "--for", "8h")
    for well in ("lead", "approver", "lead@shop"):
        role, _, workflow = well.partition("@")
        on_file(*grant, role, *(("--workflow", workflow) if workflow else ()))
        assert "note:" not in on_file.err
    on_file(*grant, "leed")
    assert "no contract in force names the role `leed`, and the API has none" in " ".join(on_file.err.split())
    on_file(*grant, "lead", "--workflow", "shpo")
    assert "names the role `lead` in `shpo`" in " ".join(on_file.err.split())
    on_file(*ADD, "--map", "leads=lead@shop", "--map", "ops=operatr")
    assert on_file.err.count("note:") == 1
    assert "`operatr`" in on_file.err


def test_a_role_for_a_while_lets_somebody_agree(on_file: Shell) -> None:
    on_file.publish()
    right = on_file.data("access", "grant", "ann@corp", "lead", "--for", "8h", "--workflow", "shop")
    assert right["role"] == "lead@shop"
    assert right["id"] in on_file("access", "review")
    on_file.clock.forward(minutes=481)
    assert right["id"] not in on_file("access", "review")
    again = on_file.data("access", "grant", "ann@corp", "viewer", "--for", "1h")["id"]
    assert "taken back" in on_file("access", "revoke", again)
    assert "no such right" in on_file.failed("access", "revoke", again)


def test_what_an_agent_may_do_is_shown_with_the_rule_that_allows_it(on_file: Shell) -> None:
    on_file.publish()
    token = on_file.data("token", "new", "b", *TOKEN, "--expires", "90d", "--agent", "bot")["id"]
    on_file("token", "new", "other", *TOKEN, "--expires", "90d", "--agent", "another")
    (data,) = on_file.data("access", "show", "bot")
    assert [each["id"] for each in data["tokens"]] == [token]
    refund = next(each for each in data["tools"] if each["tool"] == "refund")
    assert any("shop.yaml:" in rule for rule in refund["allowed_by"])
    assert refund["asked_by"]
    text = on_file("access", "show", "bot")
    assert token in text
    assert "ALLOWED BY" in text
    assert data["limits"] == snapshot(
        ["8 tool calls per run", "$1.00 per day", "$500.00 of arguments per day by `refund`"]
    )
    assert "lets an agent `eve` do anything" in on_file("access", "show", "eve")
    assert "any agent" not in on_file.err


def test_where_a_contract_names_no_agents_it_is_said_that_any_name_will_do(on_file: Shell) -> None:
    contract = on_file.contract()
    text = contract.read_text(encoding="utf-8").replace("agents: { bot: {} }\n", "")
    contract.write_text(text, encoding="utf-8")
    on_file("contract", "publish", str(contract), "--env", "prod")
    assert "refund" in on_file("access", "show", "eve")
    assert "the contract of shop/prod names no agents" in on_file.err


def test_a_review_says_what_was_used_last_and_what_nobody_needs(on_file: Shell) -> None:
    on_file.publish()
    on_file("token", "new", "idle", *TOKEN, "--expires", "200d")
    on_file.clock.forward(days=100)
    on_file("token", "new", "short", *TOKEN, "--expires", "5d")
    data = on_file.data("access", "review")
    remarks = {each["name"]: each["remarks"] for each in data["tokens"]}
    assert remarks == {"short": ["expires soon"], "idle": ["unused for 90 days"]}
    assert data["people"]["shop/prod"]["lead"]
    text = on_file("access", "review")
    assert "unused for 90 days" in text
    assert "never seen" in text
    assert on_file.data("access", "review", "--unused", "150d")["tokens"][-1]["remarks"] == []
