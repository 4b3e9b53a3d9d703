"""A login that has ended, was edited or can be read by others is an error that says what to do, never the account."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.provider import HOUR, Browser, an_id, believe, log_in
from command_line import Shell, child
from login_server import Fields, LoginServer
from loopback import http

pytestmark = pytest.mark.slow


def logins(shell: Shell) -> list[Path]:
    return sorted((shell.folder / "logins").glob("*.login"))


def flat(text: str) -> str:
    return " ".join(text.split())


def refused(shell: Shell, *words: str) -> str:
    """Return what a command says that does nothing, because of a login; and that it is no traceless refusal."""
    said = shell.failed(*(words or ("switch", "read-only")))
    assert "or be the user of this machine: `--account`" in flat(said)
    assert shell.data("switch", "show")["switches"] == []
    return flat(said)


def now_signing(shell: Shell, provider: LoginServer, **changes: Any) -> None:
    """Let the provider sign by the clock of the shell, as it would."""
    provider.identifies = lambda fields: an_id(provider, fields, at=shell.clock.now(), **changes)


def test_a_login_renews_itself_and_what_is_said_then_counts(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    until = log_in(on_file)["until"]
    used = provider.fields("/token")
    on_file.clock.forward(minutes=50)
    assert on_file.data("whoami")["until"] == until
    assert len(provider.fields("/token")) == len(used)
    on_file.clock.forward(minutes=20)
    now_signing(on_file, provider, groups=["guests"], nonce=None)
    after = on_file.data("whoami")
    assert (after["until"] > until, after["roles"]) == (True, [])
    (renewal,) = provider.fields("/token")[len(used) :]
    assert (renewal["grant_type"], renewal["client_id"]) == ("refresh_token", "interlock")
    on_file.clock.forward(minutes=70)
    assert on_file.data("whoami")["person"] == "u1@corp", (
        "the refresh token is good for one use, and so the new one is kept"
    )


def test_a_login_that_has_ended_is_an_error_and_never_the_account(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    provider.refreshes = False
    assert not log_in(on_file)["renewed"]
    on_file.clock.forward(minutes=62)
    for words in ((), ("mode", "shop", "suggest"), ("whoami",)):
        said = refused(on_file, *words)
        assert "this token is not good now" in said and "log in again: `interlock login`" in said
    assert on_file.data("switch", "read-only", "--account")["known_by"].startswith("os:")
    now_signing(on_file, provider)
    assert log_in(on_file)["person"] == "u1@corp"


@pytest.mark.parametrize(
    ("what", "changes", "says"),
    [
        ("instead", {"/token": http("400 Bad Request", b'{"error":"invalid_grant"}')}, "(400, `invalid_grant`)"),
        ("instead", {"/token": http("503 Busy")}, "(503)"),
        ("identifies", None, "renews no ID token"),
        ("identifies", "u2", "of somebody else than `u1@corp`"),
    ],
)
def test_a_login_that_is_not_renewed_is_an_error(
    on_file: Shell, provider: LoginServer, browser: Browser, what: str, changes: Any, says: str
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    on_file.clock.forward(minutes=62)
    if changes == "u2":
        now_signing(on_file, provider, sub="u2")
    else:
        setattr(provider, what, changes)
    assert says in refused(on_file)


def test_while_it_cannot_be_renewed_a_login_is_good_until_its_end(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    provider.instead = {"/token": b""}
    on_file.clock.forward(minutes=59, seconds=45)
    assert on_file.data("whoami")["person"] == "u1@corp"
    on_file.clock.forward(seconds=15)
    assert "has ended, and is not renewed" in refused(on_file)


def test_while_the_issuer_is_away_nobody_is_anybody_but_by_their_own_word(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    provider.instead = {"/.well-known/openid-configuration": http("503 Busy")}
    said = refused(on_file)
    assert "nobody can tell whether you are `u1@corp`" in said and "log in again" not in said
    assert on_file.data("switch", "read-only", "--account")["known_by"].startswith("os:")


def test_an_issuer_that_is_believed_no_more_ends_the_login(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    on_file("issuer", "add", "corp", "--url", provider.base, "--audience", "elsewhere", "--map", "leads=lead")
    assert "no issuer that is known here" in refused(on_file)
    elsewhere = ("--url", "https://login.example", "--audience", "interlock", "--map", "leads=lead", "--account")
    on_file("issuer", "add", "corp", *elsewhere)
    assert "which counts no more here" in refused(on_file)
    on_file("issuer", "remove", "corp", "--account")
    assert "which counts no more here" in refused(on_file)
    assert on_file.data("logout")["logged_out"] == "u1@corp"


def test_a_file_that_was_edited_or_that_others_can_read_is_refused(
    on_file: Shell, provider: LoginServer, browser: Browser, tmp_path: Path
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    (path,) = logins(on_file)
    path.chmod(0o640)
    said = refused(on_file)
    assert "others can read the login" in said and "chmod 600" in said and "interlock logout" in said
    path.chmod(0o600)
    good = path.read_bytes()
    for text in (good.replace(b'"login":"', b'"login":"A'), good[:-40], b"{}", b"", b"[" * 100_000):
        path.write_bytes(text)
        assert "is not what was kept there" in refused(on_file)
    path.unlink()
    (tmp_path / "there").write_bytes(good)
    path.symlink_to(tmp_path / "there")
    assert "is not a file of your own" in refused(on_file)
    assert "`--for P`" in on_file.failed("call", "look", '{"invoice": "INV-1"}')
    assert on_file.data("logout")["taken_back"] is False
    assert logins(on_file) == [] and (tmp_path / "there").exists()


def test_a_login_is_for_one_tenant_and_opens_beside_its_keys_alone(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    (path,) = logins(on_file)
    other = Shell(on_file.where, on_file.folder, "another", on_file.clock, on_file.capsys)
    other.publish()
    assert other.data("whoami")["known_by"].startswith("os:")
    other("issuer", "add", "corp", "--url", provider.base, "--audience", "interlock", "--map", "leads=lead")
    provider.identifies = lambda fields: an_id(provider, fields, sub="u2")
    log_in(other)
    (theirs,) = [each for each in logins(on_file) if each != path]
    theirs.write_bytes(path.read_bytes())
    assert "is not what was kept there" in flat(other.failed("whoami"))


def test_a_stop_is_never_held_up_by_a_login(
    on_file: Shell, provider: LoginServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    assert on_file.data("switch", "stop")["known_by"] == "oidc:corp"
    on_file.clock.forward(minutes=62)
    provider.instead = {"/token": http("503 Busy")}
    assert on_file.data("switch", "stop")["known_by"].startswith("os:")
    on_file("switch", "stop")
    assert "you stop as the user of this machine, and not by your login" in flat(on_file.err)
    monkeypatch.setattr("interlock.door.cli.person.LOGIN_STOP_SECONDS_MAX", 0)
    on_file("switch", "stop")
    assert "has not answered within 0 s" in flat(on_file.err)


def test_without_the_database_the_account_stops_and_says_so(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    Path(on_file.where).write_bytes(b"no database at all, and long enough to be looked at as one" * 100)
    on_file("switch", "stop")
    assert "without the store nobody knows your login" in flat(on_file.err)
    assert "(os:" in Path(f"{on_file.where}.stop").read_text(encoding="utf-8")


def test_where_there_is_no_store_to_hold_a_login_against_the_account_is_said_by_name(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    on_file("backup", "copy.backup")
    Path(on_file.where).unlink()
    assert "there is no store that says whose word counts" in flat(on_file.failed("restore", "copy.backup"))
    on_file("restore", "copy.backup", "--account")


def test_logging_out_has_the_issuer_take_it_back_or_says_why_not(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    assert on_file.data("logout")["taken_back"] is True
    (asked,) = provider.fields("/revoke")
    assert (asked["client_id"], asked["token_type_hint"]) == ("interlock", "refresh_token")
    assert asked["token"].startswith("refresh-token-")
    for what, changes, says in (
        ("instead", {"/revoke": http("503 Busy")}, "it answers with 503"),
        ("authority", {"revocation_endpoint": None}, "it has no place for that"),
        ("refreshes", False, "nothing that could be taken back"),
    ):
        provider.instead = {}
        provider.authority = {}
        setattr(provider, what, changes)
        log_in(on_file)
        said = on_file.data("logout")
        assert (said["taken_back"], logins(on_file)) == (False, [])
        assert says in said["why"]


def test_the_doctor_says_whether_a_login_can_be_used(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    believe(on_file, provider)

    def told() -> tuple[str, str]:
        checks = {each["check"]: each for each in json.loads(on_file.run("doctor", "--json")[1])["checks"]}
        return checks["login"]["state"], checks["login"]["found"]

    assert told()[0] == "ok"
    log_in(on_file)
    asked = len(provider.asked)
    assert told() == ("ok", "you are `u1@corp`, and what shows it ends in 60 min")
    on_file.clock.forward(minutes=62)
    assert told() == ("ok", "you are `u1@corp`, and the next command renews what shows it")
    assert len(provider.asked) == asked
    logins(on_file)[0].chmod(0o644)
    assert told()[0] == "warning"


def test_who_could_not_answer_is_not_asked(
    on_file: Shell, provider: LoginServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    believe(on_file, provider)
    provider.refreshes = False
    log_in(on_file)
    id = on_file.parked()
    on_file.clock.forward(minutes=59)
    provider.instead = {"/keys": http("503 Busy")}
    monkeypatch.setattr("interlock.door.cli.screen.Screen.somebody_there", True)
    assert "`--account`" in on_file.failed("approvals", "approve", id)
    assert "approve exactly this?" not in on_file.err


def test_a_folder_of_logins_that_would_be_another_one_elsewhere_is_refused(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_LOGINS", "logins")
    assert "is no whole path" in on_file.unmeant("whoami")


def test_errors_about_a_login_are_data_where_data_is_wanted(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    provider.refreshes = False
    log_in(on_file)
    on_file.clock.forward(minutes=62)
    on_file("switch", "read-only", "--json", code=1)
    assert '"code": "not_logged_in"' in on_file.err and '"fix": "log in again' in on_file.err


def begun(shell: Shell, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "interlock", *shell.common, *words]
    return subprocess.Popen(
        command, cwd=shell.folder, env=child(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_who_interrupts_a_login_leaves_nothing_behind(on_file: Shell, provider: LoginServer) -> None:
    believe(on_file, provider)
    waiting = begun(on_file, "login", "--no-open")
    assert waiting.stderr is not None
    assert any("/authorize?" in line for line in iter(waiting.stderr.readline, ""))
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out, err.strip()) == (130, "", "interrupted")
    assert logins(on_file) == []


@pytest.mark.slow
def test_an_issuer_that_became_another_one_while_a_person_was_away_vouches_for_nobody(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)

    def signed(fields: Fields) -> str:
        words = ("--url", "https://login.example", "--audience", "interlock", "--map", "leads=lead")
        changing = begun(on_file, "issuer", "add", "corp", *words)
        assert changing.communicate(timeout=60) and changing.returncode == 0
        return an_id(provider, fields)

    provider.identifies = signed
    log_in(on_file, code=1)
    assert "is believed no more" in flat(on_file.err)
    assert logins(on_file) == []


@pytest.mark.slow
def test_processes_that_renew_at_once_take_turns(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    on_file.real_time = True
    lives = [20, HOUR]  # seconds: the first one is to be renewed at once

    def signed(fields: Fields) -> str:
        at = time.time_ns() // 1_000
        return an_id(provider, fields, at=at, exp=at // 1_000_000 + lives[0 if "code" in fields else 1])

    provider.identifies = signed
    believe(on_file, provider)
    log_in(on_file)
    several = [begun(on_file, "whoami", "--json") for _ in range(4)]
    ends = [each.communicate(timeout=60) for each in several]
    assert [each.returncode for each in several] == [0] * 4, ends
    assert [fields["grant_type"] for fields in provider.fields("/token")].count("refresh_token") == 1


def test_a_restore_looks_for_the_logins_of_all_tenants_that_it_restores(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    on_file("backup", "monday.backup")
    mine, on_file.tenant, on_file.where = on_file.tenant, "default", "restored.db"
    said = on_file.failed("restore", "monday.backup")
    assert f"somebody has logged in for `{mine}`" in said and "--account" in said
    assert [each["tenant"] for each in on_file.data("restore", "monday.backup", "--account")["tenants"]] == [mine]
