"""What an action may take from each budget of its contract, at most."""

from collections.abc import Iterator, Sequence

from interlock.budget.period import budget_id
from interlock.contract.arguments import quantity
from interlock.contract.ir import Budget, Contract, Tool
from interlock.core.charge import UNLIMITED, Charge, Unit
from interlock.core.ids import BudgetId, Instant, Micros, RunId
from interlock.core.limits import LEASE_MARGIN_SECONDS, SAFE_INTEGER
from interlock.core.money import micros_of
from interlock.core.reason import Reason
from interlock.gateway.asked import Asked

REASON = {
    Unit.TOOL_CALLS: Reason.TOO_MANY_TOOL_CALLS,
    Unit.CALLS: Reason.TOO_MANY_TOOL_CALLS,
    Unit.TOKENS: Reason.TOO_MANY_TOKENS,
    Unit.SECONDS: Reason.TIMEOUT,
}
"""The reason an agent hears when a budget of this unit lacks something; `BUDGET_EXCEEDED` for the others."""


def charges(asked: Asked, now: Instant) -> tuple[Charge, ...] | None:
    """Return an upper bound for each budget of the contract, or nothing if one cannot be known."""
    if asked.action.undo_of is not None:
        price = asked.price
        return None if price is None else (of_the_tenant(price, now),)
    found: list[Charge] = []
    for budget in asked.force.contract.budgets:
        if budget.tool is not None and budget.tool != asked.action.tool:
            continue
        amount = _amount(asked, budget)
        if amount is None:
            return None
        owner = asked.owner if budget.tool is None else f"{asked.owner}:{budget.tool}"
        name = budget_id(owner, budget.unit.value, budget.period, run=asked.action.run, now=now)
        found.append(Charge(budget=name, unit=budget.unit, amount=amount, limit=budget.limit))
    return tuple(found) if asked.price is not None else None


def of_the_tenant(price: int, now: Instant) -> Charge:
    """Charge to the tenant what a person or we ourselves ask for: no empty budget must stand in its way."""
    name = budget_id("tenant", "usd", "month", run="", now=now)
    return Charge(budget=name, unit=Unit.USD, amount=price, limit=UNLIMITED)


def look_up_charges(asked: Asked, tool: Tool, now: Instant) -> tuple[Charge, ...]:
    """Return what one look-up takes from the budgets that the tool it is made with has of its own."""
    amounts = {Unit.USD: tool.price or 0, Unit.CALLS: 1}
    return tuple(
        Charge(
            budget=budget_id(f"{asked.owner}:{tool.name}", b.unit.value, b.period, run=asked.action.run, now=now),
            unit=b.unit,
            amount=amounts[b.unit],
            limit=b.limit,
        )
        for b in asked.force.contract.budgets
        if b.tool == tool.name and b.unit in amounts
    )


def call_charges(contract: Contract, owner: str, run: RunId, now: Instant) -> tuple[Charge, ...]:
    """Return what a call counts for before anybody could judge it: one tool call in each budget of such."""
    return tuple(
        Charge(
            budget=budget_id(owner, budget.unit.value, budget.period, run=run, now=now),
            unit=budget.unit,
            amount=1,
            limit=budget.limit,
        )
        for budget in contract.budgets
        if budget.tool is None and budget.unit is Unit.TOOL_CALLS
    )


def costs_of(
    taken: Sequence[Charge], *, usd: int, attempts: int, took: Micros, earlier: Sequence[Charge] = ()
) -> dict[BudgetId, int]:
    """Return what an ending really cost, by budget.

    Args:
        taken: what was set aside.
        usd: what it cost in money, all attempts included.
        attempts: how often it was sent; 0 where nobody knows, and then what was set aside counts.
        took: how long it took.
        earlier: what earlier rounds of attempts may have taken of retries and seconds.
    """
    before = {charge.budget: charge.amount for charge in earlier if charge.unit in (Unit.RETRIES, Unit.SECONDS)}
    return {
        charge.budget: _cost(charge, usd=usd, attempts=attempts, took=took, before=before.get(charge.budget, 0))
        for charge in taken
    }


def _cost(charge: Charge, *, usd: int, attempts: int, took: Micros, before: int) -> int:
    match charge.unit:
        case Unit.USD:
            return usd
        case Unit.RETRIES if attempts:
            return attempts - 1 + before
        case Unit.SECONDS if attempts:
            return min(took + before, charge.amount)
        case _:
            return charge.amount


def _amount(asked: Asked, budget: Budget) -> int | None:
    tool = asked.tool
    match budget.unit:
        case Unit.USD:
            return asked.price
        case Unit.USD_OF_ARGS:
            amounts = list(_money(asked))
            known = [amount for amount in amounts if amount is not None and amount >= 0]
            whole = len(known) == len(amounts) and sum(known) <= SAFE_INTEGER
            return sum(known) if whole else None
        case Unit.TOOL_CALLS | Unit.CALLS:
            return 1
        case Unit.TOKENS | Unit.MODEL_CALLS:
            return 0
        case Unit.RETRIES:
            return asked.attempts - 1
        case Unit.SECONDS:
            return tool.timeout * asked.attempts


def _money(asked: Asked) -> Iterator[int | None]:
    for path, argument in asked.tool.arguments.items():
        if argument.role == "quantity" and argument.unit == "usd":
            yield quantity(asked.arguments.values, path, read=micros_of)


def lease_micros(asked: Asked) -> int:
    """Return how long whoever performs it may take: every attempt, every pause between them, and a margin."""
    tool = asked.tool
    pauses = sum(tool.backoff * 2**n for n in range(asked.attempts - 1))
    return tool.timeout * asked.attempts + pauses + LEASE_MARGIN_SECONDS * 1_000_000
