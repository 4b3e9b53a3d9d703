import time
import webbrowser
from collections.abc import Generator
from pathlib import Path

import pytest

import command_line
from cli.provider import Browser, an_id
from command_line import Shell
from identity.issuer import rsa_jwk
from login_server import LoginServer, login_server


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
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    """A browser that goes wherever it is sent."""
    made = Browser()
    monkeypatch.setattr(webbrowser, "open", made.opened)
    return made


@pytest.fixture
def provider(tmp_path: Path) -> Generator[LoginServer]:
    """An OpenID provider that says of everybody that they are `u1`, a lead, for an hour."""
    with login_server(tmp_path / "provider") as running:
        running.keys = [rsa_jwk("rsa")]
        running.identifies = lambda fields: an_id(running, fields)
        yield running
