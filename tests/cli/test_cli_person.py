"""`login`, `logout`, `whoami`: who logs in at an issuer is that person to every command, or is told why not."""

import os
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from command_line import Shell
from corner_shop import done
from identity.issuer import a_jwt, rsa_jwk
from interlock.door.cli.person import user_name
from login_server import Fields, LoginServer, login_server
from world import NOON

HOUR = 3_600


@pytest.fixture
def provider(tmp_path: Path) -> Generator[LoginServer]:
    """An OpenID provider that says of everybody that they are `u1`, a lead, for an hour."""
    with login_server(tmp_path / "provider") as running:
        running.keys = [rsa_jwk("rsa")]
        running.identifies = lambda fields: an_id(running, fields)
        yield running


def an_id(provider: LoginServer, fields: Fields, **changes: Any) -> str:
    at = NOON // 1_000_000
    claims: dict[str, Any] = {
        "iss": provider.base,
        "sub": "u1",
        "aud": fields["client_id"],
        "exp": at + HOUR,
        "iat": at,
        "groups": ["leads"],
        "nonce": fields.get("nonce"),
        **changes,
    }
    return a_jwt({name: value for name, value in claims.items() if value is not None})


def believe(shell: Shell, provider: LoginServer, *more: str) -> None:
    shell.publish()
    shell("issuer", "add", "corp", "--url", provider.base, "--audience", "interlock", "--map", "leads=lead", *more)


def log_in(shell: Shell, *more: str, code: int = 0) -> Any:
    words = ("login", "--open", *more)
    return shell.data(*words) if code == 0 else shell(*words, code=code)


def test_who_has_logged_in_agrees_as_that_person_and_the_record_says_so(
    shell: Shell, provider: LoginServer, browser: list[str]
) -> None:
    believe(shell, provider)
    id = shell.parked()
    said = log_in(shell)
    assert (said["person"], said["known_by"], said["roles"]) == ("u1@corp", "oidc:corp", ["lead"])
    agreed = shell.data("approvals", "approve", id, "--seen", shell.seen(id))
    assert (agreed["by"], agreed["known_by"], agreed["outcome"]["outcome"]) == ("u1@corp", "oidc:corp", "done")
    assert done() == [{"refund": "INV-2", "usd": 80}]
    assert "u1@corp (oidc:corp)" in shell("explain", id)
    assert shell("ledger", "verify", "--state")


def test_the_login_is_in_a_file_of_the_user_alone_and_nothing_of_it_is_shown(
    on_file: Shell, provider: LoginServer, browser: list[str]
) -> None:
    believe(on_file, provider)
    said = log_in(on_file)
    path = Path(said["kept_in"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shown = str(said) + on_file.err + on_file("whoami") + on_file("whoami", "--json") + "".join(browser)
    for secret in ("refresh-token-", "access-token-", "eyJ"):
        assert secret not in shown
        assert secret.encode() not in path.read_bytes()


def test_what_is_said_on_the_line_comes_before_the_login(
    on_file: Shell, provider: LoginServer, browser: list[str]
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    assert on_file.data("whoami")["known_by"] == "oidc:corp"
    assert on_file.data("whoami", "--account")["known_by"] == f"os:{os.getuid()}"
    on_file("keys", "new", "mine")
    assert on_file.data("whoami", "--sign-with", "mine.pem")["known_by"].startswith("key:SHA256:")
    assert "several people at once" in on_file.unmeant("whoami", "--account", "--sign-with", "mine.pem")
    assert on_file.data("logout")["logged_out"] == "u1@corp"
    assert on_file.data("whoami")["person"] == user_name()
