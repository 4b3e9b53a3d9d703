"""Access tokens are bought once and used while they are good, and an endpoint that misbehaves is not quoted."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from interlock.core.errors import SecretUnreachable, UsageWrong
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.oauth.authority import address_of
from interlock.owned import locked
from interlock.secret.broker import SecretBroker
from interlock.secret.installed import broker_of, sealed_file
from interlock.secret.kept import OAuth, SecretId, oauth_of
from loopback import http
from token_endpoint import Endpoint, token_endpoint
from world import NOON, HandClock

pytestmark = pytest.mark.anyio

CANARY = "sk_live_C4narY/51+x="
PAY = SecretId(tenant=TenantId("acme"), workflow=WorkflowId("support"), environment=Environment("prod"), name="pay")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with token_endpoint() as running:
        yield running


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def client(endpoint: Endpoint, **fields: Any) -> OAuth:
    return replace(OAuth(token_url=endpoint.url, client_id="shop", client_secret=CANARY), **fields)


def broker(folder: Path, clock: HandClock, value: OAuth) -> SecretBroker:
    sealed_file(folder).put(PAY, value, NOON)
    return broker_of(folder, clock)


async def ask(broker: SecretBroker) -> Secret:
    with anyio.fail_after(20):
        return await broker.secret(PAY.tenant, PAY.workflow, PAY.environment, PAY.name)


async def test_a_token_is_bought_once_and_used_until_shortly_before_its_end(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    tokens = broker(tmp_path, clock, client(endpoint, scope="refunds", audience="bank"))
    assert [(await ask(tokens)).reveal() for _ in range(3)] == ["access-token-1"] * 3
    clock.forward(seconds=3600 * 0.9 - 1)
    assert (await ask(tokens)).reveal() == "access-token-1"
    clock.forward(seconds=1)
    assert (await ask(tokens)).reveal() == "access-token-2"
    assert endpoint.asked[0] == snapshot(
        {
            "grant_type": "client_credentials",
            "scope": "refunds",
            "audience": "bank",
            "client_id": "shop",
            "client_secret": "sk_live_C4narY/51+x=",
        }
    )


async def test_who_asks_at_once_waits_for_one_purchase(endpoint: Endpoint, tmp_path: Path, clock: HandClock) -> None:
    tokens = broker(tmp_path, clock, client(endpoint))
    endpoint.may_answer.clear()
    asking = [asyncio.create_task(ask(tokens)) for _ in range(20)]
    await asyncio.sleep(0)
    endpoint.may_answer.set()
    assert {each.reveal() for each in await asyncio.gather(*asking)} == {"access-token-1"}
    assert len(endpoint.asked) == 1


async def test_a_client_that_was_set_anew_buys_a_new_token(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    tokens = broker(tmp_path, clock, client(endpoint))
    await ask(tokens)
    sealed_file(tmp_path).put(PAY, client(endpoint, client_secret="another-secret", client_auth="body"), NOON)
    assert (await ask(tokens)).reveal() == "access-token-2"
    assert endpoint.asked[1]["client_secret"] == "another-secret"
    assert "authorization" not in endpoint.heads[1].lower()


@pytest.mark.promise("secret")
async def test_what_a_token_is_bought_with_must_not_come_back_either(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    endpoint.refresh_token = "refresh-token-1"
    secret = await ask(broker(tmp_path, clock, client(endpoint, refresh_token="refresh-token-1")))
    assert secret.hidden == ("access-token-1", CANARY, "refresh-token-1")


async def test_a_refresh_token_that_was_used_up_is_replaced_in_the_file_and_for_other_processes(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    endpoint.rotates = True
    value = client(endpoint, client_secret="", refresh_token="refresh-token-1")
    first = broker(tmp_path, clock, value)
    other = broker_of(tmp_path, clock)
    assert (await ask(first)).reveal() == "access-token-1"
    found = sealed_file(tmp_path).find(PAY)
    assert isinstance(found, OAuth)
    assert found.refresh_token == "refresh-token-2"
    assert (await ask(other)).reveal() == "access-token-2"
    clock.forward(seconds=3600)
    assert (await ask(first)).reveal() == "access-token-3"
    assert [asked["refresh_token"] for asked in endpoint.asked] == [f"refresh-token-{n}" for n in (1, 2, 3)]


async def test_two_processes_never_use_one_refresh_token_twice(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    endpoint.rotates = True
    processes = [broker(tmp_path, clock, client(endpoint, refresh_token="refresh-token-1"))]
    processes += [broker_of(tmp_path, clock) for _ in range(4)]
    await asyncio.gather(*(ask(each) for each in processes))
    used = [asked["refresh_token"] for asked in endpoint.asked]
    assert len(set(used)) == len(used) == 5


async def test_a_frozen_process_that_has_the_turn_of_one_secret_takes_no_threads_from_others(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.secret.oauth.SECRET_SECONDS_MAX", 0.1)
    endpoint.refresh_token = "refresh-token-1"
    tokens = broker(tmp_path, clock, client(endpoint, refresh_token="refresh-token-1"))
    await ask(tokens)
    (turn,) = tmp_path.rglob("secrets.*.turn")
    clock.forward(seconds=3600)
    with locked(turn):
        for _ in range(3):
            with pytest.raises(SecretUnreachable, match="another process has the turn"):
                await ask(tokens)
    assert (await ask(tokens)).reveal() == "access-token-2"


async def test_a_refresh_token_that_cannot_be_written_down_is_not_lost(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    endpoint.rotates = True
    tokens = broker(tmp_path, clock, client(endpoint, refresh_token="refresh-token-1"))
    (tmp_path / "secrets.sealed.new").mkdir()
    with pytest.raises(SecretUnreachable, match="cannot be written down"):
        await ask(tokens)
    (tmp_path / "secrets.sealed.new").rmdir()
    assert (await ask(tokens)).reveal() == "access-token-2"
    assert endpoint.asked[1]["refresh_token"] == "refresh-token-2"


def told(body: object, status: str = "200 OK", kind: str = "application/json", *more: str) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http(status, raw, kind, *more)


GOOD = {"access_token": "access-token", "token_type": "Bearer", "expires_in": 60}


@pytest.mark.promise("secret")
@pytest.mark.parametrize(
    "says",
    [
        told({"error": "server", "detail": CANARY}, "500 Internal Server Error"),
        told({"error": CANARY}, "401 Unauthorized"),
        told({"error": "invalid_client", "error_description": CANARY}, "401 Unauthorized"),
        told(CANARY.encode(), "400 Bad Request", "text/plain"),
        told(b"{" + CANARY.encode()),
        told(b"\xff\xfe\x00"),
        told(b""),
        told(b"[" * 100_000),
        told(b"x" * 1_000_000),
        told(GOOD, "200 OK", "text/html"),
        told([CANARY]),
        told({**GOOD, "access_token": 7}),
        told({**GOOD, "access_token": "tiny"}),
        told({**GOOD, "access_token": "two\nlines of it"}),
        told({**GOOD, "token_type": "mac"}),
        told({"access_token": CANARY}),
        told({**GOOD, "expires_in": 0}),
        told({**GOOD, "expires_in": -1}),
        told({**GOOD, "expires_in": "soon"}),
        told({**GOOD, "expires_in": "nan"}),
        told(b"", "302 Found", "text/plain", f"Location: http://127.0.0.1:1/{CANARY}"),
        b"HTTP/9 what\r\n" + CANARY.encode(),
        b"",
    ],
    ids=str,
)
async def test_an_endpoint_that_misbehaves_sells_nothing_and_is_not_quoted(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock, says: bytes
) -> None:
    endpoint.says = says
    tokens = broker(tmp_path, clock, client(endpoint))
    with pytest.raises(SecretUnreachable) as error:
        await ask(tokens)
    whole = f"{error.value!r} {error.value} {error.value.fix} {error.value.__cause__!r} {error.value.__context__!r}"
    assert "C4narY" not in whole
    assert "access-token" not in whole
    assert error.value.fix
    endpoint.says = None
    assert (await ask(tokens)).reveal() == f"access-token-{len(endpoint.asked)}"


async def test_what_a_refusal_means_is_told_by_its_code(endpoint: Endpoint, tmp_path: Path, clock: HandClock) -> None:
    endpoint.says = told({"error": "invalid_client"}, "401 Unauthorized")
    with pytest.raises(SecretUnreachable) as error:
        await ask(broker(tmp_path, clock, client(endpoint)))
    assert (str(error.value), error.value.fix) == snapshot(
        (
            "the secret `pay` of support in prod buys no access token: the endpoint refuses (401, `invalid_client`)",
            "look at the client there, then set it again: "
            "`interlock secret set pay --oauth --workflow support --env prod`",
        )
    )


@pytest.mark.parametrize("slow", [True, False])
async def test_an_endpoint_that_says_nothing_or_is_not_there_is_not_waited_for(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    monkeypatch.setattr("interlock.oauth.endpoint.SECRET_SECONDS_MAX", 0.1)
    with token_endpoint(silent=True) as silent:
        value = client(silent)
        if slow:
            with pytest.raises(SecretUnreachable, match="no whole answer"):
                await ask(broker(tmp_path, clock, value))
    if not slow:
        with pytest.raises(SecretUnreachable, match="cannot be reached"):
            await ask(broker(tmp_path, clock, value))


async def test_a_token_whose_life_nobody_says_is_used_for_less_than_a_minute(
    endpoint: Endpoint, tmp_path: Path, clock: HandClock
) -> None:
    endpoint.expires_in = None
    tokens = broker(tmp_path, clock, client(endpoint))
    await ask(tokens)
    clock.forward(seconds=53)
    assert (await ask(tokens)).reveal() == "access-token-1"
    clock.forward(seconds=1)
    assert (await ask(tokens)).reveal() == "access-token-2"


@pytest.mark.parametrize(
    "url", ["http://bank.example/token", "ftp://x", "https://user:pass@bank.example", "http://127.0.0.1.evil.example"]
)
def test_credentials_go_to_no_endpoint_without_tls(url: str) -> None:
    with pytest.raises(UsageWrong):
        address_of(url)


@pytest.mark.parametrize("url", ["https://bank.example/token", "http://localhost:1/x", "http://[::1]/x"])
def test_but_to_one_with_tls_or_on_this_machine(url: str) -> None:
    assert address_of(url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"token_url": "https://x", "client_id": "c"}',
        '{"token_url": "https://x", "client_id": "", "client_secret": "long enough"}',
        '{"token_url": "https://x", "client_id": "c", "client_secret": "tiny"}',
        '{"token_url": "https://x", "client_id": "c", "client_secret": "long enough", "more": 1}',
        '{"token_url": "https://x", "client_id": "c", "client_secret": "long enough", "client_auth": "jwt"}',
    ],
)
def test_what_buys_no_token_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageWrong) as error:
        oauth_of(text)
    assert "long enough" not in f"{error.value}{error.value.fix}"


def test_it_does_not_show_itself(endpoint: Endpoint) -> None:
    assert CANARY not in repr(client(endpoint))
