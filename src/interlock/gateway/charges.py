"""What an action may take from each budget of its contract, at most."""

from collections.abc import Iterator, Sequence

from interlock.budget.period import budget_id
from interlock.contract.arguments import quantity
from interlock.contract.ir import Budget, Contract, Hook
from interlock.core.charge import UNLIMITED, Charge, Unit
from interlock.core.ids import BudgetId, Instant, Micros, RunId
from interlock.core.limits import LEASE_MARGIN_SECONDS
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
        price = price_of(asked)
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
    return tuple(found) if price_of(asked) is not None else None


def of_the_tenant(price: int, now: Instant) -> Charge:
    """Charge to the tenant what a person or we ourselves ask for: no empty budget must stand in its way."""
    name = budget_id("tenant", "usd", "month", run="", now=now)
    return Charge(budget=name, unit=Unit.USD, amount=price, limit=UNLIMITED)


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


def costs_of(taken: Sequence[Charge], *, usd: int, attempts: int, took: Micros) -> dict[BudgetId, int]:
    """Return what an effect that took place really cost, by budget."""
    return {charge.budget: _cost(charge, usd=usd, attempts=attempts, took=took) for charge in taken}


def _cost(charge: Charge, *, usd: int, attempts: int, took: Micros) -> int:
    match charge.unit:
        case Unit.USD:
            return usd
        case Unit.RETRIES:
            return attempts - 1
        case Unit.SECONDS:
            return min(took, charge.amount)
        case _:
            return charge.amount


def _amount(asked: Asked, budget: Budget) -> int | None:
    tool = asked.tool
    match budget.unit:
        case Unit.USD:
            return price_of(asked)
        case Unit.USD_OF_ARGS:
            amounts = list(_money(asked))
            return None if any(amount is None or amount < 0 for amount in amounts) else sum(a or 0 for a in amounts)
        case Unit.TOOL_CALLS | Unit.CALLS:
            return 1
        case Unit.TOKENS | Unit.MODEL_CALLS:
            return 0
        case Unit.RETRIES:
            return asked.attempts - 1
        case Unit.SECONDS:
            return tool.timeout * asked.attempts


def price_of(asked: Asked) -> int | None:
    """Return what every attempt and the look at the record afterwards may cost, or nothing if any price is unknown.

    What is looked up before is paid before (`paid`). Its price has to be known all the same.
    """
    contract = asked.force.contract
    before = [contract.facts.get(name) for name in asked.force.policies.facts_of(asked.action.tool)]
    before += [asked.tool.preview, asked.tool.before]
    after = _hook_price(asked, asked.tool.after)
    if asked.tool.price is None or after is None or None in (_hook_price(asked, hook) for hook in before):
        return None
    return asked.tool.price * asked.attempts + after


def after_price(asked: Asked) -> int:
    """Return what looking at the record after the effect costs."""
    return _hook_price(asked, asked.tool.after) or 0


def _hook_price(asked: Asked, hook: Hook | None) -> int | None:
    if hook is None:
        return 0
    tool = asked.force.contract.tools.get(hook.tool)
    return tool.price if tool is not None else None


def _money(asked: Asked) -> Iterator[int | None]:
    for path, argument in asked.tool.arguments.items():
        if argument.role == "quantity" and argument.unit == "usd":
            yield quantity(asked.arguments.values, path, read=micros_of)


def lease_micros(asked: Asked) -> int:
    """Return how long whoever performs it may take: every attempt, every pause between them, and a margin."""
    tool = asked.tool
    pauses = sum(tool.backoff * 2**n for n in range(asked.attempts - 1))
    return tool.timeout * asked.attempts + pauses + LEASE_MARGIN_SECONDS * 1_000_000
