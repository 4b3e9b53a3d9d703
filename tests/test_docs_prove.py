"""The page on proofs: its commands are typed, its code is a piece of a file, and every key is on it."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from command_line import ROOT
from interlock.contract.invariants import INVARIANTS
from interlock.contract.shape import Many, Table
from transcript import type_again

PAGE = (ROOT / "docs" / "prove.md").read_text(encoding="utf-8")


def test_every_piece_of_code_on_the_page_is_a_piece_of_a_file() -> None:
    blocks = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in blocks] == ["docs_src/prove/invariants.yaml"]
    for name, code in blocks:
        assert code == (ROOT / name).read_text(encoding="utf-8")


def test_every_key_is_on_the_page() -> None:
    many = INVARIANTS.keys["invariants"]
    assert isinstance(many, Many) and isinstance(many.of, Table)
    rows = re.findall(r"^\| `([a-z]+)` \| [^|]+ \| *(\*\*needed\*\*)?", PAGE, re.MULTILINE)
    assert {key: bool(needed) for key, needed in rows} == {key: key in many.of.needed for key in many.of.keys}


@pytest.mark.promise("explain")
def test_the_page_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("contract", "prove"):
        shutil.copytree(ROOT / "docs_src" / folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delitem(sys.modules, "rooms", raising=False)
    type_again(PAGE, capsys)
