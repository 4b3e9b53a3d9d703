"""What the checks stand on: a tenant with a contract, a gateway before a real store, a tool that does as told."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.app import Opened, gateway_on
from interlock.budget.hold import Balance
from interlock.budget.period import Period
from interlock.contract.ir import Budget, Contract, Tool
from interlock.core.action import Caller
from interlock.core.canonical import Json
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import (
    ActionId,
    AgentId,
    BudgetId,
    Environment,
    Instant,
    Micros,
    PersonId,
    PrincipalId,
    ProcessId,
    Role,
    RuleId,
    RunId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.core.outcome import Outcome
from interlock.core.picture import Picture
from interlock.core.value import replace
from interlock.gateway.budgets import raise_budget
from interlock.gateway.call import Gateway
from interlock.gateway.doors import Operator, publish
from interlock.gateway.proposal import Proposal
from interlock.policy.rule import Place, Rule, RuleEffect
from interlock.ports import ActionRow, Errand, Needs, Performed, Performer, TenantStore, Terms

NOON = Instant(1_767_268_800_000_000)
HERE = Place(file="contract.yaml", line=1, column=1)
PROD = Environment("prod")
MAIL = ToolName("mail.send")
KIM = Operator(person=PersonId("kim"), known_by="os:1000", process=ProcessId("ptest"))
ANYTHING: Mapping[str, Any] = {"additionalProperties": True}


@dataclass
class HandClock:
    """Stands still until somebody moves it. Wall and boot clock move together unless told otherwise."""

    at: Instant = NOON
    up: Micros = Micros(1_000_000_000)

    def now(self) -> Instant:
        return self.at

    def boot(self) -> Micros:
        return self.up

    def forward(self, *, seconds: float = 0, minutes: float = 0, days: float = 0) -> None:
        micros = int((seconds + minutes * 60 + days * 86_400) * 1_000_000)
        self.at, self.up = Instant(self.at + micros), Micros(self.up + micros)

    def jump(self, *, seconds: float) -> None:
        self.at = Instant(self.at + int(seconds * 1_000_000))


@dataclass
class ScriptedTool:
    """Answers as told and remembers what it was asked to do."""

    result: Json = "sent"
    costs: Mapping[str, int] = field(default_factory=dict[str, int])
    breaks: list[BaseException] = field(default_factory=list[BaseException])
    """What each call in turn ends with; after them it answers."""
    may_answer: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    performed: list[ActionId] = field(default_factory=list[ActionId])
    sent: list[bytes] = field(default_factory=list[bytes])
    keys: list[str] = field(default_factory=list[str])
    slots_left: bool = True
    pictures: tuple[Picture, ...] = ()

    def free(self) -> bool:
        return self.slots_left

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        self.performed.append(errand.action.id)
        self.sent.append(errand.arguments)
        self.keys.append(errand.key)
        self.begun.set()
        if self.may_answer is not None:
            await self.may_answer.wait()
        if self.breaks:
            raise self.breaks.pop(0)
        return Performed(result=self.result, costs=self.costs, pictures=self.pictures)


@dataclass
class Scripts:
    """Finds the scripted tool of a name, or the one that most checks are about."""

    tool: ScriptedTool
    others: dict[str, ScriptedTool] = field(default_factory=dict[str, ScriptedTool])

    def find(self, source: str, terms: Terms) -> Performer | None:
        kind, _, name = source.partition(":")
        return self.others.get(name, self.tool) if kind == "script" else None


def a_tool(name: str = MAIL, **fields: Any) -> Tool:
    """A yellow, opaque tool that costs nothing; name only what your check is about."""
    given: dict[str, Any] = {"effect": EffectClass.OPAQUE, "tier": Tier.GREEN, "price": 0, "schema": ANYTHING, **fields}
    return Tool(name=ToolName(name), source=f"script:{name}", place=HERE, **given)


def a_rule(id: str, effect: str, tool: str | None = MAIL, **fields: Any) -> Rule:
    """A rule about the tool; who is asked holds the role `lead`."""
    if effect == "ask":
        fields = {"approvers": frozenset({Role("lead")}), **fields}
    name = None if tool is None else ToolName(tool)
    return Rule(id=RuleId(id), effect=RuleEffect(effect), tool=name, place=HERE, **fields)


ALLOW = a_rule("allow.mail", "permit")


def a_budget(limit: int, unit: Unit = Unit.USD, period: Period = "day", tool: str | None = None) -> Budget:
    """A budget of so many of a unit in a period."""
    return Budget(unit=unit, period=period, limit=limit, place=HERE, tool=ToolName(tool) if tool else None)


@dataclass
class World:
    """One tenant and everything around it."""

    opened: Opened
    clock: HandClock
    tenant: TenantId
    tool: ScriptedTool
    gateway: Gateway
    store: TenantStore
    others: dict[str, ScriptedTool]
    """The tools beside the one that a check is about, by name."""

    @classmethod
    def on(cls, opened: Opened, clock: HandClock, tenant: TenantId) -> "World":
        tool = ScriptedTool()
        scripts = Scripts(tool)
        gateway = gateway_on(opened, scripts)
        return cls(opened, clock, tenant, tool, gateway, opened.store.for_tenant(tenant), scripts.others)

    def contract(self, *rules: Rule, **fields: Any) -> Contract:
        tools = fields.pop("tools", (a_tool(),))
        return Contract(
            workflow=WorkflowId("support"),
            tenant=self.tenant,
            place=HERE,
            modes=fields.pop("modes", {PROD: Mode.ACT}),
            tools={tool.name: tool for tool in tools},
            rules=rules or (ALLOW,),
            **fields,
        )

    async def publish(self, *rules: Rule, **fields: Any) -> None:
        await publish(self.store, self.contract(*rules, **fields), PROD, KIM)

    def caller(self, agent: str = "bot", principal: str = "sam") -> Caller:
        return Caller(
            tenant=self.tenant,
            workflow=WorkflowId("support"),
            environment=PROD,
            agent=AgentId(agent),
            principal=PrincipalId(principal),
        )

    def another(self) -> "World":
        """A second process on the same store, with the same tools."""
        scripts = Scripts(self.tool, self.others)
        return replace(self, gateway=gateway_on(self.opened, scripts))

    def sharing(self, other: "World") -> "World":
        """This store with the tools of another world."""
        scripts = Scripts(other.tool, other.others)
        return replace(self, tool=other.tool, others=other.others, gateway=gateway_on(self.opened, scripts))

    async def row(self, id: ActionId) -> ActionRow:
        row = (await self.store.read(Needs(actions=frozenset({id})))).actions[id]
        assert row is not None
        return row

    async def call(self, arguments: Mapping[str, Any] | str | None = None, **fields: Any) -> Outcome:
        """Call the tool as an agent would."""
        caller = fields.pop("caller", None) or self.caller()
        run = fields.pop("run", None)
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {"to": "sam"})
        proposal = Proposal(
            tool=ToolName(fields.pop("tool", MAIL)), arguments=text, run=RunId(run) if run else None, **fields
        )
        return await self.gateway.call(caller, proposal)

    async def balance(self, of: str = "usd") -> Balance:
        """The balance whose name has `of` as its unit, zero if it was never touched."""
        found = [balance for id, balance in (await self.store.budgets()).items() if f"/{of}/" in id]
        assert len(found) <= 1, found
        return found[0] if found else Balance(limit=0)

    async def entries(self) -> list[dict[str, Any]]:
        """The ledger, as anybody reads it."""
        return [json.loads(line) for line in await self.store.entries(limit=100_000)]

    async def history(self) -> list[str]:
        """Each entry about an action as `kind state: what explains it`."""
        return [
            f"{e['kind']} {e['state']}: {e['reason'] or ', '.join(e['rules']) or e['cost']}"
            for e in await self.entries()
            if "action" in e
        ]

    async def raise_by(self, budget: str, amount: int) -> None:
        await raise_budget(self.store, BudgetId(budget), amount, KIM)
