"""The README shows what really happens: its commands are run, and their output is compared line by line."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from command_line import ROOT
from interlock.door.cli.main import main

README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown() -> list[tuple[str, str]]:
    """Each command of the README with the output that it shows."""
    (block,) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    parts = [part.partition("\n") for part in block.split("$ ")[1:]]
    return [(command, output) for command, _, output in parts]


def steady(text: str) -> str:
    """Put names in place of what is drawn anew each time."""
    for pattern, name in (
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\b[0-9a-f]{16}\b", "LEAF"),
        (r"\ba[0-9a-z]{19}\b", "ACTION"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "TIME"),
        (r"\S+ \(os:\d+\)", "PERSON"),
    ):
        text = re.sub(pattern, name, text)
    return text.strip()


def test_the_readme_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "access"
    shutil.copytree(ROOT / "examples" / "access", here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delitem(sys.modules, "directory", raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    for command, output in shown():
        words = shlex.split(command)
        assert words[0] == "interlock"
        main(words[1:])
        assert steady(capsys.readouterr().out) == steady(output), command
