"""Runs are found, the newest first; a whole one is taken back, the last effect first, as far as it can be."""

from functools import partial
from typing import Any

import pytest

from interlock.contract.ir import Hook, Undo
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed
from interlock.core.ids import ActionId, Micros, RunId, ToolName
from interlock.core.outcome import Done, Parked
from interlock.gateway.compare import verify_state
from interlock.gateway.listing import each_of_run
from interlock.gateway.reverse import stands, undo
from interlock.gateway.reverse_run import RunUndone, undo_run
from interlock.policy.rule import AsUndo
from interlock.ports import Wanted
from world import ALLOW, KIM, ScriptedTool, World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("undo")]

UNDO = Undo(tool=ToolName("mail.unsend"), args={"to": "$.args.to"}, within=Micros(86_400_000_000))
AS_UNDO = a_rule("allow.unsend", "permit", "mail.unsend", when=AsUndo())


class AnsweredTo(ScriptedTool):
    """Says that one mail was answered since."""

    def __init__(self, name: str) -> None:
        super().__init__(result="unread")
        self.name = name

    async def perform(self, errand: Errand) -> Performed:
        performed = await super().perform(errand)
        return Performed(result="answered") if f'"{self.name}"'.encode() in errand.arguments else performed


async def publish(world: World, *rules: Any, **fields: Any) -> ScriptedTool:
    tool = a_tool(effect=EffectClass.IDEMPOTENT_KEY, undo=UNDO, **fields)
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True)
    look = a_tool("mail.status", effect=EffectClass.READ, only_for_facts=True)
    world.others["mail.unsend"] = ScriptedTool(result="called back")
    world.others["mail.status"] = ScriptedTool(result="unread")
    await world.publish(ALLOW, AS_UNDO, *rules, tools=[tool, back, look], budgets=[])
    return world.others["mail.unsend"]


async def sent(world: World, *names: str) -> list[ActionId]:
    ids = list[ActionId]()
    for name in names:
        outcome = await world.call({"to": name}, run="r1")
        assert isinstance(outcome, Done)
        ids.append(outcome.action)
        world.clock.forward(seconds=1)
    return ids


async def undone(world: World, **said: bool) -> RunUndone:
    rows = [row async for row in each_of_run(world.store, RunId("r1"))]
    done = await undo_run(world.gateway, world.store, rows, partial(undo, world.gateway, world.store, by=KIM, **said))
    assert await verify_state(world.store, world.opened.secrets) == ()
    return done


def tried(done: RunUndone) -> list[ActionId]:
    return [step.action for step, _ in done.ended]


async def test_a_run_of_more_actions_than_a_page_has_is_undone_to_the_last_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.gateway.listing._AT_ONCE", 3)
    await publish(world)
    ids = await sent(world, *"abcdefgh")
    done = await undone(world)
    assert (tried(done), done.whole) == (ids[::-1], True)
    assert [row async for row in each_of_run(world.store, RunId("r1")) if stands(row)] == []
    again = await undone(world)
    assert (again.ended, again.whole) == ((), True)


async def test_an_undo_that_waits_for_a_person_leaves_what_came_before_it(world: World) -> None:
    await publish(world, a_rule("ask.unsend", "ask", "mail.unsend"))
    first, second = await sent(world, "a", "b")
    done = await undone(world)
    assert (tried(done), [step.action for step in done.not_tried], done.whole) == ([second], [first], False)
    assert isinstance(done.ended[0][1], Parked)


async def test_what_still_waits_for_a_person_is_named_because_it_would_happen_with_a_yes(world: World) -> None:
    await publish(world)
    (first,) = await sent(world, "a")
    await publish(world, a_rule("ask.mail", "ask"))
    waits = await world.call({"to": "b"}, run="r1")
    done = await undone(world)
    assert (tried(done), done.waits) == ([first], (waits.action,))


async def test_a_record_that_has_changed_since_stops_the_undo_and_what_was_undone_before_it_is_told(
    world: World,
) -> None:
    await publish(world, after=Hook(tool=ToolName("mail.status"), args={"to": "$.args.to"}))
    first, second, third = await sent(world, "a", "b", "c")
    world.others["mail.status"] = AnsweredTo("b")
    done = await undone(world)
    assert (tried(done), [step.action for step in done.not_tried]) == ([third], [second, first])
    assert "has changed since" in str(done.stopped)
    assert tried(await undone(world, even_if_changed=True)) == [second, first]


async def test_of_each_run_the_action_that_changed_last_is_found_page_by_page(world: World) -> None:
    await world.publish(budgets=[])
    last = dict[str, str]()
    for n in range(12):
        run = f"r{n * 7 % 5}"
        last.pop(run, None)
        last[run] = (await world.call({"to": f"{n}"}, run=run)).action
        world.clock.forward(seconds=n % 2)  # several change at the same moment
    alone = await world.call({"to": "nobody"})
    found, place = list[tuple[str, str]](), None
    while rows := await world.store.actions(Wanted(latest_of_run=True, before=place, limit=2)):
        found += [(row.action.run, row.action.id) for row in rows]
        place = (rows[-1].changed_at, rows[-1].action.id)
    assert (found[0][1], len(found)) == (alone.action, 6)
    newest = dict[str, tuple[int, str]]()
    for row in await world.store.actions(Wanted()):
        newest[row.action.run] = max((row.changed_at, row.action.id), newest.get(row.action.run, (0, "")))
    assert found == [(run, id) for run, (_, id) in sorted(newest.items(), key=lambda each: each[1], reverse=True)]
