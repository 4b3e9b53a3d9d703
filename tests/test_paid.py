"""What is paid and counted beside the effect itself: look-ups, attempts, calls that never start, late ends."""

import asyncio
from typing import Any

import pytest

from interlock.budget.hold import Balance
from interlock.contract.ir import Approvals, Hook
from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import Instant, Micros, PersonId, Role, ToolName
from interlock.core.outcome import Done, Parked, Refused, Suggested, Uncertain
from interlock.core.reason import Reason
from interlock.gateway.compare import verify_state
from interlock.gateway.doors import throw
from interlock.gateway.recover import attend, reap
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.gateway.reverse import undo
from interlock.policy.rule import FactIsNot
from test_consent import yes
from test_uncertain import ELSEWHERE, under_way
from test_undo import publish as a_mail_that_can_be_called_back
from world import ALLOW, KIM, MAIL, PROD, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("budget")]

RISK = ToolName("risk")
RISKY = a_rule("no.risk", "deny", when=FactIsNot(name="risky", value=False))
SILENT = UpstreamSilent("no answer", fix="")


async def with_a_paid_fact(world: World, *rules: Any, limit: int = 100, **fields: Any) -> ScriptedTool:
    """A mail that costs 5, and a fact about it that costs 10 and is looked up for each call."""
    world.others[RISK] = ScriptedTool(result=False)
    look = a_tool(RISK, effect=EffectClass.READ, price=10, only_for_facts=True)
    mail = fields.pop("mail", a_tool(price=5))
    await world.publish(
        *(rules or (ALLOW, RISKY)),
        tools=[mail, look],
        facts={"risky": Hook(tool=RISK)},
        budgets=[a_budget(limit)],
        **fields,
    )
    return world.others[RISK]


async def sound(world: World) -> None:
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_callers_at_once_do_not_look_up_more_than_the_budget_pays(world: World) -> None:
    risk = await with_a_paid_fact(world, limit=100)
    outcomes = await asyncio.gather(*(world.call({"n": n}) for n in range(40)))
    balance = await world.balance()
    assert (balance.spent <= 100, balance.held) == (True, 0)
    assert balance.spent == 10 * len(risk.performed) + 5 * len(world.tool.performed)
    assert len(risk.performed) <= 10
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Refused)}
    assert reasons == {Reason.BUDGET_EXCEEDED}
    await sound(world)


async def test_what_was_looked_up_is_part_of_what_it_cost_and_is_charged_once(world: World) -> None:
    await with_a_paid_fact(world)
    outcome = await world.call()
    assert isinstance(outcome, Done)
    assert outcome.cost.micros == 15
    assert await world.balance() == Balance(limit=100, spent=15)
    assert await world.history() == [
        "looked_up asked: 10",
        "started started: allow.mail",
        "ended done: 15",
    ]
    await sound(world)


@pytest.mark.promise("stop")
@pytest.mark.parametrize("closed", ["switch", "mode", "rule"])
async def test_nothing_is_looked_up_for_what_is_refused_anyway(world: World, closed: str) -> None:
    rules = (RISKY,) if closed == "rule" else ()
    modes = {PROD: Mode.READ_ONLY if closed == "mode" else Mode.ACT}
    risk = await with_a_paid_fact(world, *rules, modes=modes)
    if closed == "switch":
        stop = Switch(id="s1", kind=SwitchKind.STOP, scope=Scope(), by=PersonId("kim"), at=Instant(0))
        await throw(world.store, stop, KIM)
    assert isinstance(await world.call(), Refused)
    assert (risk.performed, await world.balance()) == ([], Balance(limit=0))


async def test_a_caller_that_leaves_while_something_is_looked_up_leaves_a_ledger_that_adds_up(world: World) -> None:
    risk = await with_a_paid_fact(world)
    risk.may_answer = asyncio.Event()
    task = asyncio.create_task(world.call())
    await risk.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await world.balance() == Balance(limit=100, spent=10)
    assert await world.store.entries_of(risk.performed[0])
    await sound(world)


async def test_every_attempt_is_held_and_charged(world: World) -> None:
    tool = a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=10, retries=2, backoff=Micros(0))
    await world.publish(tools=[tool], budgets=[a_budget(100)])
    world.tool.breaks = [SILENT]
    outcome = await world.call()
    assert isinstance(outcome, Done)
    assert outcome.cost.micros == 20
    assert await world.balance() == Balance(limit=100, spent=20)
    await world.publish(tools=[tool], budgets=[a_budget(49)])
    refused = await world.call({"to": "eve"})
    assert isinstance(refused, Refused)
    assert "lacks" in refused.why
    await sound(world)


@pytest.mark.parametrize("said", [-1, -(10**9), 2**60])
async def test_a_cost_that_is_none_counts_as_unknown(world: World, said: int) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    world.tool.costs = {"usd": said}
    outcome = await world.call()
    assert isinstance(outcome, Done)
    assert await world.balance() == Balance(limit=100, spent=10)
    await sound(world)


