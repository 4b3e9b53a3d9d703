"""Every command, option and exit code is documented, and nothing is documented that is not there."""

import re

from command_line import ROOT
from interlock.contract.cases import CASES
from interlock.contract.shape import Many, Table
from interlock.door.cli.outcomes import CODES
from interlock.door.cli.table import COMMANDS

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


def test_every_command_is_documented() -> None:
    documented = set(re.findall(r"^\| `interlock ((?:[a-z][a-z-]* ?)+)", PAGE, re.MULTILINE))
    assert {name.strip() for name in documented} == {command.name for command in COMMANDS}


def test_every_option_is_documented() -> None:
    options = {name for command in COMMANDS for each in command.takes for name in each.names if name.startswith("-")}
    options |= {"--store", "--keys", "--tenant", "--json"}
    assert sorted(name for name in options if name not in PAGE) == []
    assert (
        sorted(
            name for name in set(re.findall(r"--[a-z][a-z-]*", PAGE)) - options if name not in ("--help", "--version")
        )
        == []
    )


def test_every_exit_code_is_documented() -> None:
    documented = dict(re.findall(r"^\| (\d+) \| (\w+)", PAGE, re.MULTILINE))
    assert {str(code): kind.__name__.lower() for kind, code in CODES.items()}.items() <= documented.items()


def test_every_key_of_a_table_of_cases_is_documented() -> None:
    cases = CASES.keys["cases"]
    assert isinstance(cases, Many)
    assert isinstance(cases.of, Table)
    assert sorted(key for key in (*CASES.keys, *cases.of.keys) if key not in PAGE) == []
