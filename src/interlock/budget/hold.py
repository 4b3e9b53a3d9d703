"""A hold is an upper bound set aside; settling charges what it really was and gives the rest back."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from interlock.core.charge import Charge, Unit, closes
from interlock.core.ids import BudgetId
from interlock.core.value import replace


class Balance(Struct, frozen=True, kw_only=True):
    """What a budget allows in one period, and where it went. Amounts are in the budget's unit."""

    limit: int
    raised: int = 0
    """What a person added to the limit of this period."""
    held: int = 0
    spent: int = 0
    closed: bool = False
    """A charge came in above its hold. Nothing more is admitted until a person looks."""

    def left(self) -> int:
        return 0 if self.closed else max(0, self.limit + self.raised - self.held - self.spent)


class Shortfall(Struct, frozen=True, kw_only=True):
    """The first budget that lacks something, and how much."""

    budget: BudgetId
    unit: Unit
    missing: int
    closed: bool


Balances = Mapping[BudgetId, Balance]


def hold(balances: Mapping[BudgetId, Balance | None], charges: Sequence[Charge]) -> Balances | Shortfall:
    """Set every charge aside, or none of them and say what is missing first."""
    after: dict[BudgetId, Balance] = {}
    for charge in charges:
        known = after.get(charge.budget) or balances[charge.budget] or Balance(limit=charge.limit)
        # The contract that is in force now says the limit; the row remembers only what happened under it.
        balance = replace(known, limit=charge.limit)
        if balance.closed or charge.amount > balance.left():
            missing = charge.amount - balance.left()
            return Shortfall(budget=charge.budget, unit=charge.unit, missing=missing, closed=balance.closed)
        after[charge.budget] = replace(balance, held=balance.held + charge.amount)
    return after


def settle(
    balances: Mapping[BudgetId, Balance | None], charges: Sequence[Charge], costs: Mapping[BudgetId, int]
) -> Balances:
    """Charge `costs` and give the rest of each hold back. A budget that `costs` does not name is charged nothing."""
    after: dict[BudgetId, Balance] = {}
    for charge in charges:
        balance = after.get(charge.budget) or balances[charge.budget]
        assert balance is not None, "what was held has a row"
        cost = costs.get(charge.budget, 0)
        after[charge.budget] = replace(
            balance,
            held=balance.held - charge.amount,
            # A cost above the hold is charged all the same: the books follow the facts.
            spent=balance.spent + cost,
            closed=balance.closed or closes(charge.limit, held=charge.amount, cost=cost),
        )
    return after


def overrun(charges: Sequence[Charge], costs: Mapping[BudgetId, int]) -> bool:
    """Whether anything cost more than was held for it."""
    return any(costs.get(charge.budget, 0) > charge.amount for charge in charges)
