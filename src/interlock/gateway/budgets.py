"""What a person changes about a budget: room for the rest of its period, and a yes to go on after an overrun."""

from functools import partial

from interlock.budget.hold import Balance
from interlock.core.ids import BudgetId
from interlock.core.value import replace
from interlock.gateway.doors import Operator, said_by
from interlock.ledger import change
from interlock.ledger.seal import Kind
from interlock.ports import Changes, Needs, Rows, TenantStore


async def raise_budget(
    store: TenantStore, id: BudgetId, by_amount: int, by: Operator, *, reopen: bool = False
) -> Balance:
    """Add to the limit of a budget for the period that its id names, and return what it is then.

    Args:
        store: the tenant's part of the store.
        id: the budget; one that was never touched is raised from what the contract will say.
        by_amount: how much, in the unit of the budget. Nothing is a way to reopen and no more.
        by: who does it.
        reopen: whether a budget that an overrun had closed admits again.
    """
    assert by_amount >= 0, "a budget is raised; it is lowered in the contract"
    written = await store.write(
        Needs(budgets=frozenset({id})), partial(_raised, id=id, by_amount=by_amount, by=by, reopen=reopen)
    )
    return written.answer


def _raised(rows: Rows, *, id: BudgetId, by_amount: int, by: Operator, reopen: bool) -> tuple[Changes, Balance]:
    known = rows.budgets[id] or Balance(limit=0)
    balance = replace(known, raised=known.raised + by_amount, closed=known.closed and not reopen)
    entry = said_by(rows, by, Kind.BUDGET, change.raised(id, by_amount=by_amount, reopen=reopen))
    return Changes(budgets={id: balance}, entries=(entry,)), balance
