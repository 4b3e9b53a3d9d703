"""MCP without sessions (2026-07-28): everything stands in the request, and headers that mirror it must agree."""

from typing import Any

import pytest
from asked_over import VERSION, Heard, Over
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.contract.ir import Approvals
from interlock.core.ids import ActionId, AgentId, PersonId, Role
from interlock.core.value import replace
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from interlock.ledger.proposal import commitment, private_text, signed_text
from world import ALLOW, KIM, MAIL, World, a_rule

pytestmark = pytest.mark.anyio

PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
EVENTS_FIRST = "text/event-stream, application/json"
ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def test_a_client_is_told_what_is_here(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    found = (await over.ask_stateless("server/discover")).result
    assert found["supportedVersions"] == [VERSION]
    assert found["resultType"] == "complete"
    assert found["cacheScope"] == "private"
    listed = (await over.ask_stateless("tools/list")).result
    assert [tool["name"] for tool in listed["tools"]] == [MAIL]
    assert listed["ttlMs"] >= 0


async def test_an_envelope_that_lacks_something_is_refused(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    whole: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    right = {"mcp-protocol-version": VERSION, "mcp-method": "tools/list"}

    async def ask(meta: Any, headers: dict[str, str], **more: Any) -> Heard:
        params = {"_meta": meta} if meta is not None else {}
        return await over.post({"jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": params}, headers, **more)

    table: list[tuple[Any, dict[str, str], int, int]] = [
        (whole, right, 200, 0),
        (None, right, 400, -32602),
        ({name: value for name, value in whole.items() if "Version" in name}, right, 400, -32602),
        (whole, {**right, "mcp-method": ""}, 400, -32020),
        (whole, {**right, "mcp-method": "tools/call"}, 400, -32020),
        (whole, {**right, "mcp-protocol-version": "2025-11-25"}, 400, -32020),
        ({**whole, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}, right, 400, -32020),
        (
            {**whole, "io.modelcontextprotocol/protocolVersion": "v9"},
            {**right, "mcp-protocol-version": "v9"},
            400,
            -32022,
        ),
        ({**whole, "io.modelcontextprotocol/protocolVersion": 7}, right, 400, -32020),
    ]
    for meta, headers, status, code in table:
        heard = await ask(meta, headers)
        assert (heard.status, heard.json.get("error", {}).get("code", 0)) == (status, code), (meta, headers)
        assert heard.json["id"] == 9
    heard = await ask(whole, right, twice=[("mcp-method", "tools/list")])
    assert heard.error["code"] == -32020


async def test_a_name_in_a_header_must_be_that_of_the_body(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    envelope: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": MAIL, "arguments": {"to": "sam"}, "_meta": envelope},
    }
    headers = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call"}
    for name, status in (("", 400), ("another", 400), ("=?base64?!?=", 400), ("=?base64?bWFpbC5zZW5k?=", 200)):
        heard = await over.post(message, {**headers, "mcp-name": name})
        assert heard.status == status, name
        assert (await over.post(message, {**headers, "mcp-name": name, "accept": EVENTS_FIRST})).status == status, name
    assert len(world.tool.performed) == 1


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"])
async def test_what_the_stateless_era_does_not_have_is_not_there(world: World, method: str) -> None:
    await world.publish()
    heard = await (await Over.to(world)).ask_stateless(method)
    assert (heard.status, heard.error["code"]) == (404, -32601)


async def test_the_same_call_within_a_day_is_the_same_action(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    first = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam", "n": 1})).result
    again = (await over.ask_stateless("tools/call", name=MAIL, arguments={"n": 1, "to": "sam"})).result
    assert again["_meta"]["interlock/outcome"]["action"] == first["_meta"]["interlock/outcome"]["action"]
    other = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "ann", "n": 1})).result
    assert "recalled" not in other["_meta"]["interlock/outcome"]
    world.clock.forward(days=1.01)
    later = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam", "n": 1})).result
    assert "recalled" not in later["_meta"]["interlock/outcome"]
    assert len(world.tool.performed) == 3


async def test_a_run_or_a_key_says_which_calls_are_the_same(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    metas: list[dict[str, Any]] = [
        {},
        {"interlock/run": "r1"},
        {"interlock/run": "r2"},
        {"interlock/key": "k"},
        {"interlock/occurrence": 2},
    ]
    for meta in [*metas, *metas]:
        await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"}, meta=meta)
    assert len(world.tool.performed) == len(metas)
    for said in ({"interlock/run": 7}, {"interlock/occurrence": "2"}, {"interlock/occurrence": True}):
        heard = await over.ask_stateless("tools/call", name=MAIL, arguments={}, meta=said)
        assert heard.error["code"] == -32602, said


async def test_what_waits_for_days_is_still_found_by_the_same_call(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask", expires=6 * 86_400 * 1_000_000), approvals=PEOPLE)
    over = await Over.to(world)
    parked = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"})).result["structuredContent"]
    world.clock.forward(days=3)
    again = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"})).result["structuredContent"]
    assert again == parked
    id = ActionId(parked["action"])
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    done = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"})).result
    assert done["_meta"]["interlock/outcome"] == {"outcome": "done", "action": id, "recalled": True}


async def test_an_agent_that_has_a_key_signs_what_it_proposes(world: World) -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    public = f"ed25519:{key.public_key().public_bytes_raw().hex()}"
    await world.publish(agents={AgentId("bot"): public})
    over = await Over.to(world)
    asked: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}
    unsigned = (await over.ask_stateless("tools/call", **asked)).result
    assert unsigned["structuredContent"]["reason"] == "tool_not_allowed"
    at, salt = world.clock.now() // 1_000_000, "ab" * 16
    what = commitment(private_text(salt=salt, run="", key="", occurrence=1, arguments={"to": "sam"}))
    caller = replace(world.caller(), tenant=world.tenant)
    signature = key.sign(signed_text(caller, MAIL, at, what)).hex()
    meta = {"interlock/signature": f"{salt}.{signature}", "interlock/signed-at": at}
    wrong = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "eve"}, meta=meta)).result
    assert wrong["structuredContent"]["reason"] == "tool_not_allowed"
    assert (await over.ask_stateless("tools/call", **asked, meta=meta)).result["isError"] is False
    await over.begin()
    assert (await over.ask("tools/call", **asked, _meta=meta)).result["isError"] is False, "in a session too"
    assert set(world.tool.sent) == {b'{"to":"sam"}'}
