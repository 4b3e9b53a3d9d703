"""`budget`: show, raise. A budget is named by whose it is, what it counts, and for which period."""

from collections.abc import Mapping

from interlock.budget.hold import Balance
from interlock.core.charge import Unit
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import BudgetId, Instant
from interlock.core.limits import SAFE_INTEGER
from interlock.door.cli.person import operator
from interlock.door.cli.render import Amount, block, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import NameAmbiguous, Session, awaited, meant, session
from interlock.door.told.amount_read import amount_of
from interlock.door.told.budget import (
    Limit,
    balance_data,
    known_budgets,
    limits_of,
    periods_running,
    to_come,
    unit_of,
    with_limit,
)
from interlock.gateway.budgets import raise_budget

_LISTED_MAX = 8


@awaited
async def show(typed: Typed) -> int:
    """Show what budgets allow in the periods that are running, and where it went."""
    with session(typed) as here:
        rows = await here.rows()
        periods = None if typed.given.all else periods_running(typed.given.run_id, rows.now)
        limits, balances = await limits_of(here, rows.door), await here.store.budgets(periods)
    known = known_budgets(limits, balances, rows.now)
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
        limits = await limits_of(here, rows.door)
        id = await _found(here, typed.given.budget, limits, rows.now)
        unit = unit_of(id)
        assert unit is not None, "what is meant has a unit"
        amount = amount_of(typed.given.amount, unit)
        if not amount and not typed.given.reopen:
            raise UsageWrong("nothing would change", fix="say how much: `--by AMOUNT`")
        by = await operator(here)
        after = await raise_budget(here.store, id, amount, by, reopen=typed.given.reopen)
        after = with_limit(id, after, limits)
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


async def _found(here: Session, said: str, limits: tuple[Limit, ...], now: Instant) -> BudgetId:
    """Find a budget, among those that are running first: of all there ever were there may be very many."""
    running = known_budgets(limits, await here.store.budgets(periods_running(None, now)), now)
    beginning = [id for id in running if said and id.startswith(said)]
    if len(beginning) == 1 or said in running:
        return BudgetId(said) if said in running else beginning[0]
    return _meant(said, known_budgets(limits, await here.store.budgets(), now), limits)


def _meant(said: str, known: Mapping[BudgetId, Balance], limits: tuple[Limit, ...]) -> BudgetId:
    """Find a budget by its id or a unique beginning; one of a run may not have been touched yet."""
    id = BudgetId(said)
    if id in known or to_come(id, limits):
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
