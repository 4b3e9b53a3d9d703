"""What a hostile reader of the promises tried: second rounds, changed contracts, odd costs, odd hooks."""

import asyncio
from typing import Any

import pytest

from interlock.budget.hold import Balance
from interlock.contract.ir import Approvals, Argument, Consent, Hook, Unique
from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import ActionId, AgentId, Instant, Micros, PersonId, ProcessId, Role, ToolName
from interlock.core.outcome import Done, Failed, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator, set_mode, throw
from interlock.gateway.recover import attend, reap
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.policy.rule import FactIsNot
from test_doors import SUPPORT
from test_faults import losing
from test_uncertain import DAY, ELSEWHERE, uncertain, under_way
from world import ALLOW, KIM, PROD, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

SILENT = UpstreamSilent("", fix="")
ASK = a_rule("ask.mail", "ask")
PEOPLE = Approvals(
    people={Role("lead"): frozenset(map(PersonId, ("ann", "ben", "eve", "sam")))},
    red=Consent(approvers=frozenset({Role("lead")})),
    yellow=Consent(approvers=frozenset({Role("lead")})),
)


def who(name: str, known_by: str = "os:1") -> Operator:
    return Operator(person=PersonId(name), known_by=known_by, process=ProcessId("ptest"))


async def yes(world: World, id: ActionId, by: str, known_by: str = "os:1") -> bool:
    seen = (await world.row(id)).seen
    return (await agree(world.gateway, world.store, id, who(by, known_by), seen=seen)).complete


async def sound(world: World) -> None:
    assert await verify_state(world.store, world.opened.secrets) == ()


async def with_a_fact(
    world: World, *budgets: Any, rules: Any = (ALLOW,), mail: Any = None, **fields: Any
) -> ScriptedTool:
    world.others["risk"] = ScriptedTool(result=False)
    look = a_tool("risk", effect=EffectClass.READ, price=10, only_for_facts=True)
    no = a_rule("no.risk", "deny", when=FactIsNot(name="risky", value=False))
    tools = [mail or a_tool(price=5), look]
    facts = {"risky": Hook(tool=ToolName("risk"))}
    await world.publish(*rules, no, tools=tools, facts=facts, budgets=list(budgets), **fields)
    return world.others["risk"]


@pytest.mark.promise("once", "budget")
async def test_a_no_to_the_second_round_says_nothing_of_the_first(world: World) -> None:
    tool = a_tool(
        effect=EffectClass.IDEMPOTENT_KEY, price=10, resend_within=DAY, unique=Unique(on=("args.to",), within=DAY)
    )
    await world.publish(tools=[tool], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    world.tool.may_answer, world.tool.breaks = None, [UpstreamFailed("all slots are taken", fix="")]
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert isinstance(await world.call({"to": "sam"}, run="r2"), Refused)
    await sound(world)
    task.cancel()


@pytest.mark.promise("once")
async def test_an_action_has_the_class_of_the_contract_that_starts_it(world: World) -> None:
    tool = a_tool(effect=EffectClass.READ, unique=Unique(on=("args.to",), within=DAY))
    await world.publish(ALLOW, ASK, tools=[tool], approvals=PEOPLE)
    parked = await world.call(run="r1")
    await world.publish(tools=[replace(tool, effect=EffectClass.OPAQUE)], approvals=PEOPLE)
    world.tool.breaks = [SILENT]
    assert isinstance(await resume(world.gateway, world.store, parked.action), Uncertain)
    assert isinstance(await world.call(run="r2"), Refused)
    assert len(world.tool.performed) == 1
    await sound(world)


@pytest.mark.promise("door")
@pytest.mark.parametrize("changed", ["agents", "schema", "only_as_undo"])
async def test_what_could_not_be_asked_for_any_more_does_not_go_on(world: World, changed: str) -> None:
    agents = {AgentId("bot"): ""}
    await world.publish(ALLOW, ASK, approvals=PEOPLE, agents=agents)
    parked = await world.call()
    await yes(world, parked.action, "ann")
    fields: dict[str, Any] = {
        "agents": {"agents": {AgentId("other"): ""}},
        "schema": {"agents": agents, "tools": [a_tool(schema={"properties": {"to": {"type": "integer"}}})]},
        "only_as_undo": {"agents": agents, "tools": [a_tool(only_as_undo=True)]},
    }[changed]
    await world.publish(approvals=PEOPLE, **fields)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Refused)
    assert world.tool.performed == []
    await sound(world)


