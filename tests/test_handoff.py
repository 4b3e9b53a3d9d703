"""When a person takes over, it stands in the outbox and in the entry."""

import json

import pytest

from interlock.contract.ir import Approvals
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import PersonId, Role
from interlock.core.outcome import Parked, Refused, Uncertain
from interlock.gateway.compare import verify_state
from interlock.gateway.recover import attend
from world import ALLOW, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

FALLBACK = {"on_timeout": "human_handoff", "on_policy_violation": "human_handoff"}


async def handed_off(world: World) -> list[str]:
    """The actions whose handoff is due, each with the queue that its last entry names."""
    now = world.clock.now()
    found = [notice.action for notice in await world.store.notices(before=now) if notice.topic == "handoff"]
    assert await verify_state(world.store, world.opened.secrets) == ()
    return [json.loads((await world.store.entries_of(id))[-1][1])["detail"]["handoff"] for id in found]


async def test_a_refusal_by_policy_is_handed_off_where_the_contract_says_so(world: World) -> None:
    await world.publish(ALLOW, a_rule("no", "deny"), fallback=FALLBACK, handoff_queue="tier-2")
    assert isinstance(await world.call(), Refused)
    assert await handed_off(world) == ["tier-2"]


async def test_a_lack_of_budget_is_not_a_violation_of_policy(world: World) -> None:
    await world.publish(tools=[a_tool(price=2)], budgets=[a_budget(1)], fallback=FALLBACK)
    assert isinstance(await world.call(), Refused)
    assert await handed_off(world) == []


async def test_silence_is_handed_off(world: World) -> None:
    await world.publish(fallback=FALLBACK, handoff_queue="tier-2")
    world.tool.breaks = [UpstreamSilent("no answer", fix="")]
    assert isinstance(await world.call(), Uncertain)
    assert await handed_off(world) == ["tier-2"]


async def test_an_approval_that_nobody_gave_is_handed_off(world: World) -> None:
    people = {Role("lead"): frozenset({PersonId("ann")})}
    approvals = Approvals(people=people, on_expiry="handoff")
    await world.publish(ALLOW, a_rule("ask", "ask"), approvals=approvals)
    assert isinstance(await world.call(), Parked)
    world.clock.forward(days=3)
    await attend(world.gateway, world.store)
    assert await handed_off(world) == ["default"]
