"""`budget`: show, raise. A budget is named by whose it is, what it counts, and for which period."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.budget.hold import Balance
from interlock.budget.period import Period, budget_id, period_name
from interlock.contract.bundle import decode
from interlock.core.charge import Unit
from interlock.core.door import Door
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import BudgetId, Instant
from interlock.core.limits import SAFE_INTEGER
from interlock.door.cli.person import operator
from interlock.door.cli.reading import amount_of
from interlock.door.cli.render import Amount, block, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import NameAmbiguous, Session, awaited, meant, session
from interlock.gateway.budgets import raise_budget

_PERIODS: tuple[Period, ...] = ("hour", "day", "month")
_LISTED_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A budget that a contract in force sets."""

    owner: str
    unit: Unit
    period: str
    limit: int


@awaited
async def show(typed: Typed) -> int:
    """Show what budgets allow in the periods that are running, and where it went."""
    with session(typed) as here:
        rows = await here.rows()
        periods = None if typed.given.all else _running(typed.given.run_id, rows.now)
        limits, balances = await _limits(here, rows.door), await here.store.budgets(periods)
    known = _known(limits, balances, rows.now)
    ids = sorted(known)
    data = [balance_data(id, known[id]) for id in ids]
    cells = [_cells(id, known[id]) for id in ids]
    heads = ["BUDGET", "LIMIT", "SPENT", "HELD", "LEFT", ""]
    text = table(heads, cells, typed.screen.broad, right=(1, 2, 3, 4), fold=1)
    typed.screen.show(data, text if ids else "no budget is set, and none was touched")
    return 0


@awaited
async def raised(typed: Typed) -> int:
    """Make room in a budget for the rest of its period."""
    with session(typed) as here:
        rows = await here.rows()
        limits = await _limits(here, rows.door)
        id = await _found(here, typed.given.budget, limits, rows.now)
        unit = unit_of(id)
        assert unit is not None, "what is meant has a unit"
        amount = amount_of(typed.given.amount, unit)
        if not amount and not typed.given.reopen:
            raise UsageWrong("nothing would change", fix="say how much: `--by AMOUNT`")
        by = operator(typed, here.gateway.process)
        after = await raise_budget(here.store, id, amount, by, reopen=typed.given.reopen)
        after = _with_limit(id, after, limits)
    added = str(Amount(unit, amount)) if amount else ""
    pairs = [
        ("budget", id),
        ("raised by", added),
        ("limit", str(Amount(unit, after.limit + after.raised))),
        ("left", str(Amount(unit, after.left()))),
        ("state", _state(after)),
        ("by", f"{by.person} ({by.known_by})"),
    ]
    said = {"by": by.person, "known_by": by.known_by, "raised_by": Amount(unit, amount)}
    typed.screen.show({**balance_data(id, after), **said}, block(pairs, typed.screen.width))
    return 0


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


def _cells(id: BudgetId, balance: Balance) -> list[object]:
    unit = unit_of(id) or Unit.CALLS
    limit, left = (balance.limit + balance.raised, balance.left())
    limited = balance.limit < SAFE_INTEGER
    ends = [Amount(unit, limit), Amount(unit, left)] if limited else ["none", ""]
    return [id, ends[0], Amount(unit, balance.spent), Amount(unit, balance.held), ends[1], _state(balance)]


def _state(balance: Balance) -> str:
    if balance.closed:
        return "closed by an overrun: `budget raise ... --reopen`"
    return "used up" if not balance.left() else "raised" if balance.raised else ""


async def _limits(here: Session, door: Door) -> tuple[Limit, ...]:
    """List what the contracts in force set."""
    found: list[Limit] = []
    for name, published in sorted(door.published.items()):
        contract = decode(await here.store.contract(published.contract))
        workflow, _, environment = name.rpartition("/")
        for each in contract.budgets:
            owner = f"{workflow}:{environment}" + (f":{each.tool}" if each.tool else "")
            found.append(Limit(owner=owner, unit=each.unit, period=each.period, limit=each.limit))
    return tuple(found)


def _known(limits: tuple[Limit, ...], balances: Mapping[BudgetId, Balance], now: Instant) -> Mapping[BudgetId, Balance]:
    """Join the balances that were touched with those that are set for the periods that are running."""
    untouched = {
        budget_id(each.owner, each.unit.value, period, run="", now=now): Balance(limit=each.limit)
        for each in limits
        for period in _PERIODS
        if each.period == period
    }
    return {**untouched, **{id: _with_limit(id, balance, limits) for id, balance in balances.items()}}


def _with_limit(id: BudgetId, balance: Balance, limits: tuple[Limit, ...]) -> Balance:
    """Take the limit from the contract in force, as the next hold will."""
    found = next((each for each in limits if id.startswith(_prefix(each))), None)
    if found is None:
        return balance
    return Balance(
        limit=found.limit,
        raised=balance.raised,
        held=balance.held,
        spent=balance.spent,
        closed=balance.closed,
    )


def _prefix(limit: Limit) -> str:
    return f"{limit.owner}/{limit.unit.value}/{limit.period}:"


def _running(run: str | None, now: Instant) -> list[str]:
    """Name the periods that are running, and that of a run where one is meant."""
    of_run = [period_name("run", run=run, now=now)] if run is not None else []
    return [*(period_name(each, run="", now=now) for each in _PERIODS), *of_run]


async def _found(here: Session, said: str, limits: tuple[Limit, ...], now: Instant) -> BudgetId:
    """Find a budget, among those that are running first: of all there ever were there may be very many."""
    running = _known(limits, await here.store.budgets(_running(None, now)), now)
    beginning = [id for id in running if said and id.startswith(said)]
    if len(beginning) == 1 or said in running:
        return BudgetId(said) if said in running else beginning[0]
    return _meant(said, _known(limits, await here.store.budgets(), now), limits)


def _meant(said: str, known: Mapping[BudgetId, Balance], limits: tuple[Limit, ...]) -> BudgetId:
    """Find a budget by its id or a unique beginning; one of a run may not have been touched yet."""
    id = BudgetId(said)
    if id in known or _to_come(id, limits):
        return id
    found = sorted(each for each in known if said and each.startswith(said))
    if len(found) == 1:
        return found[0]
    if found:
        more = ["..."] if len(found) > _LISTED_MAX else []
        lines = "\n".join([f"several budgets begin with `{said}`", *found[:_LISTED_MAX], *more])
        raise NameAmbiguous(lines, fix="type more of it")
    fix = meant(said, known, "list them: `interlock budget show --all`")
    raise InterlockError(f"no budget is named `{said}`", fix=fix)


def _to_come(id: BudgetId, limits: tuple[Limit, ...]) -> bool:
    return any(
        id.startswith(_prefix(each)) and re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", id.removeprefix(_prefix(each)))
        for each in limits
        if each.period == "run"
    )
