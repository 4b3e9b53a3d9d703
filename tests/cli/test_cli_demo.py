"""The demo on the command line: what it prints for people, for programs, and for copying."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from command_line import ROOT, child
from interlock.door.cli.itself import itself
from interlock.door.cli.main import main

pytestmark = pytest.mark.slow


LINKED = Path(sys.executable).with_name("interlock")
"""The command as it was installed beside this Python."""


@dataclass(frozen=True)
class Shown:
    """A demo that has run, in a folder with an environment of its own, as after `make demo`."""

    folder: Path
    data: str
    progress: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "interlock").symlink_to(LINKED)
    words = [".venv/bin/interlock", "--json", "demo"]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True, timeout=120, env=elsewhere())
    return Shown(folder, ended.stdout, ended.stderr)


def elsewhere() -> dict[str, str]:
    """An environment in which the shell does not find the command."""
    return {**child(), "PATH": "/usr/bin:/bin", "COLUMNS": "80"}


def test_json_is_what_came_of_it_and_the_progress_is_told_beside_it(shown: Shown) -> None:
    data = json.loads(shown.data)
    assert data["ok"]
    assert data["unexpected"] == []
    assert sum(each["tickets"] for each in data["outcomes"]) == data["tickets"] == 79
    assert all(sum(each["came_of_it"].values()) == each["tickets"] for each in data["outcomes"])
    assert data["harm"]["mails_to_strangers"] == {"with": 0, "without": 3}
    assert data["harm"]["refunded_against_the_rules"]["with"] == "0"
    assert data["money_usd"]["asked_for_by_customers"] == "3398.25"
    assert len(data["ledger"]["root"]) == 64
    assert "A small company with 79 open tickets" in shown.progress
    assert f"ledger verified: {data['ledger']['entries']} entries" in shown.progress


def test_what_the_demo_prints_fits_and_runs_as_it_is_pasted(shown: Shown) -> None:
    assert [line for line in shown.progress.splitlines() if len(line) > 80] == []
    pasted = shown.progress.partition("look deeper\n")[2].partition("\n\n")[0].replace("\\\n", " ").splitlines()
    assert [line.split()[:2] for line in pasted] == [
        [".venv/bin/interlock", "explain"],
        [".venv/bin/interlock", "action"],
        [".venv/bin/interlock", "ledger"],
    ]
    assert [" ".join(line.split()) for line in pasted] == json.loads(shown.data)["look_deeper"]
    said = [
        subprocess.run(
            ["sh", "-c", line], cwd=shown.folder, capture_output=True, text=True, timeout=30, env=elsewhere()
        )
        for line in pasted
    ]
    assert [each.returncode for each in said] == [0, 0, 0], [each.stderr for each in said]
    assert "create_refund  DONE" in said[0].stdout
    assert "state      uncertain" in said[1].stdout
    assert re.search(r"verdict +sound", said[2].stdout)


@pytest.mark.promise("explain")
@pytest.mark.parametrize("against", ["--in-force", str(ROOT / "src" / "interlock_demo" / "contract.yaml")])
def test_the_record_of_the_demo_follows_from_what_was_asked(shown: Shown, against: str) -> None:
    (store,) = shown.folder.rglob("interlock.db")
    words = ["--store", str(store), "--keys", str(store.parent / "keys"), "--tenant", "demo", "--json"]
    command = [".venv/bin/interlock", "policy", "backtest", against, *words]
    ended = subprocess.run(command, cwd=shown.folder, capture_output=True, text=True, timeout=60, env=elsewhere())
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["wrong"] == []
    if against == "--in-force":
        assert said["follow"] > 400
    else:
        assert said["decisions"] > 400
        assert [move for move in said["moves"] if move["from"] != move["to"] or move["looser"]] == []


def test_a_command_is_written_as_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "a b"
    for name in ("bin", "other"):
        (here / name).mkdir(parents=True)
        (here / name / "interlock").touch(mode=0o755)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", str(here / "bin"))
    for started, written in (
        (str(here / "bin" / "interlock"), "interlock"),
        ("other/interlock", "other/interlock"),
        (str(here / "other" / "interlock"), "other/interlock"),
        ("/opt/x y/interlock", "'/opt/x y/interlock'"),
        ("/usr/bin/pytest", "interlock"),
    ):
        monkeypatch.setattr(sys, "argv", [started])
        assert itself() == written
    monkeypatch.setattr(sys, "argv", ["/src/interlock/__main__.py"])
    assert itself() == f"{sys.executable} -m interlock"


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear all", encoding="utf-8")
    assert main(["demo", "--into", "mine", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "--into FOLDER" in json.loads(err)["fix"]
    assert os.listdir("mine") == ["letter.txt"]
