"""The command is quick to begin, and says what it can do."""

import subprocess
import sys
from importlib import import_module, util

import pytest

from command_line import Shell, child
from interlock.door.cli.main import main
from interlock.door.cli.table import COMMANDS, GROUPS

HEAVY = (
    "asyncio", "cedarpy", "concurrent", "cryptography", "interlock.app", "interlock.gateway", "interlock.policy",
    "interlock.store", "jsonschema_rs", "msgspec", "orjson", "psycopg", "pydantic", "rfc8785", "sqlite3", "yaml",
)  # fmt: skip
BESIDE = {"demo", "ledger"}
"""Modules of the command line that come with other parts."""


def test_help_imports_nothing_heavy() -> None:
    text = f"""
import sys
from interlock.door.cli.main import main
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
    ("line", "said"),
    [
        ([], "arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["call"], "arguments are required: TOOL"),
        (["undo", "a1", "b2"], "`b2` is not expected here"),
        (["switch", "stop", "--al"], "`--al` is not expected here"),
        (["explain", "a\ud800"], "an argument is not UTF-8 text"),
        (["explain", "a1", "--store", "mysql://x"], "neither a file nor a Postgres address"),
        (["explain", "a1", "--tenant", "a b"], "is not the name of a tenant"),
    ],
)
def test_a_line_that_is_no_command_is_an_error_with_a_fix(line: list[str], said: str, shell: Shell) -> None:
    assert main(line) == 1
    out, err = shell.capsys.readouterr()
    assert out == ""
    assert said in err
    assert "\nfix: " in err


def test_options_stand_before_or_behind_the_command_and_words_behind_options(on_file: Shell) -> None:
    on_file.publish()
    words = ["call", "refund", "--env", "prod", '{"invoice":"INV-1","usd":5}', *on_file.common]
    assert main(words) == 0
    assert on_file.capsys.readouterr().out.startswith("done ")
