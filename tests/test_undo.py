"""What is undone, by whom, and what cannot be."""

import json
from typing import Any

import pytest

from interlock.contract.ir import Hook, Undo, Unique
from interlock.core.charge import Unit
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass
from interlock.core.errors import ActionUnknown, NotPermitted, UpstreamSilent
from interlock.core.ids import ActionId, BudgetId, Instant, Micros, PersonId, RunId, ToolName
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.gateway.doors import throw
from interlock.gateway.resolve import resolve
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
    steps = await plan(world.gateway, world.store, run=RunId("r1"))
    assert [(step.action, step.why_not) for step in steps] == [
        (third.action, "nobody knows whether it happened: resolve it first"),
        (second.action, "the contract does not say how to undo it"),
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


async def test_a_business_key_stays_taken_after_an_undo_until_its_window_ends(world: World) -> None:
    await publish(world, unique=Unique(on=("args.to",), within=DAY))
    first = await world.call({"to": "sam"}, run="r1")
    assert isinstance(await world.call({"to": "sam"}, run="r2"), Refused)
    await undo(world.gateway, world.store, first.action, KIM)
    assert isinstance(await world.call({"to": "sam"}, run="r2"), Refused)
    world.clock.forward(days=1)
    assert isinstance(await world.call({"to": "sam"}, run="r3"), Done)


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
