"""Equal calls of what is only suggested: one suggestion for a day, and judged each time."""

import asyncio
from typing import Any

import pytest

from interlock.contract.ir import Approvals, Consent, Hook, Loop
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import PersonId, Role, RunId, ToolName
from interlock.core.outcome import Done, Outcome, Parked, Suggested
from interlock.core.value import replace
from interlock.gateway.consent import agree
from interlock.gateway.draft import start_draft
from interlock.gateway.proposal import Proposal
from interlock.gateway.repeated import call_or_recall
from interlock.gateway.resume import resume
from world import ALLOW, KIM, MAIL, PROD, ScriptedTool, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

PROPOSAL = Proposal(tool=ToolName(MAIL), arguments=b'{"to":"sam"}')
SUGGESTS: Any = {"modes": {PROD: Mode.SUGGEST}}
ACTS: Any = {"modes": {PROD: Mode.ACT}}


async def again(world: World, session: str = "s1", **said: Any) -> Outcome:
    return await call_or_recall(world.gateway, world.caller(), replace(PROPOSAL, session=RunId(session), **said))


async def suggestions(world: World) -> list[str]:
    return [entry["action"] for entry in await world.entries() if entry["kind"] == "suggested"]


@pytest.mark.parametrize("on_repeat", ["return", "new"])
async def test_an_equal_call_is_told_the_same_suggestion_by_every_process(world: World, on_repeat: str) -> None:
    await world.publish(tools=(a_tool(on_repeat=on_repeat),), **SUGGESTS)
    first = await again(world)
    assert (type(first), first.recalled) == (Suggested, False)
    for each, session in ((world, "s1"), (world, "s1"), (world.another(), "s2")):
        told = await again(each, session)
        assert (type(told), told.action, told.recalled) == (Suggested, first.action, True)
    assert await suggestions(world) == [first.action]


async def test_equal_calls_at_the_same_moment_come_to_one_suggestion(world: World) -> None:
    await world.publish(loop=Loop(equal_calls=100), **SUGGESTS)
    worlds = [world, world.another(), world.another()]
    told = await asyncio.gather(*(again(each, f"s{n}") for n in range(3) for each in worlds))
    assert len({each.action for each in told}) == 1
    assert len(await suggestions(world)) == 1


async def test_a_key_of_the_caller_keeps_a_suggestion_and_no_more(world: World) -> None:
    await world.publish(**SUGGESTS)
    first, second = [await world.call(key="k") for _ in range(2)]
    assert (second.action, second.recalled) == (first.action, True)
    assert (await world.call(key="another")).action != first.action
    await world.publish(**ACTS)
    assert isinstance(await world.call(key="k"), Done)


async def test_what_may_be_done_by_now_is_done_and_is_not_told_as_a_suggestion(world: World) -> None:
    await world.publish(**SUGGESTS)
    assert isinstance(await again(world), Suggested)
    await world.publish(**ACTS)
    assert isinstance(await again(world), Done)
    assert len(world.tool.performed) == 1


async def test_a_day_later_an_equal_call_is_suggested_anew(world: World) -> None:
    await world.publish(**SUGGESTS)
    first = await again(world)
    world.clock.forward(days=0.99)
    assert (await again(world)).action == first.action
    world.clock.forward(days=0.02)
    assert (await again(world, "s2")).action != first.action


async def test_under_other_rules_or_with_another_preview_it_is_another_suggestion(world: World) -> None:
    look = world.others["look"] = ScriptedTool(result={"now": 1})
    tools = (a_tool(preview=Hook(tool=ToolName("look"))), a_tool("look", effect=EffectClass.READ))
    await world.publish(tools=tools, **SUGGESTS)
    first, same = [await again(world) for _ in range(2)]
    look.result = {"now": 2}
    other = await again(world)
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), tools=tools, **SUGGESTS)
    judged_by_more = await again(world, "s2")
    assert same.action == first.action
    assert len({first.action, other.action, judged_by_more.action}) == 3
    assert await suggestions(world) == [first.action, other.action, judged_by_more.action]


async def test_what_a_person_has_started_is_no_open_suggestion_any_more(world: World) -> None:
    lead = Consent(approvers=frozenset({Role("lead")}), quorum=1)
    people = Approvals(people={Role("lead"): frozenset({PersonId("ben")})}, red=lead)
    await world.publish(tools=(a_tool(tier=Tier.RED),), approvals=people)
    first = await again(world)
    assert isinstance(first, Suggested)
    started = await start_draft(world.gateway, world.store, first.action, KIM)
    assert isinstance(started, Parked)
    assert (await again(world)).action == first.action
    ben = replace(KIM, person=PersonId("ben"))
    await agree(world.gateway, world.store, started.action, ben, seen=(await world.row(started.action)).seen)
    assert isinstance(await resume(world.gateway, world.store, started.action), Done)
    assert (await again(world)).action != first.action
