"""What a tool says late that it took is in the books, whoever it told and when."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from interlock.core.action import ActionState
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import Micros
from interlock.gateway.recover import attend, reap
from test_faults import losing
from test_uncertain import DAY, ELSEWHERE
from world import MAIL, ScriptedTool, World, a_budget, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("budget")]


class Rounds(ScriptedTool):
    """Each round of attempts waits at a gate of its own and says a cost of its own."""

    def __init__(self, *said: int) -> None:
        super().__init__()
        self.said, self.gates = said, [asyncio.Event() for _ in said]
        self.errands: list[Errand] = []

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        n = len(self.errands)
        self.errands.append(errand)
        await self.gates[n].wait()
        return Performed(result="sent", costs={"usd": self.said[n]})

    async def reached(self, n: int) -> None:
        while len(self.errands) < n:
            await asyncio.sleep(0)


async def two_rounds(world: World, *said: int) -> "tuple[Rounds, asyncio.Task[Any], asyncio.Task[Any]]":
    tool = world.others[MAIL] = Rounds(*said)
    await world.publish(
        tools=[a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=10, resend_within=DAY)], budgets=[a_budget(1_000)]
    )
    first = asyncio.create_task(world.call(run="r1"))
    await tool.reached(1)
    world.clock.forward(minutes=2)
    second = asyncio.create_task(attend(world.another().gateway, world.store))
    await tool.reached(2)
    return tool, first, second


async def test_what_the_first_round_says_while_the_second_is_under_way_is_booked(world: World) -> None:
    tool, first, second = await two_rounds(world, 200, 3)
    tool.gates[0].set()
    await first
    tool.gates[1].set()
    await second
    assert (await world.balance()).spent == 200 + 10, "what the second may cost counts, and it says less"


async def test_what_the_first_round_says_after_the_second_has_ended_is_booked_beside_it(world: World) -> None:
    tool, first, second = await two_rounds(world, 200, 3)
    tool.gates[1].set()
    await second
    tool.gates[0].set()
    await first
    assert (await world.balance()).spent == 203, await world.history()


async def test_a_read_that_was_given_up_and_says_late_that_it_cost_more_is_an_overrun(world: World) -> None:
    tool = world.others[MAIL] = Rounds(200)
    await world.publish(tools=[a_tool(effect=EffectClass.READ, price=10)], budgets=[a_budget(1_000)])
    call = asyncio.create_task(world.call())
    await tool.reached(1)
    world.clock.forward(minutes=2)
    await reap(world.store, ELSEWHERE)
    tool.gates[0].set()
    await call
    balance = await world.balance()
    assert (balance.spent, balance.closed) == (200, True), (balance, await world.history())


async def test_an_earlier_attempt_that_says_late_what_it_cost_is_booked(world: World) -> None:
    @dataclass
    class Tool(ScriptedTool):
        first: list[Errand] = field(default_factory=list[Errand])

        async def perform(self, errand: Errand) -> Performed:
            self.first.append(errand)
            if len(self.first) == 1:
                raise UpstreamSilent("?", fix="")
            self.first[0].late(Performed(result="sent", costs={"usd": 200}))  # the first attempt, in the meantime
            await asyncio.sleep(0)
            return Performed(result="sent", costs={"usd": 3})

    world.others[MAIL] = Tool()
    await world.publish(
        tools=[a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=10, retries=1, backoff=Micros(0))],
        budgets=[a_budget(1_000)],
    )
    await world.call()
    assert (await world.balance()).spent == 203, await world.history()


async def test_a_late_answer_survives_one_lost_commit(world: World) -> None:
    tool = world.others[MAIL] = Rounds(200)
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(1_000)])
    call = asyncio.create_task(world.call())
    await tool.reached(1)
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    losing(world, commits=1)
    tool.gates[0].set()
    await call
    assert (await world.row(id)).state is ActionState.DONE, (await world.balance(), await world.history())
