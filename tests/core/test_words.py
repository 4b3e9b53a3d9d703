"""The words: how an action lives, what money is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.action import HOLDS, NEXT, ActionState, step
from interlock.core.charge import Unit
from interlock.core.money import Money, micros_of


def test_every_state_says_where_it_may_go() -> None:
    assert set(NEXT) == set(ActionState)


@pytest.mark.parametrize("old", ActionState)
@pytest.mark.parametrize("new", ActionState)
def test_only_the_steps_in_the_table_are_possible(old: ActionState, new: ActionState) -> None:
    if new in NEXT[old]:
        assert step(old, new) is new
    else:
        with pytest.raises(AssertionError):
            step(old, new)


def test_nothing_leaves_a_final_state_and_none_of_them_holds_anything() -> None:
    final = {state for state, after in NEXT.items() if not after}
    assert final == {
        ActionState.DONE,
        ActionState.FAILED,
        ActionState.REFUSED,
        ActionState.SUGGESTED,
        ActionState.ABANDONED,
    }
    assert not final & HOLDS


@pytest.mark.promise("once")
@given(st.lists(st.sampled_from(ActionState)))
def test_no_life_starts_twice_or_ends_twice(wishes: list[ActionState]) -> None:
    life = [ActionState.ASKED]
    for wish in wishes:
        if wish in NEXT[life[-1]]:
            life.append(step(life[-1], wish))
    assert life.count(ActionState.STARTED) <= 1
    assert sum(not NEXT[state] for state in life) <= 1


@given(st.integers(-(10**15), 10**15))
def test_every_count_of_millionths_is_read_back_exactly(micros: int) -> None:
    sign, whole, rest = "-" if micros < 0 else "", abs(micros) // 10**6, abs(micros) % 10**6
    assert micros_of(f"{sign}{whole}.{rest:06}") == micros


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "0.0000001", "1e-7", "1e40", "1_0 ", "0x1"])
def test_what_is_not_exactly_a_count_of_millionths_is_nothing(text: str) -> None:
    assert micros_of(text) is None


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000001"),
        (600_000, "$0.60"),
        (49_990_000, "$49.99"),
        (1_234_567_890_100, "$1,234,567.8901"),
    ],
)
def test_money_reads_as_people_write_it(micros: int, text: str) -> None:
    assert str(Money(micros)) == text


def test_an_amount_is_written_with_its_unit_in_the_right_number() -> None:
    assert {unit: [unit.show(amount) for amount in (0, 1, 1_500_000)] for unit in Unit} == {
        Unit.USD: ["$0.00", "$0.000001", "$1.50"],
        Unit.USD_OF_ARGS: ["$0.00", "$0.000001", "$1.50"],
        Unit.SECONDS: ["0 s", "1e-06 s", "1.5 s"],
        Unit.TOKENS: ["0 tokens", "1 token", "1,500,000 tokens"],
        Unit.TOOL_CALLS: ["0 tool calls", "1 tool call", "1,500,000 tool calls"],
        Unit.MODEL_CALLS: ["0 model calls", "1 model call", "1,500,000 model calls"],
        Unit.CALLS: ["0 calls", "1 call", "1,500,000 calls"],
        Unit.RETRIES: ["0 retries", "1 retry", "1,500,000 retries"],
    }
