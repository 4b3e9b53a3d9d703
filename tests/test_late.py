"""Ends that come late, of several owners of one action: each says what it cost, in whatever order they are heard."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from interlock.core.action import ActionState
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed
from interlock.core.ids import ActionId, Micros
from interlock.gateway.compare import verify_state
from interlock.gateway.recover import attend, reap
from interlock.gateway.resolve import resolve
from interlock.ports import Wanted
from test_uncertain import ELSEWHERE
from world import KIM, MAIL, World, a_budget, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("budget")]

ONE = Wanted(limit=1)
DAY = Micros(86_400_000_000)
EACH = 10
"""What one request costs, as the contract says."""


class Owners:
    """A tool each of whose requests is answered when the test says so, with a cost of its own."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[int | None]] = []

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        said = await answer
        return Performed(result={"id": 7}, costs={} if said is None else {"usd": said})

    async def asked(self, times: int) -> None:
        while len(self.answers) < times:
            await asyncio.sleep(0)


async def with_owners(
    world: World, tool: Owners, owners: int, **fields: Any
) -> "tuple[ActionId, list[asyncio.Task[Any]]]":
    """One action that was sent by several processes, each of which took it over from the one before."""
    world.others[MAIL] = tool  # pyright: ignore[reportArgumentType]
    mail = a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=EACH, resend_within=DAY, timeout=Micros(60_000_000))
    await world.publish(tools=[mail], budgets=[a_budget(1_000)], **fields)
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(world.call())]
    await tool.asked(1)
    for n in range(2, owners + 1):
        world.clock.forward(minutes=5)
        tasks.append(asyncio.create_task(attend(world.another().gateway, world.store)))
        await tool.asked(n)
    (row,) = await world.store.actions(ONE)
    return row.action.id, tasks


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("verdict", ["did_not_happen", "happened", "abandon"])
async def test_what_every_owner_says_is_booked_once_after_a_verdict(
    world: World, verdict: Any, order: tuple[int, ...]
) -> None:
    tool, costs = Owners(), (3, 200, None)
    id, tasks = await with_owners(world, tool, 3)
    world.clock.forward(minutes=5)
    assert await reap(world.store, ELSEWHERE) == (id,)
    await resolve(world.another().gateway, world.store, id, verdict, KIM)
    known = 0 if verdict == "did_not_happen" else 3 * EACH
    heard: dict[int, int] = {}
    for owner in order:
        tool.answers[owner].set_result(costs[owner])
        await tasks[owner]
        heard[owner] = EACH if costs[owner] is None else costs[owner]  # pyright: ignore[reportArgumentType]
        # After a no, only those before one who says otherwise may have cost something.
        asked = max(heard) if verdict == "did_not_happen" else len(costs)
        silent = sum(1 for before in range(asked) if before not in heard)
        known = max(known, sum(heard.values()) + silent * EACH)
        row = await world.row(id)
        assert (await world.balance()).spent == row.cost.micros == known
        assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.parametrize("order", [(2, 0, 1), (2, 1, 0)])
async def test_what_an_earlier_owner_says_is_booked_after_the_last_one_ended_it(
    world: World, order: tuple[int, ...]
) -> None:
    tool, costs = Owners(), (50, 200, 1)
    id, tasks = await with_owners(world, tool, 3)
    spent = [1 + 2 * EACH, *((1 + 50 + EACH, 251) if order[1] == 0 else (1 + 200 + EACH, 251))]
    for owner, known in zip(order, spent, strict=True):
        tool.answers[owner].set_result(costs[owner])
        await tasks[owner]
        assert ((await world.balance()).spent, (await world.balance()).held) == (known, 0)
        assert (await world.row(id)).state is ActionState.DONE
        assert await verify_state(world.store, world.opened.secrets) == ()
