"""What happens to an action whose end nobody knows."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from interlock.budget.hold import Balance
from interlock.contract.ir import Argument, Hook, Unique
from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass
from interlock.core.errand import Terms
from interlock.core.errors import NotPermitted, UpstreamFailed, UpstreamSilent
from interlock.core.ids import ActionId, Micros, ProcessId, ToolName
from interlock.core.outcome import Done, Failed, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.gateway.recover import attend, reap
from interlock.gateway.resolve import resolve
from interlock.ports import Wanted
from world import KIM, MAIL, ScriptedTool, World, a_budget, a_tool

pytestmark = pytest.mark.anyio

SILENT = UpstreamSilent("no answer", fix="")
DAY = Micros(86_400_000_000)
ELSEWHERE = ProcessId("pelsewhere")


async def uncertain(world: World, **fields: Any) -> ActionId:
    world.tool.breaks.append(SILENT)
    outcome = await world.call(**fields)
    assert isinstance(outcome, Uncertain), outcome
    return outcome.action


async def under_way(world: World) -> "asyncio.Task[object]":
    """Start a call whose tool has not answered yet."""
    world.tool.may_answer, world.tool.begun = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(world.call(run="r1"))
    await world.tool.begun.wait()
    return task


@pytest.mark.promise("once")
async def test_a_lease_that_has_passed_is_given_up_and_a_late_answer_closes_it(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    task = await under_way(world)
    assert await reap(world.store, ELSEWHERE) == ()
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert (await world.balance()).held == 10
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    assert isinstance(await task, Done)
    assert await world.history() == ["started started: allow.mail", "ended uncertain: 0", "evidence done: 10"]
    assert await world.balance() == Balance(limit=100, spent=10)


@pytest.mark.promise("once", "budget")
async def test_a_late_answer_after_a_verdict_is_evidence_and_changes_nothing(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    await resolve(world.gateway, world.store, id, "did_not_happen", KIM)
    assert await world.balance() == Balance(limit=100)
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    assert isinstance(await task, Uncertain)
    assert (await world.row(id)).state is ActionState.FAILED
    last = json.loads((await world.store.entries())[-1])
    assert (last["kind"], last["detail"]) == ("evidence", {"late": "done"})


async def test_whoever_resolves_what_is_under_way_hears_when_they_may(world: World) -> None:
    await world.publish()
    task = await under_way(world)
    (row,) = await world.store.actions(Wanted(limit=1))
    with pytest.raises(NotPermitted, match="is under way") as told:
        await resolve(world.gateway, world.store, row.action.id, "happened", KIM)
    assert "once its lease is over" in told.value.fix
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    await resolve(world.gateway, world.store, id, "happened", KIM)
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    await task


@pytest.mark.promise("once")
async def test_nothing_is_sent_after_its_lease(world: World) -> None:
    await world.publish()

    class SleepsFirst(ScriptedTool):
        def free(self) -> bool:
            world.clock.forward(minutes=2)  # the machine sleeps between the start and the first byte
            return True

    world.others[MAIL] = SleepsFirst()
    world.gateway.performers.find("script:" + MAIL, Terms())
    outcome = await world.call()
    assert isinstance(outcome, Done)  # the lease is counted from the start, which came after the sleep

    class SleepsLate(ScriptedTool):
        async def perform(self, errand: object) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]
            world.clock.forward(minutes=2)
            return await super().perform(errand)  # pyright: ignore[reportArgumentType]

    late = SleepsLate()
    world.others[MAIL] = late
    outcome = await world.call()
    assert isinstance(outcome, Failed)
    assert late.performed == []


@pytest.mark.parametrize(
    ("verdict", "state", "balance"),
    [
        ("happened", ActionState.DONE, Balance(limit=100, spent=10)),
        ("did_not_happen", ActionState.FAILED, Balance(limit=100)),
        ("abandon", ActionState.ABANDONED, Balance(limit=100, spent=10)),
    ],
)
async def test_a_person_puts_an_end_to_not_knowing(
    world: World, verdict: str, state: ActionState, balance: Balance
) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    id = await uncertain(world)
    await resolve(world.gateway, world.store, id, verdict, KIM, result={"id": 7})  # pyright: ignore[reportArgumentType]
    assert (await world.row(id)).state is state
    assert await world.balance() == balance
    last = json.loads((await world.store.entries())[-1])
    assert (last["kind"], last["detail"]) == (
        "resolved",
        {"verdict": verdict, "by": "kim", "known_by": "os:1000"},
    )
    with pytest.raises(NotPermitted, match="nobody doubts"):
        await resolve(world.gateway, world.store, id, "abandon", KIM)


@pytest.mark.promise("once")
async def test_a_retry_is_a_new_action_and_asks_whether_the_first_may_still_happen(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    id = await uncertain(world, run="r1")
    other = world.another()
    with pytest.raises(NotPermitted, match="may still happen"):
        await resolve(other.gateway, world.store, id, "retry", KIM)
    resolved = await resolve(other.gateway, world.store, id, "retry", KIM, may_still_happen=True)
    assert isinstance(resolved.retried, Done)
    assert (await world.row(resolved.retried.action)).action.retry_of == id
    assert (await world.row(id)).state is ActionState.ABANDONED
    assert await world.balance() == Balance(limit=100, spent=20)


@pytest.mark.promise("once")
@pytest.mark.parametrize("effect", [EffectClass.IDEMPOTENT, EffectClass.IDEMPOTENT_KEY])
async def test_what_is_harmless_to_repeat_is_sent_again_with_the_same_key_after_its_owner_is_gone(
    world: World, effect: EffectClass
) -> None:
    tool = a_tool(effect=effect, price=10, resend_within=DAY)
    await world.publish(tools=[tool], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    world.tool.may_answer = None
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.DONE
    assert len(world.tool.performed) == 2
    assert len(set(world.tool.keys)) == 1
    # Nobody says what the first attempt cost, so it counts as well.
    assert await world.balance() == Balance(limit=100, spent=20)
    task.cancel()


@pytest.mark.promise("once")
async def test_an_older_request_is_not_sent_again_after_a_newer_one_on_the_same_target(world: World) -> None:
    tool = a_tool(effect=EffectClass.IDEMPOTENT, resend_within=DAY, arguments={"id": Argument(role="id")})
    await world.publish(tools=[tool])
    world.tool.may_answer = asyncio.Event()
    first = asyncio.create_task(world.call({"id": 1, "to": "a"}))
    await world.tool.begun.wait()
    world.tool.may_answer = None
    assert isinstance(await world.call({"id": 1, "to": "b"}), Done)
    world.clock.forward(minutes=2)
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert len(world.tool.performed) == 2
    first.cancel()


@pytest.mark.promise("once")
async def test_nothing_is_sent_again_beyond_the_time_that_the_contract_gives(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.IDEMPOTENT_KEY, resend_within=Micros(60_000_000))])
    task = await under_way(world)
    world.clock.forward(minutes=5)
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert len(world.tool.performed) == 1
    task.cancel()


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ({"happened": True, "result": {"id": 7}}, ActionState.DONE),
        ({"happened": False}, ActionState.FAILED),
        ({"happened": "maybe"}, ActionState.UNCERTAIN),
        ("garbage", ActionState.UNCERTAIN),
    ],
)
async def test_what_can_be_asked_about_is_asked_about(world: World, says: object, state: ActionState) -> None:
    ask = a_tool("was.sent", effect=EffectClass.READ, only_for_facts=True)
    tool = a_tool(effect=EffectClass.QUERYABLE, price=10, reconcile=Hook(tool=ToolName("was.sent")))
    world.others["was.sent"] = ScriptedTool(result=says)  # pyright: ignore[reportArgumentType]
    await world.publish(tools=[tool, ask], budgets=[a_budget(100)])
    id = await uncertain(world)
    await attend(world.gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN  # it may still happen
    world.clock.forward(minutes=2)
    await attend(world.gateway, world.store)
    assert (await world.row(id)).state is state
    held, spent = {"done": (0, 10), "failed": (0, 0), "uncertain": (10, 0)}[state.value]
    assert await world.balance() == Balance(limit=100, held=held, spent=spent)


async def test_a_read_that_nobody_answered_failed_and_what_it_may_have_cost_is_charged(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.READ, price=10)], budgets=[a_budget(100)])
    world.tool.breaks = [SILENT]
    assert isinstance(await world.call(), Failed)
    assert await world.balance() == Balance(limit=100, spent=10)


@pytest.mark.promise("once")
async def test_the_same_effect_on_the_same_business_key_is_refused_from_any_run(world: World) -> None:
    tool = a_tool(unique=Unique(on=("args.invoice",), within=DAY))
    await world.publish(tools=[tool])
    assert isinstance(await world.call({"invoice": 1, "n": 1}, run="r1"), Done)
    again = await world.call({"invoice": 1, "n": 2}, run="r2")
    assert isinstance(again, Refused)
    assert again.reason is Reason.DUPLICATE
    assert isinstance(await world.call({"invoice": 2}, run="r2"), Done)
    world.clock.forward(days=1)
    assert isinstance(await world.call({"invoice": 1, "n": 3}, run="r3"), Done)


async def test_a_business_key_is_free_again_when_it_is_sure_that_nothing_happened(world: World) -> None:
    await world.publish(tools=[a_tool(unique=Unique(on=("args.invoice",), within=DAY))])
    world.tool.breaks = [UpstreamFailed("no", fix="")]
    assert isinstance(await world.call({"invoice": 1}), Failed)
    id = await uncertain(world, arguments={"invoice": 1})
    assert isinstance(await world.call({"invoice": 1}), Refused)
    await resolve(world.gateway, world.store, id, "abandon", KIM)
    assert isinstance(await world.call({"invoice": 1}), Refused)


async def test_a_record_is_changed_by_one_action_at_a_time(world: World) -> None:
    await world.publish(tools=[a_tool(serialize="args.invoice")])
    world.tool.may_answer = asyncio.Event()
    first = asyncio.create_task(world.call({"invoice": 1, "n": 1}))
    await world.tool.begun.wait()
    waits = world.tool.may_answer
    world.tool.may_answer = None
    second = await world.call({"invoice": 1, "n": 2})
    assert isinstance(second, Refused)
    assert second.reason is Reason.OVERLOADED
    assert isinstance(await world.call({"invoice": 2}), Done)
    waits.set()
    assert isinstance(await first, Done)
    assert isinstance(await world.call({"invoice": 1, "n": 3}), Done)


async def test_an_uncertain_record_stays_closed_until_somebody_resolves_it(world: World) -> None:
    await world.publish(tools=[a_tool(serialize="args.invoice")])
    id = await uncertain(world, arguments={"invoice": 1})
    assert isinstance(await world.call({"invoice": 1, "n": 2}), Refused)
    await resolve(world.gateway, world.store, id, "happened", KIM)
    assert isinstance(await world.call({"invoice": 1, "n": 3}), Done)


async def test_a_read_that_is_cached_is_answered_for_whoever_asked_and_for_nobody_else(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.READ, cache_ttl=Micros(60_000_000))])
    first, again = await world.call(run="r1"), await world.call(run="r2")
    assert isinstance(again, Done)
    assert (again.action, again.recalled) == (first.action, True)
    assert not (await world.call(caller=world.caller(principal="eve"))).recalled
    world.clock.forward(minutes=1)
    assert not (await world.call()).recalled


@pytest.mark.parametrize("calls", ["AAAA", "ABABABAB"])
async def test_a_run_that_goes_in_circles_is_stopped(world: World, calls: str) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.READ)], budgets=[a_budget(50, Unit.TOOL_CALLS, "run")])
    outcomes = [await world.call({"what": call}, run="r1") for call in calls]
    reasons = Counter(o.reason for o in outcomes if isinstance(o, Refused))
    assert reasons[Reason.LOOP] >= 1
    assert isinstance(outcomes[0], Done)
    assert isinstance(await world.call({"what": "A"}, run="r2"), Done)
