"""Second rounds of sending and looks at the record: who leaves them to whom, what keeps them back, what they cost."""

import asyncio
import json
from typing import Any

import pytest

from interlock.budget.hold import Balance
from interlock.contract.ir import Argument, Hook, Undo
from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass
from interlock.core.errand import Terms
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Instant, Micros, PersonId, ToolName
from interlock.core.outcome import Done
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.gateway.doors import throw
from interlock.gateway.force import Forces
from interlock.gateway.gather import Facts
from interlock.gateway.recover import attend, reap
from interlock.gateway.reverse import undo
from interlock.policy.rule import AsUndo, FactIsNot
from interlock.ports import Performer, Wanted
from test_uncertain import DAY, ELSEWHERE, under_way
from world import ALLOW, KIM, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

ID = {"id": Argument(role="id")}
AGAIN: dict[str, Any] = {"effect": EffectClass.IDEMPOTENT_KEY, "resend_within": DAY}


async def whose_owner_is_gone(world: World, **arguments: str) -> None:
    """Leave a call behind that was sent and never answered, and whose lease has passed."""
    world.tool.may_answer, world.tool.begun = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(world.call(arguments))
    await world.tool.begun.wait()
    task.cancel()
    world.clock.forward(minutes=2)
    world.tool.may_answer = None


def a_stop(scope: Scope | None = None) -> Switch:
    return Switch(id="s1", kind=SwitchKind.STOP, scope=scope or Scope(), by=PersonId("kim"), at=Instant(0))


async def sound(world: World) -> None:
    assert await verify_state(world.store, world.opened.secrets) == ()


@pytest.mark.promise("once")
async def test_nothing_older_is_sent_again_though_the_contract_of_the_newer_one_resends_nothing(world: World) -> None:
    resends = a_tool(effect=EffectClass.IDEMPOTENT, resend_within=DAY, arguments=ID)
    await world.publish(tools=[resends])
    await whose_owner_is_gone(world, id="7", to="old")
    await world.publish(tools=[a_tool(effect=EffectClass.IDEMPOTENT, arguments=ID)])
    assert isinstance(await world.call({"id": "7", "to": "new"}), Done)
    await world.publish(tools=[resends])
    await attend(world.another().gateway, world.store)
    assert json.loads(world.tool.sent[-1])["to"] == "new"


@pytest.mark.promise("once")
async def test_nothing_older_is_sent_again_after_a_write_that_names_the_target_among_others(world: World) -> None:
    world.others["move"] = ScriptedTool()
    both = {"id": Argument(role="id"), "shelf": Argument(role="target")}
    tools = [a_tool(effect=EffectClass.IDEMPOTENT, resend_within=DAY, arguments=ID), a_tool("move", arguments=both)]
    await world.publish(ALLOW, a_rule("allow.move", "permit", "move"), tools=tools)
    await whose_owner_is_gone(world, id="7", to="old")
    assert isinstance(await world.call({"id": "7", "shelf": "b"}, tool="move"), Done)
    await attend(world.another().gateway, world.store)
    assert len(world.tool.sent) == 1


@pytest.mark.promise("budget")
async def test_a_read_that_answers_after_it_was_given_up_is_paid_once(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.READ, price=10)], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    await reap(world.store, ELSEWHERE)
    assert world.tool.may_answer is not None
    world.tool.may_answer.set()
    await task
    assert await world.balance() == Balance(limit=100, spent=10)
    await sound(world)


async def test_a_process_without_a_slot_leaves_a_second_round_to_its_next_look(world: World) -> None:
    await world.publish(tools=[a_tool(**AGAIN)])
    await whose_owner_is_gone(world, to="sam")
    world.tool.slots_left = False
    assert await attend(world.another().gateway, world.store) == ()
    world.tool.slots_left = True
    await attend(world.another().gateway, world.store)
    (row,) = await world.store.actions(Wanted())
    assert row.state is ActionState.DONE