@pytest.mark.promise("door", "stop")
async def test_nothing_is_sent_again_in_a_lower_mode(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.IDEMPOTENT_KEY, resend_within=DAY)])
    task = await under_way(world)
    await set_mode(world.store, SUPPORT, PROD, Mode.READ_ONLY, KIM)
    world.clock.forward(minutes=2)
    world.tool.may_answer = None
    await attend(world.another().gateway, world.store)
    assert len(world.tool.performed) == 1
    task.cancel()


@pytest.mark.promise("once")
async def test_an_older_request_is_not_sent_again_after_another_tool_wrote_to_its_target(world: World) -> None:
    target = {"id": Argument(role="target")}
    tools = [a_tool(name, effect=EffectClass.IDEMPOTENT, resend_within=DAY, arguments=target) for name in ("a", "b")]
    await world.publish(a_rule("1", "permit", "a"), a_rule("2", "permit", "b"), tools=tools)
    first = world.others["a"] = ScriptedTool(may_answer=asyncio.Event())
    world.others["b"] = ScriptedTool()
    task = asyncio.create_task(world.call({"id": "x"}, tool="a", run="r"))
    await first.begun.wait()
    assert isinstance(await world.call({"id": "x"}, tool="b", run="r"), Done)
    world.clock.forward(minutes=2)
    first.may_answer = None
    await attend(world.another().gateway, world.store)
    assert len(first.performed) == 1
    task.cancel()


@pytest.mark.promise("stop", "budget")
async def test_what_is_looked_up_with_obeys_switches_and_budgets_of_its_own(world: World) -> None:
    risk = await with_a_fact(world, a_budget(1000), a_budget(25, tool="risk"))
    for n in range(5):
        await world.call({"n": n})
    assert len(risk.performed) == 2
    risk.performed.clear()
    scope = Scope(tool=ToolName("risk"))
    await throw(world.store, Switch(id="s", kind=SwitchKind.STOP, scope=scope, by=PersonId("k"), at=Instant(0)), KIM)
    assert isinstance(await world.call({"n": 99}), Refused)
    assert risk.performed == []
    await sound(world)


@pytest.mark.promise("budget")
async def test_a_call_of_unknown_cost_looks_nothing_up_and_counts(world: World) -> None:
    mail = a_tool(
        arguments={"amount": Argument(role="quantity", unit="usd"), "more": Argument(role="quantity", unit="usd")}
    )
    budgets = (a_budget(100), a_budget(1000, Unit.USD_OF_ARGS), a_budget(3, Unit.TOOL_CALLS, "run"))
    risk = await with_a_fact(world, *budgets, mail=mail)
    amounts: list[dict[str, Any]] = [{"amount": -1}, {"amount": 9e9, "more": 9e9}, {"amount": "x"}, {"amount": 1}]
    outcomes = [await world.call(each, run="r1") for each in amounts]
    assert {type(outcome) for outcome in outcomes} == {Refused}
    assert (risk.performed, (await world.balance("tool_calls")).spent) == ([], 3)
    await sound(world)


@pytest.mark.promise("budget")
async def test_retries_are_charged_whatever_the_call_came_to(world: World) -> None:
    tool = a_tool(effect=EffectClass.READ, retries=2, backoff=Micros(0))
    await world.publish(tools=[tool], budgets=[a_budget(2, Unit.RETRIES)])
    world.tool.breaks = [SILENT] * 99
    outcomes = [await world.call({"n": n}) for n in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Failed, Refused, Refused]
    assert (len(world.tool.performed), (await world.balance("retries")).spent) == (3, 2)


@pytest.mark.promise("budget")
async def test_what_comes_to_light_late_is_booked_once_though_the_answer_is_lost(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(10, Unit.TOOL_CALLS), a_budget(100)])
    task = await under_way(world)
    # The lease has passed for the store, and its owner still has a moment on the boot clock.
    world.clock.forward(seconds=39)
    world.clock.jump(seconds=2)
    (id,) = await reap(world.store, ELSEWHERE)
    await resolve(world.another().gateway, world.store, id, "did_not_happen", KIM)
    losing(world, answers=1)
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    await task
    assert await world.balance("tool_calls") == Balance(limit=10, spent=1)
    assert (await world.balance()).spent == 10
    await sound(world)


@pytest.mark.promise("ledger")
async def test_a_late_end_under_an_older_limit_leaves_books_that_add_up(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    await resolve(world.another().gateway, world.store, id, "did_not_happen", KIM)
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(200)])
    gate, world.tool.may_answer = world.tool.may_answer, None
    await world.call({"n": 2})
    assert gate is not None
    gate.set()
    await task
    await sound(world)


