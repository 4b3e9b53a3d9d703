"""Whatever happens to equal calls, one of them is carried out within a day, and none that is to be told is lost."""

import asyncio
import os
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from histories import quiet
from interlock.app import Opened
from interlock.contract.ir import Approvals, Loop
from interlock.core.action import ActionState
from interlock.core.effect import Mode
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import ActionId, Instant, Micros, PersonId, Role, RunId, TenantId, ToolName
from interlock.core.outcome import Outcome
from interlock.core.reason import Reason
from interlock.core.unit import Unit
from interlock.gateway.consent import agree, deny, edit
from interlock.gateway.proposal import Proposal
from interlock.gateway.prune import prune
from interlock.gateway.recover import reap
from interlock.gateway.repeated import call_or_recall
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.ports import ActionRow, Wanted
from world import ALLOW, KIM, MAIL, PROD, HandClock, World, a_budget, a_rule, a_tool

LONG = int(os.environ.get("INTERLOCK_HISTORIES", "0"))
SHORT = 120
DAY = 86_400 * 1_000_000
SPELLED = ('{"to":"sam","usd":1}', '{"usd":1.0,"to":"sam"}', '{"to":"\\u0073am"}')
"""The same call; a default is filled in."""
PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
SCHEMA: Any = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "usd": {"type": "number", "default": 1}},
}
WAITS = (ActionState.PARKED, ActionState.STARTED, ActionState.UNCERTAIN)


class Walk:
    """A history of equal calls of one caller, and what it knows of the actions that they came to."""

    def __init__(self, world: World) -> None:
        self.processes = (world, world.another(), world.another())
        self.world = world
        self.anew = False
        self.told: list[ActionId] = []
        self.ended: dict[ActionId, Instant] = {}

    async def publish(self, how: str) -> None:
        rules = {"ask": [ALLOW, a_rule("ask.mail", "ask", expires=Micros(3 * DAY))], "deny": [a_rule("no", "deny")]}
        self.anew = how == "new"
        await self.world.publish(
            *rules.get(how, [ALLOW]),
            tools=(a_tool(schema=SCHEMA, on_repeat="new" if self.anew else "return"),),
            modes={PROD: Mode.SUGGEST if how == "suggest" else Mode.ACT},
            budgets=(a_budget(0 if how == "poor" else 1_000, unit=Unit.TOOL_CALLS),),
            loop=Loop(equal_calls=100_000),
            approvals=PEOPLE,
            ledger_days=2,
        )

    async def rows(self) -> list[ActionRow]:
        """Return what is known of every equal call that came to an action, in the order of their beginning."""
        return [await self.world.row(id) for id in self.told]

    async def call(self, *whose: int, tool: Sequence[BaseException] = ()) -> None:
        before, now, done = await self.rows(), self.world.clock.now(), len(self.world.tool.performed)
        self.world.tool.breaks = list(tool)
        whose = whose[:1] if self.anew else whose  # of several that are begun anew at once, no one is the newest
        outcomes = await asyncio.gather(*(self._one(each) for each in whose))
        self.world.tool.breaks = []
        performed = self.world.tool.performed[done:]
        for outcome in outcomes:
            if outcome.action not in self.told:
                self.told.append(outcome.action)
        await self.mark()
        open_ones = [row for row in before if row.state in WAITS and not self.is_over(row, now)]
        assert len(open_ones) <= 1, open_ones
        held = open_ones or [row for row in before[-1:] if self.still_answers(row, now)]
        if held and not (self.anew and not open_ones and not self.told_anew(held[-1], now)):
            assert performed == [], (held[-1].state, outcomes)
            assert {each.action for each in outcomes} == {held[-1].action.id}, (held[-1], outcomes)
        elif not self.anew:
            well = [id for id in performed if (await self.world.row(id)).state is not ActionState.FAILED]
            assert len(well) <= 1, performed

    async def _one(self, number: int) -> Outcome:
        each = self.processes[number]
        proposal = Proposal(tool=ToolName(MAIL), arguments=SPELLED[number].encode(), session=RunId(f"s{number}"))
        return await call_or_recall(each.gateway, each.caller(), proposal)

    def is_over(self, row: ActionRow, now: Instant) -> bool:
        return row.state is ActionState.PARKED and now >= row.expires_at

    def still_answers(self, row: ActionRow, now: Instant) -> bool:
        """Whether the newest of all is told within its day."""
        kept = row.state in (ActionState.DONE, ActionState.ABANDONED) or row.reason is Reason.APPROVAL_DENIED
        return kept and now < self.ended[row.action.id] + DAY

    def told_anew(self, row: ActionRow, now: Instant) -> bool:
        asked = row.state is ActionState.DONE and row.requirements != ()
        return asked or row.reason is Reason.APPROVAL_DENIED

    async def mark(self) -> None:
        """Note when each came to an end; forget those that left no trace to be told of."""
        kept: list[ActionId] = []
        for row in await self.rows():
            gone = row.state is ActionState.SUGGESTED or (
                row.state is ActionState.REFUSED and row.reason is not Reason.APPROVAL_DENIED
            )
            if not gone:
                kept.append(row.action.id)
            if row.state not in WAITS:
                self.ended.setdefault(row.action.id, self.world.clock.now())
        self.told = kept

    async def people(self, say: str) -> None:
        """Say something to whatever waits, or is not known."""
        world, store = self.world, self.world.store
        for row in await store.actions(Wanted(states=frozenset({ActionState.PARKED, ActionState.UNCERTAIN}))):
            id = row.action.id
            match say, row.state:
                case "yes", ActionState.PARKED:
                    await quiet(agree(world.gateway, store, id, KIM, seen=row.seen))
                    await quiet(resume(world.gateway, store, id))
                case "no", ActionState.PARKED:
                    await quiet(deny(world.gateway, store, id, KIM))
                case "edit", ActionState.PARKED:
                    await quiet(edit(world.gateway, store, id, '{"to":"ben"}', KIM))
                case "look", ActionState.PARKED:
                    await quiet(resume(world.gateway, store, id))
                case (("happened" | "did_not_happen" | "abandon"), ActionState.UNCERTAIN):
                    await quiet(resolve(world.gateway, store, id, say, KIM))
                case _:
                    pass
        await self.mark()

    async def pass_by(self, hours: float) -> None:
        self.world.clock.forward(minutes=60 * hours)
        await reap(self.world.store, self.world.gateway.process)
        await self.mark()

    async def prune(self) -> None:
        await prune(self.world.store, self.world.opened.secrets, self.world.clock, KIM)


