"""`help --man`: every command and option is on the manual page, and nothing on it troubles whoever sets it."""

import re
import shutil
import subprocess

import pytest

from command_line import ROOT, Shell
from interlock.door.cli.manual import manual
from interlock.door.cli.table import COMMANDS, GROUPS

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


def test_every_command_and_option_is_on_it(on_file: Shell) -> None:
    said = on_file("help", "--man").replace(r"\-", "-")
    for command in COMMANDS:
        own = said.partition(f".B interlock {command.name}")[2].partition("\n.B interlock ")[0]
        for argument in command.takes:
            assert ", ".join(argument.names) in own or str(argument.options.get("metavar")) in own, command.name
    assert all(f".SS interlock {group}: {says}" in said for group, says in GROUPS.items())
    assert "INTERLOCK_STORE" in said and "postgresql://..." in said
    assert re.findall(r"\.TP\n\\fB(\d+)\\fR", said) == ["0", "1", "2", "3", "4", "5", "6", "7", "130"]


def test_no_text_is_read_as_a_request() -> None:
    known = {".TH", ".SH", ".SS", ".TP", ".B", ".RS", ".RE", ".IP"}
    requests = {line.split()[0] for line in manual(PAGE).splitlines() if line.startswith((".", "'"))}
    assert requests <= known


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_it_is_set_without_a_warning() -> None:
    words = ["groff", "-man", "-Tascii", "-ww"]
    ended = subprocess.run(words, input=manual(PAGE), capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "interlock policy prove CONTRACT" in re.sub(r"\x1b\[\d*m|.\x08", "", ended.stdout)
