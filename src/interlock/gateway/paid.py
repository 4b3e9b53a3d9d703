"""What is looked up for an action is paid before it is looked up: no number of callers spends beyond a budget."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from interlock.budget.hold import Shortfall, hold, settle
from interlock.contract.ir import Tool
from interlock.core.action import ActionState
from interlock.core.charge import Charge, Unit
from interlock.core.door import SwitchKind
from interlock.core.ids import Instant, ProcessId
from interlock.core.money import Money
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.begin import Stale
from interlock.gateway.charges import charges, look_up_charges, of_the_tenant
from interlock.gateway.entry import entry_of
from interlock.gateway.refuse import HALTS, lacks
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Needs, Rows, TenantStore

Payer = Literal["agent", "tenant", "hold"]
"""Whose budgets pay: the agent's, the tenant's (a person or we ourselves want to know), or what is held already."""


@dataclass(slots=True, kw_only=True)
class Purse:
    """Pays for the look-ups of one action. Once it cannot, it never can, and says why."""

    store: TenantStore
    asked: Asked
    process: ProcessId
    seen: Rows
    """As it was judged. What stops what would be looked up with is in there, and in the periods of that moment it is
    charged. Where the agent pays, its door must still be that of the write."""
    pays: Payer = "agent"
    spent: int = 0
    """In micro-dollars, what no row says yet: before there is a row, whoever writes the first one says it."""
    stopped: Refused | Stale | None = None

    async def pay(self, tool: Tool) -> bool:
        """Book what one look-up with `tool` costs, and say whether it may be made."""
        mine = self._charges(tool, self.seen.now)
        if self.pays != "hold" and self.seen.halt is not None:
            self.stopped = self._no(*HALTS[self.seen.halt])
        if self.stopped is not None or self._stops(tool):
            return False
        if any(charge.amount for charge in mine):
            budgets = frozenset(charge.budget for charge in mine)
            needs = Needs(actions=frozenset({self.asked.action.id}), budgets=budgets)
            paid = (await self.store.write(needs, partial(self._paid, tool=tool))).answer
            if isinstance(paid, int):
                self.spent += paid
            else:
                self.stopped = paid
        return self.stopped is None

    def _stops(self, tool: Tool) -> bool:
        """Whether a person has stopped what would be looked up with. An operator's undo passes as it does itself."""
        action = self.asked.action
        passes = action.undo_of is not None and action.by is not None
        return any(
            switch.kind is SwitchKind.STOP
            and switch.scope.covers(action.caller, tool.name, tool.effect)
            and (not passes or switch.undo_too or switch.scope.tool == tool.name)
            for switch in self.seen.door.switches
        )

    def _charges(self, tool: Tool, now: Instant) -> tuple[Charge, ...]:
        price = tool.price or 0
        if self.pays == "tenant":
            return (of_the_tenant(price, now),) if price else ()
        own = look_up_charges(self.asked, tool, now)
        if self.pays == "hold":
            return own
        paid = [replace(charge, amount=price) for charge in charges(self.asked, now) or () if charge.unit is Unit.USD]
        return (*(charge for charge in paid if price), *own)

    def _paid(self, rows: Rows, *, tool: Tool) -> tuple[Changes, Refused | Stale | int]:
        mine, price = self._charges(tool, rows.now), 0 if self.pays == "hold" else tool.price or 0
        row = rows.actions[self.asked.action.id]
        if self.pays == "agent" and rows.halt is not None:
            return Changes(), self._no(*HALTS[rows.halt])
        moved = self.pays == "agent" and self.seen.door.epoch != rows.door.epoch
        if moved or not {charge.budget for charge in mine} <= rows.budgets.keys():
            return Changes(), Stale(paid=self.spent)
        held = hold(rows.budgets, mine)
        if isinstance(held, Shortfall):
            return Changes(), self._no(*lacks(held))
        costs = {charge.budget: charge.amount for charge in mine}
        stands = row or ActionRow(action=self.asked.action, state=ActionState.ASKED)
        begun = entry_of(rows, stands, Kind.LOOKED_UP, self.process)
        entry = replace(begun, action=self.asked.action, holds=mine, costs=costs, cost=Money(price))
        told = (replace(row, gathered=row.gathered + price),) if row else ()
        return Changes(actions=told, budgets=settle(held, mine, costs), entries=(entry,)), 0 if row else price

    def _no(self, reason: Reason, why: str, fix: str) -> Refused:
        return Refused(action=self.asked.action.id, reason=reason, why=why, fix=fix)
