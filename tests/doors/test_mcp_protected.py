"""The endpoint says who issues tokens for it, and takes those that are for it and no others."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl
from served import Served, serving

from identity.issuer import a_jwt, rsa_jwk
from interlock.core.credential import Client, CredentialKind, Issuer
from interlock.core.ids import AgentId, Environment, PersonId, WorkflowId
from interlock.gateway import access
from login_server import LoginServer, login_server, visited
from world import KIM, NOON, World

pytestmark = pytest.mark.anyio
SUFFIXED = "/.well-known/oauth-protected-resource/mcp"
ROOT = "/.well-known/oauth-protected-resource"
BOT = Client(
    kind=CredentialKind.AGENT,
    workflow=WorkflowId("support"),
    environment=Environment("prod"),
    agents=(AgentId("bot"),),
)


@pytest.fixture
def authority(tmp_path: Path) -> Generator[LoginServer]:
    with login_server(tmp_path) as running:
        running.keys = [rsa_jwk("rsa")]
        yield running


@pytest.fixture
async def served(world: World) -> AsyncGenerator[Served]:
    await world.publish()
    async with serving(world) as each:
        yield each


async def believe(served: Served, url: str, audience: str) -> None:
    issuer = Issuer(name="corp", url=url, audience=audience, clients={"u1": BOT}, by=PersonId("kim"))
    await access.add_issuer(served.world.store, issuer, KIM)


def of(served: Served) -> dict[str, str]:
    return {"Interlock-Tenant": served.world.tenant}


async def test_nothing_is_said_where_nobody_issues_tokens_for_this_address(served: Served) -> None:
    asked: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    await believe(served, "https://login.example.com", "interlock")
    for place in (SUFFIXED, ROOT):
        assert (await served.ask("GET", place, headers=of(served))).status == 404
    refused = await served.ask("POST", "/mcp", body=asked, headers=of(served))
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="interlock"')


async def test_who_has_no_token_hears_who_issues_one_for_this_address(served: Served) -> None:
    asked: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    await believe(served, "https://login.example.com", f"{served.url}/mcp")
    refused = await served.ask("POST", "/mcp", body=asked, headers=of(served))
    suffixed = f"{SUFFIXED}?tenant={served.world.tenant}"
    where = f'resource_metadata="{served.url}{suffixed}"'
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, f'Bearer realm="interlock", {where}')
    wrong = await served.ask("POST", "/mcp", "eyJ.eyJ.x", asked, headers=of(served))
    assert wrong.headers["WWW-Authenticate"] == f'Bearer realm="interlock", error="invalid_token", {where}'
    for place, headers in ((SUFFIXED, of(served)), (ROOT, of(served)), (suffixed, {})):
        assert (await served.ask("GET", place, headers=headers)).data == {
            "resource": f"{served.url}/mcp",
            "authorization_servers": ["https://login.example.com"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Interlock",
        }
    for headers in ({"Interlock-Tenant": "another"}, {"Interlock-Tenant": "a b"}, {}):
        assert (await served.ask("GET", SUFFIXED, headers=headers)).status == 404
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert (await served.ask("GET", SUFFIXED, headers={**of(served), **headers})).status == 404
    assert (await served.ask("POST", SUFFIXED, headers=of(served))).status == 404


async def test_behind_a_proxy_that_speaks_tls_the_address_has_tls(world: World) -> None:
    await world.publish()
    async with serving(world, behind_tls=True) as served:
        secure = served.url.replace("http://", "https://")
        await believe(served, "https://login.example.com", f"{secure}/mcp")
        assert (await served.ask("GET", SUFFIXED, headers=of(served))).data["resource"] == f"{secure}/mcp"


class Kept:
    """What a client of the SDK keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def logging_in(url: str) -> OAuthClientProvider:
    """A client of the SDK whose person says yes to everything."""
    came: list[dict[str, str]] = []

    async def go(url: str) -> None:
        _, to, _ = await asyncio.to_thread(visited, url)
        came.append({name: values[0] for name, values in parse_qs(urlsplit(to).query).items()})

    async def back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**came[-1])

    about = OAuthClientMetadata(redirect_uris=[AnyUrl("http://127.0.0.1:1/callback")], client_name="a client")
    return OAuthClientProvider(url, about, Kept(), go, back)


@pytest.mark.slow
@pytest.mark.parametrize("audience", ["", "https://another.example/mcp"])
async def test_a_client_of_the_official_sdk_logs_in_and_calls_with_a_token_that_is_for_this_address(
    served: Served, authority: LoginServer, audience: str
) -> None:
    url = f"{served.url}/mcp"

    def mints(fields: dict[str, str]) -> str:
        meant = audience or fields["resource"]
        return a_jwt({"iss": authority.base, "aud": meant, "sub": "u1", "exp": NOON // 1_000_000 + 300})

    authority.mints = mints
    await believe(served, authority.base, url)
    headers = {**of(served), "Interlock-For": "sam"}
    async with httpx2.AsyncClient(auth=logging_in(url), headers=headers, timeout=20) as http:
        with anyio.fail_after(30):
            if audience:
                assert (await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})).status_code == 401
            else:
                async with streamable_http_client(url, http_client=http) as (read, write):
                    async with ClientSession(read, write) as session:
                        await session.initialize()
                        called = await session.call_tool("mail.send", {"to": "sam"})
                assert called.is_error is False
    assert authority.fields("/authorize")[0]["resource"] == url
    assert len(served.world.tool.performed) == (0 if audience else 1)
