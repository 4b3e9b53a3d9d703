"""The page on policy over history: its commands are typed, and its code is a piece of a file."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from command_line import ROOT
from transcript import type_again

PAGE = (ROOT / "docs" / "policy-history.md").read_text(encoding="utf-8")
FOLDERS = (ROOT / "docs_src" / "contract", ROOT / "docs_src" / "policy_history")


def test_every_piece_of_code_on_the_page_is_a_piece_of_a_file() -> None:
    blocks = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in blocks] == ["docs_src/policy_history/next.yaml"]
    for name, code in blocks:
        assert code.strip(), name
        assert code in (ROOT / name).read_text(encoding="utf-8"), code


@pytest.mark.promise("explain")
def test_the_page_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in FOLDERS:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delitem(sys.modules, "rooms", raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    type_again(PAGE, capsys)
