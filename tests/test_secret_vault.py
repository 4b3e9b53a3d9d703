"""Secrets in Vault: what is asked, what comes of each answer, and that none of it is quoted."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from interlock.core.errors import SecretError, SecretUnknown, SecretUnreachable, UsageWrong
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.limits import SECRET_KEPT_SECONDS
from interlock.core.value import replace
from interlock.secret.installed import broker_of
from interlock.secret.kept import OAuth, SecretId, Text
from interlock.secret.settings import VaultSettings
from interlock.secret.template import check_template, path_of
from interlock.secret.vault import FromVault
from loopback import http
from token_endpoint import token_endpoint
from vault_peer import VaultPeer, vault_peer
from world import HandClock

pytest.importorskip("hvac", reason="hvac comes with the extra `vault`")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CANARY = "sk_live_C4narY/51+x="
PAY = SecretId(tenant=TenantId("acme"), workflow=WorkflowId("support"), environment=Environment("prod"), name="pay")
PATH = "secret/interlock/acme/support/prod/pay"


@pytest.fixture
def peer() -> Iterator[VaultPeer]:
    with vault_peer() as running:
        running.kept[PATH] = {"value": CANARY}
        yield running


def source(peer: VaultPeer, **fields: Any) -> FromVault:
    return FromVault(VaultSettings(url=peer.url, **fields), {"VAULT_TOKEN": peer.token})


def own(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def test_a_secret_is_found_under_its_path(peer: VaultPeer) -> None:
    assert source(peer).find(PAY) == Text(text=CANARY)
    assert peer.asked == [f"GET /v1/{PATH.replace('secret/', 'secret/data/', 1)}"]


def test_mount_path_field_and_namespace_are_settings(peer: VaultPeer) -> None:
    peer.kept["kv/teams/acme/support/prod/pay"] = {"password": "another-secret"}
    settings = {"mount": "kv", "path": "teams/{tenant}/{workflow}/{environment}/{name}", "field": "password"}
    assert source(peer, namespace="org", **settings).find(PAY) == Text(text="another-secret")
    assert peer.namespaces == ["org"]


@pytest.mark.promise("secret")
@pytest.mark.parametrize("other", [{"tenant": "evil"}, {"workflow": "x"}, {"environment": "dev"}, {"name": "y"}])
def test_the_secret_of_another_has_another_path(peer: VaultPeer, other: dict[str, str]) -> None:
    with pytest.raises(SecretUnknown):
        source(peer).find(replace(PAY, **other))


@pytest.mark.parametrize("part", ["..", "a/b", "", "a b", "%2e%2e", ".x"])
def test_no_name_leads_out_of_its_path(peer: VaultPeer, part: str) -> None:
    with pytest.raises(SecretUnknown):
        source(peer).find(replace(PAY, name=part))
    assert peer.asked == []


@pytest.mark.parametrize(
    "template",
    [
        "",
        "interlock/{workflow}/{environment}/{name}",
        "{tenant}/{workflow}-{environment}/{name}",
        "{tenant}/{tenant}/{workflow}/{environment}/{name}",
        "../{tenant}/{workflow}/{environment}/{name}",
        "/{tenant}/{workflow}/{environment}/{name}",
        "{tenant}/{workflow}/{environment}/{name}/{0.__class__}",
    ],
)
def test_a_path_under_which_two_secrets_could_lie_is_refused(template: str) -> None:
    with pytest.raises(UsageWrong):
        check_template(template)


def test_a_path_has_every_part_of_the_name() -> None:
    assert path_of("x/{name}/{tenant}/{environment}/{workflow}", PAY, "Vault") == "x/pay/acme/prod/support"


def test_one_that_was_deleted_is_not_there(peer: VaultPeer) -> None:
    peer.kept[PATH] = None
    with pytest.raises(SecretUnknown) as error:
        source(peer).find(PAY)
    assert error.value.fix == f"write it there: `{PATH}`"


def test_a_token_in_a_file_may_be_changed_while_it_runs(peer: VaultPeer, tmp_path: Path) -> None:
    file = own(tmp_path / "token", peer.token + "\n")
    vault = source(peer, token_file=file)
    assert vault.find(PAY) == Text(text=CANARY)
    peer.token = "hvs.the-next-one"
    with pytest.raises(SecretUnreachable, match="does not let this process in"):
        vault.find(PAY)
    own(tmp_path / "token", peer.token)
    assert vault.find(PAY) == Text(text=CANARY)


def test_a_role_logs_in_and_logs_in_again_when_its_token_has_ended(peer: VaultPeer, tmp_path: Path) -> None:
    file = own(tmp_path / "secret-id", "secret-id-1")
    vault = source(peer, role_id="role-1", secret_id_file=file)
    assert vault.find(PAY) == Text(text=CANARY)
    peer.token = "hvs.the-next-one"
    assert vault.find(PAY) == Text(text=CANARY)
    assert [line.split("/")[-1] for line in peer.asked] == ["login", "pay", "pay", "login", "pay"]
    own(tmp_path / "secret-id", "not-this-one")
    peer.token = "hvs.a-third-one"
    with pytest.raises(SecretUnreachable):
        vault.find(PAY)


def test_what_opens_vault_is_its_owners_alone(peer: VaultPeer, tmp_path: Path) -> None:
    file = own(tmp_path / "token", peer.token)
    os.chmod(file, 0o644)
    with pytest.raises(SecretUnreachable) as error:
        source(peer, token_file=file).find(PAY)
    assert error.value.fix == f"run `chmod 600 {file}`"
    with pytest.raises(SecretUnreachable, match="there is no token for Vault"):
        FromVault(VaultSettings(url=peer.url), {}).find(PAY)


def said(status: str, body: bytes, *more: str, kind: str = "application/json") -> bytes:
    return http(status, body, kind, "Connection: close", *more)


@pytest.mark.promise("secret")
@pytest.mark.parametrize(
    "says",
    [
        said("403 Forbidden", b'{"errors":["' + CANARY.encode() + b'"]}'),
        said("400 Bad Request", b'{"errors":["' + CANARY.encode() + b'"]}'),
        said("500 Internal Server Error", CANARY.encode(), kind="text/plain"),
        said("503 Service Unavailable", b'{"errors":["Vault is sealed"]}'),
        said("200 OK", CANARY.encode()),
        said("200 OK", b'{"data":{"data":{"value":7}}}'),
        said("200 OK", b'{"data":{"data":{"other":"' + CANARY.encode() + b'"}}}'),
        said("200 OK", b'{"data":{"data":{"value":"tiny"}}}'),
        said("200 OK", b'{"data":{"data":{"token_url":"' + CANARY.encode() + b'"}}}'),
        said("200 OK", b'{"data":"' + CANARY.encode() + b'"}'),
        said("200 OK", b"[]"),
        said("302 Found", b"", f"Location: http://127.0.0.1:1/{CANARY}"),
        b"HTTP/9 " + CANARY.encode(),
        b"",
    ],
    ids=str,
)
def test_what_is_no_answer_is_an_error_that_quotes_nothing(peer: VaultPeer, says: bytes) -> None:
    peer.says = says
    with pytest.raises(SecretError) as error:
        source(peer).find(PAY)
    assert "C4narY" not in f"{error.value} {error.value.fix}"
    assert error.value.__suppress_context__
    assert error.value.fix
    peer.says = None
    assert source(peer).find(PAY) == Text(text=CANARY)


def test_a_vault_that_is_not_there_is_said_to_be_unreachable(peer: VaultPeer) -> None:
    gone = FromVault(VaultSettings(url="http://127.0.0.1:1"), {"VAULT_TOKEN": "hvs.x"})
    with pytest.raises(SecretUnreachable) as error:
        gone.find(PAY)
    assert str(error.value) == snapshot(
        "the secret `pay` of support in prod cannot be fetched: Vault cannot be reached"
    )


def test_secrets_do_not_come_without_tls_from_elsewhere() -> None:
    with pytest.raises(UsageWrong):
        FromVault(VaultSettings(url="http://vault.example:8200"), {})


async def test_the_broker_asks_vault_at_most_every_few_seconds(
    peer: VaultPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.yaml").write_text(f"source: vault\nvault: {{ url: '{peer.url}' }}\n", "utf-8")
    monkeypatch.setenv("VAULT_TOKEN", peer.token)
    clock = HandClock()
    broker = broker_of(tmp_path, clock)

    async def ask() -> str:
        with anyio.fail_after(20):
            return (await broker.secret(PAY.tenant, PAY.workflow, PAY.environment, PAY.name)).reveal()

    assert [await ask() for _ in range(3)] == [CANARY] * 3
    peer.kept[PATH] = {"value": "another-secret"}
    clock.forward(seconds=SECRET_KEPT_SECONDS)
    assert await ask() == "another-secret"
    assert len(peer.asked) == 2
    with token_endpoint() as endpoint:
        client = {"token_url": endpoint.url, "client_id": "shop", "client_secret": CANARY}
        peer.kept[PATH] = client
        clock.forward(seconds=SECRET_KEPT_SECONDS)
        assert [await ask() for _ in range(2)] == ["access-token-1"] * 2
        clock.forward(seconds=SECRET_KEPT_SECONDS)
        assert await ask() == "access-token-1"
        assert isinstance(FromVault(VaultSettings(url=peer.url)).find(PAY), OAuth)
        # What changes with each use has to be written down, and Vault is only read.
        peer.kept[PATH] = {**client, "refresh_token": "refresh-token-1"}
        endpoint.rotates = True
        clock.forward(seconds=SECRET_KEPT_SECONDS)
        with pytest.raises(SecretUnreachable, match="Vault cannot keep it"):
            await ask()
