"""`secret login`: who logs in once has tools that are let in, and nobody else gets what was issued."""

import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from inline_snapshot import snapshot

from cli.provider import Browser
from cli.till import Till
from command_line import ROOT, Shell, steady
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.secret.installed import sealed_file
from interlock.secret.kept import OAuth, SecretId
from login_server import LoginServer, login_server, visited
from loopback import http

pytestmark = pytest.mark.slow

WHOSE = ("desk", "--workflow", "till", "--env", "prod")


@pytest.fixture
def server(tmp_path: Path) -> Generator[LoginServer]:
    with login_server(tmp_path / "server") as running:
        yield running


def log_in(shell: Shell, server: LoginServer, *more: str, code: int = 0) -> Any:
    words = ("secret", "login", *WHOSE, "--url", server.url, "--open", *more)
    return shell.data(*words) if code == 0 else shell(*words, code=code)


def kept(shell: Shell) -> OAuth:
    id = SecretId(
        tenant=TenantId(shell.tenant), workflow=WorkflowId("till"), environment=Environment("prod"), name="desk"
    )
    value = sealed_file(shell.folder / "keys").find(id)
    assert isinstance(value, OAuth)
    return value


def test_who_logs_in_once_has_what_renews_tokens_kept_for_that_server(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    data = log_in(on_file, server)
    assert (data["to"], data["issuer"], data["resource"], data["renewed"]) == ("set", server.base, server.url, True)
    value = kept(on_file)
    assert (value.resource, value.url, value.issuer, value.client_id) == (
        server.url,
        server.url,
        server.base,
        "registered",
    )
    assert value.refresh_token.startswith("refresh-token-")
    asked = server.fields("/authorize")[0]
    assert asked["resource"] == server.fields("/token")[0]["resource"] == server.url
    assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "tools")
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert "application_type" in server.fields("/register")[0]["registers"]
    assert value.refresh_token not in on_file.err + "".join(browser)


def test_what_is_said_of_it_looks_like_this(on_file: Shell, server: LoginServer, browser: Browser) -> None:
    said = on_file("secret", "login", *WHOSE, "--url", server.url, "--open").replace(str(server.port), "PORT")
    assert steady(said) == snapshot("""\
logged in  http://127.0.0.1:PORT
set        desk
for        till in prod
goes to    http://127.0.0.1:PORT/mcp
by         USER (os:UID)
renewed    by itself
""")
    err = on_file.err.replace(str(server.port), "PORT").splitlines()
    assert err[:2] == snapshot(
        [
            "`http://127.0.0.1:PORT` issues tokens for http://127.0.0.1:PORT/mcp",
            "log in within 5 minutes (Ctrl-C ends it), in a browser on this machine:",
        ]
    )
    assert err[3].startswith("http://127.0.0.1:PORT/authorize?response_type=code&client_id=registered")
    assert browser.last == snapshot(
        "<!doctype html><title>Interlock</title><p>The answer has come, and is being checked. "
        "Go back to the terminal: it says whether you are logged in.</p>"
    )


CONTRACT = """\
interlock: 1
workflow: till
tenant: {tenant}
environments: {{ prod: {{ mode: act }} }}
agents: {{ bot: {{}} }}
servers: {{ desk: {{ url: "{url}", private: true, secret: desk }} }}
tools:
  echo: {{ from: "mcp:desk/echo", effect: read, tier: green, price: 0 }}
permissions: {{ allowed_tools: [echo] }}
budgets: {{ per_day: {{ tool_calls: 1000 }}, per_run: {{ tool_calls: 100 }} }}
"""


def published(shell: Shell, url: str) -> None:
    (shell.folder / "till.yaml").write_text(CONTRACT.format(tenant=shell.tenant, url=url), encoding="utf-8")
    found = shell.data("tools", "review", "till.yaml", "--env", "prod", code=3)
    shell("tools", "review", "till.yaml", "--env", "prod", "--accept", found["tools"][0]["offered"])
    shell("contract", "publish", "till.yaml", "--env", "prod")


