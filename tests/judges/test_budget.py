"""Properties of budgets that hold for any history."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from interlock.budget.hold import Balance, Shortfall, hold, overrun, settle
from interlock.budget.period import budget_id, civil
from interlock.core.charge import Charge, Unit
from interlock.core.ids import BudgetId, Instant

A, B = BudgetId("a"), BudgetId("b")
AMOUNT = st.integers(0, 50)


def a_charge(amount: int, limit: int, budget: BudgetId = A) -> Charge:
    return Charge(budget=budget, unit=Unit.USD, amount=amount, limit=limit)


@given(AMOUNT, st.lists(st.tuples(AMOUNT, st.integers(0, 100), st.booleans())))
def test_costs_within_their_holds_never_pass_the_limit(limit: int, calls: list[tuple[int, int, bool]]) -> None:
    balance = Balance(limit=limit)
    for wanted, percent, ends in calls:
        charge = a_charge(wanted, limit)
        held = hold({A: balance}, [charge])
        if isinstance(held, Shortfall):
            assert balance.left() + held.missing == wanted
            continue
        cost = wanted * percent // 100
        balance = (settle(held, [charge], {A: cost}) if ends else held)[A]
        assert balance.held + balance.spent <= balance.limit
        assert balance.left() + balance.held + balance.spent == balance.limit


@given(AMOUNT, AMOUNT)
def test_giving_a_hold_back_leaves_no_trace(limit: int, wanted: int) -> None:
    charge = a_charge(wanted, limit)
    held = hold({A: None}, [charge])
    if not isinstance(held, Shortfall):
        assert settle(held, [charge], {}) == {A: Balance(limit=limit)}


@given(AMOUNT, AMOUNT, AMOUNT)
def test_a_charge_above_its_hold_is_booked_and_admits_nothing_more(amount: int, over: int, next_one: int) -> None:
    cost = amount + over + 1
    charge = a_charge(amount, 10_000)
    settled = settle({A: Balance(limit=10_000, held=amount)}, [charge], {A: cost})
    assert overrun([charge], {A: cost})
    assert settled[A].spent == cost
    assert isinstance(hold(settled, [a_charge(next_one, 10_000)]), Shortfall)


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT)
def test_either_every_budget_is_held_or_none(one: int, other: int, limit: int, low: int) -> None:
    before = {A: Balance(limit=limit), B: Balance(limit=low)}
    held = hold(before, [a_charge(one, limit), a_charge(other, low, B)])
    if isinstance(held, Shortfall):
        assert one > limit or other > low
    else:
        assert (held[A].held, held[B].held) == (one, other)


def test_two_charges_on_one_budget_add_up() -> None:
    assert isinstance(hold({A: None}, [a_charge(6, 10), a_charge(5, 10)]), Shortfall)


def test_the_contract_in_force_says_the_limit_and_a_raise_adds_to_it() -> None:
    known = {A: Balance(limit=10, raised=5, spent=12)}
    assert isinstance(hold(known, [a_charge(4, 10)]), Shortfall)
    assert hold(known, [a_charge(4, 11)]) == {A: Balance(limit=11, raised=5, held=4, spent=12)}


@given(st.integers(0, 13_569_465_600_000_000).map(Instant))
def test_the_calendar_is_that_of_everyone_else(now: Instant) -> None:
    known = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)
    assert civil(now) == (known.year, known.month, known.day)
    assert budget_id("w", "usd", "hour", run="r", now=now) == f"w/usd/hour:{known:%Y-%m-%dT%H}"
    assert budget_id("w", "usd", "month", run="r", now=now) == f"w/usd/month:{known:%Y-%m}"
