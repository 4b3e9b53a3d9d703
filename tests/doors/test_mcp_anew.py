"""`on_repeat: new`: equal calls over MCP are several actions, and none is lost that somebody still has to hear of."""

import asyncio
from typing import Any

import pytest
from asked_over import Heard, Over

from interlock.contract.ir import Approvals, Loop
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import ActionId, PersonId, Role
from interlock.gateway.consent import agree, deny
from interlock.gateway.resume import resume
from world import ALLOW, KIM, MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
TO_SAM: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}


async def over_anew(world: World, *rules: Any, **more: Any) -> Over:
    await world.publish(ALLOW, *rules, tools=(a_tool(on_repeat="new"),), **more)
    over = await Over.to(world)
    await over.begin()
    return over


def action(heard: Heard) -> str:
    return heard.result["_meta"]["interlock/outcome"]["action"]


async def test_equal_calls_are_carried_out_each_in_a_session_and_without_one(world: World) -> None:
    over = await over_anew(world, loop=Loop(equal_calls=100))
    told = {action(await over.ask("tools/call", **TO_SAM)) for _ in range(9)}
    told |= {action(await over.ask_stateless("tools/call", **TO_SAM)) for _ in range(9)}
    assert len(told) == 18
    assert len(world.tool.performed) == 18


async def test_who_counts_or_keys_calls_is_answered_from_the_record_as_ever(world: World) -> None:
    over = await over_anew(world, loop=Loop(equal_calls=100))
    for meta in ({"interlock/key": "k"}, {"interlock/occurrence": 1}, {"interlock/occurrence": 2}):
        first, again = [await over.ask("tools/call", **TO_SAM, _meta=meta) for _ in range(2)]
        assert action(first) == action(again)
    assert len(world.tool.performed) == 3


async def test_equal_calls_that_come_at_once_are_carried_out_or_told_and_never_one_twice(world: World) -> None:
    over = await over_anew(world, loop=Loop(equal_calls=100))
    heard = await asyncio.gather(*(over.ask("tools/call", **TO_SAM) for _ in range(8)))
    assert {each.result["_meta"]["interlock/outcome"]["outcome"] for each in heard} == {"done"}
    assert len({action(each) for each in heard}) == len(world.tool.performed)


async def test_what_waits_for_a_person_is_told_before_another_one_is_asked_for(world: World) -> None:
    over = await over_anew(world, a_rule("ask.mail", "ask"), approvals=PEOPLE)
    first = ActionId(action(await over.ask("tools/call", **TO_SAM)))
    await over.begin()
    assert action(await over.ask("tools/call", **TO_SAM)) == first
    await agree(world.gateway, world.store, first, KIM, seen=(await world.row(first)).seen)
    await resume(world.gateway, world.store, first)
    await over.begin()
    done = await over.ask("tools/call", **TO_SAM)
    assert done.result["_meta"]["interlock/outcome"] == {"outcome": "done", "action": first, "recalled": True}
    world.clock.forward(days=1.01)
    second = ActionId(action(await over.ask("tools/call", **TO_SAM)))
    assert second != first
    await deny(world.gateway, world.store, second, KIM)
    denied = await over.ask("tools/call", **TO_SAM)
    assert (denied.result["structuredContent"]["reason"], action(denied)) == ("approval_denied", second)
    assert len(world.tool.performed) == 1


async def test_however_many_equal_calls_came_before_the_next_one_is_another(world: World) -> None:
    over = await over_anew(world, loop=Loop(equal_calls=10_000))
    told = [action(await over.ask("tools/call", **TO_SAM)) for _ in range(70)]
    assert len(set(told)) == len(world.tool.performed) == 70


async def test_what_nobody_knows_is_not_done_again_and_what_failed_is(world: World) -> None:
    over = await over_anew(world)
    world.tool.breaks = [UpstreamFailed("no", fix="try"), UpstreamSilent("gone", fix="look")]
    failed = action(await over.ask("tools/call", **TO_SAM))
    lost = await over.ask("tools/call", **TO_SAM)
    assert action(lost) != failed
    assert lost.result["structuredContent"]["outcome"] == "uncertain"
    assert action(await over.ask("tools/call", **TO_SAM)) == action(lost)
