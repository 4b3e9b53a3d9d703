"""What is sent was written down before, and it is sent once."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from interlock.contract.ir import Unique
from interlock.core.action import ActionState
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import Micros
from interlock.core.outcome import Done, Outcome, Refused, Uncertain
from interlock.gateway.recover import attend
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import MAIL, ScriptedTool, World, a_budget, a_tool

DAY = Micros(86_400_000_000)
SILENT = UpstreamSilent("no answer", fix="")
PRICE = 10


@dataclass
class Witness(ScriptedTool):
    """A tool that looks, the moment it is called, at what another connection finds in the database."""

    lab: "Lab | None" = None
    world: "World | None" = None

    async def perform(self, errand: Errand) -> Performed:
        assert self.lab is not None and self.world is not None
        sql = "select line from entry where tenant = ? and action = ?"
        found = self.lab.query(sql, [self.world.tenant, errand.action.id])
        written = b"".join(bytes(line) for (line,) in found)
        must(b'"kind":"started"' in written, "it was called, and no `started` entry is committed")
        must(b'"amount":10' in written, "it was called, and nothing is set aside for it in its entry")
        held = [balance.held for balance in (await self.world.store.budgets()).values()]
        must(held == [PRICE], f"it was called, and the budgets hold {held}")
        return await ScriptedTool.perform(self, errand)


@check("intent", "when a tool is called, its start and its hold can be read by everybody else")
async def written_before_sent(lab: Lab) -> str:
    world = lab.world()
    witness = world.others[MAIL] = Witness(lab=lab, world=world)
    await world.publish(tools=[a_tool(price=PRICE)], budgets=[a_budget(100)])
    for n in range(3):
        ended(await world.call({"n": n}), Done, "a call that is allowed")
    must(len(witness.performed) == 3, f"it was called {len(witness.performed)} times")
    return "3 starts seen from outside"


@check("once", "of 32 equal calls at once in two gateways one is carried out, and all hear of it")
async def equal_calls(lab: Lab) -> str:
    first = lab.world()
    second = lab.world(beside=first)
    await first.publish(tools=[a_tool(price=PRICE)], budgets=[a_budget(10_000)])
    calls = [world.call({"to": "sam"}, key="the one", run="r1") for world in (first, second) * 16]
    outcomes = await asyncio.gather(*calls)
    for outcome in outcomes:
        ended(outcome, Done, "one of the equal calls")
    must(len(first.tool.performed) == 1, f"the tool was called {len(first.tool.performed)} times")
    must(len({outcome.action for outcome in outcomes}) == 1, "they were told of different actions")
    must((await first.balance()).spent == PRICE, f"it was charged {(await first.balance()).spent}, and costs {PRICE}")
    return "1 effect, 31 answers from the record"


@check("once", "what nobody answered is uncertain: it is not sent again, not even by another gateway")
async def silence_stays(lab: Lab) -> str:
    first = lab.world()
    second = lab.world(beside=first)
    await first.publish(tools=[a_tool(price=PRICE)], budgets=[a_budget(100)])
    first.tool.breaks.append(SILENT)
    unsure = ended(await first.call(key="k", run="r1"), Uncertain, "a call that nobody answered")
    for world in (first, second, lab.world(beside=first)):
        ended(await world.call(key="k", run="r1"), Uncertain, "the same call again")
        await attend(world.gateway, world.store)
    first.clock.forward(days=1)
    await attend(second.gateway, second.store)
    must(len(first.tool.performed) == 1, f"it was sent {len(first.tool.performed)} times")
    must((await first.row(unsure.action)).state is ActionState.UNCERTAIN, "it is not uncertain any more")
    return "sent once, asked for 4 times"


@check("once", "what its owner left is sent again only where that is harmless, and with the same key")
async def owner_gone(lab: Lab) -> str:
    seen: Counter[str] = Counter()
    for effect in EffectClass:
        world = lab.world()
        await world.publish(tools=[a_tool(effect=effect, price=PRICE, resend_within=DAY)], budgets=[a_budget(100)])
        world.tool.may_answer = asyncio.Event()
        left = asyncio.create_task(world.call())
        await _until(lambda tool=world.tool: bool(tool.performed), left)
        world.clock.forward(minutes=10)
        world.tool.may_answer = None
        after = lab.world(beside=world)
        await attend(after.gateway, after.store)
        sent = len(world.tool.performed)
        harmless = effect in (EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.IDEMPOTENT_KEY)
        must(sent == (2 if harmless else 1), f"`{effect.value}` was sent {sent} times")
        must(len(set(world.tool.keys)) == 1, f"`{effect.value}` was sent with different keys")
        seen["again" if sent == 2 else "once"] += 1
        left.cancel()
    return f"{seen['once']} classes sent once, {seen['again']} once more with the same key"


@check("once", "the same business key has its effect once, from whatever run, agent and gateway")
async def business_key(lab: Lab) -> str:
    first = lab.world()
    second = lab.world(beside=first)
    await first.publish(tools=[a_tool(unique=Unique(on=("args.invoice",), within=DAY))])
    calls = [
        world.call({"invoice": "INV-1", "n": n}, run=f"r{n}", caller=world.caller(agent=f"bot{n}"))
        for n, world in enumerate((first, second) * 8)
    ]
    ways = Counter(type(outcome) for outcome in await asyncio.gather(*calls))
    must(len(first.tool.performed) == 1, f"it had its effect {len(first.tool.performed)} times")
    must(ways == {Done: 1, Refused: 15}, f"the calls ended as {dict(ways)}")
    return "1 effect, 15 refusals"


async def _until(there: Callable[[], bool], left: "asyncio.Task[Outcome]") -> None:
    for _ in range(100_000):
        if there():
            return
        if left.done():
            broken(f"it ended before its tool answered: {left.result()}")
        await asyncio.sleep(0)
    broken("its tool was never called")


CHECKS = (written_before_sent, equal_calls, silence_stays, owner_gone, business_key)
