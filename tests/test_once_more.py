"""What must not slip through on a second try: retries, resends, undos of undos, keys, salts, notices that wait."""

import asyncio
import json

import pytest

from interlock.contract.ir import Approvals
from interlock.core.action import ActionState
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode
from interlock.core.errand import Terms
from interlock.core.errors import NotPermitted, UpstreamSilent
from interlock.core.ids import Environment, Instant, Micros, PersonId, Role, ToolName
from interlock.core.outcome import Done, Parked, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.doors import publish, resume_switch, throw
from interlock.gateway.recover import attend
from interlock.gateway.resolve import resolve
from interlock.gateway.reverse import ask_for, undo
from interlock.ports import Performer
from test_consent import yes
from test_store import execute
from test_uncertain import DAY, uncertain, under_way
from test_undo import publish as a_mail_that_can_be_called_back
from world import ALLOW, KIM, ScriptedTool, Scripts, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

LEAD = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
ANN = replace(KIM, person=PersonId("ann"))
STOP = Switch(id="s1", kind=SwitchKind.STOP, scope=Scope(), by=PersonId("kim"), at=Instant(0))


@pytest.mark.promise("once")
async def test_of_two_people_who_resolve_at_once_one_is_heard(world: World) -> None:
    await world.publish()
    id = await uncertain(world)
    other = world.another()
    told = await asyncio.gather(
        resolve(other.gateway, world.store, id, "retry", KIM, may_still_happen=True),
        resolve(other.gateway, world.store, id, "retry", ANN, may_still_happen=True),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in told) == ["NotPermitted", "Resolved"]
    assert len(world.tool.performed) == 2  # the one that nobody knows of, and one retry


@pytest.mark.promise("undo")
async def test_an_undo_that_is_retried_is_still_an_undo(world: World) -> None:
    back = await a_mail_that_can_be_called_back(world)
    back.breaks = [UpstreamSilent("", fix="")]
    first = await world.call(run="r1")
    doubtful = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(doubtful, Uncertain)
    other = world.another()
    again = await resolve(other.gateway, world.store, doubtful.action, "retry", KIM, may_still_happen=True)
    assert isinstance(again.retried, Done)
    assert (await world.row(again.retried.action)).action.undo_of == first.action
    assert (await world.row(first.action)).undone_by == again.retried.action


@pytest.mark.promise("once", "stop")
@pytest.mark.parametrize("meanwhile", ["stop", "contract"])
async def test_nothing_is_sent_again_under_a_stop_or_another_contract(world: World, meanwhile: str) -> None:
    tool = a_tool(effect=EffectClass.IDEMPOTENT_KEY, resend_within=DAY)
    await world.publish(tools=[tool])
    task = await under_way(world)
    if meanwhile == "stop":
        await throw(world.store, STOP, KIM)
    else:
        await world.publish(tools=[replace(tool, timeout=Micros(20_000_000))])
    world.clock.forward(minutes=2)
    (id,) = await attend(world.another().gateway, world.store)
    assert (await world.row(id)).state is ActionState.UNCERTAIN
    assert len(world.tool.performed) == 1
    task.cancel()


@pytest.mark.promise("tenant")
async def test_the_key_of_one_environment_recalls_nothing_of_another(world: World) -> None:
    await world.publish()
    await publish(world.store, world.contract(modes={Environment("staging"): Mode.ACT}), Environment("staging"), KIM)
    first = await world.call(key="k")
    staging = replace(world.caller(), environment=Environment("staging"))
    second = await world.call(key="k", caller=staging)
    assert isinstance(second, Done)
    assert (second.recalled, second.action == first.action) == (False, False)


@pytest.mark.parametrize("key", ["\ud800", "k" * 257])
async def test_a_key_that_cannot_be_written_down_is_refused(world: World, key: str) -> None:
    await world.publish()
    outcome = await world.call(key=key)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.INVALID_ARGUMENTS, [])


@pytest.mark.promise("consent")
async def test_what_was_seen_cannot_be_guessed_back_from_its_hash(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=LEAD)
    one, other = await world.call(run="r1"), await world.call(run="r2")
    assert isinstance(one, Parked)
    assert isinstance(other, Parked)
    assert (await world.row(one.action)).seen != (await world.row(other.action)).seen


async def test_what_goes_on_waiting_keeps_nobody_behind_it_waiting(world: World) -> None:
    await world.publish(
        ALLOW,
        a_rule("ask.mail", "ask"),
        a_rule("ask.slow", "ask", "slow"),
        a_rule("allow.slow", "permit", "slow"),
        tools=[a_tool(), a_tool("slow")],
        approvals=LEAD,
    )
    world.others["slow"] = ScriptedTool()
    slow, fast = await world.call(tool=ToolName("slow")), await world.call()
    for each in (slow, fast):
        await yes(world, each.action)
    world.others["slow"].slots_left = False
    for _ in range(2):
        await attend(world.gateway, world.store)
    assert (await world.row(fast.action)).state is ActionState.DONE
    assert (await world.row(slow.action)).state is ActionState.PARKED
    world.others["slow"].slots_left = True
    await attend(world.gateway, world.store)
    assert (await world.row(slow.action)).state is ActionState.DONE


