"""What is looked up for an action is paid before it is looked up: no number of callers spends beyond a budget."""

from dataclasses import dataclass
from functools import partial

from interlock.budget.hold import Shortfall, hold, settle
from interlock.core.action import ActionState
from interlock.core.charge import Charge, Unit
from interlock.core.ids import Instant, ProcessId
from interlock.core.money import Money
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.begin import HALTS, Stale, lacks
from interlock.gateway.charges import charges, of_the_tenant
from interlock.ledger.seal import ActionEntry, Kind
from interlock.ports import Changes, Needs, Rows, TenantStore


@dataclass(slots=True, kw_only=True)
class Purse:
    """Pays for the look-ups of one action. Once it cannot, it never can, and says why."""

    store: TenantStore
    asked: Asked
    process: ProcessId
    epoch: int | None
    """The doors under which the agent's budgets pay; none where the tenant pays for what we or a person look up."""
    now: Instant
    """When it was judged: in the periods of that moment it is charged."""
    spent: int = 0
    """In micro-dollars, what no row says yet: before there is a row, whoever writes the first one says it."""
    stopped: Refused | Stale | None = None

    async def pay(self, price: int) -> bool:
        """Book `price` as spent, and say whether the look-up may be made."""
        if price and self.stopped is None:
            budgets = frozenset(charge.budget for charge in self._charges(price, self.now))
            needs = Needs(actions=frozenset({self.asked.action.id}), budgets=budgets)
            paid = (await self.store.write(needs, partial(self._paid, price=price))).answer
            if isinstance(paid, int):
                self.spent += paid
            else:
                self.stopped = paid
        return self.stopped is None

    def _charges(self, price: int, now: Instant) -> tuple[Charge, ...]:
        if self.epoch is None:
            return (of_the_tenant(price, now),)
        own = charges(self.asked, now) or ()
        return tuple(replace(charge, amount=price) for charge in own if charge.unit is Unit.USD)

    def _paid(self, rows: Rows, *, price: int) -> tuple[Changes, Refused | Stale | int]:
        mine = self._charges(price, rows.now)
        row = rows.actions[self.asked.action.id]
        if self.epoch is not None and rows.halt is not None:
            return Changes(), self._no(*HALTS[rows.halt])
        if self.epoch not in (None, rows.door.epoch) or not {charge.budget for charge in mine} <= rows.budgets.keys():
            return Changes(), Stale(paid=self.spent)
        held = hold(rows.budgets, mine)
        if isinstance(held, Shortfall):
            return Changes(), self._no(*lacks(held))
        costs = {charge.budget: charge.amount for charge in mine}
        entry = ActionEntry(
            kind=Kind.LOOKED_UP,
            at=rows.now,
            epoch=rows.door.epoch,
            process=self.process,
            action=self.asked.action,
            state=row.state if row else ActionState.ASKED,
            fence=row.fence if row else 0,
            holds=mine,
            costs=costs,
            cost=Money(price),
        )
        told = (replace(row, gathered=row.gathered + price),) if row else ()
        return Changes(actions=told, budgets=settle(held, mine, costs), entries=(entry,)), 0 if row else price

    def _no(self, reason: Reason, why: str, fix: str) -> Refused:
        return Refused(action=self.asked.action.id, reason=reason, why=why, fix=fix)
