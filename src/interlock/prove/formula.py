"""Formulas over one arbitrary call. They are plain values: a solver searches in them, a test puts real calls into them.

Numbers are exact fractions. There is no division and no product of two variables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, assert_never

from interlock.prove.pattern import Pattern, matches

Sort = Literal["flag", "number", "whole", "text"]
Operator = Literal["==", "<", "<="]
Value = bool | int | Fraction | str


@dataclass(frozen=True, slots=True)
class Var:
    """Something that is not said: a flag, a number, a whole number, a text."""

    name: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Truth:
    """Always so, or never."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Negation:
    """The opposite."""

    of: "Formula"


@dataclass(frozen=True, slots=True)
class Every:
    """All of them."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One of them at least."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """Two numbers, or two texts by their code points, side by side."""

    left: "Term"
    operator: Operator
    right: "Term"


@dataclass(frozen=True, slots=True)
class Counts:
    """A number that is a whole number of such steps."""

    term: "Term"
    step: Fraction


@dataclass(frozen=True, slots=True)
class Long:
    """A text of at least so many characters."""

    term: "Term"
    least: int


@dataclass(frozen=True, slots=True)
class Matches:
    """A text that matches a pattern as a whole."""

    term: "Term"
    pattern: Pattern


Formula = Var | Truth | Negation | Every | Some | Compare | Counts | Long | Matches
Term = Var | Fraction | str


@dataclass(frozen=True, slots=True)
class Gone:
    """The solver came to no end in its time."""

    why: str


Model = Mapping[str, Value]
Solve = Callable[[Sequence[Formula], Iterable[Formula]], Model | None | Gone]
"""Looks for values under which the first formulas all hold, and as many of the second ones as it can have.

Nothing is a proof that there are no such values.
"""

YES = Truth(True)
NO = Truth(False)


def negated(of: Formula) -> Formula:
    """Say the opposite."""
    match of:
        case Truth(holds):
            return Truth(not holds)
        case Negation(inner):
            return inner
        case _:
            return Negation(of)


def every(*parts: Formula) -> Formula:
    """All of them. Nothing at all is always so."""
    kept = tuple(dict.fromkeys(part for part in parts if part != YES))
    if NO in kept:
        return NO
    return YES if not kept else kept[0] if len(kept) == 1 else Every(kept)


def some(*parts: Formula) -> Formula:
    """One of them at least. Nothing at all never is."""
    kept = tuple(dict.fromkeys(part for part in parts if part != NO))
    if YES in kept:
        return YES
    return NO if not kept else kept[0] if len(kept) == 1 else Some(kept)


def compare(left: Term, operator: Operator, right: Term) -> Formula:
    """Compare two terms of one sort; what is said on both sides is compared at once."""
    if not isinstance(left, Var) and not isinstance(right, Var):
        return Truth(_holds(left, operator, right))
    return Compare(left, operator, right)


def variables(formulas: Iterable[Formula]) -> tuple[Var, ...]:
    """Name everything that is not said in some formulas, each once, in one order."""
    return tuple(dict.fromkeys(each for formula in formulas for each in _variables(formula)))


_LAST_SIGN = "\U0002fa1f"
"""The last that a solver is asked about. Z3 knows code points up to 2FFFF, and those that it has beyond this one stand
for all that it does not know: where a real text comes behind those of a formula, one that it knows does so as well."""


def writable(text: str) -> bool:
    """Whether a solver can be asked about a text. What it cannot be asked about may compare in either way."""
    return all(sign <= _LAST_SIGN for sign in text)


def unwritable(formulas: Iterable[Formula]) -> tuple[str, ...]:
    """Name the texts in some formulas that a solver cannot be asked about, each once."""
    return tuple(dict.fromkeys(each for formula in formulas for each in _texts(formula) if not writable(each)))


def holds(formula: Formula, said: Mapping[str, Value]) -> bool:
    """Tell whether a formula holds where everything is said. A name that is missing is a `KeyError`."""
    match formula:
        case Truth(truth):
            return truth
        case Var(name):
            return bool(said[name])
        case Negation(of):
            return not holds(of, said)
        case Every(parts):
            return all(holds(part, said) for part in parts)
        case Some(parts):
            return any(holds(part, said) for part in parts)
        case Compare(left, operator, right):
            return _holds(_value(left, said), operator, _value(right, said))
        case Counts(term, step):
            value = _value(term, said)
            assert not isinstance(value, str), "only numbers are counted"
            return (Fraction(value) / step).denominator == 1
        case Long(term, least):
            return len(str(_value(term, said))) >= least
        case Matches(term, pattern):
            return matches(pattern, str(_value(term, said)))
        case _:
            assert_never(formula)


def _value(term: Term, said: Mapping[str, Value]) -> Value:
    return said[term.name] if isinstance(term, Var) else term


def _holds(left: Value, operator: Operator, right: Value) -> bool:
    if operator == "==":
        return left == right
    if isinstance(left, str) or isinstance(right, str):
        assert isinstance(left, str) and isinstance(right, str), "terms of one sort are compared"
        return left < right if operator == "<" else left <= right
    return left < right if operator == "<" else left <= right


def _variables(formula: Formula) -> Iterator[Var]:
    match formula:
        case Truth():
            return
        case Var():
            yield formula
        case Negation(of):
            yield from _variables(of)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _variables(part)
        case Compare(left, _, right):
            yield from (each for each in (left, right) if isinstance(each, Var))
        case Counts(term) | Long(term) | Matches(term):
            yield from (each for each in (term,) if isinstance(each, Var))
        case _:
            assert_never(formula)


def _texts(formula: Formula) -> Iterator[str]:
    match formula:
        case Negation(of):
            yield from _texts(of)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _texts(part)
        case Compare(left, _, right):
            yield from (each for each in (left, right) if isinstance(each, str))
        case _:
            return
