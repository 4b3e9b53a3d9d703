"""Modes, switches and break-glass, and the race between whoever starts and whoever stops."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

import pytest

from interlock.app import Opened
from interlock.contract.ir import Approvals, Consent
from interlock.core.door import BreakGlass, Door, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import Environment, Instant, Micros, PersonId, Role, TenantId, ToolName, WorkflowId
from interlock.core.outcome import Done, Parked, Refused, Suggested
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.doors import break_glass, resume_switch, set_mode, throw
from interlock.gateway.force import Force, Forces
from interlock.ports import TenantStore
from world import ALLOW, KIM, MAIL, NOON, PROD, HandClock, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

LEAD = Consent(approvers=frozenset({Role("lead")}))
SUPPORT = WorkflowId("support")


def a_switch(kind: SwitchKind, scope: Scope | None = None, id: str = "s1") -> Switch:
    return Switch(id=id, kind=kind, scope=scope or Scope(), by=PersonId("kim"), at=Instant(0))


@pytest.mark.parametrize(
    ("mode", "effect", "tier", "want"),
    [
        # mode           effect               tier         ends as
        (Mode.READ_ONLY, EffectClass.READ,    Tier.RED,    Done),
        (Mode.READ_ONLY, EffectClass.OPAQUE,  Tier.GREEN,  Refused),
        (Mode.READ_ONLY, EffectClass.OPAQUE,  Tier.YELLOW, Refused),
        (Mode.READ_ONLY, EffectClass.OPAQUE,  Tier.RED,    Refused),
        (Mode.SUGGEST,   EffectClass.READ,    Tier.GREEN,  Done),
        (Mode.SUGGEST,   EffectClass.OPAQUE,  Tier.GREEN,  Suggested),
        (Mode.SUGGEST,   EffectClass.OPAQUE,  Tier.YELLOW, Suggested),
        (Mode.SUGGEST,   EffectClass.OPAQUE,  Tier.RED,    Suggested),
        (Mode.ASK,       EffectClass.READ,    Tier.YELLOW, Done),
        (Mode.ASK,       EffectClass.OPAQUE,  Tier.GREEN,  Parked),
        (Mode.ASK,       EffectClass.OPAQUE,  Tier.YELLOW, Parked),
        (Mode.ASK,       EffectClass.OPAQUE,  Tier.RED,    Suggested),
        (Mode.ACT,       EffectClass.READ,    Tier.GREEN,  Done),
        (Mode.ACT,       EffectClass.OPAQUE,  Tier.GREEN,  Done),
        (Mode.ACT,       EffectClass.OPAQUE,  Tier.YELLOW, Parked),
        (Mode.ACT,       EffectClass.OPAQUE,  Tier.RED,    Suggested),
    ],
)  # fmt: skip
async def test_every_cell_of_mode_and_tier_ends_as_the_table_says(
    world: World, mode: Mode, effect: EffectClass, tier: Tier, want: type[object]
) -> None:
    await world.publish(tools=[a_tool(effect=effect, tier=tier)], approvals=Approvals(yellow=LEAD, red=LEAD))
    await set_mode(world.store, SUPPORT, PROD, mode, KIM)
    outcome = await world.call()
    assert type(outcome) is want
    assert len(world.tool.performed) == (want is Done)
    if isinstance(outcome, Suggested):
        assert outcome.draft == (tier is Tier.RED and mode is not Mode.SUGGEST)


@pytest.mark.promise("stop")
@pytest.mark.parametrize(
    ("scope", "stops"),
    [
        (Scope(), True),
        (Scope(workflow=SUPPORT), True),
        (Scope(tool=ToolName(MAIL), environment=PROD), True),
        (Scope(effect=EffectClass.OPAQUE), True),
        (Scope(workflow=WorkflowId("other")), False),
        (Scope(tool=ToolName("other")), False),
        (Scope(effect=EffectClass.READ), False),
    ],
)
async def test_a_switch_stops_its_scope_and_nothing_else(world: World, scope: Scope, stops: bool) -> None:
    await world.publish()
    await throw(world.store, a_switch(SwitchKind.STOP, scope), KIM)
    outcome = await world.call()
    assert isinstance(outcome, Refused) is stops
    if isinstance(outcome, Refused):
        assert outcome.reason is Reason.STOPPED
    assert await resume_switch(world.store, "s1", KIM)
    assert not await resume_switch(world.store, "s1", KIM)
    assert isinstance(await world.call({"n": 2}), Done)


@pytest.mark.parametrize(("kind", "write"), [(SwitchKind.READ_ONLY, Refused), (SwitchKind.SUGGEST, Suggested)])
async def test_a_switch_may_leave_reads_or_previews(world: World, kind: SwitchKind, write: type[object]) -> None:
    read = a_tool("mail.read", effect=EffectClass.READ)
    await world.publish(ALLOW, a_rule("allow.read", "permit", "mail.read"), tools=[a_tool(), read])
    await throw(world.store, a_switch(kind), KIM)
    assert type(await world.call()) is write
    assert isinstance(await world.call(tool="mail.read"), Done)


async def test_broken_glass_lifts_a_mode_for_a_while_and_is_named_in_the_ledger(world: World) -> None:
    await world.publish()
    await set_mode(world.store, SUPPORT, PROD, Mode.READ_ONLY, KIM)
    glass = BreakGlass(id="g1", scope=Scope(), by=PersonId("kim"), at=NOON, until=Instant(NOON + 60_000_000))
    await break_glass(world.store, glass, KIM)
    assert isinstance(await world.call(), Done)
    started = json.loads((await world.store.entries())[-2])
    assert "glass:g1" in started["rules"]
    world.clock.forward(minutes=1)
    assert isinstance(await world.call({"n": 2}), Refused)


@pytest.mark.promise("stop")
async def test_broken_glass_never_lifts_a_stop(world: World) -> None:
    await world.publish()
    await throw(world.store, a_switch(SwitchKind.STOP), KIM)
    glass = BreakGlass(id="g1", scope=Scope(), by=PersonId("kim"), at=NOON, until=Instant(NOON + 60_000_000))
    await break_glass(world.store, glass, KIM)
    assert isinstance(await world.call(), Refused)


async def race(world: World, other: World, times: int, callers: int) -> Counter[str]:
    """Throw a switch while calls start, again and again; return how the calls ended."""
    ended: Counter[str] = Counter()
    for n in range(times):

        async def caller(which: int, round: int = n) -> None:
            outcome = await world.call({"round": round, "which": which})
            ended[type(outcome).__name__.lower()] += 1

        calls = [asyncio.create_task(caller(which)) for which in range(callers)]
        await asyncio.sleep(0)
        await throw(other.store, a_switch(SwitchKind.STOP, id=f"s{n}"), KIM)
        await asyncio.gather(*calls)
        assert await resume_switch(other.store, f"s{n}", KIM)
    return ended


def starts_after_a_stop(entries: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return each `started` entry that stands after a thrown switch and before it was taken back."""
    wrong: list[dict[str, object]] = []
    thrown = False
    for entry in entries:
        if entry["kind"] == "switch":
            thrown = "'to': 'thrown'" in str(entry["detail"])
        elif entry["kind"] == "started" and thrown:
            wrong.append(entry)
    return wrong


