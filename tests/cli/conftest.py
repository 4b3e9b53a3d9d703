import threading
import time
import webbrowser
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import command_line
from command_line import Shell
from login_server import visited


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Run each test in a folder of its own, in one time zone, at one width, with a shop of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP", str(tmp_path / "shop.log"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("INTERLOCK_LOGINS", str(tmp_path / "logins"))
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


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A browser that goes wherever it is sent, and keeps what it was shown last."""
    shown: list[str] = []

    def go(url: str) -> None:
        status, to, text = visited(url)
        shown.append(text)
        if status == 302 and urlsplit(to).hostname == "127.0.0.1":
            go(to)

    threads: list[threading.Thread] = []

    def opened(url: str) -> bool:
        shown.append(url)
        threads.append(threading.Thread(target=go, args=(url,)))
        threads[-1].start()
        return True

    monkeypatch.setattr(webbrowser, "open", opened)
    return shown
