"""A token that its server does not take any more is bought anew, by the same process, once for each call at most."""

from collections.abc import Generator
from pathlib import Path

import pytest

from interlock.core.errand import Performed
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.secret.installed import broker_of, sealed_file
from interlock.secret.kept import OAuth, SecretId
from interlock.tool.mcp.tools import McpTools
from login_server import LoginServer, login_server
from upstream.stdio_world import Place
from world import NOON, HandClock

pytestmark = pytest.mark.anyio
DESK = SecretId(tenant=TenantId("t"), workflow=WorkflowId("w"), environment=Environment("dev"), name="desk")


@pytest.fixture
def server(tmp_path: Path) -> Generator[LoginServer]:
    with login_server(tmp_path / "server") as running:
        yield running


@pytest.fixture
def desk(server: LoginServer, tmp_path: Path) -> Generator[Place]:
    server.refreshes_with("refresh-token-0")
    value = OAuth(
        token_url=f"{server.base}/token",
        client_id="c",
        refresh_token="refresh-token-0",
        resource=server.url,
        url=server.url,
    )
    sealed_file(tmp_path / "keys").put(DESK, value, NOON)
    tools = McpTools(broker_of(tmp_path / "keys", HandClock()))
    place = Place(tmp_path / "server", tools)
    place.more = {"command": (), "url": server.url, "private": True, "sandbox": None, "secret": "desk"}
    yield place
    tools.close()


async def test_a_token_that_was_taken_back_is_bought_anew_with_the_next_call(desk: Place, server: LoginServer) -> None:
    assert await desk.call("echo", {"text": "a"}) == Performed(result="a")
    server.good.clear()
    with pytest.raises(
        UpstreamFailed, match="if a second call fails too, log in: `interlock secret login desk"
    ) as error:
        await desk.call("echo", {"text": "b"})
    assert "token-" not in str(error.value) + error.value.fix + error.value.said
    assert await desk.call("echo", {"text": "c"}) == Performed(result="c")
    assert len(server.fields("/token")) == 2


async def test_a_refresh_token_that_somebody_else_has_used_ends_the_login(desk: Place, server: LoginServer) -> None:
    assert await desk.call("echo", {"text": "a"}) == Performed(result="a")
    server.refreshes_with("another")
    server.good.clear()
    with pytest.raises(UpstreamFailed):
        await desk.call("echo", {"text": "b"})
    with pytest.raises(UpstreamFailed, match="log in again: `interlock secret login desk --workflow w --env dev`"):
        await desk.call("echo", {"text": "c"})