def test_a_tool_of_the_server_is_let_in_with_tokens_that_renew_themselves(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    log_in(on_file, server)
    published(on_file, server.url)
    (line,) = on_file.data("secret", "check")
    assert (line["secret"], line["used_by"], line["ok"]) == ("desk", ["server desk"], True)
    for n in range(3):
        assert on_file.data("call", "echo", f'{{"text":"hello {n}"}}')["outcome"] == "done"
        on_file.clock.forward(minutes=61)
    used = [fields["refresh_token"] for fields in server.fields("/token") if fields["grant_type"] == "refresh_token"]
    assert len(used) == len(set(used)) >= 4
    assert all(fields["resource"] == server.url for fields in server.fields("/token"))
    told = "".join(on_file("explain", each["id"]) for each in on_file.data("action", "list"))
    assert "token-" not in told


def test_a_call_that_is_not_let_in_fails_and_says_how_to_log_in(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    log_in(on_file, server)
    published(on_file, server.url)
    server.good = {"nobody's"}
    server.instead["/token"] = http("400 Bad Request", b'{"error":"invalid_grant"}', "application/json")
    failed = on_file.data("call", "echo", '{"text":"a"}', code=6)
    how = "log in again: `interlock secret login desk --workflow till --env prod`"
    assert how in " ".join(on_file("explain", failed["action"]).split())
    del server.instead["/token"]
    assert log_in(on_file, server)["to"] == "changed"
    assert on_file.data("call", "echo", '{"text":"b"}')["outcome"] == "done"
    on_file("secret", "login", *WHOSE, "--open")
    assert on_file.data("call", "echo", '{"text":"c"}')["outcome"] == "done"


@pytest.mark.parametrize(
    ("what", "changes", "says"),
    [
        ("back", {"iss": "https://evil.example"}, "of another issuer"),
        ("back", {"iss": None}, "does not say of whom it is"),
        ("back", {"code": None, "error": "access_denied"}, "refuses the login (`access_denied`)"),
        ("back", {"code": None, "error": "<b>hello"}, "refuses the login, so"),
        ("back", {"code": "made-up"}, "the endpoint refuses (400, `invalid_grant`)"),
        ("resource", {"resource": "https://evil.example/mcp"}, "is about something else"),
        ("resource", {"authorization_servers": []}, "does not say who issues tokens"),
        ("resource", {"authorization_servers": ["http://evil.example"]}, "has no TLS"),
        ("authority", {"issuer": "https://evil.example"}, "is of another issuer"),
        ("authority", {"code_challenge_methods_supported": None}, "PKCE"),
        ("authority", {"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ("authority", {"token_endpoint": "http://evil.example/token"}, "has no TLS"),
        ("authority", {"authorization_endpoint": "javascript:alert(1)"}, "has no TLS"),
        ("authority", {"registration_endpoint": None}, "registers no clients by itself"),
    ],
)
def test_whoever_misbehaves_on_the_way_ends_the_login_and_nothing_is_kept(
    on_file: Shell, server: LoginServer, browser: Browser, what: str, changes: dict[str, Any], says: str
) -> None:
    setattr(server, what, changes)
    log_in(on_file, server, code=1)
    assert says in " ".join(on_file.err.split())
    assert "evil" not in on_file.err.replace("javascript", "")
    assert "hello" not in on_file.err
    assert on_file.data("secret", "list") == []
    assert len(server.fields("/token")) == (changes == {"code": "made-up"})


def test_an_answer_that_was_made_up_is_not_waited_for_and_not_believed(
    on_file: Shell, server: LoginServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def attacked(url: str) -> bool:
        fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        back, state = fields["redirect_uri"], fields["state"]

        def work() -> None:
            for query in (
                *["code=theirs&state=guessed"] * 120,  # a page that looks for who listens asks every port
                "code=theirs&state=guessed",
                "code=theirs",
                f"code=theirs&code=mine&state={state}",
                f"code=theirs&state={state}&state=guessed",
            ):
                begun.append(visited(f"{back}?{query}")[2])
            begun.append(visited(f"{back}/more?code=theirs&state={state}")[2])
            begun.append(visited(visited(url)[1])[2])

        threading.Thread(target=work).start()
        return True

    monkeypatch.setattr(webbrowser, "open", attacked)
    log_in(on_file, server)
    assert ["not the answer" in text for text in begun] == [True] * 125 + [False]
    assert [fields["code"] for fields in server.fields("/token")] == ["code-1"]


def test_a_contract_cannot_be_published_before_the_login_and_says_how_to_log_in(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    log_in(on_file, server)
    published(on_file, server.url)
    on_file("secret", "remove", *WHOSE)
    on_file("contract", "publish", "till.yaml", "--env", "prod", code=1)
    how = f"where it wants a login: `interlock secret login {' '.join(WHOSE)} --url {server.url}`"
    assert how in " ".join(on_file.err.split())


def test_who_does_not_come_is_not_waited_for(
    on_file: Shell, server: LoginServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.door.cli.redirect.LOGIN_SECONDS_MAX", 0.05)
    on_file("secret", "login", *WHOSE, "--url", server.url, code=1)
    assert "nobody has logged in within" in on_file.err
    assert "if the page there refuses, its words say why" in " ".join(on_file.err.split())


def test_a_refusal_without_a_state_ends_no_login_and_the_page_says_what_to_do(
    on_file: Shell, server: LoginServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def refused(url: str) -> bool:
        back = parse_qs(urlsplit(url).query)["redirect_uri"][0]

        def work() -> None:
            told.append(visited(f"{back}?error=access_denied")[2])
            visited(visited(url)[1])

        threading.Thread(target=work).start()
        return True

    monkeypatch.setattr(webbrowser, "open", refused)
    log_in(on_file, server)
    assert "the terminal waits on" in told[0] and "end the command there (Ctrl-C)" in told[0]


def test_a_client_that_is_registered_by_hand_is_used_with_its_secret(
    on_file: Shell, server: LoginServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.authority = {"registration_endpoint": None}
    Till(on_file, monkeypatch).typing("secret of the shop")
    log_in(on_file, server, "--client-id", "shop", "--client-secret", "--scope", "tools more")
    assert server.fields("/authorize")[0]["client_id"] == "shop"
    assert server.fields("/authorize")[0]["scope"] == "tools more"
    assert (kept(on_file).client_id, kept(on_file).client_secret) == ("shop", "secret of the shop")
    log_in(on_file, server)
    assert server.fields("/authorize")[1]["client_id"] == "shop"


def test_a_document_about_the_client_is_named_where_the_server_takes_such_documents(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    document = "https://shop.example/interlock.json"
    log_in(on_file, server, "--client-metadata", document, code=1)
    assert "does not take documents about clients" in on_file.err
    server.authority = {"client_id_metadata_document_supported": True}
    log_in(on_file, server, "--client-metadata", document)
    assert server.fields("/authorize")[0]["client_id"] == document
    assert server.fields("/register") == []


def test_a_token_that_nothing_renews_is_used_until_its_end(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    server.refreshes = False
    assert log_in(on_file, server)["renewed"] is False
    published(on_file, server.url)
    assert on_file.data("call", "echo", '{"text":"a"}')["outcome"] == "done"
    on_file.clock.forward(minutes=61)
    failed = on_file.data("call", "echo", '{"text":"b"}', code=6)
    assert "nothing came with it to renew it" in " ".join(on_file("explain", failed["action"]).split())


@pytest.mark.promise("secret")
def test_a_token_goes_to_no_other_server_than_the_one_that_it_is_for(
    on_file: Shell, server: LoginServer, browser: Browser, tmp_path: Path
) -> None:
    log_in(on_file, server)
    published(on_file, server.url)
    with login_server(tmp_path / "other") as other:
        text = CONTRACT.format(tenant=on_file.tenant, url=other.url)
        (on_file.folder / "till.yaml").write_text(text, encoding="utf-8")
        said = on_file("contract", "publish", "till.yaml", "--env", "prod", code=1)
        assert "goes nowhere else" in " ".join((said + on_file.err).split())
        assert other.shown == []


def test_a_login_that_lacks_something_is_told_with_what_is_asked_for(
    on_file: Shell, server: LoginServer, browser: Browser
) -> None:
    log_in(on_file, server)
    published(on_file, server.url)
    server.needs_scope = "tools write"
    failed = on_file.data("call", "echo", '{"text":"a"}', code=6)
    told = " ".join(on_file("explain", failed["action"]).split())
    assert f"--url {server.url} --scope 'tools write'`" in told
    server.needs_scope = "x'; rm -rf ~; '"
    failed = on_file.data("call", "echo", '{"text":"b"}', code=6)
    assert "rm -rf" not in on_file("explain", failed["action"])


def test_a_server_that_wants_no_login_or_is_none_is_told_apart(on_file: Shell, server: LoginServer) -> None:
    server.good = {""}
    log_in(on_file, server, code=1)
    assert "wants no login" in on_file.err
    on_file("secret", "login", *WHOSE, code=2)
    assert "nobody says at which server" in on_file.err
    on_file("secret", "login", *WHOSE, "--url", "http://desk.example/mcp", code=2)
    assert "without TLS" in on_file.err
    server.good, server.challenge = set(), "Basic realm=x"
    log_in(on_file, server, code=1)
    assert "does not say that it wants a bearer token" in on_file.err
    server.challenge = 'Bearer resource_metadata="https://evil.example/.well-known/oauth-protected-resource"'
    log_in(on_file, server, code=1)
    assert "another host" in on_file.err


def by_code(shell: Shell, server: LoginServer, code: int = 0) -> str:
    return shell("secret", "login", *WHOSE, "--url", server.url, "--device", code=code)


def test_where_there_is_no_browser_a_code_is_typed_somewhere_else(on_file: Shell, server: LoginServer) -> None:
    server.waits = ["authorization_pending"] * 3
    by_code(on_file, server)
    assert f"log in at {server.base}/type, in any browser, and type the code:\n\nWDJB-MJHT\n" in on_file.err
    assert "redirect_uris" not in server.fields("/register")[0]["registers"]
    assert server.fields("/device")[0]["resource"] == server.url
    assert [fields["resource"] for fields in server.fields("/token")] == [server.url] * 4
    assert kept(on_file).refresh_token.startswith("refresh-token-")
    published(on_file, server.url)
    assert on_file.data("call", "echo", '{"text":"a"}')["outcome"] == "done"


@pytest.mark.parametrize(
    ("what", "changes", "says"),
    [
        ("waits", ["access_denied"], "the endpoint refuses (400, `access_denied`)"),
        ("waits", ["expired_token"], "the endpoint refuses (400, `expired_token`)"),
        ("device", {"expires_in": 0}, "nobody has typed the code in time"),
        ("device", {"user_code": "A\nB"}, "there is no code for a login"),
        ("device", {"device_code": None}, "there is no code for a login"),
        ("device", {"verification_uri": "http://evil.example/"}, "has no TLS"),
        ("device", {"verification_uri": "javascript:alert(1)"}, "has no TLS"),
        ("authority", {"device_authorization_endpoint": None}, "knows no login by a code"),
    ],
)
def test_a_login_by_a_code_that_comes_to_nothing_leaves_nothing(
    on_file: Shell, server: LoginServer, what: str, changes: Any, says: str
) -> None:
    server.waits = ["authorization_pending"] * 50 if what == "device" else []
    setattr(server, what, changes)
    by_code(on_file, server, code=1)
    assert says in " ".join(on_file.err.split())
    assert "evil" not in on_file.err
    assert on_file.data("secret", "list") == []


@pytest.fixture
def sdk_url() -> Generator[str]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    script = str(ROOT / "tests" / "upstream" / "sdk_login_server.py")
    process = subprocess.Popen([sys.executable, script, str(port)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        lines = iter(process.stderr.readline, "")
        assert any("running on" in line for line in lines)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_server_of_the_official_sdk_lets_in_who_has_logged_in(on_file: Shell, sdk_url: str, browser: Browser) -> None:
    on_file("secret", "login", *WHOSE, "--url", sdk_url, "--open")
    assert kept(on_file).resource == sdk_url
    published(on_file, sdk_url)
    for n in range(3):
        assert on_file.data("call", "echo", f'{{"text":"hello {n}"}}')["result"] == {"result": f"hello {n}"}
