"""A clock that jumps: nothing starts, no entry lies before the last one, and one tenant's operator vouches for one."""

import json

import pytest

from interlock.core.ids import TenantId
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.gateway.doors import accept_clock
from world import KIM, NOON, World

pytestmark = pytest.mark.anyio


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
