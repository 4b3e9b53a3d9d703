"""What is declared undoable can be undone, also in an emergency."""

import json

from interlock.contract.ir import Undo
from interlock.core.door import Scope
from interlock.core.effect import EffectClass
from interlock.core.errors import NotPermitted
from interlock.core.ids import ActionId, Micros, ToolName
from interlock.core.outcome import Done, Refused
from interlock.gateway.doors import throw
from interlock.gateway.reverse import undo
from interlock.policy.rule import AsUndo
from interlock.verify.check import broken, check, ended, must
from interlock.verify.checks.stops import a_stop
from interlock.verify.lab import Lab
from interlock.verify.world import ALLOW, KIM, ScriptedTool, World, a_budget, a_rule, a_tool

BACK = ToolName("mail.back")
DAY = Micros(86_400_000_000)


async def _with_an_undo(world: World) -> ScriptedTool:
    back = world.others[BACK] = ScriptedTool(result="back")
    world.tool.result = {"id": 7}
    way = Undo(tool=BACK, args={"id": "$.result.id"}, within=DAY)
    tools = [a_tool(price=10, undo=way), a_tool(BACK, effect=EffectClass.IDEMPOTENT, price=3, only_as_undo=True)]
    await world.publish(ALLOW, a_rule("allow.back", "permit", BACK, when=AsUndo()), tools=tools, budgets=[a_budget(20)])
    return back


@check("undo", "an effect is undone once, with its own result, under a stop and with an empty budget")
async def in_an_emergency(lab: Lab) -> str:
    world = lab.world()
    back = await _with_an_undo(world)
    one = ended(await world.call({"n": 1}), Done, "the effect")
    ended(await world.call({"n": 2}), Done, "the effect that empties the budget")
    ended(await world.call({"n": 3}), Refused, "a call on an empty budget")
    await throw(world.store, a_stop("s", Scope()), KIM)
    ended(await undo(world.gateway, world.store, one.action, KIM), Done, "the undo")
    must([json.loads(sent) for sent in back.sent] == [{"id": 7}], f"the undo was sent with {back.sent}")
    entry = next(e for e in await world.entries() if e["kind"] == "started" and e["undo_of"])
    must((entry["undo_of"], entry["asked_by"]) == (one.action, "kim"), "its entry does not say what it undid, for whom")
    await _cannot(world, one.action, "a second undo")
    return "1 of 2 effects undone, under a stop"


@check("undo", "an undo is not there for an agent, nor after its time, nor under a stop of undos too")
async def within_its_limits(lab: Lab) -> str:
    world = lab.world()
    back = await _with_an_undo(world)
    one = ended(await world.call({"n": 1}), Done, "the effect")
    ended(await world.call({"id": 7}, tool=BACK), Refused, "an agent that calls the undo tool")
    await throw(world.store, a_stop("s", Scope(), undo_too=True), KIM)
    ended(await undo(world.gateway, world.store, one.action, KIM), Refused, "an undo under a stop of undos too")
    world.clock.forward(days=2)
    await _cannot(world, one.action, "an undo after its time")
    must(not back.performed, "the undo was carried out")
    return "3 ways refused"


async def _cannot(world: World, id: ActionId, what: str) -> None:
    try:
        outcome = await undo(world.gateway, world.store, id, KIM)
    except NotPermitted:
        return
    broken(f"{what} ended as {type(outcome).__name__.lower()}")


CHECKS = (in_an_emergency, within_its_limits)
