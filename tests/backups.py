"""A store of its own that is backed up, goes on, and is set back."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interlock.app import BackedUp, BroughtBack, Opened, back_up, bring_back, open_store
from interlock.contract.ir import Approvals, Undo
from interlock.core.effect import EffectClass, Mode
from interlock.core.ids import ActionId, Micros, PersonId, Role, TenantId
from interlock.core.outcome import Done, Parked, Receipt
from interlock.gateway.adopt import Adopted, adopt
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator
from interlock.gateway.history import to_anchor
from interlock.ledger.anchor import Anchor
from world import ALLOW, KIM, PROD, HandClock, ScriptedTool, World, a_rule, a_tool

DAY = Micros(86_400_000_000)
ANN = Operator(person=PersonId("ann"), known_by="os:1001", process=KIM.process)
TENANT = TenantId("acme")
WAITING, FLYING, UNDONE = "pay", "set", "mail.send"


@dataclass
class Site:
    """A store, its keys, and the tools behind it, which remember every effect whatever happens to the store."""

    where: str
    folder: Path
    durable: bool = False
    clock: HandClock = field(default_factory=HandClock)
    tool: ScriptedTool = field(default_factory=lambda: ScriptedTool(result={"id": 7}))
    others: dict[str, ScriptedTool] = field(
        default_factory=lambda: {name: ScriptedTool() for name in (WAITING, FLYING, "mail.unsend")}
    )

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def file(self) -> Path:
        return self.folder / "monday.backup"

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[World]:
        """Run a process on the store."""
        opened = self.open()
        try:
            yield self.world(opened)
        finally:
            opened.close()

    def open(self) -> Opened:
        return open_store(self.where, self.keys, clock=self.clock, durable=self.durable)

    def world(self, opened: Opened) -> World:
        world = World.on(opened, self.clock, TENANT)
        world.tool = self.tool
        world.others |= self.others
        world.gateway.performers.tool = self.tool  # pyright: ignore[reportAttributeAccessIssue]
        return world

    def back_up(self, **more: Any) -> BackedUp:
        return back_up(self.where, self.keys, self.file, clock=self.clock, **more)

    def restore(self, where: str = "", **more: Any) -> BroughtBack:
        return bring_back(where or self.where, self.keys, self.file, KIM, clock=self.clock, **more)

    def effects(self) -> dict[str, int]:
        """How often each tool had an effect."""
        tools = {UNDONE: self.tool, **self.others}
        return {name: len(tool.performed) for name, tool in tools.items()}


async def publish(world: World, **fields: Any) -> None:
    """A mail that can be called back, a payment that a person agrees to, a setting that may be set twice."""
    tools = [
        a_tool(UNDONE, undo=Undo(tool=a_tool("mail.unsend").name, args={}, within=DAY)),
        a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True),
        a_tool(WAITING, effect=EffectClass.IDEMPOTENT_KEY),
        a_tool(FLYING, effect=EffectClass.IDEMPOTENT_KEY, resend_within=DAY),
    ]
    rules = [ALLOW, *(a_rule(f"allow.{name}", "permit", name) for name in ("mail.unsend", WAITING, FLYING))]
    fields = {"tools": tools, "modes": {PROD: Mode.ACT}, **fields}
    asks = fields.pop("asks", True)
    people = {Role("lead"): frozenset({PersonId("ann")})}
    await world.publish(
        *rules, *([a_rule("ask.pay", "ask", WAITING)] if asks else []), approvals=Approvals(people=people), **fields
    )


async def says_yes(world: World, id: ActionId) -> bool:
    return (await agree(world.gateway, world.store, id, ANN, seen=(await world.row(id)).seen)).complete


async def parked(world: World) -> ActionId:
    outcome = await world.call({"invoice": 1}, tool=WAITING, run="r1")
    assert isinstance(outcome, Parked)
    return outcome.action


async def done(world: World, **fields: Any) -> Done:
    outcome = await world.call(**fields)
    assert isinstance(outcome, Done), outcome
    return outcome


async def in_flight(site: Site, world: World) -> "tuple[asyncio.Task[Any], asyncio.Event]":
    """Start a call whose tool has not answered yet."""
    tool = site.others[FLYING]
    tool.may_answer, tool.begun = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(world.call({"to": "on"}, tool=FLYING, run="r1"))
    await tool.begun.wait()
    return task, tool.may_answer


async def anchored(world: World) -> Anchor:
    return await to_anchor(world.store, world.clock.now())


async def adopts(world: World, kept: Sequence[Receipt | Anchor], **said: Any) -> Adopted:
    world.clock.forward(seconds=1)
    adopted = await adopt(world.store, world.opened.secrets, ANN, [each.head for each in kept], **said)
    world.clock.forward(seconds=1)
    return adopted
