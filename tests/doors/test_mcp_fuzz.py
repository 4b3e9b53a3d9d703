"""Whatever bytes come to the door of MCP, it answers, carries nothing out that was not asked for, and tells nothing."""

import asyncio
import json
from typing import Any

import pytest
from asked_over import VERSION, Over
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.door.mcp.front import METHODS
from world import MAIL, World

pytestmark = pytest.mark.anyio


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)


def with_meta(more: dict[str, Any], meta: Any) -> dict[str, Any]:
    return {**more, "_meta": meta}


def a_message(id: Any, method: str, params: Any, more: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params, **more}).encode()


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)
)
JSON: st.SearchStrategy[Any] = st.recursive(LEAVES, nested, max_leaves=12)
KEYS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "_meta", "name", "arguments", "uri"])
PARAMS = st.dictionaries(KEYS, JSON, max_size=4)
META = "io.modelcontextprotocol/"
ENVELOPE: dict[str, Any] = {f"{META}protocolVersion": st.just(VERSION) | JSON, f"{META}clientCapabilities": JSON}
ENVELOPES: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=ENVELOPE)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        a_message,
        JSON,
        st.sampled_from(sorted(METHODS)) | st.text(max_size=20),
        st.one_of(PARAMS, st.builds(with_meta, PARAMS, ENVELOPES), JSON),
        st.dictionaries(KEYS, JSON, max_size=2),
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id", "accept", "interlock-agent"]),
    st.sampled_from(["2025-11-25", VERSION, "tools/call", MAIL, "", "x" * 300, "\x00", "=?base64?/w==?="]),
    max_size=4,
)


@given(st.lists(st.tuples(BODIES, HEADERS), min_size=1, max_size=6), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_body_is_answered(world: World, sent: list[tuple[bytes, dict[str, str]]], in_session: bool) -> None:
    if not await world.store.entries(limit=1):
        await world.publish()
    over = await Over.to(world)
    if in_session:
        await over.begin()
    for body, headers in sent:
        kept = {name: value for name, value in headers.items() if name != "mcp-session-id" or not in_session}
        heard = await asyncio.wait_for(over.post(body, kept), 10)
        assert heard.status in (200, 202, 400, 401, 403, 404, 413), (heard.status, body)
        if heard.body and heard.headers["content-type"] == "application/json":
            said: Any = heard.json
            assert said["jsonrpc"] == "2.0"
            assert ("result" in said) != ("error" in said)
        assert b"Traceback" not in heard.body
        assert over.token.encode() not in heard.body
