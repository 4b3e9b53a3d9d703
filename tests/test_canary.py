"""A canary in the place of a secret: wherever Interlock writes or prints, it is looked for in every spelling."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from cli.till import CANARY, NAMES, Till
from command_line import Shell, shell_on
from doors.asked_over import NAMES as NAMES_HERE
from doors.asked_over import Over
from interlock import app
from interlock.app import back_up, is_postgres
from interlock.door.http.server import server_of
from interlock.secret.environment import variable_of
from interlock.secret.kept import SecretId
from loopback import http
from spelled import SPELLED
from token_endpoint import token_endpoint
from tools import secret_tools as sample
from vault_peer import vault_peer

READY = "ready"
"""What a way to plant a canary says once it is there; what it does after that is done at the end."""
CLIENT, REFRESH, RENEWED = "client_C4narY/62+y=secret", "refresh_C4narY/73+z=token", "renewed_C4narY/84+w=token"
VAULT, AWS = "hvs.C4narY95vaulttoken", "aws+C4narY/06secretkey"
CANARIES = {"": CANARY, "client": CLIENT, "refresh": REFRESH, "renewed": RENEWED, "vault": VAULT, "aws": AWS}


def forms_of(canary: str) -> dict[str, str]:
    forms = {how: spell(canary).strip() for how, spell in SPELLED.items()}
    # What stands around it decides the first and the last digits of a code.
    return {**forms, **{how: form[4:-6] for how, form in forms.items() if how.startswith("base")}}


FORMS = {f"{name} {how}".strip(): form for name, text in CANARIES.items() for how, form in forms_of(text).items()}
_NEEDLES = {how: {form.lower().encode(), json.dumps(form)[1:-1].lower().encode()} for how, form in FORMS.items()}


def found_in(where: str, raw: bytes) -> Iterator[str]:
    """Name every spelling of a canary that stands in these bytes, as they are or as JSON would write them."""
    low = raw.lower()
    for how, needles in _NEEDLES.items():
        if any(needle in low for needle in needles):
            yield f"{where}: {how}"


@pytest.fixture
def till(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Till]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")
    yield Till(shell_on(where, tmp_path, capsys), monkeypatch)


def everything_printed(shell: Shell, *words: str) -> str:
    """Run a command for people and for programs, and return all that it says."""
    told = ""
    for line in (words, (*words, "--json")):
        _, out = shell.run(*line)
        told += out + shell.err
    return told


def every_row(where: str) -> bytes:
    """Return every value that every table of a Postgres database holds."""
    with psycopg.connect(where) as db:
        names = db.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        assert names
        found = b""
        for (name,) in names:
            for row in db.execute(f"select * from {name}".encode()).fetchall():
                found += b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
        return found


def test_the_search_finds_what_it_looks_for() -> None:
    for how, form in FORMS.items():
        assert f"x: {how}" in list(found_in("x", b"..." + form.encode() + b"..."))
    assert list(found_in("x", b"sk_live, and nothing else")) == []


def in_file(till: Till, patch: pytest.MonkeyPatch) -> Iterator[str]:
    till.typing(CANARY)
    yield everything_printed(till.shell, "secret", "set", "pay", "--workflow", "till", "--env", "prod")
    yield READY


def in_environment(till: Till, patch: pytest.MonkeyPatch) -> Iterator[str]:
    settled(till, "source: environment\n")
    id = SecretId(tenant=till.shell.tenant, workflow="till", environment="prod", name="pay")  # pyright: ignore[reportArgumentType]
    patch.setenv(variable_of(id), CANARY)
    yield READY


def in_vault(till: Till, patch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("hvac", reason="hvac comes with the extra `vault`")
    with vault_peer() as peer:
        peer.token = VAULT
        patch.setenv("VAULT_TOKEN", VAULT)
        settled(till, f"source: vault\nvault: {{ url: '{peer.url}' }}\n")
        yield everything_printed(till.shell, "secret", "check")
        peer.kept[f"secret/interlock/{till.shell.tenant}/till/prod/pay"] = {"value": CANARY}
        yield READY
        peer.says = http("500 Oops", json.dumps({"errors": [CANARY, VAULT]}).encode(), "application/json")
        yield everything_printed(till.shell, "call", "echo", '{"how":"plain"}')


def in_aws(till: Till, patch: pytest.MonkeyPatch) -> Iterator[str]:
    boto3: Any = pytest.importorskip("boto3", reason="boto3 comes with the extra `aws`")
    moto_server: Any = pytest.importorskip("moto.server", reason="moto comes with the extra `dev`")
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    patch.setenv("AWS_SECRET_ACCESS_KEY", AWS)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        patch.setenv(name, str(till.shell.folder / "none"))
    patch.delenv("AWS_PROFILE", raising=False)
    server: Any = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        there = f"http://127.0.0.1:{port}"
        client: Any = boto3.session.Session().client("secretsmanager", region_name="eu-west-1", endpoint_url=there)
        settled(till, f"source: aws\naws: {{ region: eu-west-1, endpoint: '{there}' }}\n")
        yield everything_printed(till.shell, "secret", "check")
        logging.disable(logging.DEBUG)  # what the test itself sends is no word of Interlock
        client.create_secret(Name=f"interlock/{till.shell.tenant}/till/prod/pay", SecretString=CANARY)
        client.close()
        logging.disable(logging.NOTSET)
        yield READY
    finally:
        logging.disable(logging.NOTSET)
        server.stop()


def by_oauth(till: Till, patch: pytest.MonkeyPatch) -> Iterator[str]:
    with token_endpoint() as endpoint:
        kept = {"token_url": endpoint.url, "client_id": "shop", "client_secret": CLIENT, "refresh_token": REFRESH}
        till.typing(json.dumps(kept))
        place = ("--workflow", "till", "--env", "prod")
        yield till.shell("secret", "set", "pay", "--oauth", *place) + till.shell.err
        granted = {"access_token": CANARY, "token_type": "bearer", "expires_in": 60, "refresh_token": RENEWED}
        endpoint.says = http("200 OK", json.dumps(granted).encode(), "application/json")
        yield READY
        assert (endpoint.asked[0]["client_secret"], endpoint.asked[0]["refresh_token"]) == (CLIENT, REFRESH)
        assert endpoint.asked[-1]["refresh_token"] == RENEWED
        wrong = {"error": CLIENT, "error_description": f"{RENEWED} of {CLIENT} is none", "access_token": CANARY}
        endpoint.says = http("400 Bad Request", json.dumps(wrong).encode(), "application/json")
        yield everything_printed(till.shell, "call", "echo", '{"how":"plain"}')


PLANTED = [
    *(("sqlite", plant) for plant in (in_file, in_environment, in_vault, in_aws, by_oauth)),
    *(("postgres", plant) for plant in (in_file, by_oauth)),
]
"""Where a secret comes from and where rows go to know nothing of each other: a renewed one and one that stays do."""


def settled(till: Till, settings: str) -> None:
    till.keys.mkdir(exist_ok=True)
    (till.keys / "secrets.yaml").write_text(settings, "utf-8")


async def all_that_agents_hear(shell: Shell, token: str) -> bytes:
    """Call every tool over MCP and over HTTP, and return every byte that comes back."""
    heard = b""
    keys = shell.folder / "keys"
    with app.right_to_perform(shell.where), app.beside(shell.where, keys, clock=shell.clock) as gateway:
        over = Over(cast("Any", None), server_of(gateway, NAMES_HERE), token)
        for name in (*NAMES, "linger"):
            for how in ("plain", "json, each sign"):
                said = await over.ask_stateless("tools/call", name=name, arguments={"how": how})
                body = json.dumps({"tool": name, "arguments": {"how": f"{how}"}}).encode()
                told = await over.http("POST", "/v1/actions", body, {"content-type": "application/json"})
                id = said.json["result"]["_meta"]["interlock/outcome"]["action"]
                shown = await over.http("GET", f"/v1/actions/{id}")
                assert shown.status == 200, shown.body
                heard += said.body + told.body + shown.body
        heard += (await over.ask_stateless("tools/list")).body + (await over.http("GET", "/v1/actions")).body
    return heard


@pytest.mark.slow
@pytest.mark.promise("secret")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:(botocore|moto|flask|werkzeug|responses).*")
@pytest.mark.parametrize(
    ("where", "source"),
    PLANTED,
    indirect=["where"],
    ids=[f"{store}-{plant.__name__.split('_')[-1]}" for store, plant in PLANTED],
)
def test_a_canary_is_found_nowhere(
    till: Till,
    source: Callable[[Till, pytest.MonkeyPatch], Iterator[str]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    shell = till.shell
    planted = source(till, monkeypatch)
    told = "".join(iter(lambda: next(planted), READY))
    till.publish(*NAMES, "linger")
    sample.MAY_END.set()
    actions: list[str] = []
    for how in ("plain", "reversed and swapped", "url", "json, each sign", "base64 after 1", "hex"):
        for name in NAMES:
            _, out = shell.run("call", name, json.dumps({"how": how}), "--json")
            told += out + shell.err
            actions.append(json.loads(out)["action"])
    for id in actions:
        told += everything_printed(shell, "explain", id) + shell("action", "show", id)
    for words in (("secret", "list"), ("secret", "check"), ("ledger", "show", "--limit", "1000"), ("action", "list")):
        told += everything_printed(shell, *words)
    told += everything_printed(shell, "ledger", "export") + everything_printed(shell, "doctor")
    told += everything_printed(shell, "contract", "show")
    token = shell("token", "new", "bot", "--workflow", "till", "--env", "prod", "--expires", "1d", "--for", "sam")
    heard = asyncio.run(all_that_agents_hear(shell, token.strip()))
    told += "".join(planted)
    assert "[secret pay]" in told
    assert b"[secret pay]" in heard
    found = [*found_in("printed", told.encode()), *found_in("logged", caplog.text.encode())]
    found += found_in("agents", heard)
    if is_postgres(shell.where):
        found += found_in("the database", every_row(shell.where))
    else:
        back_up(shell.where, till.keys, shell.folder / "whole.backup", keys_to=shell.folder / "keys.backup")
        assert (shell.folder / "interlock.db").stat().st_size > 0
    for path in (path for path in shell.folder.rglob("*") if path.is_file()):
        found += found_in(path.name, path.read_bytes())
    assert found == []
