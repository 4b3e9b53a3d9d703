"""Limits: the section `budgets`, for the workflow and for its tools."""

from collections.abc import Iterator

from interlock.budget.period import Period
from interlock.contract.full_shape import LIMIT_PERIODS
from interlock.contract.ir import Budget
from interlock.contract.problem import Findings
from interlock.contract.row import Row
from interlock.contract.scalar import COUNT, DECIMAL, MONEY, RATE, Leaf
from interlock.core.charge import Unit
from interlock.core.ids import ToolName

PERIODS: tuple[tuple[str, Period], ...] = (
    ("per_run", "run"),
    ("per_hour", "hour"),
    ("per_day", "day"),
    ("per_month", "month"),
)
UNITS: tuple[tuple[Unit, Leaf[int]], ...] = (
    (Unit.USD, MONEY),
    (Unit.TOKENS, COUNT),
    (Unit.TOOL_CALLS, COUNT),
    (Unit.MODEL_CALLS, COUNT),
    (Unit.SECONDS, DECIMAL),
    (Unit.RETRIES, COUNT),
)
"""What a workflow's budget may count, in the order in which budgets are listed."""


def read_budgets(root: Row, findings: Findings) -> tuple[Budget, ...]:
    """Read the section `budgets`."""
    return (*_of_workflow(root.row("budgets")), *_of_tools(root.row("budgets").row("limits"), findings))


def _of_workflow(row: Row) -> Iterator[Budget]:
    for key, period in PERIODS:
        amounts = row.row(key)
        for unit, leaf in UNITS:
            limit = amounts.find(unit.value, leaf)
            if limit is not None:
                yield Budget(unit=unit, period=period, limit=limit, place=amounts.place_of(unit.value))


def _of_tools(limits: Row, findings: Findings) -> Iterator[Budget]:
    for name, row in limits.rows():
        tool = ToolName(name)
        if not row.map.entries:
            findings.wrong(row.place, f"the limit of `{name}` limits nothing", "say `rate: 30/h`, or remove it")
        yield from _moved(tool, row, findings)
        calls = row.find("calls_per_run", COUNT)
        if calls is not None:
            place = row.place_of("calls_per_run")
            yield Budget(unit=Unit.CALLS, period="run", limit=calls, place=place, tool=tool)
        rate = row.find("rate", RATE)
        if rate is not None:
            place = row.place_of("rate")
            yield Budget(unit=Unit.CALLS, period=rate.period, limit=rate.count, place=place, tool=tool)


def _moved(tool: ToolName, row: Row, findings: Findings) -> Iterator[Budget]:
    moved, period = row.find("usd_of_args", MONEY), row.find("per", LIMIT_PERIODS)
    if moved is not None and period is not None:
        place = row.place_of("usd_of_args")
        yield Budget(unit=Unit.USD_OF_ARGS, period=period, limit=moved, place=place, tool=tool)
    elif moved is not None or period is not None:
        findings.wrong(row.place, "`usd_of_args` and `per` belong together", "say both: `usd_of_args: 2000, per: day`")
