"""The README shows what really happens: its commands are run, and their output is compared line by line."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from command_line import ROOT
from transcript import type_again

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
ONE_CALL, _, FIVE_MINUTES = PAGE.partition("\n## Your own agent in five minutes\n")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["interlock"])
    for module in ("directory", "support_refunds"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)


def test_the_first_five_minutes_are_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    type_again(FIVE_MINUTES, capsys)


def test_one_call_is_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "access"
    shutil.copytree(ROOT / "examples" / "access", here)
    monkeypatch.chdir(here)
    ((name, value),) = re.findall(r"^ +export (\w+)=(\w+)", ONE_CALL, re.MULTILINE)
    monkeypatch.setenv(name, value)
    type_again(ONE_CALL, capsys)
