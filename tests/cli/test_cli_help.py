"""The command is quick to begin, and says what it can do."""

import errno
import shlex
import socket
import subprocess
import sys
from importlib import import_module, util

import pytest

from command_line import Shell, child
from interlock.door.cli.main import main, parser
from interlock.door.cli.table import COMMANDS, GROUPS

HEAVY = (
    "asyncio", "cedarpy", "concurrent", "cryptography", "interlock.app", "interlock.gateway", "interlock.policy",
    "interlock.store", "jsonschema_rs", "msgspec", "orjson", "psycopg", "z3", "pydantic", "rfc8785", "sqlite3", "yaml",
)  # fmt: skip
BESIDE = {"demo", "ledger"}
"""Modules of the command line that come with other parts."""


def test_help_imports_nothing_heavy() -> None:
    text = f"""
import sys
from interlock.door.cli.main import main, parser
code = main(["--help"])
print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    ended = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=30, env=child()
    )
    assert ended.stderr == "0 []\n"
    assert "commands:" in ended.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_and_a_place_to_run(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    known = next(each for each in COMMANDS if each is command)
    assert main([*known.name.split(), "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert known.says in said
    module, _, function = known.run.partition(":")
    if module not in BESIDE or util.find_spec(f"interlock.door.cli.{module}"):
        assert callable(getattr(import_module(f"interlock.door.cli.{module}"), function))


def test_every_group_has_commands() -> None:
    assert {each.name.split()[0] for each in COMMANDS if " " in each.name} == GROUPS.keys()


def test_the_command_runs_as_a_module() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "interlock", "switch", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=child(),
    )
    assert "read-only" in ended.stdout


@pytest.mark.parametrize(
    ("line", "said", "fix"),
    [
        ([], "no command was given", "begin with `interlock demo`"),
        (["fly"], "there is no command `fly`", "look at `interlock --help`"),
        (["aprove"], "there is no command `aprove`", "did you mean `interlock approvals approve`?"),
        (["ledgr"], "there is no command `ledgr`", "did you mean `interlock ledger`?"),
        (
            ["show"],
            "there is no command `show`",
            "say of what: `interlock action show`, `interlock run show`, `interlock approvals show`",
        ),
        (["ledger"], "`interlock ledger` needs one more word", "say one of `show`, `verify`, `prove`"),
        (["ledger", "verfy"], "no command `ledger verfy`", "did you mean `interlock ledger verify`?"),
        (["budget", "list"], "no command `budget list`", "say one of `show`, `raise`"),
        (["call"], "`interlock call` needs `TOOL`", "write it as `interlock call refund '{"),
        (["budget", "raise"], "needs `BUDGET` and `--by`", "`interlock budget raise shop:prod/usd/day --by 5.00`"),
        (["call", "t", "--args"], "`--args` needs a value behind it", "write `--args FILE`"),
        (["call", "t", "--store"], "`--store` needs a value behind it", "write `--store VALUE`"),
        (
            ["action", "list", "--limit", "x"],
            "`--limit` is a whole number, found `x`",
            "write one such as `--limit 50`",
        ),
        (["serve", "--port", "80000"], "`80000` is no port", "from 1 to 65535, or 0 for any that is free"),
        (["serve", "--port", "http"], "`http` is no port", "`--port 7400`"),
        (["secret", "login", "s", "--port", "70000"], "`70000` is no port", "`--port 7400`"),
        (["attend", "--every", "x"], "`--every` is a number, found `x`", "write one such as `--every 2.5`"),
        (["action", "resolve", "a1", "hapened"], "`VERDICT` cannot be `hapened`", "did you mean `happened`?"),
        (["action", "resolve", "a1", "x"], "`VERDICT` cannot be `x`", "use one of `happened`, `did-not-happen`"),
        (["switch", "stop", "--undo-too=3"], "`--undo-too` takes no value", "say it alone"),
        (["undo"], "say what is to be undone", "name one action, or `--run RUN`"),
        (["undo", "a1", "--run", "r1"], "an action and `--run` exclude each other", "name one action, or `--run RUN`"),
        (["undo", "a1", "b2"], "`b2` is not expected here", "look at `interlock undo --help`"),
        (["switch", "resume", "--al"], "`--al` is not expected here", "did you mean `--all`?"),
        (["--stor", "x", "demo"], "`--stor` is not expected here", "did you mean `--store`?"),
        (["-x"], "`-x` is not expected here", "look at `interlock --help`"),
        (["explain", "a\ud800"], "an argument is not UTF-8 text", "type it again"),
    ],
)
def test_a_line_that_is_no_command_is_answered_with_one_that_would_do(
    line: list[str], said: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert fix in " ".join(err.partition("\nfix: ")[2].split())


def test_what_cannot_be_meant_is_an_error_with_a_fix(capsys: pytest.CaptureFixture[str]) -> None:
    for where, said in (
        (["--store", "mysql://x"], "neither a file"),
        (["--tenant", "a b"], "not the name of a tenant"),
    ):
        assert main(["explain", "a1", *where]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert "\nfix: " in err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_what_is_written_as_an_example_is_understood(command: object) -> None:
    known = next(each for each in COMMANDS if each is command)
    named = [name for each in known.takes for name in each.names if each.options.get("nargs") != "?"]
    assert known.example or all(name.startswith("-") for name in named)
    assert parser().parse_args([*known.name.split(), *shlex.split(known.example)]).command is known


def test_options_stand_before_or_behind_the_command_and_words_behind_options(on_file: Shell) -> None:
    on_file.publish()
    words = ["call", "refund", "--env", "prod", '{"invoice":"INV-1","usd":5}', *on_file.common]
    assert main(words) == 0
    assert on_file.capsys.readouterr().out.startswith("done ")


def test_the_version_is_printed_where_everybody_looks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("interlock ")


@pytest.mark.parametrize(
    ("wrong", "said", "fix"),
    [
        (OSError(errno.EROFS, "Read-only file system", "x.db"), "`x.db` cannot be used: read-only", "can be written"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "where the output goes, cannot be used: no space",
            "make room",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "x.db"),
            "`x.db` cannot be used: permission",
            "the right to",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), "`x` cannot be used: no such file", "name another one"),
    ],
)
def test_what_the_machine_does_not_let_us_use_is_named_with_what_to_do(
    wrong: OSError, said: str, fix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(_: object) -> int:
        raise wrong

    monkeypatch.setattr("interlock.door.cli.keys.new", refuses)
    assert main(["keys", "new", "ada"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert fix in told


def test_a_port_that_is_taken_is_said_once(on_file: Shell) -> None:
    on_file.publish()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert on_file.unmeant("serve", "--port", str(port)).splitlines() == [
            f"error: nothing can be served on `127.0.0.1` port {port}: address already in use",
            "fix: say another `--port`",
        ]
