"""Budgets: what they allow, where it went, and room for the rest of a period."""

from interlock.core.errors import UsageWrong
from interlock.core.ids import BudgetId, WorkflowId
from interlock.door.http import shapes_people as shapes
from interlock.door.http.permissions import OPERATORS, READERS
from interlock.door.http.problem import invalid, nothing_there
from interlock.door.http.route import Answer, Route
from interlock.door.http.visit import Visit
from interlock.door.told.amount_read import amount_of
from interlock.door.told.budget import (
    balance_data,
    known_budgets,
    limits_of,
    periods_running,
    to_come,
    unit_of,
    with_limit,
)
from interlock.door.told.measures import Amount
from interlock.gateway.budgets import raise_budget
from interlock.ports import Needs


async def listed(visit: Visit[shapes.ListBudgets, None]) -> Answer:
    """List the budgets of the periods that are running."""
    rows = await visit.store.read(Needs())
    limits = await limits_of(visit, rows.door)
    balances = await visit.store.budgets(periods_running(visit.query.run, rows.now))
    known = known_budgets(limits, balances, rows.now)
    found = [balance_data(id, known[id]) for id in sorted(known) if visit.may_here(_workflow_of(id))]
    return Answer(data={"budgets": found})


async def raised(visit: Visit[None, shapes.Raise]) -> Answer:
    """Make room in a budget for the rest of its period."""
    said, id = visit.body, BudgetId(visit.body.budget)
    unit = unit_of(id)
    if unit is None or not visit.may_here(_workflow_of(id)):
        raise nothing_there()
    rows = await visit.store.read(Needs(budgets=frozenset({id})))
    limits = await limits_of(visit, rows.door)
    known = known_budgets(limits, {}, rows.now)
    if rows.budgets[id] is None and id not in known and not to_come(id, limits):
        raise nothing_there()
    try:
        amount = amount_of(said.by, unit)
    except UsageWrong as wrong:
        fix = "send an exact decimal in the unit of the budget: at most 6 places for money and seconds, else none"
        raise invalid("`by` is no amount of this unit", "$.by", "form", fix=fix) from wrong
    if not amount and not said.reopen:
        raise invalid("nothing would change", "$.by", "missing", fix="say how much: `by`")
    after = with_limit(id, await raise_budget(visit.store, id, amount, visit.by, reopen=said.reopen), limits)
    who = {"by": visit.by.person, "known_by": visit.by.known_by, "raised_by": Amount(unit, amount)}
    return Answer(data={**balance_data(id, after), **who})


def _workflow_of(id: str) -> WorkflowId:
    """Return whose budget it is: its id begins with it."""
    return WorkflowId(id.partition(":")[0])


ROUTES = (
    Route(
        method="GET",
        path="/v1/budgets",
        name="list_budgets",
        needs=READERS,
        says="List what budgets allow in the periods that are running, and where it went.",
        does=listed,
        query=shapes.ListBudgets,
        answers={200: shapes.Budgets},
    ),
    Route(
        method="POST",
        path="/v1/budgets/raise",
        name="raise_budget",
        needs=OPERATORS,
        says="Make room in a budget for the rest of its period, or open one again that an overrun had closed.",
        does=raised,
        body=shapes.Raise,
        answers={200: shapes.Budget},
        problems=("nothing-there",),
    ),
)
