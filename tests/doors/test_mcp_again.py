"""The same call again over MCP: in one session, in the next one, and without any, it is told how the first ended."""

import asyncio
import json
from typing import Any

import pytest
from asked_over import Over

from cards import issued
from interlock.contract.ir import Approvals, Undo
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import ActionId, Micros, PersonId, Role, ToolName
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.policy.rule import AsUndo
from world import ALLOW, KIM, MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
ASK = a_rule("ask.mail", "ask")
MAIL_TO_SAM: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}


async def test_what_waits_for_a_person_says_so_and_the_same_call_tells_later_how_it_ended(world: World) -> None:
    await world.publish(ALLOW, ASK, approvals=PEOPLE)
    over = await Over.to(world)
    await over.begin()
    parked = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    said = parked["structuredContent"]
    assert said["outcome"] == "parked"
    assert said["waits_for"] == [{"roles": ["lead"], "people": 1}]
    assert parked["content"][0]["text"].startswith("Not done yet")
    assert "ask.mail" not in json.dumps(parked), "an agent learns no rule"
    again = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    assert again["structuredContent"] == said
    id = ActionId(said["action"])
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    done = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    sent, note = done["content"]
    assert sent == {"type": "text", "text": "sent"}
    assert "this call did not do it again" in note["text"]
    assert note["annotations"] == {"audience": ["assistant"]}
    assert done["_meta"]["interlock/outcome"] == {"outcome": "done", "action": id, "recalled": True}
    assert len(world.tool.performed) == 1


async def test_what_waited_in_a_session_that_was_lost_is_told_in_the_next_one(world: World) -> None:
    await world.publish(ALLOW, ASK, approvals=PEOPLE)
    over = await Over.to(world)
    await over.begin()
    parked = (await over.ask("tools/call", **MAIL_TO_SAM)).result["structuredContent"]
    await over.begin()
    assert (await over.ask("tools/call", **MAIL_TO_SAM)).result["structuredContent"] == parked
    id = ActionId(parked["action"])
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    await over.begin()
    for ask in (over.ask, over.ask_stateless):
        done = (await ask("tools/call", **MAIL_TO_SAM)).result
        assert done["_meta"]["interlock/outcome"] == {"outcome": "done", "action": id, "recalled": True}
    assert len(world.tool.performed) == 1


async def test_a_client_that_begins_anew_does_nothing_twice_within_a_day(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    runs: set[str] = set()
    for hours in (0, 1, 22, 2):
        world.clock.forward(seconds=hours * 3_600)
        await over.begin()
        done = (await over.ask("tools/call", **MAIL_TO_SAM)).result
        runs.add((await world.row(ActionId(done["_meta"]["interlock/outcome"]["action"]))).action.run)
    assert len(world.tool.performed) == len(runs) == 2, "the fourth is a day after the first, in a run of its own"


async def test_what_was_undone_is_told_as_such_and_not_done_again(world: World) -> None:
    undoing = Undo(tool=ToolName("take_back"), args={"id": "$.result.id"}, within=Micros(86_400_000_000))
    tools = (a_tool(undo=undoing), a_tool("take_back", only_as_undo=True))
    await world.publish(ALLOW, a_rule("allow.take_back", "permit", "take_back", when=AsUndo()), tools=tools)
    world.tool.result = {"id": 7}
    over = await Over.to(world)
    await over.begin()
    done = (await over.ask("tools/call", **MAIL_TO_SAM)).result["_meta"]["interlock/outcome"]
    back = await undo(world.gateway, world.store, ActionId(done["action"]), KIM)
    performed = len(world.tool.performed)
    again = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    assert again["_meta"]["interlock/outcome"]["undone_by"] == back.action
    assert again["structuredContent"] == {"id": 7}
    assert "has been undone since" in again["content"][-1]["text"]
    assert len(world.tool.performed) == performed


async def test_sessions_of_two_callers_have_nothing_in_common(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    eve, _ = await issued(world, principal="eve")
    actions: set[str] = set()
    for each in (over, over.by(eve)):
        await each.begin()
        done = (await each.ask("tools/call", **MAIL_TO_SAM)).result
        actions.add(done["_meta"]["interlock/outcome"]["action"])
    assert len(world.tool.performed) == len(actions) == 2


async def test_the_end_of_a_call_that_was_left_is_told_to_whoever_makes_it_again(world: World) -> None:
    await world.publish()
    world.tool.may_answer = asyncio.Event()
    over = await Over.to(world)
    await over.begin()
    left = asyncio.create_task(over.ask("tools/call", **MAIL_TO_SAM))
    await world.tool.begun.wait()
    left.cancel()
    again = asyncio.create_task(over.ask("tools/call", **MAIL_TO_SAM))
    await asyncio.sleep(0)
    world.tool.may_answer.set()
    assert (await again).result["content"][0]["text"] == "sent"
    assert len(world.tool.performed) == 1


async def test_what_surely_did_not_happen_may_be_tried_again(world: World) -> None:
    await world.publish()
    world.tool.breaks = [UpstreamFailed("no", fix="-", said="come back later")]
    over = await Over.to(world)
    await over.begin()
    failed = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    assert failed["isError"] is True
    assert "come back later" in failed["content"][0]["text"]
    assert (await over.ask("tools/call", **MAIL_TO_SAM)).result["content"][0]["text"] == "sent"
    await over.begin()
    assert (await over.ask("tools/call", **MAIL_TO_SAM)).result["_meta"]["interlock/outcome"]["recalled"] is True
    assert len(world.tool.performed) == 2


async def test_what_nobody_knows_is_not_tried_again(world: World) -> None:
    await world.publish()
    world.tool.breaks = [RuntimeError("torn")]
    over = await Over.to(world)
    await over.begin()
    for days in (0, 0, 2):
        world.clock.forward(days=days)
        await over.begin()
        said = (await over.ask("tools/call", **MAIL_TO_SAM)).result
        assert said["structuredContent"]["outcome"] == "uncertain"
        assert "torn" not in json.dumps(said)
    assert len(world.tool.performed) == 1
