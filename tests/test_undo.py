"""What is undone, by whom, and what cannot be."""

import json
from typing import Any

import pytest

from interlock.contract.ir import Approvals, Hook, Loop, Undo, Unique
from interlock.core.charge import Unit
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass
from interlock.core.errors import ActionUnknown, NotPermitted, UpstreamSilent
from interlock.core.ids import ActionId, BudgetId, Instant, Micros, PersonId, Role, RunId, ToolName
from interlock.core.outcome import Done, Parked, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.consent import agree
from interlock.gateway.doors import throw
from interlock.gateway.listing import each_of_run
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.gateway.reverse import plan, undo
from interlock.policy.rule import AsUndo
from world import ALLOW, KIM, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

DAY = Micros(86_400_000_000)
AS_UNDO = a_rule("allow.unsend", "permit", "mail.unsend", when=AsUndo())
UNDO = Undo(tool=ToolName("mail.unsend"), args={"id": "$.result.id", "to": "$.args.to"}, within=DAY)


async def publish(world: World, **fields: Any) -> ScriptedTool:
    """A mail that can be called back, at a price."""
    tool = a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=10, undo=UNDO, **fields)
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, price=3, only_as_undo=True)
    world.tool.result = {"id": 7}
    world.others["mail.unsend"] = ScriptedTool(result="called back")
    look = a_tool("mail.status", effect=EffectClass.READ, only_for_facts=True)
    await world.publish(
        ALLOW, AS_UNDO, tools=[tool, back, look], budgets=[a_budget(10), a_budget(2, Unit.TOOL_CALLS, "run")]
    )
    return world.others["mail.unsend"]


def a_stop(*, undo_too: bool = False) -> Switch:
    return Switch(id="s1", kind=SwitchKind.STOP, scope=Scope(), by=PersonId("kim"), at=Instant(0), undo_too=undo_too)


@pytest.mark.promise("undo")
async def test_an_effect_is_undone_by_an_action_of_its_own_with_the_result_of_the_first(world: World) -> None:
    back = await publish(world)
    first = await world.call({"to": "sam"}, run="r1")
    outcome = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(outcome, Done)
    assert [json.loads(sent) for sent in back.sent] == [{"id": 7, "to": "sam"}]
    assert (await world.row(first.action)).undone_by == outcome.action
    entry = json.loads((await world.store.entries())[-1])
    assert (entry["undo_of"], entry["asked_by"], entry["principal"]) == (first.action, "kim", "kim")
    with pytest.raises(NotPermitted, match="no effect that stands"):
        await undo(world.gateway, world.store, first.action, KIM)


async def test_an_effect_that_was_undone_is_told_again_as_such_and_not_made_again(world: World) -> None:
    await publish(world)
    first = await world.call({"to": "sam"}, run="r1")
    assert isinstance(first, Done) and first.undone_by is None
    back = await undo(world.gateway, world.store, first.action, KIM)
    again = await world.call({"to": "sam"}, run="r1")
    assert isinstance(again, Done)
    assert (again.action, again.recalled, again.undone_by) == (first.action, True, back.action)
    assert len(world.tool.performed) == 1


@pytest.mark.promise("undo", "stop")
async def test_an_operators_undo_works_under_a_stop_and_an_empty_budget(world: World) -> None:
    back = await publish(world)
    first = await world.call(run="r1")
    await throw(world.store, a_stop(), KIM)
    stopped = await world.call({"n": 2}, run="r1")
    assert isinstance(stopped, Refused)
    assert stopped.reason is Reason.STOPPED
    assert isinstance(await undo(world.gateway, world.store, first.action, KIM), Done)
    assert len(back.performed) == 1
    balances = await world.store.budgets()
    assert balances[BudgetId("tenant/usd/month:2026-01")].spent == 3


@pytest.mark.promise("stop")
async def test_a_switch_that_is_thrown_against_undos_too_holds_them_back(world: World) -> None:
    await publish(world)
    first = await world.call(run="r1")
    await throw(world.store, a_stop(undo_too=True), KIM)
    outcome = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.STOPPED