@pytest.mark.promise("stop", "consent")
async def test_what_was_agreed_to_outlives_a_stop_and_goes_on_after_it(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=LEAD)
    parked = await world.call()
    await yes(world, parked.action)
    await throw(world.store, STOP, KIM)
    assert await attend(world.gateway, world.store) == ()
    assert (world.tool.performed, (await world.row(parked.action)).state) == ([], ActionState.PARKED)
    await resume_switch(world.store, "s1", KIM)
    assert await attend(world.gateway, world.store) == (parked.action,)
    assert (await world.row(parked.action)).state is ActionState.DONE


@pytest.mark.promise("ledger")
async def test_a_row_that_was_edited_keeps_nothing_else_from_being_looked_after(world: World, where: str) -> None:
    await world.publish()
    first, second = await uncertain(world, arguments={"n": 1}), await under_way(world)
    execute(where, "update action set mac = ? where tenant = ? and id = ?", b"edited", world.tenant, first)
    world.clock.forward(minutes=2)
    (given_up,) = await attend(world.another().gateway, world.store)
    assert (await world.row(given_up)).state is ActionState.UNCERTAIN
    second.cancel()


async def test_an_undo_that_was_asked_for_waits_out_a_stop_and_is_done_once(world: World) -> None:
    back = await a_mail_that_can_be_called_back(world)
    first = await world.call(run="r1")
    await throw(world.store, replace(STOP, undo_too=True), KIM)
    await ask_for(world.gateway, world.store, first.action, KIM)
    assert await attend(world.gateway, world.store) == ()
    await resume_switch(world.store, "s1", KIM)
    (done,) = await attend(world.gateway, world.store)
    row = await world.row(done)
    assert (row.action.undo_of, row.action.by, len(back.performed)) == (first.action, "kim", 1)
    with pytest.raises(NotPermitted, match="no effect that stands"):
        await ask_for(world.gateway, world.store, first.action, KIM)


async def test_an_undo_that_was_asked_for_and_comes_too_late_is_answered_once(world: World) -> None:
    await a_mail_that_can_be_called_back(world)
    first = await world.call(run="r1")
    await ask_for(world.gateway, world.store, first.action, KIM)
    world.clock.forward(days=2)
    for _ in range(2):
        assert await attend(world.gateway, world.store) == ()
    told = [json.loads(line)["detail"] for line in await world.store.entries() if b"undo_asked" in line]
    assert told == [
        {"action": first.action, "even_if_changed": 0},
        {"action": first.action, "to": "not done"},
    ]
    assert [each.topic for each in await world.store.notices(before=Instant(2**53))] == ["incident"]


async def test_a_process_that_lacks_the_tool_leaves_what_was_agreed_to_to_one_that_has_it(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=LEAD)
    parked = await world.call()
    await yes(world, parked.action)

    class Nothing(Scripts):
        def find(self, source: str, terms: Terms) -> Performer | None:
            return None

    lacking = replace(world.gateway, performers=Nothing(world.tool))
    assert await attend(lacking, world.store) == ()
    assert (await world.row(parked.action)).state is ActionState.PARKED
    assert await attend(world.gateway, world.store) == (parked.action,)


async def test_a_question_or_a_no_needs_no_free_slot(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=LEAD)
    world.tool.slots_left = False
    assert isinstance(await world.call(), Parked)
    await world.publish(ALLOW, a_rule("no.mail", "deny"))
    refused = await world.call({"to": "eve"})
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.POLICY


@pytest.mark.promise("once")
@pytest.mark.parametrize("meanwhile", ["schema", "tool"])
async def test_a_key_that_is_in_use_is_told_of_also_when_its_call_no_longer_fits_the_contract(
    world: World, meanwhile: str
) -> None:
    await world.publish()
    first = await world.call(key="k")
    if meanwhile == "schema":
        await world.publish(tools=[a_tool(schema={"type": "object", "required": ["subject"]})])
    else:
        other = a_rule("allow.other", "permit", "other.tool")
        await world.publish(other, tools=[a_tool("other.tool")])
    again, free, foreign = (
        await world.call(key="k"),
        await world.call(key="k2"),
        await world.call(key="k", caller=world.caller(agent="mallory")),
    )
    assert isinstance(again, Refused) and isinstance(free, Refused) and isinstance(foreign, Refused)
    assert (again.reason, again.wrong) == (Reason.DUPLICATE, ())
    assert first.action in again.why
    own = Reason.INVALID_ARGUMENTS if meanwhile == "schema" else Reason.TOOL_NOT_ALLOWED
    assert [free.reason, foreign.reason] == [own, own]
    assert len(world.tool.performed) == 1