async def all_entries(world: World) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    while lines := await world.store.entries(after=len(found)):
        found += [json.loads(line) for line in lines]
    return found


@pytest.mark.promise("stop")
async def test_nothing_starts_after_a_switch_has_committed_whoever_throws_it(
    world: World, opens: Callable[[HandClock], Opened]
) -> None:
    await race_and_check(world, opens, times=25)


@pytest.mark.slow
@pytest.mark.promise("stop")
async def test_a_switch_thrown_during_a_start_a_thousand_times(
    world: World, opens: Callable[[HandClock], Opened], where: str
) -> None:
    await race_and_check(world, opens, times=100 if where.endswith(".db") else 1_000)


async def race_and_check(world: World, opens: Callable[[HandClock], Opened], *, times: int) -> None:
    tenant = TenantId(f"race-{token_hex(4)}")
    mine = World.on(world.opened, world.clock, tenant)
    theirs = World.on(opens(world.clock), world.clock, tenant)
    await mine.publish()
    ended = await race(mine, theirs, times, callers=6)
    assert set(ended) <= {"done", "refused"}
    assert ended["refused"] > 0
    entries = await all_entries(mine)
    assert starts_after_a_stop(entries) == []
    assert sum(e["kind"] == "started" for e in entries) == ended["done"] == len(mine.tool.performed)


@pytest.mark.promise("stop", "door")
@pytest.mark.parametrize("what", ["mode", "contract"])
async def test_a_contract_or_mode_that_changes_while_a_call_is_being_read_is_the_one_that_judges(
    world: World, what: str
) -> None:
    @dataclass
    class Meanwhile(Forces):
        """The doors turn right after the contract in force was found."""

        turned: bool = False

        async def of(
            self, store: TenantStore, door: Door, workflow: WorkflowId, environment: Environment
        ) -> Force | None:
            force = await super().of(store, door, workflow, environment)
            if not self.turned:
                self.turned = True
                if what == "mode":
                    await set_mode(world.store, SUPPORT, PROD, Mode.READ_ONLY, KIM)
                else:
                    await world.publish(ALLOW, a_rule("no.mail", "deny"))
            return force

    await world.publish()
    world.gateway = replace(world.gateway, forces=Meanwhile(world.gateway.performers))
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.POLICY, [])


@pytest.mark.promise("stop")
async def test_a_cached_answer_is_not_given_under_a_stop_or_to_whom_a_rule_refuses_by_now(world: World) -> None:
    look = a_tool(effect=EffectClass.READ, cache_ttl=Micros(3_600_000_000))
    await world.publish(tools=[look])
    assert isinstance(await world.call(), Done)
    cached = await world.call()
    assert isinstance(cached, Done)
    assert (cached.recalled, len(world.tool.performed)) == (True, 1)
    await throw(world.store, a_switch(SwitchKind.STOP), KIM)
    assert isinstance(await world.call(), Refused)
    await resume_switch(world.store, "s1", KIM)
    assert isinstance(await world.call(), Done)
    await world.publish(ALLOW, a_rule("no.mail", "deny"), tools=[look])
    assert isinstance(await world.call(), Refused)
    assert len(world.tool.performed) == 1