@pytest.mark.promise("door")
async def test_an_agent_cannot_call_what_is_there_only_as_an_undo(world: World) -> None:
    back = await publish(world)
    outcome = await world.call({"id": 7, "to": "sam"}, tool="mail.unsend")
    assert isinstance(outcome, Refused)
    assert (outcome.reason, back.performed) == (Reason.TOOL_NOT_ALLOWED, [])
    # Nor where a rule permits it: what the tool is there for is not for a rule to widen.
    tools = [a_tool(), a_tool("mail.unsend", only_as_undo=True)]
    await world.publish(ALLOW, a_rule("allow.unsend", "permit", "mail.unsend"), tools=tools)
    again = await world.call({"id": 7, "to": "sam"}, tool="mail.unsend")
    assert isinstance(again, Refused)
    assert (again.reason, back.performed) == (Reason.TOOL_NOT_ALLOWED, [])


@pytest.mark.promise("undo")
async def test_the_plan_of_a_run_names_the_last_effect_first_and_what_cannot_be_undone(world: World) -> None:
    await publish(world)
    await world.publish(ALLOW, AS_UNDO, tools=[a_tool(undo=UNDO), a_tool("mail.unsend", only_as_undo=True)])
    first = await world.call({"to": "a"}, run="r1")
    world.clock.forward(seconds=1)
    world.tool.result = {"no": "id"}
    second = await world.call({"to": "b"}, run="r1")
    world.clock.forward(seconds=1)
    world.tool.breaks = [UpstreamSilent("", fix="")]
    third = await world.call({"to": "c"}, run="r1")
    steps = await plan(world.gateway, world.store, [row async for row in each_of_run(world.store, RunId("r1"))])
    assert [(step.action, step.why_not) for step in steps] == [
        (third.action, "nobody knows whether it happened: resolve it first"),
        (second.action, "the contract names no undo for it, or its result lacks what the undo needs"),
        (first.action, ""),
    ]


async def test_the_window_closes(world: World) -> None:
    await publish(world)
    first = await world.call()
    world.clock.forward(days=1)
    with pytest.raises(NotPermitted, match="is over"):
        await undo(world.gateway, world.store, first.action, KIM)


@pytest.mark.promise("undo")
async def test_what_a_person_says_happened_can_be_undone_with_the_fields_they_bring(world: World) -> None:
    back = await publish(world)
    world.tool.breaks = [UpstreamSilent("", fix="")]
    first = await world.call({"to": "sam"})
    await resolve(world.gateway, world.store, first.action, "happened", KIM, result={"id": 9})
    assert isinstance(await undo(world.gateway, world.store, first.action, KIM), Done)
    assert [json.loads(sent) for sent in back.sent] == [{"id": 9, "to": "sam"}]


@pytest.mark.promise("undo")
async def test_a_record_that_has_changed_since_is_undone_only_if_somebody_says_so(world: World) -> None:
    await publish(world, after=Hook(tool=ToolName("mail.status")))
    world.others["mail.status"] = ScriptedTool(result="unread")
    first = await world.call()
    world.others["mail.status"].result = "read and answered"
    with pytest.raises(NotPermitted, match="has changed since"):
        await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(await undo(world.gateway, world.store, first.action, KIM, even_if_changed=True), Done)


async def test_an_undo_gives_the_business_key_back(world: World) -> None:
    await publish(world, unique=Unique(on=("args.to",), within=DAY))
    first = await world.call({"to": "sam"}, run="r1")
    await world.raise_by("support:prod/usd/day:2026-01-01", 20)
    second = await world.call({"to": "sam"}, run="r2")
    assert isinstance(second, Refused)
    assert second.reason is Reason.DUPLICATE
    await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(await world.call({"to": "sam"}, run="r3"), Done)
    fourth = await world.call({"to": "sam"}, run="r4")
    assert isinstance(fourth, Refused)
    assert fourth.reason is Reason.DUPLICATE


