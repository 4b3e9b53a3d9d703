"""What became of a run: who it was for, how its calls ended, what it cost, what stands of it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from interlock.budget.period import period_name
from interlock.core.action import ActionState
from interlock.core.ids import RunId
from interlock.door.told.budget import balance_data, limits_of, with_limit
from interlock.door.told.here import Here
from interlock.door.told.measures import Time, usd
from interlock.gateway.listing import each_of_run
from interlock.gateway.reverse import stands
from interlock.ports import ActionRow, Needs, RunRow, TenantStore

Data = dict[str, Any]


TOLD_OF = 10_000
"""Of so many actions of a run is told, of the newest ones."""


async def newest_of_run(store: TenantStore, id: RunId) -> list[ActionRow]:
    """Return the newest actions of a run, the one that changed last first: `TOLD_OF`, and one more if it has more."""
    rows = list[ActionRow]()
    async with aclosing(each_of_run(store, id)) as each:
        async for row in each:
            rows.append(row)
            if len(rows) > TOLD_OF:
                break
    return rows


async def run_data(here: Here, id: RunId, rows: Sequence[ActionRow]) -> Data:
    """Return a run as data. `rows` are its newest actions, one at least; what is beyond `TOLD_OF` is left out."""
    more, rows = len(rows) > TOLD_OF, rows[:TOLD_OF]
    seen = await here.store.read(Needs(runs=frozenset({id})))
    limits = await limits_of(here, seen.door)
    balances = await here.store.budgets([period_name("run", run=id, now=seen.now)])
    known = seen.runs[id]
    return {
        "id": id,
        **_whose(rows),
        "calls": known.calls if known is not None else len(rows),
        "undos": sum(row.action.undo_of is not None for row in rows),
        "told_of": len(rows),
        "older": more,
        "states": dict(sorted(Counter(row.state.value for row in rows).items())),
        "cost_usd": usd(sum(row.cost.micros for row in rows)),
        "began_at": Time(min(row.action.asked_at for row in rows)),
        "changed_at": Time(max(row.changed_at for row in rows)),
        "waits": sorted(row.action.id for row in rows if row.state is ActionState.PARKED),
        "stands": sorted(row.action.id for row in rows if stands(row)),
        "budgets": [balance_data(id, with_limit(id, balance, limits)) for id, balance in sorted(balances.items())],
    }


async def run_lines(here: Here, rows: Sequence[ActionRow]) -> list[Data]:
    """Return runs as lines of a list. `rows` has of each the action that changed last."""
    runs = frozenset(row.action.run for row in rows)
    known = (await here.store.read(Needs(runs=runs))).runs
    return [_line(row, known[row.action.run]) for row in rows]


def _line(row: ActionRow, run: RunRow | None) -> Data:
    calls = run.calls if run is not None else 1
    return {
        "id": row.action.run,
        "workflow": row.action.caller.workflow,
        "environment": row.action.caller.environment,
        "agent": row.action.caller.agent,
        "by": _people([row]) if calls == 1 else [],
        "calls": calls,
        "changed_at": Time(row.changed_at),
        "last": {"action": row.action.id, "tool": row.action.tool, "state": row.state.value},
    }


def _whose(rows: Sequence[ActionRow]) -> Data:
    """Say for whom a run is: what agents asked for says so, and not what people have undone since."""
    first = min(rows, key=lambda row: (row.action.by is not None, row.pruned is not None, row.action.asked_at))
    caller = first.action.caller
    return {
        "workflow": caller.workflow,
        "environment": caller.environment,
        "agent": caller.agent,
        "principal": caller.principal,
        "by": _people(rows),
    }


def _people(rows: Sequence[ActionRow]) -> list[str]:
    """Name people if a run has nothing but what they did, such as an undo of what was in no run."""
    people = {row.action.by for row in rows}
    return sorted(person for person in people if person is not None) if None not in people else []