def how_it_goes(kind: str) -> Sequence[BaseException]:
    errors: dict[str, list[BaseException]] = {
        "fails": [UpstreamFailed("no", fix="call again")],
        "fails twice": [UpstreamFailed("no", fix="call again")] * 2,
        "is torn": [RuntimeError("torn")],
    }
    return errors.get(kind, [])


PROCESS = st.sampled_from((0, 1, 2))
ENDS = st.sampled_from(("answers", "answers", "fails", "fails twice", "is torn"))
CALLS = st.tuples(st.just("call"), st.tuples(st.lists(PROCESS, min_size=1, max_size=3, unique=True), ENDS))
PUBLISHES = st.tuples(st.just("publish"), st.sampled_from(("plain", "ask", "deny", "new", "poor", "suggest")))
SAYS = st.sampled_from(("yes", "no", "edit", "look", "happened", "did_not_happen", "abandon"))
STEPS: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    CALLS,
    CALLS,
    CALLS,
    PUBLISHES,
    st.tuples(st.just("people"), SAYS),
    st.tuples(st.just("pass_by"), st.sampled_from((0.1, 6, 23.9, 24.1, 80))),
    st.tuples(st.just("prune"), st.none()),
)


async def walk(world: World, steps: Sequence[tuple[str, Any]]) -> None:
    going = Walk(world)
    await going.publish("plain")
    for what, how in steps:
        match what:
            case "call":
                whose, kind = how
                await going.call(*whose, tool=how_it_goes(kind))
            case "publish":
                await going.publish(how)
            case "people":
                await going.people(how)
            case "pass_by":
                await going.pass_by(how)
            case _:
                await going.prune()


@pytest.mark.slow
@pytest.mark.promise("once")
@settings(
    max_examples=LONG or SHORT,
    derandomize=not LONG,
    phases=tuple(Phase) if LONG else (Phase.generate,),
    deadline=None,
    database=None,
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
)
@given(steps=st.lists(STEPS, min_size=15, max_size=40))
def test_equal_calls_are_carried_out_once_within_a_day_whatever_happens_to_them(
    opens: Callable[[HandClock], Opened], steps: Sequence[tuple[str, Any]]
) -> None:
    clock = HandClock()
    opened = opens(clock)
    try:
        asyncio.run(walk(World.on(opened, clock, TenantId(f"walk-{token_hex(4)}")), steps))
    finally:
        opened.close()
