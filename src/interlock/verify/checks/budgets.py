"""No action is admitted beyond a budget."""

import asyncio
from collections import Counter

from interlock.budget.hold import Balance
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import BudgetId
from interlock.core.outcome import Done, Refused, Uncertain
from interlock.gateway.budgets import raise_budget
from interlock.gateway.resolve import resolve
from interlock.verify.check import check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import KIM, a_budget, a_tool

PRICE = 7


@check("budget", "of 128 callers at once in two gateways, a budget for 42 calls admits 42")
async def exactly(lab: Lab) -> str:
    first = lab.world()
    second = lab.world(beside=first)
    await first.publish(tools=[a_tool(price=PRICE)], budgets=[a_budget(42 * PRICE + PRICE - 1)])
    calls = [world.call({"n": n}) for n, world in enumerate((first, second) * 64)]
    ways = Counter(type(outcome) for outcome in await asyncio.gather(*calls))
    must(ways == {Done: 42, Refused: 86}, f"the calls ended as {dict(ways)}")
    must(len(first.tool.performed) == 42, f"{len(first.tool.performed)} effects for a budget of 42")
    balance = await first.balance()
    must((balance.spent, balance.held) == (42 * PRICE, 0), f"spent {balance.spent}, held {balance.held}")
    return "42 admitted, 86 refused"


@check("budget", "money for what may have happened stays set aside until somebody knows")
async def held_while_uncertain(lab: Lab) -> str:
    world = lab.world()
    await world.publish(tools=[a_tool(price=PRICE)], budgets=[a_budget(PRICE)])
    world.tool.breaks.append(UpstreamSilent("no answer", fix=""))
    unsure = ended(await world.call({"n": 1}), Uncertain, "a call that nobody answered")
    ended(await world.call({"n": 2}), Refused, "a call on money that may be spent")
    must(await world.balance() == Balance(limit=PRICE, held=PRICE), f"the balance is {await world.balance()}")
    other = lab.world(beside=world)
    await resolve(other.gateway, other.store, unsure.action, "did_not_happen", KIM)
    ended(await world.call({"n": 3}), Done, "a call once it is free again")
    must(await world.balance() == Balance(limit=PRICE, spent=PRICE), f"the balance is {await world.balance()}")
    return f"{PRICE} held, given back, spent once"


@check("budget", "what costs more than was set aside is booked, and closes the budget until a person looks")
async def overrun(lab: Lab) -> str:
    world = lab.world()
    await world.publish(tools=[a_tool(price=PRICE)], budgets=[a_budget(1_000)])
    world.tool.costs = {"usd": 50}
    done = ended(await world.call({"n": 1}), Done, "a call that costs more")
    must(done.overrun and done.cost.micros == 50, f"it is told to cost {done.cost.micros}, overrun {done.overrun}")
    ended(await world.call({"n": 2}), Refused, "a call on a closed budget")
    must(await world.balance() == Balance(limit=1_000, spent=50, closed=True), f"{await world.balance()}")
    (id,) = await world.store.budgets()
    await raise_budget(world.store, BudgetId(id), 0, KIM, reopen=True)
    world.tool.costs = {}
    ended(await world.call({"n": 3}), Done, "a call once a person has looked")
    return "50 booked for a hold of 7"


CHECKS = (exactly, held_while_uncertain, overrun)
