"""`login`, `logout`, `whoami`: who logs in at an issuer is that person to every command, or is told why not."""

import os
import socket
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from cli.provider import HOUR, Browser, an_id, believe, log_in
from command_line import Shell, steady
from corner_shop import done
from identity.issuer import OTHER_RSA, b64, rs256
from interlock.door.cli.person import user_name
from login_server import SILENCE, Fields, LoginServer, login_server
from loopback import http
from world import NOON

pytestmark = pytest.mark.slow

SECRETS = ("refresh-token-", "access-token-", "eyJ")


def by_another(signed: bytes) -> bytes:
    return rs256(signed, OTHER_RSA)


def logins(shell: Shell) -> list[Path]:
    return sorted((shell.folder / "logins").glob("*.login"))


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.promise("consent")
def test_who_has_logged_in_agrees_as_that_person_and_the_record_says_so(
    shell: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(shell, provider)
    id = shell.parked()
    said = log_in(shell)
    assert (said["person"], said["known_by"], said["roles"]) == ("u1@corp", "oidc:corp", ["lead"])
    agreed = shell.data("approvals", "approve", id, "--seen", shell.seen(id))
    assert (agreed["by"], agreed["known_by"], agreed["outcome"]["outcome"]) == ("u1@corp", "oidc:corp", "done")
    assert done() == [{"refund": "INV-2", "usd": 80}]
    assert "u1@corp (oidc:corp)" in shell("explain", id)
    thrown = shell.data("switch", "stop")
    assert (thrown["by"], thrown["known_by"]) == ("u1@corp", "oidc:corp")
    assert shell("ledger", "verify", "--state")


def test_the_login_is_in_a_file_of_the_user_alone_and_nothing_of_it_is_shown(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    said = log_in(on_file)
    path = Path(said["kept_in"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shown = str(said) + on_file.err + on_file("whoami") + on_file("whoami", "--json") + "".join(browser)
    for secret in SECRETS:
        assert secret not in shown
        assert secret.encode() not in path.read_bytes()


def test_what_is_said_on_the_line_comes_before_the_login(
    on_file: Shell, provider: LoginServer, browser: Browser
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


def test_what_a_person_reads_looks_like_this(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    believe(on_file, provider)

    def told(text: str) -> str:
        place = str(logins(on_file)[0]) if logins(on_file) else "nowhere"
        return steady(text.replace(place, "FILE").replace(str(provider.port), "PORT"))

    assert told(on_file("login", "--open")) == snapshot("""\
logged in    u1@corp (oidc:corp)
at           http://127.0.0.1:PORT
roles        lead
good         until 2026-01-01 14:00:00 +01:00 (in 60 min), renewed by itself
kept in      FILE
from now on  commands of this tenant are yours, until `interlock logout`
""")
    assert told(on_file.err.partition("&client_id")[0]) == snapshot("""\
`corp` (http://127.0.0.1:PORT) says who you are
log in within 5 minutes (Ctrl-C ends it), in a browser on this machine:

http://127.0.0.1:PORT/authorize?response_type=code\
""")
    assert on_file("login", "--open") and on_file.err.endswith("\n\nor, in any browser: `interlock login --device`\n\n")
    assert told(on_file("whoami")) == snapshot("""\
you are   u1@corp
known by  oidc:corp, your login at http://127.0.0.1:PORT
roles     lead
until     2026-01-01 14:00:00 +01:00 (in 60 min), renewed by itself

WORKFLOW  ENVIRONMENT  COUNTS AS  CONSENTS AS
shop      prod         u1@corp    lead
""")
    assert told(on_file("logout")) == snapshot("""\
logged out   u1@corp
taken back   what renews the login, by the issuer
from now on  commands are those of the user of this machine
""")
    assert on_file("logout") == "nobody is logged in here\n"


def test_a_login_asks_for_who_somebody_is_and_for_nothing_that_the_provider_does_not_know(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file)
    asked = provider.fields("/authorize")[0]
    assert (asked["client_id"], asked["scope"], asked["code_challenge_method"]) == ("interlock", "openid", "S256")
    assert len(asked["nonce"]) >= 32 and len(asked["state"]) >= 32 and asked["nonce"] != asked["state"]
    assert {"resource", "prompt"} & asked.keys() == set()
    provider.authority = {"scopes_supported": ["openid", "offline_access", "groups", "email"]}
    log_in(on_file)
    assert provider.fields("/authorize")[-1]["scope"] == "openid offline_access groups"
    log_in(on_file, "--scope", "roles", "--client-id", "interlock")
    assert provider.fields("/authorize")[-1]["scope"] == "openid roles"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nonce": "another"}, "it is the answer to another login"),
        ({"nonce": None}, "it is the answer to another login"),
        ({"aud": "another"}, "it is meant for another client"),
        ({"azp": "another"}, "it was issued to another client"),
        ({"exp": NOON // 1_000_000 - HOUR}, "it has ended"),
        ({"exp": None}, "it has ended"),
        ({"iss": "https://evil.example"}, "of no issuer that is known here"),
        ({"sub": "a b"}, "opens nothing"),
        ({"sub": None}, "opens nothing"),
        ({"sub": "bot"}, "vouches for a service"),
    ],
)
def test_what_is_not_the_answer_to_this_login_is_not_kept(
    on_file: Shell, provider: LoginServer, browser: Browser, changes: dict[str, Any], says: str
) -> None:
    believe(on_file, provider, "--map-sub", "bot=viewer")
    provider.identifies = lambda fields: an_id(provider, fields, **changes)
    log_in(on_file, code=1)
    assert says in flat(on_file.err)
    assert "evil" not in on_file.err
    assert logins(on_file) == []
    assert on_file.data("whoami")["known_by"].startswith("os:")


def test_what_another_key_has_signed_or_nobody_is_not_kept(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    provider.identifies = lambda fields: an_id(provider, fields, sign=by_another)
    log_in(on_file, code=1)
    assert "was not signed by it" in flat(on_file.err)
    provider.identifies = None
    log_in(on_file, code=1)
    assert "no ID token came" in flat(on_file.err)
    assert logins(on_file) == []


@pytest.mark.parametrize(
    ("what", "changes", "says"),
    [
        ("back", {"error": "access_denied", "code": None}, "refuses the login (`access_denied`)"),
        ("back", {"error": "evil_thing", "code": None}, "refuses the login, so nothing is kept"),
        ("back", {"iss": "https://evil.example"}, "of another issuer"),
        ("back", {"iss": None}, "does not say of whom it is"),
        ("authority", {"issuer": "https://evil.example"}, "of another issuer"),
        ("authority", {"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ("authority", {"token_endpoint": "http://evil.example/token"}, "no TLS"),
        ("authority", {"authorization_endpoint": "javascript:alert(1)"}, "no TLS"),
        ("instead", {"/.well-known/openid-configuration": http("404 Not Found")}, "does not say how"),
        ("instead", {"/token": http("400 Bad Request", b'{"error":"invalid_grant"}')}, "(400, `invalid_grant`)"),
        ("instead", {"/token": http("200 OK", b"<html>", "text/html")}, "something else than JSON"),
        ("instead", {"/keys": http("500 Broken")}, "does not say now with which keys"),
    ],
)
def test_who_is_turned_away_by_the_issuer_or_led_astray_is_told_and_nothing_is_kept(
    on_file: Shell, provider: LoginServer, browser: Browser, what: str, changes: Any, says: str
) -> None:
    believe(on_file, provider)
    setattr(provider, what, changes)
    log_in(on_file, code=1)
    assert says in flat(on_file.err)
    assert "evil" not in on_file.err
    assert logins(on_file) == []


def test_the_browser_says_whether_it_was_a_login(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    believe(on_file, provider)
    provider.back = {"error": "access_denied", "code": None}
    log_in(on_file, code=1)
    assert "You are not logged in" in browser.last
    provider.back = {}
    log_in(on_file)
    assert "is being checked" in browser.last


def test_an_id_token_that_names_its_access_token_comes_with_that_one(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    provider.mints = lambda _: "access-token-1"

    def naming(text: str) -> Callable[[Fields], str]:
        return lambda fields: an_id(provider, fields, at_hash=b64(sha256(text.encode()).digest()[:16]))

    provider.identifies = naming("access-token-2")
    log_in(on_file, code=1)
    assert "issued with another access token" in flat(on_file.err)
    assert logins(on_file) == []
    provider.identifies = naming("access-token-1")
    assert log_in(on_file)["person"] == "u1@corp"


def test_a_provider_that_does_not_speak_of_pkce_is_one_all_the_same(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    provider.authority = {"code_challenge_methods_supported": None}
    assert log_in(on_file)["person"] == "u1@corp"


def test_where_there_is_no_browser_a_code_is_typed_somewhere_else(
    on_file: Shell, provider: LoginServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    believe(on_file, provider)
    provider.waits = ["authorization_pending"]
    assert on_file.data("login", "--device")["person"] == "u1@corp"
    assert f"log in at {provider.base}/type, in any browser, and type the code:\n\nWDJB-MJHT\n" in on_file.err
    on_file("logout")
    provider.device = {"verification_uri_complete": f"{provider.base}/type?code=WDJB-MJHT"}
    provider.waits = [SILENCE]
    monkeypatch.setattr("interlock.oauth.endpoint.SECRET_SECONDS_MAX", 0.2)
    assert on_file.data("login", "--device")["person"] == "u1@corp", "a lost connection ends no login"
    assert f"the same code there:\n\n{provider.base}/type?code=WDJB-MJHT\n" in on_file.err
    provider.device = {"verification_uri_complete": "javascript:alert(1)"}
    assert "has no TLS" in on_file.failed("login", "--device")
    provider.device = {}
    on_file("logout")
    provider.waits = ["access_denied"]
    assert "(400, `access_denied`)" in on_file.failed("login", "--device")
    provider.authority = {"device_authorization_endpoint": None}
    assert "knows no login by a code" in on_file.failed("login", "--device")
    assert logins(on_file) == []


def test_the_issuer_is_found_by_name_or_address_or_asked_for(
    on_file: Shell, provider: LoginServer, browser: Browser, tmp_path: Path
) -> None:
    on_file.publish()
    assert "no issuer is believed here" in on_file.failed("login")
    believe(on_file, provider)
    assert "did you mean `corp`?" in on_file.failed("login", "--issuer", "crop")
    assert "there is corp" in on_file.failed("login", "--issuer", "https://elsewhere.example")
    assert log_in(on_file, "--issuer", "corp")["issuer"] == "corp"
    assert log_in(on_file, "--issuer", f"{provider.base}/")["issuer"] == "corp"
    with login_server(tmp_path / "other") as other:
        on_file("issuer", "add", "b", "--url", other.base, "--audience", "interlock", "--map", "x=viewer")
        assert "--issuer NAME" in on_file.failed("login")


def test_a_port_that_is_taken_or_none_is_told(on_file: Shell, provider: LoginServer) -> None:
    believe(on_file, provider)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = on_file.failed("login", "--port", str(taken.getsockname()[1]))
        assert "nothing can listen on port" in said and "--port N" in said
    assert "is no port" in on_file.unmeant("login", "--port", "70000")
    assert "say one of" in on_file.unmeant("login", "--open", "--no-open")


def test_where_the_client_is_another_one_an_access_token_for_the_audience_is_shown(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    believe(on_file, provider)
    log_in(on_file, "--client-id", "cli", code=1)
    assert "no access token that is signed" in flat(on_file.err)
    provider.mints = lambda fields: an_id(provider, fields, aud="interlock", nonce=None)
    assert log_in(on_file, "--client-id", "cli")["person"] == "u1@corp"
    assert on_file.data("whoami")["known_by"] == "oidc:corp"
    on_file.clock.forward(minutes=62)
    at = on_file.clock.now()
    provider.mints = lambda fields: an_id(provider, fields, at=at, aud="interlock", nonce=None)
    assert on_file.data("whoami")["known_by"] == "oidc:corp", "it is what is shown that is renewed"
    provider.identifies = lambda fields: an_id(provider, fields, at=at)
    provider.mints = lambda fields: an_id(provider, fields, at=at, aud="interlock", nonce=None, sub="u2")
    log_in(on_file, "--client-id", "cli", code=1)
    assert "of somebody else" in flat(on_file.err)


def test_one_human_with_an_account_and_a_login_counts_once(
    on_file: Shell, provider: LoginServer, browser: Browser
) -> None:
    mine = f"approvals:\n  keys: {{ {user_name()}: [u1@corp] }}"
    believe(on_file, provider)
    on_file.publish(**{"approvals:": mine, "[lead], quorum: 1": "[lead], quorum: 2"})
    id = on_file.parked()
    log_in(on_file)
    seen = on_file.seen(id)
    assert not on_file.data("approvals", "approve", id, "--seen", seen)["complete"]
    assert not on_file.data("approvals", "approve", id, "--seen", seen, "--account")["complete"]
    (counts,) = on_file.data("whoami")["consents"]
    assert (counts["person"], counts["roles"]) == (user_name(), ["lead"])
    assert done() == []


def test_who_asks_by_a_login_does_not_agree_by_it(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    believe(on_file, provider)
    log_in(on_file)
    id = on_file.data("call", "refund", '{"invoice": "INV-9", "usd": 80}', code=3)["action"]
    assert "`u1@corp` asked for this action" in on_file.failed("approvals", "approve", id, "--seen", on_file.seen(id))


def test_a_login_without_a_role_has_no_say(on_file: Shell, provider: LoginServer, browser: Browser) -> None:
    believe(on_file, provider)
    provider.identifies = lambda fields: an_id(provider, fields, groups=["guests"])
    assert log_in(on_file)["roles"] == []
    id = on_file.parked()
    assert "holds none of the roles" in on_file.failed("approvals", "approve", id, "--seen", on_file.seen(id))
    on_file("access", "grant", "u1@corp", "lead", "--for", "1h")
    assert on_file.data("approvals", "approve", id, "--seen", on_file.seen(id))["complete"]


@pytest.mark.parametrize("how", ["--open", "--device"])
def test_a_provider_is_told_the_audience_in_a_parameter_of_its_own_where_that_is_said(
    on_file: Shell, provider: LoginServer, browser: Browser, how: str
) -> None:
    believe(on_file, provider)
    assert "leave `--ask-audience` out" in flat(on_file.unmeant("login", how, "--ask-audience"))
    provider.mints = lambda fields: an_id(provider, fields, aud="interlock", nonce=None)
    assert on_file.data("login", how, "--client-id", "cli", "--ask-audience")["person"] == "u1@corp"
    asked = provider.fields("/authorize" if how == "--open" else "/device")[-1]
    assert (asked["audience"], "resource" in asked) == ("interlock", False)
    on_file.data("login", how, "--client-id", "cli")
    assert "audience" not in provider.fields("/authorize" if how == "--open" else "/device")[-1]