@pytest.mark.promise("once", "explain")
async def test_what_a_second_round_learns_late_closes_the_action(world: World) -> None:
    tool = a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=10, resend_within=DAY)
    await world.publish(tools=[tool], budgets=[a_budget(100)])
    first = await under_way(world)
    gate, world.tool.begun = world.tool.may_answer, asyncio.Event()
    world.clock.forward(minutes=2)
    second = asyncio.create_task(attend(world.another().gateway, world.store))
    await world.tool.begun.wait()
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    first.cancel()
    assert gate is not None
    gate.set()
    await second
    assert (await world.row(id)).state is ActionState.DONE
    await sound(world)


@pytest.mark.promise("explain")
async def test_a_read_that_was_given_up_is_told_as_it_is_recorded(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.READ, price=10)], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    (id,) = await reap(world.store, ELSEWHERE)
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    assert isinstance(await task, Failed)
    assert (await world.row(id)).state is ActionState.FAILED
    await sound(world)


@pytest.mark.promise("explain", "budget")
async def test_what_was_given_up_says_what_it_was_charged(world: World) -> None:
    await world.publish(tools=[a_tool(price=10)], budgets=[a_budget(100)])
    id = await uncertain(world)
    await resolve(world.gateway, world.store, id, "abandon", KIM)
    assert (await world.row(id)).cost.micros == 10
    await sound(world)


@pytest.mark.promise("consent", "intent")
async def test_what_was_agreed_to_goes_on_though_its_start_was_lost_on_the_way(world: World) -> None:
    await world.publish(ALLOW, ASK, approvals=PEOPLE)
    parked = await world.call()
    await yes(world, parked.action, "ann")
    losing(world, commits=1)
    await attend(world.gateway, world.store)
    assert (await world.row(parked.action)).state is ActionState.DONE
    assert len(world.tool.performed) == 1


@pytest.mark.promise("budget")
async def test_what_waits_for_a_slot_is_not_looked_up_again_and_again(world: World) -> None:
    risk = await with_a_fact(world, a_budget(100), rules=(ALLOW, ASK), approvals=PEOPLE)
    parked = await world.call()
    await yes(world, parked.action, "ann")
    world.tool.slots_left = False
    for _ in range(12):
        await attend(world.gateway, world.store)
    world.tool.slots_left = True
    await attend(world.gateway, world.store)
    assert (await world.row(parked.action)).state is ActionState.DONE
    assert len(risk.performed) == 2


@pytest.mark.promise("intent")
@pytest.mark.parametrize("strange", ["deep", "cancelled"])
async def test_a_look_at_the_record_that_ends_strangely_loses_no_end(world: World, strange: str) -> None:
    look = a_tool("look", effect=EffectClass.READ, only_for_facts=True)
    mail = a_tool(after=Hook(tool=ToolName("look"), args={"all": "$.result"}))
    deep: Any = []
    for _ in range(100_000 if strange == "deep" else 1):
        deep = [deep]
    world.tool.result = deep
    world.others["look"] = ScriptedTool(breaks=[asyncio.CancelledError()])
    await world.publish(tools=[mail, look])
    outcome = await world.call()
    assert isinstance(outcome, Done)
    assert (await world.row(outcome.action)).state is ActionState.DONE


async def test_one_that_takes_long_keeps_nobody_behind_it_waiting(world: World) -> None:
    slow = [a_rule("ask.slow", "ask", "slow"), a_rule("allow.slow", "permit", "slow")]
    await world.publish(ALLOW, ASK, *slow, tools=[a_tool(), a_tool("slow")], approvals=PEOPLE)
    gate = asyncio.Event()
    world.others["slow"] = ScriptedTool(may_answer=gate)
    first, second = await world.call(tool="slow"), await world.call()
    for each in (first, second):
        await yes(world, each.action, "ann")
        world.clock.forward(seconds=1)
    looking = asyncio.create_task(attend(world.gateway, world.store))
    await world.tool.begun.wait()
    gate.set()
    await looking
    rows = [(await world.row(each.action)).state for each in (first, second)]
    assert rows == [ActionState.DONE, ActionState.DONE]


async def test_a_clock_that_jumps_over_a_period_says_so(world: World) -> None:
    await world.publish(budgets=[a_budget(10, Unit.TOOL_CALLS)])
    assert isinstance(await world.call({"n": 1}), Done)
    world.clock.jump(seconds=2 * 86_400)
    outcome = await world.call({"n": 2})
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.STOPPED
