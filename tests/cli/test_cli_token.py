"""`token`: what is printed, and where; what a line that cannot be meant is told."""

import pytest

from command_line import Shell
from interlock.identity.bearer import tenant_of
from interlock.identity.token import read

NEW = ("token", "new", "bot", "--workflow", "shop", "--env", "prod", "--expires", "90d")


def test_a_token_is_printed_once_alone_and_never_again(shell: Shell) -> None:
    shell.publish()
    text = shell(*NEW, "--agent", "b1", "--for", "sam", "--role", "viewer@shop", "--rate", "60").strip()
    assert "only time" in shell.err
    assert text not in shell.err
    presented = read(text)
    assert presented is not None
    assert tenant_of(text) == shell.tenant
    (told,) = shell.data("token", "list")
    assert told == {**told, "id": presented.id, "workflow": "shop", "environment": "prod", "agents": ["b1"]}
    assert told == {**told, "principal": "sam", "roles": ["viewer@shop"], "rate_per_minute": 60, "good": True}
    for command in (
        ("token", "list"),
        ("token", "show", presented.id),
        ("ledger", "show"),
        ("token", "list", "--json"),
    ):
        said = shell(*command)
        assert text[-49:] not in said + shell.err
        assert presented.hash not in said or command == ("ledger", "show")


def test_programs_get_the_token_with_all_that_it_is_for(on_file: Shell) -> None:
    on_file.publish()
    data = on_file.data(*NEW)
    assert read(data["token"]) is not None
    assert (data["kind"], data["good"], data["revoked_at"]) == ("agent", True, None)


def test_a_token_is_for_any_workflow_that_a_contract_may_name(on_file: Shell) -> None:
    on_file.publish()
    named = {name: name * 128 for name in "wea"}
    line = ("token", "new", "bot", "--workflow", named["w"], "--env", named["e"], "--agent", named["a"])
    data = on_file.data(*line, "--expires", "90d")
    assert (data["workflow"], data["environment"], data["agents"]) == (named["w"], named["e"], [named["a"]])


def test_rotating_and_revoking_name_the_token_by_its_beginning(on_file: Shell) -> None:
    on_file.publish()
    old = on_file.data(*NEW)
    new = on_file.data("token", "rotate", old["id"][:6], "--overlap", "2h")
    assert (new["replaces"], new["name"], new["workflow"]) == (old["id"], "bot", "shop")
    assert "until" in on_file("token", "show", old["id"])
    on_file.clock.forward(minutes=121)
    assert "expired" in on_file("token", "list", "--all")
    assert [each["id"] for each in on_file.data("token", "list")] == [new["id"]]
    assert "opens nothing" in on_file("token", "revoke", new["id"][:6])
    assert on_file.data("token", "list") == []
    assert "was revoked" in on_file.failed("token", "revoke", new["id"])
    assert "has expired" in on_file.failed("token", "rotate", old["id"])
    assert "no token" in on_file.failed("token", "show", "nobody")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("bot", "--expires", "90d"), "one workflow in one environment"),
        (("bot", "--expires", "90d", "--workflow", "shop"), "one workflow in one environment"),
        (("bot", "--expires", "soon", "--service", "--role", "viewer"), "span of time"),
        (("bot", "--expires", "90d", "--service"), "without a role"),
        (("bot", "--expires", "90d", "--service", "--role", "boss"), "no role on the API"),
        (("bot", "--expires", "90d", "--service", "--role", "viewer@"), "is no role"),
        (("bot", "--expires", "90d", "--service", "--role", "viewer", "--agent", "a"), "proposes nothing"),
        (("a bot", "--expires", "90d", "--service", "--role", "viewer"), "cannot be called"),
        (("bot", "--expires", "90d", "--workflow", "shop", "--env", "a b"), "no name"),
        (("bot", "--expires", "90d", "--workflow", "shop", "--env", "prod", "--rate", "-1"), "a rate"),
    ],
)
def test_a_line_that_cannot_be_meant_says_what_would_do(on_file: Shell, words: tuple[str, ...], why: str) -> None:
    on_file.publish()
    assert why in on_file.unmeant("token", "new", *words)
    assert "fix: " in on_file.err


def test_who_issues_one_for_what_is_not_published_is_told(on_file: Shell) -> None:
    on_file.publish()
    on_file("token", "new", "bot", "--workflow", "shop", "--env", "staging", "--expires", "90d")
    assert "nothing is published for `shop` in `staging`" in on_file.err
    assert "within 366 days" in on_file.failed(*NEW[:-1], "367d")


def test_a_call_from_the_command_line_says_in_the_ledger_whose_word_it_is(on_file: Shell) -> None:
    on_file.publish()
    on_file.refund("INV-1", 5)
    told = on_file.data("ledger", "show")
    known = {each["entry"]["known_by"] for each in told if "action" in each["entry"]}
    assert len(known) == 1
    assert known.pop().startswith("os:")
