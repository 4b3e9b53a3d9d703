"""What is wrong with a contract: where, what, and what to do. Problems are collected, so that all show at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from interlock.contract.ir import Assumption
from interlock.core.errors import ContractInvalid
from interlock.core.limits import CONTRACT_PROBLEMS_MAX
from interlock.core.wording import closest
from interlock.policy.rule import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that keeps a contract from being honoured."""

    place: Place
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}\nfix: {self.fix}"


class ContractProblems(ContractInvalid):
    """A contract with everything that is wrong with it. If one fix mends it all, that is the fix of the error."""

    def __init__(self, problems: Sequence[Problem], *, then: str = "run `interlock contract check FILE`") -> None:
        fixes = by_fix(problems[:CONTRACT_PROBLEMS_MAX])
        groups = ["\n".join(f"{each.place}: {each.what}" for each in group) for group in fixes.values()]
        more = [f"and {len(problems) - CONTRACT_PROBLEMS_MAX} more"] if len(problems) > CONTRACT_PROBLEMS_MAX else []
        said, fix = groups, f"mend what is listed above, then {then}"
        if len(fixes) == 1 and not more:
            (fix,) = fixes
        else:
            said = [f"{group}\nfix: {each}" for each, group in zip(fixes, groups, strict=True)]
        super().__init__("\n".join([*said, *more]), fix=fix)
        self.problems = tuple(problems)


def by_fix(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Put together what one fix mends, in the order in which each was found first."""
    fixes: dict[str, list[Problem]] = {}
    for problem in problems:
        fixes.setdefault(problem.fix, []).append(problem)
    return fixes


@dataclass(slots=True)
class Findings:
    """Collects what is wrong and what is assumed while a contract is read."""

    problems: list[Problem] = field(default_factory=list[Problem])
    assumptions: list[Assumption] = field(default_factory=list[Assumption])

    def wrong(self, place: Place, what: str, fix: str) -> None:
        self.problems.append(Problem(place=place, what=what, fix=fix))

    def assume(self, place: Place, text: str) -> None:
        self.assumptions.append(Assumption(place=place, text=text))


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, or which there are."""
    words = sorted(known)
    close = closest(word, words)
    if close is not None:
        return f"did you mean `{close}`?"
    if not words:
        return "remove it"
    return f"use one of {', '.join(f'`{each}`' for each in words[:30])}"