async def test_an_undo_whose_check_failed_leaves_the_business_key_taken(world: World) -> None:
    undoing = a_tool("mail.unsend", price=0, only_as_undo=True, check=("result == 'ok'",))
    sending = a_tool(effect=EffectClass.IDEMPOTENT_KEY, price=0, undo=UNDO, unique=Unique(on=("args.to",), within=DAY))
    world.tool.result = {"id": 7}
    world.others["mail.unsend"] = ScriptedTool(result="hm")
    await world.publish(ALLOW, AS_UNDO, tools=[sending, undoing])
    first = await world.call({"to": "sam"}, run="r1")
    undone = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(undone, Done)
    assert undone.check == "failed"
    assert isinstance(await world.call({"to": "sam"}, run="r2"), Refused)


@pytest.mark.promise("undo")
async def test_an_undo_that_waits_for_a_yes_is_not_begun_after_its_window(world: World) -> None:
    asks = a_rule("ask.unsend", "ask", "mail.unsend")
    undoing = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, price=0, only_as_undo=True)
    world.tool.result = {"id": 7}
    people = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
    short = replace(UNDO, within=Micros(60_000_000))
    await world.publish(ALLOW, AS_UNDO, asks, tools=[a_tool(undo=short), undoing], approvals=people)
    first = await world.call({"to": "sam"}, run="r1")
    waits = await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(waits, Parked)
    seen = (await world.row(waits.action)).seen
    await agree(world.gateway, world.store, waits.action, replace(KIM, person=PersonId("ann")), seen=seen)
    world.clock.forward(minutes=2)
    outcome = await resume(world.gateway, world.store, waits.action)
    assert isinstance(outcome, Refused)
    assert "is over" in outcome.why


@pytest.mark.promise("undo")
async def test_undoing_equal_effects_one_after_the_other_is_no_loop(world: World) -> None:
    undoing = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, price=0, only_as_undo=True)
    world.tool.result = {"id": 7}
    await world.publish(ALLOW, AS_UNDO, tools=[a_tool(undo=UNDO), undoing], loop=Loop(equal_calls=5))
    sent = [await world.call({"to": "sam"}, run="r1", occurrence=n) for n in range(1, 5)]
    for each in sent:
        await world.publish(ALLOW, AS_UNDO, tools=[a_tool(undo=UNDO), undoing], loop=Loop(equal_calls=2))
        assert isinstance(await undo(world.gateway, world.store, each.action, KIM), Done)


async def test_an_undo_that_nobody_answered_can_be_tried_again_once_it_is_resolved(world: World) -> None:
    back = await publish(world)
    first = await world.call()
    back.breaks = [UpstreamSilent("", fix="")]
    tried = await undo(world.gateway, world.store, first.action, KIM)
    await resolve(world.gateway, world.store, tried.action, "did_not_happen", KIM)
    assert isinstance(await undo(world.gateway, world.store, first.action, KIM), Done)
    assert (await world.row(first.action)).undone_by is not None


async def test_what_was_never_there_cannot_be_undone(world: World) -> None:
    with pytest.raises(ActionUnknown):
        await undo(world.gateway, world.store, ActionId("a9"), KIM)


@pytest.mark.promise("undo", "explain")
async def test_the_record_shows_before_and_after(world: World) -> None:
    hook = Hook(tool=ToolName("mail.status"))
    await publish(world, before=hook, after=hook)
    world.others["mail.status"] = ScriptedTool(result="draft")
    first = await world.call()
    from interlock.gateway.recall import payload_of

    kept = await payload_of((await world.row(first.action)).result, world.store, world.opened.secrets)
    assert kept == {"shown": {"id": 7}, "before": "draft", "after": "draft"}


async def test_a_check_that_fails_leaves_the_action_done_and_says_so(world: World) -> None:
    await world.publish(tools=[a_tool(check=("result.id == args.id",), keep=("id",))])
    world.tool.result = {"id": 7, "secret_note": "x"}
    bad, good = await world.call({"id": 8}), await world.call({"id": 7})
    assert isinstance(bad, Done)
    assert isinstance(good, Done)
    assert (bad.check, good.check, good.result) == ("failed", "passed", {"id": 7})
