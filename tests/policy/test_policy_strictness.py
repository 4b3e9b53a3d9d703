"""Which consent is the stricter one: whoever satisfies it has satisfied the other."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.decision import Allow, Ask, Decision, Deny, Requirement, Suggest
from interlock.core.ids import Micros, Role, RuleId
from interlock.policy.strictness import as_strict, covers, looser

pytestmark = pytest.mark.slow


PEOPLE = [frozenset(map(Role, roles)) for roles in ("a", "b", "c", "ab", "bc", "a", "b")]
"""What each of seven people holds."""
GROUPS = [group for size in range(len(PEOPLE) + 1) for group in combinations(PEOPLE, size)]


def satisfied(want: Requirement, group: tuple[frozenset[Role], ...]) -> bool:
    """Say whether a group is enough, in the plainest way."""
    counting = [roles for roles in group if roles & want.approvers]
    held = frozenset[Role]().union(*counting)
    return bool(want.approvers) and len(counting) >= want.quorum and (not want.each or want.approvers <= held)


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    return Requirement(
        rule=RuleId(draw(st.sampled_from(["r1", "r2"]))),
        approvers=frozenset(map(Role, draw(st.sets(st.sampled_from("abc"))))),
        quorum=draw(st.integers(1, 3)),
        each=draw(st.booleans()),
        expires=Micros(draw(st.integers(1, 2))),
        step_up=draw(st.booleans()),
    )


@pytest.mark.promise("consent")
@settings(max_examples=300, deadline=None)
@given(requirements(), requirements())
def test_whoever_satisfies_the_stricter_one_has_satisfied_the_other(new: Requirement, old: Requirement) -> None:
    if as_strict(new, old):
        assert all(satisfied(old, group) for group in GROUPS if satisfied(new, group))


@given(requirements())
def test_a_requirement_is_as_strict_as_itself(one: Requirement) -> None:
    assert as_strict(one, one)
    assert covers([one], [one])
    assert covers([one, one], [one])
    assert not covers([], [one])


@given(st.lists(requirements(), max_size=3), st.lists(requirements(), max_size=3))
def test_one_requirement_never_stands_for_two(new: list[Requirement], old: list[Requirement]) -> None:
    if covers(new, old):
        assert len(new) >= len(old)


def test_decisions_are_ordered_from_deny_to_allow() -> None:
    lead = Requirement(rule=RuleId("r"), approvers=frozenset({Role("lead")}))
    falling: list[Decision] = [
        Deny(rules=(), why=""),
        Suggest(rules=()),
        Suggest(rules=(), draft=True),
        Ask(requirements=(lead,)),
        Allow(rules=()),
    ]
    for n, old in enumerate(falling):
        assert [looser(old, new) for new in falling] == [m > n for m in range(len(falling))]