async def test_a_process_with_another_function_looks_after_everything_else(world: World) -> None:
    class Unfit:
        def find(self, source: str, terms: Terms) -> Performer | None:
            raise ContractInvalid("it is another function", fix="publish again")

    unfit = Unfit()
    lacking = replace(world.gateway, performers=unfit, forces=Forces(unfit), facts=Facts(unfit), under_way={}, doors={})
    await world.publish(tools=[a_tool(**AGAIN)])
    await whose_owner_is_gone(world, to="sam")
    assert await attend(lacking, world.store) == ()
    await attend(world.another().gateway, world.store)
    (row,) = await world.store.actions(Wanted())
    assert row.state is ActionState.DONE


@pytest.mark.promise("budget", "stop")
async def test_a_look_at_the_record_obeys_the_limits_and_the_switches_of_its_tool(world: World) -> None:
    look = world.others["look"] = ScriptedTool(result=1)
    mail = a_tool(after=Hook(tool=ToolName("look")))
    looks = a_tool("look", effect=EffectClass.READ, price=3, only_for_facts=True)
    await world.publish(tools=[mail, looks], budgets=[a_budget(2, Unit.CALLS, tool="look")])
    for n in range(4):
        assert isinstance(await world.call({"n": n}), Done)
    assert len(look.performed) == 2
    await world.publish(tools=[mail, looks])
    await throw(world.store, a_stop(Scope(tool=ToolName("look"))), KIM)
    assert isinstance(await world.call({"n": 5}), Done)
    assert len(look.performed) == 2
    await sound(world)


@pytest.mark.promise("undo")
@pytest.mark.parametrize("closed", ["budget", "stop"])
async def test_an_operators_undo_may_look_up_what_its_rules_look_at(world: World, closed: str) -> None:
    world.others["risk"], world.others["back"] = ScriptedTool(result=False), ScriptedTool()
    world.tool.result = {"id": 7}
    undoing = Undo(tool=ToolName("back"), args={"id": "$.result.id"}, within=DAY)
    tools = [
        a_tool(undo=undoing),
        a_tool("back", only_as_undo=True),
        a_tool("risk", effect=EffectClass.READ, price=1, only_for_facts=True),
    ]
    rules = [
        a_rule("allow.back", "permit", "back", when=AsUndo()),
        a_rule("no.risk", "deny", "back", when=FactIsNot(name="risky", value=False)),
    ]
    facts = {"risky": Hook(tool=ToolName("risk"))}
    limit = a_budget(0 if closed == "budget" else 9, Unit.CALLS, tool="risk")
    await world.publish(ALLOW, *rules, tools=tools, facts=facts, budgets=[limit])
    first = await world.call()
    if closed == "stop":
        await throw(world.store, a_stop(), KIM)
    assert isinstance(await undo(world.gateway, world.store, first.action, KIM), Done)
    await sound(world)


@pytest.mark.promise("budget")
async def test_a_look_up_that_nobody_can_make_costs_nothing(world: World) -> None:
    world.others["risk"] = ScriptedTool(slots_left=False)
    tools = [a_tool(), a_tool("risk", effect=EffectClass.READ, price=10, only_for_facts=True)]
    rule = a_rule("no.risk", "deny", when=FactIsNot(name="risky", value=False))
    facts = {"risky": Hook(tool=ToolName("risk"))}
    await world.publish(ALLOW, rule, tools=tools, facts=facts, budgets=[a_budget(100)])
    await world.call()
    assert await world.balance() == Balance(limit=0)


@pytest.mark.promise("budget")
async def test_a_second_round_with_pauses_overruns_no_limit_on_time(world: World) -> None:
    tool = a_tool(timeout=Micros(1_000_000), price=10, **AGAIN)
    await world.publish(tools=[tool], budgets=[a_budget(100), a_budget(60_000_000, Unit.SECONDS)])
    await whose_owner_is_gone(world, to="sam")
    await attend(world.another().gateway, world.store)
    assert not (await world.balance("seconds")).closed
    assert not (await world.balance("usd")).closed
    await sound(world)
