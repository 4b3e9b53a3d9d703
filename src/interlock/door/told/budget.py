"""What budgets allow, and where it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.budget.hold import Balance
from interlock.budget.period import Period, budget_id, period_name
from interlock.contract.bundle import decode
from interlock.core.door import Door
from interlock.core.ids import BudgetId, Instant
from interlock.core.unit import Unit
from interlock.door.told.here import Here
from interlock.door.told.measures import Amount
from interlock.gateway.proposal import RUN_NAME

_PERIODS: tuple[Period, ...] = ("hour", "day", "month")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A budget that a contract in force sets."""

    owner: str
    unit: Unit
    period: str
    limit: int


def unit_of(id: BudgetId) -> Unit | None:
    """Return what a budget counts, as its id says."""
    parts = id.split("/")
    return next((unit for unit in Unit if len(parts) == 3 and unit.value == parts[1]), None)


def balance_data(id: BudgetId, balance: Balance) -> dict[str, Any]:
    """Return a balance as data, each amount in the unit of the budget."""
    unit = unit_of(id) or Unit.CALLS
    return {
        "budget": id,
        "unit": unit.value,
        "limit": Amount(unit, balance.limit),
        "raised": Amount(unit, balance.raised),
        "spent": Amount(unit, balance.spent),
        "held": Amount(unit, balance.held),
        "left": Amount(unit, balance.left()),
        "closed": balance.closed,
    }


async def limits_of(here: Here, door: Door) -> tuple[Limit, ...]:
    """List what the contracts in force set."""
    found: list[Limit] = []
    for name, published in sorted(door.published.items()):
        contract = decode(await here.store.contract(published.contract))
        workflow, _, environment = name.rpartition("/")
        for each in contract.budgets:
            owner = f"{workflow}:{environment}" + (f":{each.tool}" if each.tool else "")
            found.append(Limit(owner=owner, unit=each.unit, period=each.period, limit=each.limit))
    return tuple(found)


def known_budgets(
    limits: tuple[Limit, ...], balances: Mapping[BudgetId, Balance], now: Instant
) -> Mapping[BudgetId, Balance]:
    """Join the balances that were touched with those that are set for the periods that are running."""
    untouched = {
        budget_id(each.owner, each.unit.value, period, run="", now=now): Balance(limit=each.limit)
        for each in limits
        for period in _PERIODS
        if each.period == period
    }
    return {**untouched, **{id: with_limit(id, balance, limits) for id, balance in balances.items()}}


def with_limit(id: BudgetId, balance: Balance, limits: tuple[Limit, ...]) -> Balance:
    """Take the limit from the contract in force, as the next hold will."""
    found = next((each for each in limits if id.startswith(prefix_of(each))), None)
    if found is None:
        return balance
    return Balance(
        limit=found.limit,
        raised=balance.raised,
        held=balance.held,
        spent=balance.spent,
        closed=balance.closed,
    )


def prefix_of(limit: Limit) -> str:
    """Return how the ids of its budgets begin."""
    return f"{limit.owner}/{limit.unit.value}/{limit.period}:"


def periods_running(run: str | None, now: Instant) -> list[str]:
    """Name the periods that are running, and that of a run where one is meant."""
    of_run = [period_name("run", run=run, now=now)] if run is not None else []
    return [*(period_name(each, run="", now=now) for each in _PERIODS), *of_run]


def to_come(id: BudgetId, limits: tuple[Limit, ...]) -> bool:
    """Whether it is the budget of a run that has not touched it yet."""
    return any(
        id.startswith(prefix_of(each)) and RUN_NAME.fullmatch(id.removeprefix(prefix_of(each)))
        for each in limits
        if each.period == "run"
    )
