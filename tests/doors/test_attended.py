"""What waits is looked after for every tenant, whatever has become of another one."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from interlock.app import Opened, open_store
from interlock.contract.ir import Approvals
from interlock.core.ids import PersonId, Role, TenantId
from interlock.core.outcome import Parked
from interlock.door.attended import look_after
from interlock.gateway.consent import agree
from world import ALLOW, KIM, HandClock, World, a_rule

PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})


@pytest.mark.anyio
async def test_a_tenant_that_cannot_be_read_keeps_no_other_from_its_turn(
    opens: Callable[[HandClock], Opened], where: str, tmp_path: Path
) -> None:
    clock = HandClock()
    foreign = open_store(where, tmp_path / "other", clock=clock, durable=False)
    try:
        await World.on(foreign, clock, TenantId(f"a-{token_hex(4)}")).publish()  # comes before the other one
    finally:
        foreign.close()
    world = World.on(opens(clock), clock, TenantId(f"b-{token_hex(4)}"))
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=PEOPLE)
    parked = await world.call()
    assert isinstance(parked, Parked)
    seen = (await world.row(parked.action)).seen
    await agree(world.gateway, world.store, parked.action, KIM, seen=seen)
    stop = asyncio.Event()
    looking = asyncio.create_task(look_after(world.gateway, stop, every=0.01))
    async with asyncio.timeout(20):
        await world.tool.begun.wait()
    stop.set()
    await looking
    assert world.tool.performed == [parked.action]
