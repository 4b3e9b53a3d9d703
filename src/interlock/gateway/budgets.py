"""What a person changes about a budget: room for the rest of its period, and a yes to go on after an overrun."""

from dataclasses import replace

from interlock.budget.hold import Balance
from interlock.core.ids import BudgetId
from interlock.gateway.doors import Operator
from interlock.ledger.seal import ChangeEntry, Kind
from interlock.ports import Changes, Needs, Rows, TenantStore


async def raise_budget(
    store: TenantStore, id: BudgetId, by_amount: int, operator: Operator, *, reopen: bool = False
) -> Balance:
    """Add to the limit of a budget for the period that its id names, and return what it is then.

    Args:
        store: the tenant's part of the store.
        id: the budget; one that was never touched is raised from what the contract will say.
        by_amount: how much, in the unit of the budget. Nothing is a way to reopen and no more.
        operator: who does it.
        reopen: whether a budget that an overrun had closed admits again.
    """
    assert by_amount >= 0, "a budget is raised; it is lowered in the contract"

    def change(rows: Rows) -> tuple[Changes, Balance]:
        known = rows.budgets[id] or Balance(limit=0)
        balance = replace(known, raised=known.raised + by_amount, closed=known.closed and not reopen)
        entry = ChangeEntry(
            kind=Kind.BUDGET,
            at=rows.now,
            epoch=rows.door.epoch,
            process=operator.process,
            by=operator.person,
            known_by=operator.known_by,
            detail={"budget": id, "by_amount": by_amount, "reopen": int(reopen)},
        )
        return Changes(budgets={id: balance}, entries=(entry,)), balance

    return (await store.write(Needs(budgets=frozenset({id})), change)).answer
