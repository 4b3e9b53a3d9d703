"""All that may be done to a tenant of a random history, and how it is drawn."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from histories import ACTING, Gate, History, Plan, PlannedTool, Sent, Turn, quiet
from history_contracts import BUDGETS, LOOK, TOOLS, often, one, rules_on
from interlock.contract.ir import Approvals, Budget, Consent, Tool
from interlock.core.action import ActionState
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.errand import Errand
from interlock.core.ids import Instant, PersonId, Role, ToolName
from interlock.gateway.budgets import raise_budget
from interlock.gateway.consent import agree, deny, edit
from interlock.gateway.doors import Operator, resume_switch, throw
from interlock.gateway.draft import start_draft
from interlock.gateway.prune import prune
from interlock.gateway.recover import attend, reap
from interlock.gateway.resolve import Verdict, resolve
from interlock.gateway.resume import resume
from interlock.gateway.reverse import ask_for, undo
from interlock.policy.rule import Rule
from interlock.ports import Needs
from test_faults import losing
from world import KIM, a_rule

LEAD = Role("lead")
PEOPLE = ("ann", "ben", "eve")
GATEWAYS_MAX = 3
CONSENT = Consent(approvers=frozenset({LEAD}))
APPROVALS = Approvals(people={LEAD: frozenset(map(PersonId, PEOPLE))}, red=CONSENT, yellow=CONSENT)


def person(name: str) -> Operator:
    return Operator(person=PersonId(name), known_by="os:1000", process=KIM.process)


@dataclass(frozen=True)
class Call:
    tool: str
    n: int
    run: str | None
    key: str | None
    at: int
    plan: Plan
    times: int = 1

    async def go(self, history: History) -> None:
        for _ in range(self.times):
            calling = history.at(self.at).call({"n": self.n}, tool=self.tool, run=self.run, key=self.key)
            history.begin(calling, self.plan)


@dataclass(frozen=True)
class Answer:
    """What a person says to something that waits."""

    says: Literal["yes", "no", "edit", "resume"]
    who: str
    which: int
    n: int
    at: int
    plan: Plan

    async def go(self, history: History) -> None:
        world, row = history.at(self.at), await history.row(self.which, ActionState.PARKED)
        if row is None:
            return
        on, by = (world.gateway, world.store, row.action.id), person(self.who)
        match self.says:
            case "yes":
                history.begin(agree(*on, by, seen=row.seen), self.plan)
            case "no":
                history.begin(deny(*on, by), self.plan)
            case "edit":
                history.begin(edit(*on, json.dumps({"n": self.n}), by), self.plan)
            case "resume":
                history.begin(resume(*on), self.plan)


@dataclass(frozen=True)
class Attend:
    at: int
    plan: Plan
    only_reap: bool = False

    async def go(self, history: History) -> None:
        world = history.at(self.at)
        work = reap(world.store, world.gateway.process) if self.only_reap else attend(world.gateway, world.store)
        history.begin(work, self.plan)


@dataclass(frozen=True)
class Overtaken:
    """A call whose process says nothing until its lease has passed, and another process that looks after it."""

    call: Call
    attend: Attend

    async def go(self, history: History) -> None:
        await self.call.go(history)
        await history.rest()
        history.world.clock.forward(seconds=130)
        await self.attend.go(history)


@dataclass(frozen=True)
class Resolve:
    verdict: Verdict
    which: int
    at: int
    plan: Plan

    async def go(self, history: History) -> None:
        world, row = history.at(self.at), await history.row(self.which, ActionState.UNCERTAIN)
        if row is not None:
            on = (world.gateway, world.store, row.action.id)
            history.begin(resolve(*on, self.verdict, KIM, result={"id": 7}, may_still_happen=True), self.plan)


@dataclass(frozen=True)
class Reverse:
    """Undo something, ask for its undo, or start a draft."""

    how: Literal["undo", "ask", "draft"]
    which: int
    at: int
    plan: Plan

    async def go(self, history: History) -> None:
        state = ActionState.SUGGESTED if self.how == "draft" else ActionState.DONE
        world, row = history.at(self.at), await history.row(self.which, state)
        if row is None:
            return
        on = (world.gateway, world.store, row.action.id)
        match self.how:
            case "undo":
                history.begin(undo(*on, KIM, even_if_changed=True), self.plan)
            case "ask":
                history.begin(ask_for(*on, KIM, even_if_changed=True), self.plan)
            case "draft":
                history.begin(start_draft(*on, KIM), self.plan)


@dataclass(frozen=True)
class Publish:
    tools: tuple[Tool, ...]
    asking: tuple[tuple[Rule, ...], ...]
    budgets: tuple[Budget, ...]

    async def go(self, history: History) -> None:
        permits = [a_rule(f"allow.{name}", "permit", name) for name in (*ACTING, "unsend")]
        rules = (*permits, *(rule for some in self.asking for rule in some))
        fields: Mapping[str, Any] = {"tools": self.tools, "budgets": self.budgets, "facts": {"risky": LOOK}}
        await quiet(history.world.publish(*rules, approvals=APPROVALS, ledger_days=1, **fields))


@dataclass(frozen=True)
class Stop:
    tool: str | None
    undo_too: bool

    async def go(self, history: History) -> None:
        scope = Scope(tool=ToolName(self.tool) if self.tool else None)
        id = f"s{history.world.clock.now()}.{len(await history.world.store.entries())}"
        kim, at = KIM.person, Instant(0)
        switch = Switch(id=id, kind=SwitchKind.STOP, scope=scope, by=kim, at=at, undo_too=self.undo_too)
        await quiet(throw(history.world.store, switch, KIM))


@dataclass(frozen=True)
class GoOn:
    """Every switch is taken back."""

    async def go(self, history: History) -> None:
        for switch in (await history.world.store.read(Needs())).door.switches:
            await quiet(resume_switch(history.world.store, switch.id, KIM))


@dataclass(frozen=True)
class Raise:
    which: int
    by: int
    reopen: bool

    async def go(self, history: History) -> None:
        store = history.world.store
        names = sorted(await store.budgets())
        if names:
            await quiet(raise_budget(store, names[self.which % len(names)], self.by, KIM, reopen=self.reopen))


@dataclass(frozen=True)
class Forward:
    seconds: int

    async def go(self, history: History) -> None:
        history.world.clock.forward(seconds=self.seconds)


@dataclass(frozen=True)
class Prune:
    """What ended a day ago is taken out."""

    async def go(self, history: History) -> None:
        world = history.world
        await quiet(prune(world.store, world.opened.secrets, world.clock, KIM))


@dataclass(frozen=True)
class Late:
    """A tool answers at last: one that is waited for, or one that was given up."""

    which: int

    async def go(self, history: History) -> None:
        waiting: list[Gate | tuple[Sent, Errand]] = [*history.gates, *history.silent]
        if not waiting:
            return
        match waiting[self.which % len(waiting)]:
            case Gate() as gate:
                gate.may_answer.set()
                history.gates.remove(gate)
            case (sent, errand):
                history.silent.remove((sent, errand))
                sent.heard = True
                errand.late(PlannedTool.answer(sent))
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Leave:
    """A caller does not wait any more."""

    which: int

    async def go(self, history: History) -> None:
        live = [task for task in history.tasks if not task.done()]
        if live:
            live[self.which % len(live)].cancel()


@dataclass(frozen=True)
class Replace:
    """Another gateway takes a place. What the old one has under way is forgotten by everybody but itself."""

    which: int

    async def go(self, history: History) -> None:
        another = history.world.another()
        if len(history.worlds) < GATEWAYS_MAX:
            history.worlds.append(another)
        else:
            history.retired.append(history.worlds[self.which % GATEWAYS_MAX])
            history.worlds[self.which % GATEWAYS_MAX] = another


@dataclass(frozen=True)
class Lose:
    """The next answer to a commit is lost, or the next commit is."""

    what: Literal["answers", "commits"]

    async def go(self, history: History) -> None:
        if history.spoiled is None or not history.spoiled.answers + history.spoiled.commits:
            history.spoiled = losing(history.world, **{self.what: 1})


SMALL = st.integers(min_value=0, max_value=5)
TURN = st.builds(
    Turn,
    often("answers", "silent", "hangs", "hangs", "silent and late", "fails", "hangs and fails"),
    one(None, 3, 3, 20, 200),
)
PLAN = st.builds(
    Plan,
    st.lists(TURN, min_size=1, max_size=2).map(tuple),
    often(False, {"happened": True, "result": {"id": 7}}, {"happened": False}, True, None),
)
CALL = st.builds(
    Call,
    one(*ACTING, "set", "pay"),
    st.integers(min_value=0, max_value=15),
    one("r1", "r2", None),
    often(None, "k"),
    SMALL,
    PLAN,
    often(1, 1, 3),
)
ANSWER = st.builds(Answer, often("yes", "resume", "edit", "no"), one(*PEOPLE), SMALL, SMALL, SMALL, PLAN)
HANGS = st.just(Plan((Turn("hangs", 3),)))
OVERTAKEN = st.builds(
    Overtaken,
    st.builds(Call, one("set", "pay", "mail"), st.integers(16, 40), st.none(), st.none(), SMALL, HANGS),
    st.builds(Attend, SMALL, PLAN),
)
ATTEND = st.builds(Attend, SMALL, PLAN, one(False, True))
RESOLVE = st.builds(Resolve, one("happened", "did_not_happen", "abandon", "retry"), SMALL, SMALL, PLAN)
REVERSE = st.builds(Reverse, one("undo", "ask", "draft"), SMALL, SMALL, PLAN)
PUBLISH = st.builds(Publish, TOOLS, st.tuples(*map(rules_on, ACTING)), BUDGETS)
STOP = st.builds(Stop, one(None, "pay", "set"), one(False, True))
RAISE = st.builds(Raise, SMALL, one(20, 0, 400), one(True, True, False))
FORWARD = st.builds(Forward, often(130, 45, 600, 80_000))
LATE, LEAVE, REPLACE = st.builds(Late, SMALL), st.builds(Leave, SMALL), st.builds(Replace, SMALL)
LOSE = st.builds(Lose, one("answers", "commits"))

Operation = (
    Call
    | Overtaken
    | Answer
    | Attend
    | Resolve
    | Reverse
    | Publish
    | Stop
    | GoOn
    | Raise
    | Forward
    | Prune
    | Late
    | Leave
    | Replace
    | Lose
)
WEIGHTS: Mapping[st.SearchStrategy[Operation], int] = {
    CALL: 18,
    ANSWER: 6,
    ATTEND: 5,
    OVERTAKEN: 5,
    RESOLVE: 5,
    FORWARD: 5,
    LATE: 6,
    REVERSE: 3,
    PUBLISH: 1,
    STOP: 1,
    st.builds(GoOn): 3,
    RAISE: 3,
    LEAVE: 1,
    REPLACE: 2,
    st.builds(Prune): 2,
    LOSE: 2,
}
OPERATION: st.SearchStrategy[Operation] = st.sampled_from(
    [each for each, weight in WEIGHTS.items() for _ in range(weight)]
).flatmap(lambda each: each)
