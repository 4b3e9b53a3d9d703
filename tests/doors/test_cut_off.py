"""A server that ends in the middle of a call: whoever asked hears that nobody knows yet, and later what came of it."""

import asyncio
import json
from typing import Any

import pytest
from asked_over import Heard, Over

from world import ALLOW, MAIL, World

pytestmark = pytest.mark.anyio
CALL: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}


async def cut_off(over: Over, asked: "asyncio.Task[Heard]") -> Heard:
    """End the server while its tool is at work, as it does with what takes longer than it waits."""
    async with asyncio.timeout(10):
        while not over.world.tool.performed:
            await asyncio.sleep(0)
        over.server.stop.set()
        asked.cancel()
        return await asked


async def over_a_slow_tool(world: World) -> tuple[Over, asyncio.Event]:
    world.tool.may_answer = asyncio.Event()
    await world.publish(ALLOW)
    return await Over.to(world), world.tool.may_answer


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream, application/json"])
@pytest.mark.parametrize("era", ["session", "stateless"])
async def test_over_mcp_a_call_that_is_cut_off_has_an_error_of_the_protocol_and_tells_its_end_later(
    world: World, era: str, accept: str
) -> None:
    over, may_answer = await over_a_slow_tool(world)
    if era == "session":
        await over.begin()
    over.headers["accept"] = accept
    ask = over.ask if era == "session" else over.ask_stateless
    heard = await cut_off(over, asyncio.create_task(ask("tools/call", **CALL)))
    error = (heard.events[-1] if accept.startswith("text") else heard.json)["error"]
    assert error == {
        "code": -32603,
        "message": "this server ends, and what came of this is not known yet; the same call tells later",
    }
    may_answer.set()
    over.server.stop.clear()
    over.headers["accept"] = "application/json"
    async with asyncio.timeout(10):
        again = (await ask("tools/call", **CALL)).result
    assert again["content"][0]["text"] == "sent"
    assert len(world.tool.performed) == 1


async def test_over_http_a_proposal_that_is_cut_off_has_a_problem_and_tells_its_end_later(world: World) -> None:
    over, may_answer = await over_a_slow_tool(world)
    body = json.dumps({"tool": MAIL, "arguments": {"to": "sam"}}).encode()
    headers = {"content-type": "application/json", "idempotency-key": "k1"}
    heard = await cut_off(over, asyncio.create_task(over.http("POST", "/v1/actions", body, headers)))
    said = heard.json
    assert (heard.status, heard.headers["content-type"]) == (504, "application/problem+json")
    assert (said["type"], said["detail"]) == (
        "/v1/problems/cut-off",
        "this process ends, and what came of this is not known yet",
    )
    assert "the same `Idempotency-Key`" in said["fix"]
    may_answer.set()
    over.server.stop.clear()
    async with asyncio.timeout(10):
        again = await over.http("POST", "/v1/actions", body, headers)
    assert (again.status, again.json["outcome"], len(world.tool.performed)) == (200, "done", 1)


async def test_a_request_that_is_cancelled_while_the_server_stays_is_cancelled(world: World) -> None:
    over, may_answer = await over_a_slow_tool(world)
    await over.begin()
    body = json.dumps({"tool": MAIL, "arguments": {"to": "kim"}}).encode()
    headers = {"content-type": "application/json", "idempotency-key": "k1"}
    for asking in (over.ask("tools/call", **CALL), over.http("POST", "/v1/actions", body, headers)):
        world.tool.performed.clear()
        asked = asyncio.create_task(asking)
        async with asyncio.timeout(10):
            while not world.tool.performed:
                await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    may_answer.set()
