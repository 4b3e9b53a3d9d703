"""Whoever renews, logs in or logs out has a turn, and nobody waits for one without an end."""

import errno
import fcntl
import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cli.provider import HOUR, Browser, an_id, believe, log_in
from cli.test_cli_person_later import begun, flat, logins
from command_line import Shell
from interlock.owned import locked
from login_server import Fields, LoginServer

pytestmark = pytest.mark.slow


@contextmanager
def due(shell: Shell, provider: LoginServer) -> Generator[None]:
    """Log in with what is to be renewed at once, and let somebody else have the turn meanwhile."""
    shell.real_time = True
    lives = [20, HOUR]

    def signed(fields: Fields) -> str:
        at = time.time_ns() // 1_000
        return an_id(provider, fields, at=at, exp=at // 1_000_000 + lives[0 if "code" in fields else 1])

    provider.identifies = signed
    believe(shell, provider)
    log_in(shell)
    (path,) = logins(shell)
    with locked(path.with_suffix(".turn")):
        yield


def test_a_stop_is_not_held_up_by_whoever_has_the_turn(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    with due(on_file, provider):
        stopping = begun(on_file, "switch", "stop", "--json")
        try:
            out, _ = stopping.communicate(timeout=20)
        finally:
            stopping.kill()
            stopping.communicate()
    assert '"known_by": "os:' in out


def test_whoever_waits_for_a_turn_hears_in_time_that_it_does_not_come(
    on_file: Shell, provider: LoginServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.door.cli.logins.LOGIN_TURN_SECONDS_MAX", 0.1)
    with due(on_file, provider):
        said = flat(on_file.failed("whoami"))
    assert "has the turn" in said and "or be the user of this machine: `--account`" in said


def test_a_login_that_ended_while_somebody_waited_to_renew_it_stays_ended(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    with due(on_file, provider):
        waiting = begun(on_file, "switch", "read-only")
        (path,) = logins(on_file)
        deadline = time.monotonic() + 30
        while waiting.poll() is None and not has_open(waiting, path.with_suffix(".turn")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        path.unlink()
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 1 and "logged out meanwhile" in flat(err)
    assert logins(on_file) == []


def has_open(process: "subprocess.Popen[str]", path: Path) -> bool:
    with suppress(OSError):
        return any(os.readlink(each) == str(path) for each in Path(f"/proc/{process.pid}/fd").iterdir())
    return False


def test_who_logs_out_while_a_login_is_renewed_is_logged_out(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    provider.authority = {"revocation_endpoint": None}
    with due(on_file, provider):
        pass
    out: list[subprocess.Popen[str]] = []
    signed = provider.identifies
    assert signed is not None

    def meanwhile(fields: Fields) -> str:
        out.append(begun(on_file, "logout"))
        with suppress(subprocess.TimeoutExpired):
            out[-1].wait(timeout=3)
        return signed(fields)

    provider.identifies = meanwhile
    assert on_file.data("whoami")["person"] == "u1@corp"
    out[0].communicate(timeout=60)
    assert (len(out), out[0].returncode, logins(on_file)) == (1, 0, [])


def test_what_somebody_who_died_was_about_to_keep_goes_with_the_login(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    (path,) = logins(on_file)
    path.with_suffix(".new").write_bytes(path.read_bytes())
    on_file("logout")
    assert [each.suffix for each in path.parent.iterdir()] == [".turn"]


def test_the_login_goes_first_whatever_keeps_the_rest_from_going(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    (path,) = logins(on_file)
    path.with_suffix(".new").mkdir()
    on_file.failed("logout")
    assert logins(on_file) == []
    assert on_file.data("whoami")["known_by"].startswith("os:")


def test_where_no_lock_can_be_had_a_login_is_not_renewed_and_a_stop_is_thrown(
    on_file: Shell, provider: LoginServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with due(on_file, provider):
        pass
    (turn,) = (path.with_suffix(".turn") for path in logins(on_file))
    whole = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if os.fstat(descriptor).st_ino == turn.stat().st_ino:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        whole(descriptor, operation)

    monkeypatch.setattr("interlock.owned.fcntl.flock", flock)
    assert "cannot be locked (no locks available)" in flat(on_file.failed("whoami"))
    assert on_file.data("switch", "stop")["known_by"].startswith("os:")
    on_file("logout")
    assert logins(on_file) == []
