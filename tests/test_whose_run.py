"""A run belongs to the agent that began it, and to whom it was begun for: nobody else calls in it, or spends for it."""

import pytest

from interlock.core.charge import Unit
from interlock.core.ids import RunId
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.ports import Wanted
from world import ALLOW, MAIL, World, a_budget, a_tool

pytestmark = pytest.mark.anyio

CALLS = a_budget(3, Unit.TOOL_CALLS, "run")


async def test_nobody_makes_calls_in_the_run_of_another(world: World) -> None:
    await world.publish(budgets=(CALLS,))
    assert isinstance(await world.call({"to": "sam"}, run="r1"), Done)
    for other in (world.caller(agent="other"), world.caller(principal="eve")):
        outcome = await world.call({"to": "eve"}, run="r1", caller=other)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.TOOL_NOT_ALLOWED
        assert outcome.fix == "name a run of your own, or none"
    assert (await world.balance("tool_calls")).spent == 1, "and nobody spends its calls"
    assert isinstance(await world.call({"to": "ann"}, run="r1"), Done)
    assert len(world.tool.performed) == 2
    assert await verify_state(world.store, world.opened.secrets) == ()
    assert [e["reason"] for e in await world.entries() if e.get("kind") == "refused"] == ["tool_not_allowed"] * 2


async def test_a_call_that_no_rule_has_to_refuse_spends_nothing_of_the_run_of_another(world: World) -> None:
    await world.publish(ALLOW, tools=(a_tool(), a_tool("hidden")), budgets=(CALLS,))
    await world.call({"to": "sam"}, run="r1")
    for tool in ("no.such.tool", "hidden"):
        await world.call({"to": "eve"}, run="r1", tool=tool, caller=world.caller(agent="other"))
    await world.call("not json", run="r1", caller=world.caller(agent="other"))
    assert (await world.balance("tool_calls")).spent == 1


async def test_what_others_are_refused_in_a_run_is_no_part_of_it(world: World) -> None:
    await world.publish(ALLOW, tools=(a_tool(), a_tool("hidden")))
    mine = await world.call({"to": "sam"}, run="r1")
    other = world.caller(agent="other")
    refused = [await world.call({"to": "eve"}, run="r1", tool=tool, caller=other) for tool in (MAIL, "no.such.tool")]
    refused.append(await world.call("not json", run="r1", caller=other))
    assert [row.action.id for row in await world.store.actions(Wanted(run=RunId("r1")))] == [mine.action]
    for each in refused:
        assert (await world.row(each.action)).action.own_run
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_another_token_of_the_same_agent_goes_on_with_its_run(world: World) -> None:
    await world.publish()
    first = replace(world.caller(), known_by="os:1")
    assert isinstance(await world.call({"to": "sam"}, run="r1", caller=first), Done)
    assert isinstance(await world.call({"to": "ann"}, run="r1", caller=replace(first, known_by="os:2")), Done)
    assert await verify_state(world.store, world.opened.secrets) == ()
