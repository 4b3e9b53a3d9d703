"""One client and several processes: whichever it comes to goes on with what another one began, or ended."""

from typing import Any

import pytest
from asked_over import Over

from interlock.contract.ir import Approvals
from interlock.core.effect import EffectClass
from interlock.core.ids import ActionId, PersonId, Role
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from interlock.ports import Needs
from interlock.store.tenant import TenantPart
from world import ALLOW, KIM, MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

MAIL_TO_SAM: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}
PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})


async def test_a_session_that_was_ended_at_one_process_is_taken_by_none(world: World) -> None:
    rules = (ALLOW, a_rule("permit.look", "permit", "look"))
    await world.publish(*rules, tools=(a_tool(), a_tool("look", effect=EffectClass.READ)))
    over, beside = await Over.to(world), await Over.to(world.another())
    await over.begin()
    session = over.headers["mcp-session-id"]
    beside.headers["mcp-session-id"] = session
    assert (await beside.ask("ping")).status == 200
    assert (await over.http("DELETE", "/mcp")).status == 204
    said: tuple[tuple[str, dict[str, Any]], ...] = (
        ("ping", {}),
        ("tools/list", {}),
        ("tools/call", MAIL_TO_SAM),
        ("tools/call", {**MAIL_TO_SAM, "_meta": {"interlock/run": "r1", "interlock/key": "k1"}}),
        ("tools/call", {"name": "look", "arguments": {"to": "sam"}}),
        ("tools/call", {"name": "no.such.tool"}),
    )
    for each in (beside, over, await Over.to(world.another())):
        each.headers["mcp-session-id"] = session
        for method, params in said:
            assert (await each.ask(method, **params)).status == 404, (method, params)
        assert (await each.post({"jsonrpc": "2.0", "id": 1, "result": {}})).status == 404
        assert (await each.http("GET", "/mcp")).status == 404
        assert (await each.http("DELETE", "/mcp")).status == 404
    assert world.tool.performed == []


async def test_a_session_that_is_ended_while_a_call_is_judged_starts_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.publish()
    over, beside = await Over.to(world), await Over.to(world.another())
    await over.begin()
    beside.headers["mcp-session-id"], write = over.headers["mcp-session-id"], TenantPart.write

    async def after_its_end(self: TenantPart, needs: Needs, change: Any, *, durable: bool = True) -> Any:
        monkeypatch.setattr(TenantPart, "write", write)
        assert (await beside.http("DELETE", "/mcp")).status == 204
        return await write(self, needs, change, durable=durable)

    monkeypatch.setattr(TenantPart, "write", after_its_end)
    assert (await over.ask("tools/call", **MAIL_TO_SAM)).status == 404
    assert world.tool.performed == []


async def test_what_waits_for_a_person_outlives_the_session_that_it_was_asked_for_in(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=PEOPLE)
    over = await Over.to(world)
    await over.begin()
    id = ActionId((await over.ask("tools/call", **MAIL_TO_SAM)).result["structuredContent"]["action"])
    assert (await over.http("DELETE", "/mcp")).status == 204
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    assert len(world.tool.performed) == 1
    await over.begin()
    assert (await over.ask("tools/call", **MAIL_TO_SAM)).result["content"][0]["text"] == "sent"
