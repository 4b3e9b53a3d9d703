"""What an action may take from a budget. Policy, budgets and the ledger all speak of it."""

from msgspec import Struct

from interlock.core.ids import BudgetId
from interlock.core.limits import SAFE_INTEGER
from interlock.core.unit import Unit as Unit

UNLIMITED = SAFE_INTEGER
"""The limit of a budget that only counts. Nothing closes it."""


class Charge(Struct, frozen=True, kw_only=True):
    """What an action may take from one budget, at most."""

    budget: BudgetId
    unit: Unit
    amount: int
    limit: int
    """What the contract allows in the budget's period, should this charge be its first."""

    def __post_init__(self) -> None:
        assert 0 <= self.amount <= SAFE_INTEGER, "an upper bound is never negative"


def closes(limit: int, *, held: int, cost: int) -> bool:
    """Whether a charge closes its budget: it is above what was held for it, and there is a limit to keep."""
    return cost > held and limit < UNLIMITED
