"""Equal calls that say nothing of themselves: one is carried out within a day, on any process, and told to the rest."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, cast

import pytest

from interlock.contract.ir import Approvals, Loop
from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.door import Door
from interlock.core.effect import EffectClass
from interlock.core.errors import StoreClosed, UpstreamFailed
from interlock.core.ids import ActionId, Environment, Micros, PersonId, Role, RunId, TenantId, ToolName, WorkflowId
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.outcome import Done, Failed, Outcome, Parked, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.force import Force, Forces
from interlock.gateway.proposal import Proposal
from interlock.gateway.repeated import call_or_recall
from interlock.ports import TenantStore
from world import ALLOW, MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

DAY = 86_400
REPEATS = ("return", "new")
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
        return asyncio.create_task(call_or_recall(gateway, self.world.caller(), PROPOSAL))


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
    assert isinstance(await call_or_recall(world.gateway, world.caller(), PROPOSAL), Done)
    assert len(world.tool.performed) == 2


async def test_yesterdays_call_is_another_one_a_day_later(world: World) -> None:
    await world.publish()
    for _ in range(3):
        await call_or_recall(world.gateway, world.caller(), PROPOSAL)
        world.clock.forward(days=1.001)
    assert len(world.tool.performed) == 3


async def again(world: World, arguments: str = '{"to":"sam"}', **said: Any) -> Outcome:
    counted = "occurrence" in said
    proposal = replace(PROPOSAL, arguments=arguments.encode(), **said)
    return await call_or_recall(world.gateway, world.caller(), proposal, counted=counted)


async def test_what_was_tried_again_counts_from_the_try_that_was_carried_out(world: World) -> None:
    await world.publish()
    world.tool.breaks = [UpstreamFailed("no", fix="call again")]
    assert isinstance(await again(world), Failed)
    world.clock.forward(seconds=DAY * 0.4)
    done = await again(world)
    for _ in range(2):
        world.clock.forward(seconds=DAY * 0.4)
        told = await again(world)
        assert (type(told), told.action, told.recalled) == (Done, done.action, True)
    world.clock.forward(seconds=DAY * 0.3)
    assert not (await again(world)).recalled
    assert len(world.tool.performed) == 3


@pytest.mark.parametrize("failed_before", [0, 1, 3])
async def test_what_nobody_knows_is_not_done_again_however_long_ago_it_was(world: World, failed_before: int) -> None:
    await world.publish()
    world.tool.breaks = [*[UpstreamFailed("no", fix="call again")] * failed_before, RuntimeError("torn")]
    outcomes = [await again(world) for _ in range(failed_before + 1)]
    for days in (0.5, 2, 30, 300):
        world.clock.forward(days=days)
        outcomes.append(await again(world))
    assert {type(each) for each in outcomes[failed_before:]} == {Uncertain}
    assert len({each.action for each in outcomes[failed_before:]}) == 1
    assert len(world.tool.performed) == failed_before + 1


async def test_what_waits_is_told_for_as_long_as_it_waits(world: World) -> None:
    people = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
    await world.publish(ALLOW, a_rule("ask.mail", "ask", expires=Micros(30 * DAY * 1_000_000)), approvals=people)
    parked = await again(world)
    for days in (0, 5, 20):
        world.clock.forward(days=days)
        told = await again(world)
        assert (type(told), told.action) == (Parked, parked.action)


async def test_a_try_again_in_a_run_that_is_named_is_none_of_the_calls_that_its_caller_counts(world: World) -> None:
    await world.publish(loop=Loop(equal_calls=100))
    world.tool.breaks = [UpstreamFailed("no", fix="call again")]
    run = RunId("r-1")
    assert isinstance(await again(world, run=run, occurrence=1), Failed)
    first = await again(world, run=run, occurrence=1)
    second = await again(world, run=run, occurrence=2)
    assert (type(first), type(second), second.recalled) == (Done, Done, False)
    assert first.action != second.action
    world.clock.forward(days=40)
    for occurrence, known in ((1, first), (2, second)):
        assert (await again(world, run=run, occurrence=occurrence)).action == known.action
    assert len(world.tool.performed) == 3


def schema(**more: Any) -> JsonObject:
    return {"type": "object", "properties": {"to": {"type": "string"}, "usd": {"type": "number", **more}}}


async def test_equal_is_what_is_equal_once_it_is_canonical(world: World) -> None:
    await world.publish(tools=(a_tool(schema=schema(default=1)),))
    calls = ['{"to":"sam"}', '{"usd":1, "to":"sam"}', '{"to":"\\u0073am","usd":1.0}', '{"usd":1e0,"to":"sam"}']
    outcomes = [await again(world, arguments) for arguments in calls]
    assert len({each.action for each in outcomes}) == len(world.tool.performed) == 1
    others = ['{"to":"s\u00e4m"}', '{"to":"sa\u0308m"}', '{"to":"sam","usd":1.5}', '{"to":"Sam"}']
    assert len({(await again(world, arguments)).action for arguments in others}) == 4


async def test_under_another_contract_the_same_words_with_another_default_are_another_call(world: World) -> None:
    await world.publish(tools=(a_tool(schema=schema(default=1)),))
    elsewhere = world.another()
    first = [await again(each) for each in (world, elsewhere)]
    await world.publish(tools=(a_tool(schema=schema(default=2)),))
    second = [await again(each) for each in (elsewhere, world, elsewhere)]
    assert [len({each.action for each in outcomes}) for outcomes in (first, second)] == [1, 1]
    assert first[0].action != second[0].action
    assert len(world.tool.performed) == 2


async def test_what_was_a_read_until_a_moment_ago_is_carried_out_once_as_well(world: World) -> None:
    await world.publish(tools=(a_tool(effect=EffectClass.READ),))
    elsewhere = world.another()
    await again(elsewhere)
    await world.publish()
    told = [await again(each) for each in (elsewhere, world, elsewhere)]
    assert len({each.action for each in told}) == 1


async def test_processes_and_sessions_that_call_at_once_carry_out_one(world: World) -> None:
    await world.publish(loop=Loop(equal_calls=100))
    worlds = [world, world.another(), world.another()]
    for days in (0, 2, 2):
        world.clock.forward(days=days)
        done = len(world.tool.performed)
        told = await asyncio.gather(
            *(
                call_or_recall(each.gateway, each.caller(), replace(PROPOSAL, session=RunId(f"s{number}")))
                for number in range(3)
                for each in worlds
            )
        )
        assert len({each.action for each in told}) == 1
        assert len(world.tool.performed) == done + 1


async def test_a_contract_that_changes_its_mind_about_equal_calls_loses_none(world: World) -> None:
    people = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
    contracts: list[dict[str, Any]] = [{"tools": (a_tool(on_repeat=each),)} for each in ("return", "new", "return")]
    parked: list[Outcome] = []
    for contract in contracts:
        await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=people, **contract)
        parked.append(await again(world))
    assert all(one.action == other.action for one, other in pairwise(parked))


class Away:
    """A store that does not answer."""

    def for_tenant(self, tenant: TenantId) -> Any:
        raise StoreClosed("the store is away", fix="look at it")


async def test_a_store_that_is_away_is_a_refusal_as_of_any_call(world: World) -> None:
    await world.publish()
    await again(world)
    world.gateway = replace(world.gateway, store=cast("Any", Away()))
    refused = await again(world)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.INTERNAL


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_in_every_history_an_equal_call_is_told_of_the_newest_or_is_the_next(world: World, seed: int) -> None:
    chance, processes, known = Random(seed), [world, world.another()], list[tuple[ActionId, type[Outcome], int]]()
    contracts: dict[str, Any] = {
        each: {"tools": (a_tool(on_repeat=each),), "loop": Loop(equal_calls=1_000)} for each in REPEATS
    }
    on_repeat = "return"
    await world.publish(**contracts[on_repeat])
    for _ in range(40):
        world.clock.forward(seconds=DAY * chance.choice([0, 0.01, 0.6, 1.1, 9]))
        if chance.random() < 0.1:
            on_repeat = chance.choice(REPEATS)
            await world.publish(**contracts[on_repeat])
        came = chance.choice([Done, Done, Failed, Uncertain] if chance.random() < 0.3 else [Done, Failed])
        world.tool.breaks = [] if came is Done else [UpstreamFailed("no", fix="-") if came is Failed else OSError()]
        before, now = len(world.tool.performed), world.clock.now()
        proposal = replace(PROPOSAL, session=RunId(f"s{chance.randrange(3)}"))
        told = await call_or_recall(chance.choice(processes).gateway, world.caller(), proposal)
        id, ended, at = known[-1] if known else (None, Failed, 0)
        today = ended is Done and on_repeat == "return" and now < at + DAY * 1_000_000
        if ended is Uncertain or today:
            assert (told.action, type(told), told.recalled) == (id, ended, True)
            assert len(world.tool.performed) == before
        else:
            assert told.action not in {each for each, _, _ in known}
            assert (type(told), len(world.tool.performed)) == (came, before + 1)
            known.append((told.action, came, now))


async def test_a_call_of_a_tool_that_is_back_is_another_one_also_where_nobody_has_heard_of_it_yet(world: World) -> None:
    await world.publish()
    elsewhere = world.another()
    first = await again(elsewhere)
    world.clock.forward(days=3)
    await world.publish(a_rule("other", "permit", "other"), tools=(a_tool("other"),))
    assert isinstance(await again(elsewhere), Refused)
    await world.publish()
    second = await again(elsewhere)
    assert (type(second), second.recalled, second.action == first.action) == (Done, False, False)
    assert len(world.tool.performed) == 2


async def test_a_call_during_which_the_contract_changes_again_and_again_is_told_nothing_old(world: World) -> None:
    tools = [(a_tool(description=str(number)),) for number in range(DECIDE_TRIES_MAX + 1)]
    left = iter(tools)

    class Changing(Forces):
        """Another contract is published each time that one is looked up, as often as a call tries."""

        async def of(
            self, store: TenantStore, door: Door, workflow: WorkflowId, environment: Environment
        ) -> Force | None:
            force = await super().of(store, door, workflow, environment)
            for contract in left:
                await world.publish(tools=contract)
                break
            return force

    await world.publish(tools=next(left))
    await again(world)
    world.clock.forward(days=3)
    world.gateway = replace(world.gateway, forces=Changing(world.gateway.performers))
    refused = await again(world)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.OVERLOADED
    assert not (await again(world)).recalled
    assert len(world.tool.performed) == 2