async def test_what_is_parked_counts_as_a_call_of_its_run_once(world: World) -> None:
    people = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
    calls = a_budget(2, Unit.TOOL_CALLS, "run")
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), budgets=[calls], approvals=people)
    first = await world.call({"n": 1}, run="r1")
    assert isinstance(first, Parked)
    assert (await world.balance("tool_calls")).spent == 1
    await yes(world, first.action)
    assert isinstance(await resume(world.gateway, world.store, first.action), Done)
    assert (await world.balance("tool_calls")).spent == 1
    assert isinstance(await world.call({"n": 2}, run="r1"), Parked)
    third = await world.call({"n": 3}, run="r1")
    assert isinstance(third, Refused)
    assert third.reason is Reason.TOO_MANY_TOOL_CALLS
    await sound(world)


@pytest.mark.parametrize(("what", "reason"), [("{", Reason.INVALID_ARGUMENTS), ("no tool", Reason.TOOL_NOT_ALLOWED)])
async def test_calls_that_nobody_could_judge_count_as_calls_of_their_run(
    world: World, what: str, reason: Reason
) -> None:
    await world.publish(budgets=[a_budget(2, Unit.TOOL_CALLS, "run")])
    fields: dict[str, Any] = {"tool": "rm"} if what == "no tool" else {"arguments": what}
    outcomes = [await world.call(run="r1", **fields) for _ in range(3)]
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Refused)] == [
        reason,
        reason,
        Reason.TOO_MANY_TOOL_CALLS,
    ]
    assert await world.balance("tool_calls") == Balance(limit=2, spent=2)
    await sound(world)


@pytest.mark.promise("once")
async def test_nothing_is_sent_again_that_could_not_be_paid_again(world: World) -> None:
    tool = a_tool(effect=EffectClass.IDEMPOTENT, price=10, resend_within=Micros(86_400_000_000))
    await world.publish(tools=[tool], budgets=[a_budget(19)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert len(world.tool.performed) == 1
    assert (await world.balance()).held == 10
    await sound(world)
    task.cancel()


async def test_what_comes_to_light_after_a_verdict_is_charged_and_closes_the_budget(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    await resolve(world.another().gateway, world.store, id, "did_not_happen", KIM)
    assert await world.balance() == Balance(limit=100)
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    assert isinstance(await task, Uncertain)
    assert await world.balance() == Balance(limit=100, spent=10, closed=True)
    assert (await world.row(id)).state is ActionState.FAILED
    topics = [notice.topic for notice in await world.store.notices(before=Instant(2**53))]
    assert topics == ["incident"]
    await sound(world)


async def test_an_overrun_never_closes_the_budget_that_undos_are_charged_to(world: World) -> None:
    back = await a_mail_that_can_be_called_back(world)
    back.costs = {"usd": 1_000}
    for n in range(2):
        world.clock.forward(days=n)
        first = await world.call({"to": f"sam{n}"}, run=f"r{n}")
        assert isinstance(await undo(world.gateway, world.store, first.action, KIM), Done)
    await sound(world)


async def test_a_red_draft_counts_as_a_call(world: World) -> None:
    calls = a_budget(1, Unit.TOOL_CALLS, "run")
    await world.publish(tools=[a_tool(MAIL, tier=Tier.RED)], budgets=[calls])
    assert isinstance(await world.call({"n": 1}, run="r1"), Suggested)
    assert isinstance(await world.call({"n": 2}, run="r1"), Refused)


async def test_what_was_looked_up_for_an_action_is_told_whatever_becomes_of_it(world: World) -> None:
    people = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
    rules = (ALLOW, RISKY, a_rule("ask.mail", "ask"))
    await with_a_paid_fact(world, *rules, approvals=people)
    parked = await world.call()
    for _ in range(2):
        assert isinstance(await resume(world.gateway, world.store, parked.action), Parked)
    assert await yes(world, parked.action)
    outcome = await resume(world.gateway, world.store, parked.action)
    assert isinstance(outcome, Done)
    assert (outcome.cost.micros, (await world.row(parked.action)).gathered) == (45, 40)
    assert (await world.balance()).spent == 45
    await with_a_paid_fact(world)
    world.tool.slots_left = False
    refused = await world.call({"to": "eve"})
    assert (await world.row(refused.action)).gathered == 10
    await sound(world)


async def test_refusals_that_no_rule_made_count_as_calls_too(world: World) -> None:
    await world.publish(budgets=[a_budget(2, Unit.TOOL_CALLS, "run")])
    world.tool.slots_left = False
    outcomes = [await world.call({"n": n}, run="r1") for n in range(3)]
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Refused)] == [
        Reason.OVERLOADED,
        Reason.OVERLOADED,
        Reason.TOO_MANY_TOOL_CALLS,
    ]
    await sound(world)
