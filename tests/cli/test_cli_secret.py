"""`secret`: what is typed is kept, used from the next call on, and never printed."""

import json
import os
import stat
import sys

import pytest
from inline_snapshot import snapshot

from cli.till import CANARY, Till
from command_line import Shell, steady
from loopback import http
from token_endpoint import token_endpoint

pytestmark = pytest.mark.promise("secret")


@pytest.fixture
def till(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Till:
    return Till(shell, monkeypatch)


@pytest.fixture
def till_on_file(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> Till:
    return Till(on_file, monkeypatch)


def test_a_secret_is_set_listed_changed_used_and_removed(till: Till) -> None:
    till.set()
    till.publish("pay")
    shell = till.shell
    assert shell.data("call", "pay", '{"usd": 7}')["outcome"] == "done"
    first = till.set("another-secret\r\n")
    assert (first["to"], first["entered"]) == ("changed", True)
    shell.clock.forward(minutes=1)
    assert till.set("a third secret\n")["to"] == "changed"
    (line,) = shell.data("secret", "list")
    assert line == snapshot(
        {
            "secret": "pay",
            "workflow": "till",
            "environment": "prod",
            "kind": "text",
            "since": "2026-01-01T12:00:00.000000Z",
            "changed": "2026-01-01T12:01:00.000000Z",
        }
    )
    assert shell.data("secret", "check")[0]["ok"] is True
    shell("secret", "remove", "pay", "--workflow", "till", "--env", "prod")
    assert shell.data("secret", "list") == []
    (gone,) = shell.data("secret", "check", code=1)
    assert (gone["ok"], gone["fix"]) == (False, "set it: `interlock secret set pay --workflow till --env prod`")
    shell("secret", "check", code=1)
    assert "fix: set it: `interlock secret set" in shell.err.splitlines()[1]
    failed = shell.data("call", "pay", '{"usd": 8}', code=6)
    assert "so nothing was sent" in shell("explain", failed["action"])
    told = [each["entry"]["detail"] for each in shell.data("ledger", "show") if each["entry"]["kind"] == "secret"]
    assert [each["to"] for each in told][-3:] == ["changed", "changed", "removed"]
    assert told[-1] == {"workflow": "till", "environment": "prod", "secret": "pay", "to": "removed"}
    assert shell.data("ledger", "verify", "--state")["sound"] is True


def test_what_is_said_of_it_looks_like_this(till_on_file: Till) -> None:
    till, shell = till_on_file, till_on_file.shell
    till.typing(CANARY)
    assert steady(shell("secret", "set", "pay", "--workflow", "till", "--env", "prod")) == snapshot("""\
set   pay
for   till in prod
by    USER (os:UID)
used  from the next call on
""")
    assert shell.err == snapshot("note: there is no store yet, so no ledger has an entry of it\n")
    till.publish("pay")
    assert shell("secret", "list") == snapshot("""\
SECRET  WORKFLOW  ENVIRONMENT  KIND  SINCE                       LAST CHANGED
pay     till      prod         text  2026-01-01 13:00:00 +01:00  2026-01-01 13:00:00 +01:00
""")
    assert shell("secret", "check") == snapshot("""\
SECRET  WORKFLOW  ENVIRONMENT  USED BY  KEPT IN             THERE
pay     till      prod         pay      the encrypted file  yes
""")


def test_a_contract_is_published_where_its_secrets_are_and_nowhere_else(till_on_file: Till) -> None:
    till, shell = till_on_file, till_on_file.shell
    till.set(env="dark")
    till.publish("pay", code=1)
    assert "fix: set it: `interlock secret set pay --workflow till --env prod`" in shell.err
    assert not (shell.folder / "interlock.db").exists()
    till.set()
    till.publish("pay")


def test_a_secret_is_never_taken_from_the_line_and_never_echoed(
    till_on_file: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = till_on_file.shell
    till_on_file.typing("")
    assert "a word too many" in shell.unmeant("secret", "set", "pay", CANARY, "--workflow", "till", "--env", "prod")
    assert CANARY not in shell.err
    typed: list[str] = []

    def unseen(prompt: str, stream: object) -> str:
        assert stream is sys.stderr
        typed.append(prompt)
        return CANARY

    monkeypatch.setattr("interlock.door.cli.secrets.getpass", unseen)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    shell("secret", "set", "pay", "--workflow", "till", "--env", "prod")
    assert typed == ["pay of till in prod: ", "once more: "]


@pytest.mark.parametrize("text", ["", "\n", "seven77", b"\xff\xfe12345678", "x" * 70_000])
def test_what_cannot_be_a_secret_is_refused_and_not_repeated(till_on_file: Till, text: str | bytes) -> None:
    till_on_file.typing(text)
    code, out = till_on_file.shell.run("secret", "set", "pay", "--workflow", "till", "--env", "prod")
    assert (code in (1, 2), out) == (True, "")
    assert "seven77" not in till_on_file.shell.err
    assert "fix: " in till_on_file.shell.err
    assert not (till_on_file.keys / "secrets.sealed").exists()


@pytest.mark.parametrize("word", ["a b", "../x", "", "x" * 200, "pay\n"])
def test_a_name_that_no_contract_could_use_is_refused(till_on_file: Till, word: str) -> None:
    till_on_file.typing(CANARY)
    assert "fix: " in till_on_file.shell.unmeant("secret", "set", word, "--workflow", "till", "--env", "prod")
    assert "fix: " in till_on_file.shell.unmeant("secret", "remove", "pay", "--workflow", word, "--env", "prod")


def test_a_name_that_was_mistyped_is_guessed(till_on_file: Till) -> None:
    till_on_file.set()
    said = till_on_file.shell.failed("secret", "remove", "pai", "--workflow", "till", "--env", "prod")
    assert "did you mean `pay`?" in said


def test_an_environment_that_keeps_its_secrets_elsewhere_takes_none(till_on_file: Till) -> None:
    till_on_file.set(env="dark")
    (till_on_file.keys / "secrets.yaml").write_text("environments: { prod: environment }\n", "utf-8")
    till_on_file.typing(CANARY)
    said = till_on_file.shell.failed("secret", "set", "pay", "--workflow", "till", "--env", "prod")
    assert "`prod` keeps its secrets in the environment" in said


def test_the_file_is_its_owners_alone_and_the_doctor_looks(till_on_file: Till) -> None:
    till, shell = till_on_file, till_on_file.shell
    till.set()
    till.publish("pay")
    file = till.keys / "secrets.sealed"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    os.chmod(file, 0o644)
    found = [each for each in shell.data("doctor", code=1)["checks"] if each["check"] == "keys"]
    assert [each["fix"] for each in found] == [f"run `chmod 600 {file}`"]


def test_a_tool_that_reads_with_what_another_one_writes_with_is_worth_knowing(till_on_file: Till) -> None:
    path = till_on_file.contract("echo", "pay")
    text = (till_on_file.shell.folder / "till.yaml").read_text("utf-8").replace("effect: opaque", "effect: read", 1)
    (till_on_file.shell.folder / "till.yaml").write_text(text, "utf-8")
    (found,) = till_on_file.shell.data("contract", "check", path)
    assert [each["text"] for each in found["worth_knowing"] if "secret" in each["text"]] == snapshot(
        ["`echo` reads with the secret `pay`, with which `pay` can write: give it one that can only read"]
    )
    assert found["not_enforced"] == []


def test_what_buys_access_tokens_is_set_and_the_tool_gets_a_token(till: Till) -> None:
    with token_endpoint() as endpoint:
        client = {"token_url": endpoint.url, "client_id": "shop", "client_secret": CANARY}
        till.set(json.dumps(client), "--oauth")
        till.publish("pay")
        assert till.shell.data("secret", "list")[0]["kind"] == "oauth"
        assert till.shell.data("call", "pay", '{"usd": 7}')["outcome"] == "done"
        endpoint.says = http("401 Unauthorized", b'{"error":"invalid_client"}', "application/json")
        (found,) = till.shell.data("secret", "check", code=1)
    assert "the endpoint refuses (401, `invalid_client`)" in found["why"]


@pytest.mark.parametrize(
    "client", [{}, {"token_url": "http://bank.example/t", "client_id": "c", "client_secret": "x" * 20}, "text"]
)
def test_what_buys_no_token_is_not_kept(till_on_file: Till, client: object) -> None:
    till_on_file.typing(json.dumps(client))
    words = ("secret", "set", "pay", "--oauth", "--workflow", "till", "--env", "prod")
    assert "fix: " in till_on_file.shell.unmeant(*words)
    assert "x" * 20 not in till_on_file.shell.err
    assert not (till_on_file.keys / "secrets.sealed").exists()


def test_settings_that_cannot_be_meant_stop_calls_that_need_a_secret_and_nothing_else(till_on_file: Till) -> None:
    till, shell = till_on_file, till_on_file.shell
    till.set()
    till.publish("pay")
    (till.keys / "secrets.yaml").write_text("source: nowhere\n", "utf-8")
    failed = shell.data("call", "pay", '{"usd": 7}', code=6)
    assert "so nothing was sent" in shell("explain", failed["action"])
    shell("switch", "stop")
    assert [each["check"] for each in shell.data("doctor", code=1)["checks"] if each["state"] == "wrong"] == ["secrets"]
    (found,) = shell.data("secret", "check", code=1)
    assert (found["kept_in"], found["fix"].startswith("correct ")) == ("nobody knows", True)
