"""Nothing stays open for ever, is sent again in a lower mode, or is done beside what a person was shown or said."""

from typing import Any

import pytest

from interlock.contract.ir import Approvals, Consent, Hook, Unique
from interlock.core.action import ActionState
from interlock.core.effect import EffectClass, Mode
from interlock.core.ids import ActionId, Instant, PersonId, Role, ToolName, WorkflowId
from interlock.core.outcome import Done, Parked
from interlock.core.value import replace
from interlock.gateway.consent import agree
from interlock.gateway.doors import set_mode
from interlock.gateway.recover import attend
from interlock.gateway.resume import resume
from interlock.gateway.reverse import answer, ask_for, undo
from interlock.ports import Wanted
from test_uncertain import DAY, SILENT, under_way
from test_undo import AS_UNDO, UNDO
from world import ALLOW, KIM, PROD, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio
LEAD = Role("lead")
PEOPLE = Approvals(people={LEAD: frozenset({PersonId("ann")})}, yellow=Consent(approvers=frozenset({LEAD})))


@pytest.mark.promise("once")
async def test_what_no_process_can_send_again_is_given_up_once_its_window_has_passed(world: World) -> None:
    await world.publish(
        tools=[a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=10, resend_within=DAY)], budgets=[a_budget(100)]
    )
    task = await under_way(world)
    world.clock.forward(days=10)
    world.tool.slots_left = False  # busy, gone, or another function than the one that was published
    await attend(world.another().gateway, world.store)
    (row,) = await world.store.actions(Wanted())
    task.cancel()
    assert row.state is ActionState.UNCERTAIN, row.state


@pytest.mark.promise("stop")
async def test_in_a_mode_in_which_it_would_wait_for_a_person_nothing_is_sent_again(world: World) -> None:
    await world.publish(tools=[a_tool(effect=EffectClass.IDEMPOTENT_KEY, resend_within=DAY)], approvals=PEOPLE)
    task = await under_way(world)
    world.clock.forward(minutes=2)
    await set_mode(world.store, WorkflowId("support"), PROD, Mode.ASK, KIM)
    world.tool.may_answer = None
    await attend(world.another().gateway, world.store)
    task.cancel()
    assert len(world.tool.performed) == 1, await world.history()


@pytest.mark.promise("once")
async def test_the_first_round_that_says_it_happened_is_believed_though_a_second_one_was_silent(world: World) -> None:
    """Else a person may say that it did not happen, the key is free, and the same effect happens once more."""
    tool = a_tool(
        effect=EffectClass.IDEMPOTENT_KEY, price=10, resend_within=DAY, unique=Unique(on=("args.to",), within=DAY)
    )
    await world.publish(tools=[tool], budgets=[a_budget(100)])
    task = await under_way(world)
    world.clock.forward(minutes=2)
    gate, world.tool.may_answer = world.tool.may_answer, None
    world.tool.breaks = [SILENT]
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert gate is not None
    gate.set()
    await task
    assert (await world.row(id)).state is ActionState.DONE, (await world.balance(), await world.history())


async def an_effect(world: World, *rules: Any, **fields: Any) -> ActionId:
    mail = a_tool(effect=EffectClass.IDEMPOTENT_KEY, undo=UNDO, after=Hook(tool=ToolName("mail.status")))
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True)
    look = a_tool("mail.status", effect=EffectClass.READ, only_for_facts=True, price=0)
    world.tool.result = {"id": 7}
    world.others["mail.unsend"] = ScriptedTool(result="called back")
    world.others["mail.status"] = ScriptedTool(result={"read": False})
    await world.publish(ALLOW, AS_UNDO, *rules, tools=[mail, back, look], **fields)
    done = await world.call(run="r1")
    assert isinstance(done, Done)
    return done.action


@pytest.mark.promise("undo")
async def test_an_undo_that_waited_for_a_yes_looks_again_whether_the_record_has_changed(world: World) -> None:
    id = await an_effect(world, a_rule("ask.unsend", "ask", "mail.unsend"), approvals=PEOPLE)
    waits = await undo(world.gateway, world.store, id, KIM)
    assert isinstance(waits, Parked), waits
    world.others["mail.status"].result = {"read": True}
    ann = replace(KIM, person=PersonId("ann"))
    await agree(world.gateway, world.store, waits.action, ann, seen=(await world.row(waits.action)).seen)
    await resume(world.gateway, world.store, waits.action)
    assert world.others["mail.unsend"].performed == [], await world.history()


@pytest.mark.promise("undo")
async def test_who_says_even_if_changed_while_an_older_wish_is_answered_is_not_forgotten(world: World) -> None:
    id = await an_effect(world)
    world.others["mail.status"].result = {"read": True}
    await ask_for(world.gateway, world.store, id, KIM)
    (old,) = await world.store.notices(before=Instant(world.clock.now() + 1), topics=("undo",))
    await ask_for(world.gateway, world.store, id, KIM, even_if_changed=True)  # while the older wish is looked at
    await answer(world.gateway, world.store, old)
    await attend(world.gateway, world.store)
    assert len(world.others["mail.unsend"].performed) == 1, await world.history()


@pytest.mark.promise("undo")
async def test_who_asked_for_an_undo_that_policy_refused_is_told(world: World) -> None:
    id = await an_effect(world, a_rule("no.unsend", "deny", "mail.unsend"))
    await ask_for(world.gateway, world.store, id, KIM)
    await attend(world.gateway, world.store)
    told = await world.store.notices(before=Instant(world.clock.now() + 1), topics=("incident",))
    assert [line.action for line in told] == [id], await world.history()
