"""Equal calls that say nothing of themselves, made while the day changes: one is carried out, on any process."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from interlock.core.action import Caller
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import ToolName
from interlock.core.outcome import Done, Failed, Outcome
from interlock.gateway.asked import Proposal
from interlock.gateway.repeated import call_or_recall
from world import MAIL, World, a_tool

pytestmark = pytest.mark.anyio

DAY = 86_400
PROPOSAL = Proposal(tool=ToolName(MAIL), arguments=b'{"to":"sam"}')


@dataclass
class Process:
    """A gateway whose calls go on when they are let: after they looked for what is the same, before they look again."""

    world: World
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.gateway, name)

    async def call(self, caller: Caller, proposal: Proposal) -> Outcome:
        self.looked.set()
        await self.goes_on.wait()
        return await self.world.gateway.call(caller, proposal)

    def begin(self) -> "asyncio.Task[Outcome]":
        gateway: Any = self
        return asyncio.create_task(call_or_recall(gateway, self.world.caller(), PROPOSAL, a_tool()))


async def around_midnight(world: World) -> "tuple[Process, asyncio.Task[Outcome], Process, asyncio.Task[Outcome]]":
    """Begin a call a moment before midnight and the same one a moment after it, and let neither go on."""
    await world.publish()
    world.clock.forward(seconds=DAY / 2 - 0.001)
    before, after = Process(world), Process(world.another())
    first = before.begin()
    await before.looked.wait()
    world.clock.forward(seconds=0.002)
    second = after.begin()
    await after.looked.wait()
    return before, first, after, second


@pytest.mark.parametrize("order", ["at once", "the later one first", "the earlier one first"])
async def test_equal_calls_on_both_sides_of_midnight_are_carried_out_once(world: World, order: str) -> None:
    before, first, after, second = await around_midnight(world)
    async with asyncio.timeout(10):
        if order == "the later one first":
            after.goes_on.set()
            await second
        before.goes_on.set()
        if order == "the earlier one first":
            await first
        after.goes_on.set()
        told = await asyncio.gather(first, second)
    assert {type(each) for each in told} == {Done}
    assert len({each.action for each in told}) == 1
    assert len(world.tool.performed) == 1


async def test_what_failed_before_midnight_is_tried_again_after_it_once(world: World) -> None:
    before, first, after, second = await around_midnight(world)
    world.tool.breaks = [UpstreamFailed("no", fix="call again")]
    async with asyncio.timeout(10):
        before.goes_on.set()
        assert isinstance(await first, Failed)
        after.goes_on.set()
        assert isinstance(await second, Done)
    assert isinstance(await call_or_recall(world.gateway, world.caller(), PROPOSAL, a_tool()), Done)
    assert len(world.tool.performed) == 2


async def test_yesterdays_call_is_another_one_a_day_later(world: World) -> None:
    await world.publish()
    for _ in range(3):
        await call_or_recall(world.gateway, world.caller(), PROPOSAL, a_tool())
        world.clock.forward(days=1.001)
    assert len(world.tool.performed) == 3
