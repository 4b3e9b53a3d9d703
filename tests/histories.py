"""Random histories: one tenant with several gateways, and tools that misbehave as planned."""

import asyncio
import json
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, Literal

from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed
from interlock.core.errors import InterlockError, UpstreamFailed, UpstreamSilent
from interlock.core.ids import ActionId, ToolName
from interlock.ledger.export import Older
from interlock.ports import ActionRow, Wanted
from test_faults import Losing
from world import World

ACTING = ("mail", "set", "pay", "query", "find")
REST_SECONDS = 0.08

How = Literal["answers", "fails", "silent", "hangs", "hangs and fails", "silent and late"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a tool does when it is called once, and what it says that this cost."""

    how: How
    usd: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the tools do to one operation: each call in turn, the last one for all that follow; what looks find."""

    turns: tuple[Turn, ...]
    finds: Json = False


@dataclass(eq=False)
class Played:
    """A plan under way."""

    plan: Plan
    begun: int = 0
    at_gate: int = 0

    def turn(self) -> Turn:
        self.begun += 1
        return self.plan.turns[min(self.begun, len(self.plan.turns)) - 1]


PLAYED: ContextVar[Played] = ContextVar("PLAYED")


@dataclass(eq=False)
class Sent:
    """One request that reached a tool."""

    action: ActionId
    tool: ToolName
    effect: EffectClass
    usd: int | None
    round: Errand
    """What all attempts of one round are sent for."""
    heard: bool = False
    """Whether its answer came back."""


@dataclass(eq=False)
class Gate:
    """A request that waits, and what is to be done when it may go on."""

    sent: Sent
    played: Played
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class PlannedTool:
    """Does what the plan of the operation says in whose course it is called."""

    history: "History"

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        played, action = PLAYED.get(), errand.action
        turn = played.turn()
        sent = Sent(action.id, action.tool, action.effect, turn.usd, errand)
        self.history.sent.append(sent)
        if turn.how == "fails":
            raise UpstreamFailed("no", fix="")
        if turn.how in ("hangs", "hangs and fails"):
            await self._wait(Gate(sent, played))
        if turn.how == "hangs and fails":
            raise UpstreamFailed("no, after a while", fix="")
        if turn.how == "silent and late":
            self.history.silent.append((sent, errand))
        if turn.how in ("silent", "silent and late"):
            raise UpstreamSilent("no answer", fix="")
        sent.heard = True
        return self.answer(sent)

    @staticmethod
    def answer(sent: Sent) -> Performed:
        return Performed(result={"id": 7}, costs={} if sent.usd is None else {"usd": sent.usd})

    async def _wait(self, gate: Gate) -> None:
        self.history.gates.append(gate)
        gate.played.at_gate += 1
        try:
            await gate.may_answer.wait()
        finally:
            gate.played.at_gate -= 1
            if gate in self.history.gates:
                self.history.gates.remove(gate)


@dataclass
class Look:
    """The read that facts and looks at the record are made with."""

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        played = PLAYED.get(None)
        return Performed(result=played.plan.finds if played else False)


@dataclass
class History:
    """One tenant with up to three gateways, and all that is under way on them."""

    worlds: list[World]
    retired: list[World] = field(default_factory=list[World])
    """Gateways that were replaced, with what they still have under way."""
    sent: list[Sent] = field(default_factory=list[Sent])
    gates: list[Gate] = field(default_factory=list[Gate])
    silent: list[tuple[Sent, Errand]] = field(default_factory=list[tuple[Sent, Errand]])
    tasks: "dict[asyncio.Task[Any], Played]" = field(default_factory=dict["asyncio.Task[Any]", Played])
    spoiled: Losing | None = None
    at_rest: bool = True
    archive: list[bytes] = field(default_factory=list[bytes])
    """Every entry that was read so far: whoever attends takes out what is old."""

    @classmethod
    def of(cls, world: World) -> "History":
        history = cls([world])
        tools: dict[str, Any] = world.others
        tools |= {name: PlannedTool(history) for name in (*ACTING, "unsend")} | {"look": Look()}
        return history

    @property
    def world(self) -> World:
        return self.worlds[0]

    def at(self, which: int) -> World:
        return self.worlds[which % len(self.worlds)]

    async def lines(self) -> list[bytes]:
        """The ledger with all that was ever taken out of it."""
        older = Older([self.archive])
        stored = await self.world.store.entries(limit=100_000)
        self.archive = [older.put_back(line, index) for index, line in enumerate(stored)]
        return self.archive

    async def entries(self) -> list[dict[str, Any]]:
        """The whole ledger, as anybody reads it."""
        return [json.loads(line) for line in await self.lines()]

    async def rows(self, *states: ActionState) -> list[ActionRow]:
        found = await self.world.store.actions(Wanted(limit=500, states=frozenset(states)))
        return sorted(found, key=lambda row: (row.action.asked_at, row.action.id))

    async def row(self, which: int, *states: ActionState) -> ActionRow | None:
        found = await self.rows(*states)
        return found[which % len(found)] if found else None

    def begin(self, work: Coroutine[Any, Any, object], plan: Plan) -> None:
        """Let something go on by itself, with tools that do as planned."""
        played, context = Played(plan), copy_context()
        context.run(PLAYED.set, played)
        self.tasks[asyncio.get_running_loop().create_task(quiet(work), context=context)] = played

    def busy(self) -> "set[asyncio.Task[Any]]":
        """Everything under way that does not wait for a tool."""
        held_up = {gate.sent.action for gate in self.gates}
        busy = {task for task, played in self.tasks.items() if not task.done() and not played.at_gate}
        for world in (*self.worlds, *self.retired):
            busy |= {task for id, task in world.gateway.under_way.items() if id not in held_up}
            busy |= world.gateway.settling
        return busy

    async def rest(self, seconds: float = REST_SECONDS) -> None:
        """Wait until nothing moves any more but by another operation, or for long enough."""
        until = asyncio.get_running_loop().time() + seconds
        while (busy := self.busy()) and asyncio.get_running_loop().time() < until:
            await asyncio.wait(busy, timeout=0.003)
            for task in busy:
                if task.done() and not task.cancelled():
                    task.result()  # a bug is told at once
        self.at_rest = not self.busy()
        self.tasks = {task: played for task, played in self.tasks.items() if not task.done()}


async def quiet(work: Coroutine[Any, Any, object]) -> object:
    """Take a no, a store that is away and a caller that leaves for the ordinary things that they are."""
    try:
        return await work
    except (InterlockError, asyncio.CancelledError) as no:
        return no
