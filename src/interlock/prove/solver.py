"""Z3, the solver: the one place that calls it. It needs the extra `interlock[prove]`."""

# z3 has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingParameterType=false

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, assert_never

import z3

from interlock.prove.formula import (
    Compare,
    Counts,
    Every,
    Formula,
    Gone,
    Long,
    Matches,
    Model,
    Negation,
    Some,
    Term,
    Truth,
    Value,
    Var,
    variables,
    writable,
)
from interlock.prove.pattern import InTurn, OneOf, Pattern, Signs, Times

VERSION: str = z3.get_version_string()


def solve(formulas: Sequence[Formula], wishes: Iterable[Formula] = (), *, millis: int) -> Model | None | Gone:
    """Look for values under which all formulas hold; nothing if there are none, which is a proof.

    Args:
        formulas: what must hold.
        wishes: what a person would rather see. Of them the first that fit are kept; they never change whether
            something is found.
        millis: how long one look may take.
    """
    wished = tuple(wishes)
    context = z3.Context()
    made = _Z3(context)
    solver = z3.Solver(ctx=context)
    solver.set("timeout", millis)
    solver.set("random_seed", 7)
    for formula in formulas:
        solver.add(made.formula(formula))
    solver.add(*made.beside)
    named = variables((*formulas, *wished))
    found = solver.check()
    if found == z3.unsat:
        return None
    if found != z3.sat:
        return Gone(why=str(solver.reason_unknown()))
    model = solver.model()
    for wish in wished:
        solver.push()
        solver.add(made.formula(wish))
        solver.add(*made.beside)
        if solver.check() == z3.sat:
            model = solver.model()
        else:
            solver.pop()
    return {each.name: made.value(model, each) for each in named}


class _Z3:
    """Makes expressions of one context."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401  z3 has no types
        self._context = context
        self._steps: dict[Any, dict[Fraction, Any]] = {}
        self.beside: list[Any] = []
        """What holds of the names that were made up beside the formulas."""

    def formula(self, formula: Formula) -> Any:  # noqa: ANN401
        match formula:
            case Truth(truth):
                return z3.BoolVal(truth, ctx=self._context)
            case Var():
                return self.variable(formula)
            case Negation(of):
                return z3.Not(self.formula(of))
            case Every(parts) | Some(parts):
                return (z3.And if isinstance(formula, Every) else z3.Or)([self.formula(part) for part in parts])
            case Compare():
                return self._compare(formula)
            case Counts(term, step):
                return self._counts(self._term(term), step)
            case Long(term, least):
                return z3.Length(self._term(term)) >= least
            case Matches(term, pattern):
                return z3.InRe(self._term(term), self._pattern(pattern))
            case _:
                assert_never(formula)

    def variable(self, each: Var) -> Any:  # noqa: ANN401
        match each.sort:
            case "flag":
                return z3.Bool(each.name, ctx=self._context)
            case "number":
                return z3.Real(each.name, ctx=self._context)
            case "whole":
                return z3.Int(each.name, ctx=self._context)
            case "text":
                return z3.String(each.name, ctx=self._context)
            case _:
                assert_never(each.sort)

    def value(self, model: Any, each: Var) -> Value:  # noqa: ANN401
        """Read what a model says of something; what it leaves open is anything."""
        found = model.eval(self.variable(each), model_completion=True)
        match each.sort:
            case "flag":
                return bool(z3.is_true(found))
            case "number":
                return Fraction(found.numerator_as_long(), found.denominator_as_long())
            case "whole":
                return int(found.as_long())
            case "text":
                return _unescaped(found.as_string())
            case _:
                assert_never(each.sort)

    def _term(self, term: Term) -> Any:  # noqa: ANN401
        match term:
            case Var():
                return self.variable(term)
            case Fraction():
                return z3.RealVal(f"{term.numerator}/{term.denominator}", ctx=self._context)
            case str():
                return self._text(term)
            case _:
                assert_never(term)

    def _text(self, text: str) -> Any:  # noqa: ANN401
        assert writable(text), "what Z3 cannot write is not put into formulas"
        return z3.StringVal("".join(f"\\u{{{ord(sign):x}}}" for sign in text), ctx=self._context)

    def _compare(self, of: Compare) -> Any:  # noqa: ANN401
        if not all(writable(term) for term in (of.left, of.right) if isinstance(term, str)):
            # What Z3 cannot write may compare in either way.
            return z3.Bool(f"open: {of}", ctx=self._context)
        left, right = self._term(of.left), self._term(of.right)
        match of.operator:
            case "==":
                return left == right
            case "<":
                return left < right
            case _:
                return left <= right

    def _counts(self, term: Any, step: Fraction) -> Any:  # noqa: ANN401
        """Say that a number is so many whole steps. How many there are below it has a name, which keeps it linear."""
        known = self._steps.setdefault(term, {})
        if step not in known:
            below: Any = z3.ToReal(z3.Int(f"{term}: whole steps of {step}", ctx=self._context))
            size = self._term(step)
            self.beside += [size * below <= term, term < size * (below + 1)]
            known[step] = term == size * below
            for other, counted in known.items():
                if (other / step).denominator == 1:
                    self.beside.append(z3.Implies(counted, known[step]))
                if (step / other).denominator == 1:
                    self.beside.append(z3.Implies(known[step], counted))
        return known[step]

    def _pattern(self, pattern: Pattern) -> Any:  # noqa: ANN401
        match pattern:
            case Signs(ranges, other):
                return self._signs(ranges, other=other)
            case InTurn(parts):
                return self._joined(z3.Concat, [self._pattern(part) for part in parts], z3.Re(self._text("")))
            case OneOf(parts):
                return self._joined(z3.Union, [self._pattern(part) for part in parts], z3.Re(self._text("")))
            case Times(of, 0, None):
                return z3.Star(self._pattern(of))
            case Times(of, least, None):
                one = self._pattern(of)
                return z3.Concat(z3.Loop(one, least, least), z3.Star(one))
            case Times(of, least, most):
                return z3.Loop(self._pattern(of), least, most) if most else z3.Re(self._text(""))
            case _:
                assert_never(pattern)

    def _signs(self, ranges: Sequence[tuple[str, str]], *, other: bool) -> Any:  # noqa: ANN401
        any_sign = z3.AllChar(z3.ReSort(z3.StringSort(self._context)), ctx=self._context)
        if not ranges:
            return any_sign
        each = [z3.Range(self._text(low), self._text(high), ctx=self._context) for low, high in ranges]
        inside = self._joined(z3.Union, each, None)
        return z3.Intersect(any_sign, z3.Complement(inside)) if other else inside

    def _joined(self, join: Any, parts: Sequence[Any], nothing: Any) -> Any:  # noqa: ANN401
        return nothing if not parts else parts[0] if len(parts) == 1 else join(*parts)


def _unescaped(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-fA-F]+)\}", lambda found: chr(int(found[1], 16)), text)
