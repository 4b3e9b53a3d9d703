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
    """A contract with everything that is wrong with it. If that is one thing, its fix is that of the error."""

    def __init__(self, problems: Sequence[Problem], *, then: str = "run `interlock contract check FILE`") -> None:
        shown = "\n".join(map(str, problems[:CONTRACT_PROBLEMS_MAX]))
        more = len(problems) - CONTRACT_PROBLEMS_MAX
        said, fix = f"{shown}\nand {more} more" if more > 0 else shown, f"mend what is listed above, then {then}"
        if len(problems) == 1:
            said, fix = f"{problems[0].place}: {problems[0].what}", problems[0].fix
        super().__init__(said, fix=fix)
        self.problems = tuple(problems)


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
