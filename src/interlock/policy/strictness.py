"""Which of two decisions is the stricter one. What cannot be ordered counts as looser, so that a person looks at it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from interlock.core.decision import Ask, Decision, OnChange, Requirement
from interlock.core.ids import Micros, Role
from interlock.policy.cases import Verdict, verdict_of

RANK: Mapping[Verdict, int] = {"allow": 0, "ask": 1, "draft": 2, "suggest": 3, "deny": 4}
"""A draft is looser than a suggestion: a person may start it."""


class Whom(Protocol):
    """Whose consent something takes: a requirement, an asking rule, the consent to a tier."""

    @property
    def approvers(self) -> frozenset[Role]: ...
    @property
    def quorum(self) -> int: ...
    @property
    def each(self) -> bool: ...
    @property
    def expires(self) -> Micros: ...
    @property
    def on_change(self) -> OnChange: ...
    @property
    def step_up(self) -> bool: ...


def as_strict(new: Whom, old: Whom) -> bool:
    """Tell whether whoever satisfies `new` has satisfied `old`. Nobody may agree where no approver is named."""
    if not new.approvers:
        return True
    if not old.approvers:
        return False
    # Where each role must be held, one more role lets fewer people of the others make up the number.
    same_people = new.approvers == old.approvers and new.each if old.each else new.approvers <= old.approvers
    return (
        same_people
        and new.quorum >= old.quorum
        and new.expires <= old.expires
        and (new.step_up or not old.step_up)
        and (new.on_change == "ask" or old.on_change == "go_on")
    )


def covers(new: Sequence[Requirement], old: Sequence[Requirement]) -> bool:
    """Tell whether each old requirement has a new one of its own that is at least as strict."""
    left = list(new)
    for one in old:
        fitting = [each for each in left if as_strict(each, one)]
        if not fitting:
            return False
        # Its own rule first, so that another one's is still there for the others.
        left.remove(next((each for each in fitting if each.rule == one.rule), fitting[0]))
    return True


def looser(old: Decision, new: Decision) -> bool:
    """Tell whether something could happen under `new` that could not under `old`."""
    if isinstance(old, Ask) and isinstance(new, Ask):
        return not covers(new.requirements, old.requirements)
    return RANK[verdict_of(new)] < RANK[verdict_of(old)]
