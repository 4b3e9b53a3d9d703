"""A value with some fields changed is what `dataclasses.replace` makes of it."""

import dataclasses
from dataclasses import dataclass, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.budget.hold import Balance
from interlock.core.action import Action
from interlock.core.charge import Charge, Unit
from interlock.core.ids import BudgetId
from interlock.core.outcome import Refused
from interlock.core.value import replace
from interlock.rows import ActionRow, Claim, Notice

KINDS: list[type[Any]] = [Action, ActionRow, Balance, Claim, Notice, Refused]


@given(st.sampled_from(KINDS), st.data())
def test_it_makes_what_the_library_makes(kind: type[Any], data: st.DataObject) -> None:
    names = [field.name for field in fields(kind)]
    value = kind(**{name: data.draw(st.integers(), label=name) for name in names})
    before = {name: getattr(value, name) for name in names}
    changes = data.draw(st.dictionaries(st.sampled_from(names), st.integers()))
    assert replace(value, **changes) == dataclasses.replace(value, **changes)
    assert {name: getattr(value, name) for name in names} == before
    assert type(replace(value, **changes)) is kind


def test_what_a_class_checks_when_it_is_made_is_checked_again() -> None:
    charge = Charge(budget=BudgetId("b"), unit=Unit.USD, amount=1, limit=2)
    with pytest.raises(AssertionError, match="never negative"):
        replace(charge, amount=-1)


def test_a_field_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises((KeyError, TypeError)):
        replace(Balance(limit=1), limits=2)


def test_a_class_without_slots_is_changed_as_well() -> None:
    @dataclass(frozen=True)
    class Open:
        one: int
        two: int = 2

    assert replace(Open(1), two=3) == Open(1, 3)
