"""Every recorded decision follows from the question that is recorded with it, whatever happened in between."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from interlock.contract.ir import Approvals, Argument, Consent, Contract, Hook, Tool
from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.errors import InterlockError
from interlock.core.ids import Instant, PersonId, Role, ToolName, WorkflowId
from interlock.core.outcome import Parked
from interlock.gateway.backtest import Reader, Wish, audited, backtest
from interlock.gateway.consent import agree, deny
from interlock.gateway.doors import Operator, break_glass, publish, resume_switch, set_mode, throw
from interlock.gateway.force import Force
from interlock.gateway.reask import judged_by
from interlock.gateway.resume import resume
from interlock.policy.replay import Tally
from interlock.policy.rule import Above, Always, FactIsNot, OneOf, Outside
from interlock.ports import Needs, Wanted
from world import KIM, NOON, PROD, ScriptedTool, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

PAY, CLOSE, LOOK = ToolName("pay"), ToolName("close"), ToolName("is_fraud")
ANN = Operator(person=PersonId("ann"), known_by="os:1", process=KIM.process)
SCHEMA = {
    "type": "object",
    "properties": {"usd": {"type": "number"}, "to": {"type": "string"}},
    "additionalProperties": False,
}
LEAD = Consent(approvers=frozenset({Role("lead")}))
WISH = Wish(workflow=WorkflowId("support"), environment=PROD)


def _tools(chance: random.Random) -> tuple[Tool, ...]:
    pay: dict[str, Any] = {"schema": SCHEMA, "arguments": {"usd": Argument(role="quantity", unit="usd")}}
    return (
        a_tool(PAY, tier=chance.choice([Tier.GREEN, Tier.YELLOW]), **pay),
        a_tool(CLOSE, tier=chance.choice([Tier.RED, Tier.YELLOW]), schema=SCHEMA),
        a_tool(LOOK, effect=EffectClass.READ, only_for_facts=True, schema={"type": "object"}),
    )


def _contract(world: World, chance: random.Random) -> Contract:
    conditions = [
        Always(),
        Above(path="usd", micros=50_000_000),
        Outside(path="usd", low=0, high=70_000_000),
        OneOf(path="to", values=("a",)),
        FactIsNot(name="fraud", value=False),
    ]
    rules = [
        a_rule(f"r{n}", chance.choice(["ask", "ask", "deny", "suggest"]), PAY, when=chance.choice(conditions))
        for n in range(chance.randint(0, 2))
    ]
    permits = [a_rule(f"allow.{name}", "permit", name) for name in (PAY, CLOSE) if chance.random() < 0.9]
    people = {Role("lead"): frozenset({PersonId("ann"), PersonId("kim")})}
    return world.contract(
        *permits,
        *rules,
        tools=_tools(chance),
        facts={"fraud": Hook(tool=LOOK)},
        budgets=[a_budget(200_000_000)],
        approvals=Approvals(yellow=LEAD, red=LEAD, people=people),
    )


async def _calls(world: World, chance: random.Random) -> None:
    args: dict[str, Any] = {"usd": chance.choice([1, 49.99, 60, 80, "x"]), "to": chance.choice(["a", "b"])}
    outcome = await world.call(
        {name: value for name, value in args.items() if chance.random() < 0.8},
        tool=chance.choice([PAY, PAY, PAY, CLOSE, "unknown"]),
        run=f"r{chance.randint(0, 3)}",
        key=f"k{chance.randint(0, 10**6)}",
    )
    if isinstance(outcome, Parked) and chance.random() < 0.7:
        row = await world.row(outcome.action)
        if chance.random() < 0.2:
            await deny(world.gateway, world.store, outcome.action, ANN)
            return
        await agree(world.gateway, world.store, outcome.action, ANN, seen=row.seen)
        await resume(world.gateway, world.store, outcome.action)


async def _publishes(world: World, chance: random.Random) -> None:
    await publish(world.store, _contract(world, chance), PROD, KIM)


async def _sets_the_mode(world: World, chance: random.Random) -> None:
    mode = chance.choice([Mode.ACT, Mode.ACT, *Mode])
    await set_mode(world.store, WorkflowId("support"), PROD, mode, KIM)


async def _switches(world: World, chance: random.Random) -> None:
    scope = Scope(tool=chance.choice([None, PAY]))
    switch = Switch(id="s1", kind=chance.choice(list(SwitchKind)), scope=scope, by=KIM.person, at=NOON)
    await throw(world.store, switch, KIM)
    await _calls(world, chance)
    await resume_switch(world.store, switch.id, KIM)


async def _breaks_the_glass(world: World, chance: random.Random) -> None:
    until = Instant(world.clock.at + 60_000_000)
    glass = BreakGlass(id=f"g{chance.randint(0, 99)}", scope=Scope(), by=KIM.person, at=world.clock.at, until=until)
    await break_glass(world.store, glass, KIM)


async def _looks_up(world: World, chance: random.Random) -> None:
    world.others[LOOK].result = chance.choice([True, False, {"neither": "nor"}])


STEPS: list[Callable[[World, random.Random], Awaitable[None]]] = [
    *[_calls] * 12, _publishes, _sets_the_mode, _switches, _breaks_the_glass, _looks_up,
]  # fmt: skip


async def _history(world: World, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    world.others[LOOK] = ScriptedTool(result=False)
    await _publishes(world, chance)
    for _ in range(steps):
        world.clock.forward(seconds=chance.randint(0, 40))
        try:
            await chance.choice(STEPS)(world, chance)
        except InterlockError:
            pass  # a vote that came too late, a mode that is not there: what counts is what was written


@pytest.mark.promise("explain", "ledger")
@pytest.mark.parametrize("seed", range(4))
async def test_every_recorded_decision_follows_from_its_question(world: World, seed: int) -> None:
    await _history(world, seed, steps=60)
    reader = Reader(store=world.store, secrets=world.opened.secrets, wish=WISH)
    follow = await audited(reader)
    assert reader.record.wrong == []
    assert reader.record.erased == 0
    assert follow > 15


@pytest.mark.promise("explain")
async def test_a_candidate_that_is_the_contract_in_force_moves_nothing(world: World) -> None:
    force = await _under_one_contract(world)
    tally = Tally()
    reader = Reader(store=world.store, secrets=world.opened.secrets, wish=WISH)
    await backtest(reader, force, tally, as_if=lambda question: question)
    assert tally.decisions + tally.left > 20
    assert {(move.old, move.looser) for move in tally.by_move()} == {(m.new, False) for m in tally.by_move()}


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_decided_once_need_not_be_remembered_to_be_counted_once(world: World, seed: int) -> None:
    await _history(world, seed, steps=60)
    reader = Reader(store=world.store, secrets=world.opened.secrets, wish=WISH)
    found = [decided async for decided in reader.decided()]
    times = Counter(each.line.action for each in found)
    assert all(times[each.line.action] == 1 for each in found if each.once)
    assert all(not each.once for each in found if times[each.line.action] > 1)
    assert any(each.once for each in found)
    assert {each.line.action for each in found if not each.once} == {
        row.action.id for row in await world.store.actions(Wanted(limit=1_000)) if row.expires_at
    } & set(times)


async def test_a_tool_that_did_not_change_takes_what_it_took(world: World) -> None:
    force, count = await _under_one_contract(world), 0
    async for decided in Reader(store=world.store, secrets=world.opened.secrets, wish=WISH).decided():
        assert judged_by(force, decided.question, then=force) == judged_by(force, decided.question)
        count += 1
    assert count > 20


async def _under_one_contract(world: World) -> Force:
    """Make calls under one contract and return it."""
    chance = random.Random(7)
    world.others[LOOK] = ScriptedTool(result=False)
    await _publishes(world, chance)
    for _ in range(40):
        await _calls(world, chance)
    door = (await world.store.read(Needs())).door
    force = await world.gateway.forces.of(world.store, door, world.caller().workflow, world.caller().environment)
    assert force is not None
    return force
