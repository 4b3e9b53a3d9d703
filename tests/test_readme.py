"""The README shows what really happens: its commands are run, and their output is compared line by line."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from command_line import ROOT
from transcript import type_again


def test_the_readme_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "access"
    shutil.copytree(ROOT / "examples" / "access", here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delitem(sys.modules, "directory", raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS"):
        monkeypatch.delenv(name, raising=False)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    ((name, value),) = re.findall(r"^ +export (\w+)=(\w+)", page, re.MULTILINE)
    monkeypatch.setenv(name, value)
    type_again(page, capsys)
