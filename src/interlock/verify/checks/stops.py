"""Once a stop is committed, nothing of its scope starts."""

import asyncio
import time

from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode
from interlock.core.ids import Instant, Micros, PersonId, ToolName, WorkflowId
from interlock.core.outcome import Done, Refused
from interlock.gateway.doors import resume_switch, set_mode, throw
from interlock.gateway.recover import attend
from interlock.verify.check import check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import KIM, MAIL, PROD, ScriptedTool, World, a_rule, a_tool

ROUNDS = 20
OTHER = ToolName("mail.other")


@check("stop", "a switch that is thrown among starts, by another process: none of its scope commits after it")
async def none_after(lab: Lab) -> str:
    first = lab.world()
    second = lab.world(beside=first)
    await first.publish(a_rule("allow.all", "permit", None), tools=[a_tool(), a_tool(OTHER)])
    first.others[OTHER] = ScriptedTool()
    stopped, delays = 0, list[float]()
    for n in range(ROUNDS):
        calls = [
            asyncio.create_task(world.call({"n": f"{n}/{m}"}, tool=tool))
            for m, world in enumerate((first, second) * 4)
            for tool in (MAIL, OTHER)
        ]
        await asyncio.sleep(0.001 * (n % 5))
        begun = time.perf_counter()
        await throw(second.store, a_stop(f"s{n}", Scope(tool=MAIL)), KIM)
        delays.append(time.perf_counter() - begun)
        outcomes = await asyncio.gather(*calls)
        stopped += sum(isinstance(outcome, Refused) for outcome in outcomes)
        ended(await first.call({"n": f"{n}/after"}, tool=OTHER), Done, "another tool under the stop")
        ended(await first.call({"n": f"{n}/after"}), Refused, "a call under the stop")
        await resume_switch(first.store, f"s{n}", KIM)
    await _nothing_started_under_a_stop(first)
    must(stopped > 0, "no call met the stop, so nothing was shown")
    median = 1_000 * sorted(delays)[ROUNDS // 2]
    return f"{ROUNDS} throws, {stopped} calls met them, committed in {median:.0f} ms (median)"


async def _nothing_started_under_a_stop(world: World) -> None:
    thrown: set[str] = set()
    for index, entry in enumerate(await world.entries()):
        if entry["kind"] == "switch":
            change = thrown.add if entry["detail"]["to"] == "thrown" else thrown.discard
            change(entry["detail"]["switch"])
        elif entry["kind"] in ("started", "resent"):
            must(not thrown or entry["tool"] != MAIL, f"entry {index} is a start under `{''.join(thrown)}`")


@check("stop", "under a stop nothing is sent again, and read-only and suggest let no write through")
async def not_again(lab: Lab) -> str:
    world = lab.world()
    resent = a_tool(effect=EffectClass.IDEMPOTENT_KEY, resend_within=Micros(86_400_000_000))
    await world.publish(tools=[resent])
    world.tool.may_answer = asyncio.Event()
    left = asyncio.create_task(world.call())
    await world.tool.begun.wait()
    await throw(world.store, a_stop("s", Scope()), KIM)
    world.clock.forward(minutes=10)
    world.tool.may_answer = None
    after = lab.world(beside=world)
    await attend(after.gateway, after.store)
    must(len(world.tool.performed) == 1, "it was sent again under a stop")
    left.cancel()
    await resume_switch(world.store, "s", KIM)
    for mode in (Mode.READ_ONLY, Mode.SUGGEST):
        await set_mode(world.store, WorkflowId("support"), PROD, mode, KIM)
        outcome = await world.call({"mode": mode.value})
        must(not isinstance(outcome, Done), f"a write went through in mode `{mode.value}`")
    must(len(world.tool.performed) == 1, "a write was carried out")
    return "1 resend and 2 modes"


def a_stop(id: str, scope: Scope, *, undo_too: bool = False) -> Switch:
    """A switch that stops, thrown by Kim."""
    return Switch(id=id, kind=SwitchKind.STOP, scope=scope, by=PersonId("kim"), at=Instant(0), undo_too=undo_too)


CHECKS = (none_after, not_again)
