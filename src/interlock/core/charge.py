"""What an action may take from a budget. Policy, budgets and the ledger all speak of it."""

from enum import Enum

from msgspec import Struct

from interlock.core.ids import BudgetId
from interlock.core.limits import SAFE_INTEGER
from interlock.core.money import Money

UNLIMITED = SAFE_INTEGER
"""The limit of a budget that only counts. Nothing closes it."""


class Unit(Enum):
    """What a budget counts. Money and seconds are in millionths."""

    USD = "usd"
    USD_OF_ARGS = "usd_of_args"  # the money that the agent moves, not what it costs
    TOKENS = "tokens"
    TOOL_CALLS = "tool_calls"
    MODEL_CALLS = "model_calls"
    CALLS = "calls"  # of one tool
    RETRIES = "retries"
    SECONDS = "seconds"

    def show(self, amount: int) -> str:
        """Write an amount with its unit, of one in the singular."""
        match self:
            case Unit.USD | Unit.USD_OF_ARGS:
                return str(Money(amount))
            case Unit.SECONDS:
                return f"{amount / 1_000_000:g} s"
            case _:
                many = self.value.replace("_", " ")
                return f"{amount:,} {_ONE.get(self, many.removesuffix('s')) if amount == 1 else many}"


_ONE = {Unit.RETRIES: "retry"}
"""What is more in the plural than an `s`."""


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
