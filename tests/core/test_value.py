"""A frozen value with some fields changed: a struct or a dataclass, what was there before stays as it was."""

from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Plain:
    one: int
    two: int = 2


NAMES: dict[type[Any], tuple[str, ...]] = {
    **{kind: kind.__struct_fields__ for kind in (Action, ActionRow, Balance, Claim, Notice, Refused)},
    Plain: ("one", "two"),
}


@given(st.sampled_from(list(NAMES)), st.data())
def test_what_is_named_is_changed_and_nothing_else(kind: type[Any], data: st.DataObject) -> None:
    names = NAMES[kind]
    before = {name: data.draw(st.integers(), label=name) for name in names}
    value = kind(**before)
    changes = data.draw(st.dictionaries(st.sampled_from(names), st.integers()))
    changed = replace(value, **changes)
    assert type(changed) is kind
    assert {name: getattr(changed, name) for name in names} == {**before, **changes}
    assert {name: getattr(value, name) for name in names} == before


def test_what_a_class_checks_when_it_is_made_is_checked_again() -> None:
    charge = Charge(budget=BudgetId("b"), unit=Unit.USD, amount=1, limit=2)
    with pytest.raises(AssertionError, match="never negative"):
        replace(charge, amount=-1)


@pytest.mark.parametrize("value", [Balance(limit=1), Plain(one=1)])
def test_a_field_that_is_not_there_cannot_be_changed(value: object) -> None:
    with pytest.raises(TypeError):
        replace(value, limits=2)


def test_a_value_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        Balance(limit=1).limit = 2  # pyright: ignore[reportAttributeAccessIssue]
