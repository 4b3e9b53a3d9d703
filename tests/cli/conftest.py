import time
from collections.abc import Generator
from pathlib import Path

import pytest

import command_line
from command_line import Shell


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Run each test in a folder of its own, in one time zone, at one width, with a shop of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP", str(tmp_path / "shop.log"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def shell(where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A tenant of its own on either store."""
    return command_line.shell_on(where, tmp_path, capsys)


@pytest.fixture
def on_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A tenant of its own in a file of its own."""
    return command_line.shell_on(str(tmp_path / "interlock.db"), tmp_path, capsys)


@pytest.fixture
def demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The tenant for which `--as` is believed."""
    return command_line.shell_on(str(tmp_path / "interlock.db"), tmp_path, capsys, tenant="demo")
