"""An expression over an arbitrary call: when it is surely true, and when it is surely false. In between it is unknown.

It says once more what `contract.expr.judge` does, with places where that one has values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from interlock.contract.expr import AllOf, AnyOf, Compare, Expr, Holds, In, ListOf, Literally, Not, Operator, Value
from interlock.contract.path import Path
from interlock.prove import formula
from interlock.prove.call import Call
from interlock.prove.formula import NO, YES, Formula, Term, compare, every, negated, some
from interlock.prove.slot import Kind, Slot


@dataclass(frozen=True, slots=True)
class Said:
    """When something is true, and when it is false. It is never both."""

    true: Formula
    false: Formula


@dataclass(frozen=True, slots=True)
class _Anything:
    """A value that cannot be said."""

    name: str


_Found = Slot | Fraction | str | bool | Sequence["_Found"] | _Anything | None


def said(call: Call, expression: Expr) -> Said:
    """Say when an expression is true of a call, and when false."""
    match expression:
        case Holds(value):
            found = _value(call, value)
            return Said(_is_true(found), _is_true(found, opposite=True)) if _plain(found) else _open(call, expression)
        case Compare(left, operator, right):
            return _compared(call, _value(call, left), operator, _value(call, right), expression)
        case In(item, among):
            return _among(call, _value(call, item), _value(call, among), expression)
        case Not(of):
            inner = said(call, of)
            return Said(inner.false, inner.true)
        case AllOf(parts):
            return _all([said(call, part) for part in parts])
        case AnyOf(parts):
            return _any([said(call, part) for part in parts])
        case _:
            assert_never(expression)


def _value(call: Call, value: Value) -> _Found:
    match value:
        case Literally(literal):
            return Fraction(literal) if isinstance(literal, Decimal) else literal
        case ListOf(items):
            return [_value(call, item) for item in items]
        case Path(steps):
            names = tuple(step for step in steps if isinstance(step, str))
            if len(names) < len(steps):
                return _Anything(str(value))
            if names[0] == "facts":
                # What is inside a fact is never there: a fact is a flag, a number or a text.
                return call.facts.get(names[1]) if len(names) == len(("facts", "name")) else None
            return call.argument(names[1:])


def _plain(found: _Found) -> bool:
    return not isinstance(found, _Anything)


def _is_true(found: _Found, *, opposite: bool = False) -> Formula:
    match found:
        case bool():
            return YES if found is not opposite else NO
        case Slot():
            return every(found.one_of(Kind.FLAG), negated(found.flag) if opposite else found.flag)
        case _:
            return NO


def _compared(call: Call, left: _Found, operator: Operator, right: _Found, whole: Expr) -> Said:
    match operator:
        case "==":
            return _equal(call, left, right, whole)
        case "!=":
            equal = _equal(call, left, right, whole)
            return Said(equal.false, equal.true)
        case _:
            return _ordered(call, left, operator, right, whole)


def _equal(call: Call, left: _Found, right: _Found, whole: Expr) -> Said:
    if isinstance(left, _Anything) or isinstance(right, _Anything):
        return _open(call, whole)
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return Said(NO, YES)
        return _all([_equal(call, one, other, whole) for one, other in zip(left, right, strict=True)])
    true, false = list[Formula](), list[Formula]()
    for kind in (Kind.NUMBER, Kind.TEXT):
        both = every(_is(left, kind), _is(right, kind))
        if both != NO:
            same = compare(_term(left, kind), "==", _term(right, kind))
            true.append(every(both, same))
            false.append(every(both, negated(same)))
    flags = every(_is(left, Kind.FLAG), _is(right, Kind.FLAG))
    if flags != NO:
        both_true, both_false = every(_flag(left), _flag(right)), every(negated(_flag(left)), negated(_flag(right)))
        true.append(every(flags, some(both_true, both_false)))
        false.append(every(flags, negated(some(both_true, both_false))))
    lists = every(_is(left, Kind.LIST), _is(right, Kind.LIST))
    if lists != NO:
        open = _open(call, whole)
        true.append(every(lists, open.true))
        false.append(every(lists, open.false))
    return Said(some(*true), some(*false))


def _ordered(call: Call, left: _Found, operator: Operator, right: _Found, whole: Expr) -> Said:
    if isinstance(left, _Anything) or isinstance(right, _Anything):
        return _open(call, whole)
    true, false = list[Formula](), list[Formula]()
    for kind in (Kind.NUMBER, Kind.TEXT):
        both = every(_is(left, kind), _is(right, kind))
        if both != NO:
            holds = _in_order(_term(left, kind), operator, _term(right, kind))
            true.append(every(both, holds))
            false.append(every(both, negated(holds)))
    return Said(some(*true), some(*false))


def _in_order(left: Term, operator: Operator, right: Term) -> Formula:
    match operator:
        case "<":
            return compare(left, "<", right)
        case "<=":
            return compare(left, "<=", right)
        case ">":
            return compare(right, "<", left)
        case _:
            return compare(right, "<=", left)


def _among(call: Call, item: _Found, among: _Found, whole: Expr) -> Said:
    if isinstance(among, list):
        return _any([_equal(call, item, each, whole) for each in among])
    if isinstance(among, _Anything) or isinstance(item, _Anything):
        return _open(call, whole)
    if not isinstance(among, Slot):
        return Said(NO, NO)
    is_list = among.one_of(Kind.LIST)
    if isinstance(item, str):
        has = call.has(among, item)
        # Whether it is surely not in the list hangs on what else is in it.
        return Said(every(is_list, has), every(is_list, negated(has), _open(call, whole).false))
    open = _open(call, whole)
    return Said(every(is_list, open.true), every(is_list, open.false))


def _open(call: Call, expression: Expr) -> Said:
    """Leave open what cannot be said."""
    named = written(expression)
    why = f"what `{named}` comes to"
    true = call.free(f"{named}: true", why)
    return Said(true, every(negated(true), call.free(f"{named}: false", why)))


def _all(parts: list[Said]) -> Said:
    return Said(every(*(part.true for part in parts)), some(*(part.false for part in parts)))


def _any(parts: list[Said]) -> Said:
    return Said(some(*(part.true for part in parts)), every(*(part.false for part in parts)))


def _is(found: _Found, kind: Kind) -> Formula:
    match found:
        case Slot():
            return found.one_of(kind)
        case bool():
            return formula.Truth(kind is Kind.FLAG)
        case Fraction():
            return formula.Truth(kind is Kind.NUMBER)
        case str():
            return formula.Truth(kind is Kind.TEXT)
        case list():
            return formula.Truth(kind is Kind.LIST)
        case _:
            return NO


def _term(found: _Found, kind: Kind) -> Term:
    if isinstance(found, Slot):
        return found.number if kind is Kind.NUMBER else found.text
    assert isinstance(found, str | Fraction), "only numbers and texts are compared"
    return found


def _flag(found: _Found) -> Formula:
    if isinstance(found, Slot):
        return found.flag
    return YES if found is True else NO


def written(expression: Expr) -> str:
    """Write an expression as one would."""
    match expression:
        case Holds(value):
            return _text(value)
        case Compare(left, operator, right):
            return f"{_text(left)} {operator} {_text(right)}"
        case In(item, among):
            return f"{_text(item)} in {_text(among)}"
        case Not(of):
            return f"not ({written(of)})"
        case AllOf(parts):
            return " and ".join(f"({written(part)})" for part in parts)
        case AnyOf(parts):
            return " or ".join(f"({written(part)})" for part in parts)
        case _:
            assert_never(expression)


def _text(value: Value) -> str:
    match value:
        case Literally(bool() as flag):
            return "true" if flag else "false"
        case Literally(str() as text):
            return repr(text)
        case Literally(number):
            return str(number)
        case ListOf(items):
            return f"[{', '.join(map(_text, items))}]"
        case Path():
            return str(value)
