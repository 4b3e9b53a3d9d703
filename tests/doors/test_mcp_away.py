"""MCP while the store is away: whoever asks hears that, and does not wait for ever."""

import json
from typing import Any, cast

import pytest
from asked_over import VERSION

from interlock.core.errors import StoreClosed
from interlock.core.ids import RunId, TenantId
from interlock.core.mcp import INTERNAL_ERROR
from interlock.core.value import replace
from interlock.door.mcp import wire
from interlock.door.mcp.client import Client
from interlock.door.mcp.talk import Talk
from interlock.door.mcp.wire import WireError
from world import MAIL, World

pytestmark = pytest.mark.anyio

ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Away:
    """A store that does not answer."""

    def for_tenant(self, tenant: TenantId) -> Any:
        raise StoreClosed("the store is away", fix="look at it")


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "resources/read", "subscriptions/listen"])
async def test_a_store_that_is_away_is_told_in_the_words_of_the_protocol(world: World, method: str) -> None:
    gateway = replace(world.gateway, store=cast("Any", Away()))
    caller, talk = world.caller(), Talk.of(gateway)
    params: dict[str, Any] = {"name": MAIL, "uri": "file:///a", "notifications": {}, "_meta": ENVELOPE}
    message = wire.read(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
    with pytest.raises(WireError) as stateless:
        await talk.stateless(caller, message, lambda _: True)
    assert stateless.value.code == INTERNAL_ERROR
    if method != "subscriptions/listen":
        client = Client(era="handshake", version="2025-11-25")
        with pytest.raises(WireError) as in_session:
            await talk.in_session(caller, client, message, lambda _: True, session=RunId("s1"))
        assert in_session.value.code == INTERNAL_ERROR
