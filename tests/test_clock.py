"""A clock that jumps: nothing starts, no entry lies before the last one, and one tenant's operator vouches for one."""

import json

import pytest

from interlock.contract.ir import Hook
from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import TenantId, ToolName
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.gateway.doors import accept_clock
from interlock.gateway.recover import attend
from interlock.policy.rule import FactIsNot
from world import ALLOW, KIM, NOON, ScriptedTool, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

RISK = ToolName("risk")


async def test_a_clock_that_goes_back_never_writes_before_the_last_entry(world: World) -> None:
    await world.publish()
    await world.call()
    world.clock.jump(seconds=-2)
    await world.call({"n": 2})
    times = [json.loads(line)["at"] for line in await world.store.entries()]
    assert times == sorted(times)


@pytest.mark.parametrize("seconds", [3_600, -3_600])
async def test_a_clock_that_jumps_starts_nothing_until_it_agrees_again(world: World, seconds: float) -> None:
    await world.publish()
    assert isinstance(await world.call(), Done)
    world.clock.jump(seconds=seconds)
    outcome = await world.call({"n": 2})
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.STOPPED
    world.clock.jump(seconds=-seconds)
    assert isinstance(await world.call({"n": 3}), Done)
    assert {json.loads(line)["at"] for line in await world.store.entries()} == {NOON}


@pytest.mark.promise("tenant")
async def test_who_vouches_for_a_clock_vouches_for_their_own_tenant_alone(world: World) -> None:
    other = World.on(world.opened, world.clock, TenantId(f"{world.tenant}-other"))
    for each in (world, other):
        await each.publish()
        assert isinstance(await each.call({"n": 1}), Done)
    world.clock.jump(seconds=3_600)
    await accept_clock(world.store, KIM)
    assert isinstance(await world.call({"n": 2}), Done)
    stopped = await other.call({"n": 2})
    assert isinstance(stopped, Refused)
    assert stopped.reason is Reason.STOPPED
    await accept_clock(other.store, KIM)
    assert isinstance(await other.call({"n": 3}), Done)


async def test_nothing_is_looked_up_while_the_clock_is_not_believed(world: World) -> None:
    risk = world.others[RISK] = ScriptedTool(result=False)
    look = a_tool(RISK, effect=EffectClass.READ, price=0, only_for_facts=True)
    mail = a_tool(effect=EffectClass.QUERYABLE, reconcile=Hook(tool=RISK))
    risky = a_rule("no.risk", "deny", when=FactIsNot(name="risky", value=False))
    await world.publish(ALLOW, risky, tools=[mail, look], facts={"risky": Hook(tool=RISK)})
    world.tool.breaks.append(UpstreamSilent("no answer", fix=""))
    unsure = await world.call({"n": 1})
    world.clock.forward(minutes=10)
    risk.performed.clear()
    world.clock.jump(seconds=3_600)
    assert isinstance(await world.call({"n": 2}), Refused)
    assert await attend(world.gateway, world.store) == ()
    assert risk.performed == []
    world.clock.jump(seconds=-3_600)
    risk.result = {"happened": False}
    assert await attend(world.gateway, world.store) == (unsure.action,)
