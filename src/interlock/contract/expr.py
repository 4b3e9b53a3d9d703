"""The expressions of `check`, `done`, `when`, `abort_if` and `escalate_when`: text into a tree, a tree into yes or no.

    any        = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" any ")" | value [ comparison value | "in" value ]
    comparison = "==" | "!=" | "<" | "<=" | ">" | ">="
    value      = path | text in quotes | number | "true" | "false" | "[" [ value { "," value } ] "]"

Logic has three values. A path where nothing is, a null, and a comparison of different types are *unknown*;
`not` unknown is unknown; `and` and `or` are Kleene's; at the top, unknown is no. So a check over a field
that is missing fails, and `not` in front of it does not make it pass. Numbers are compared as decimals.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Literal, NoReturn

from interlock.contract.path import PATH_PATTERN, Absent, Path, lookup
from interlock.contract.path import parse as parse_path
from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid
from interlock.core.limits import EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX

Operator = Literal["==", "!=", "<", "<=", ">", ">="]


class ExpressionInvalid(ContractInvalid):
    """The text is not an expression. `column` counts from 1."""

    def __init__(self, message: str, *, column: int) -> None:
        super().__init__(f"{message} (column {column} of the expression)", fix=_FIX)
        self.column = column


@dataclass(frozen=True, slots=True)
class Literally:
    """A text, a number, true or false."""

    value: str | bool | Decimal


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list that is written out."""

    items: tuple["Value", ...]


Value = Path | Literally | ListOf


@dataclass(frozen=True, slots=True)
class Holds:
    """A value that is itself true or false."""

    value: Value


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values side by side."""

    left: Value
    operator: Operator
    right: Value


@dataclass(frozen=True, slots=True)
class In:
    """A value among those of a list."""

    item: Value
    among: Value


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: "Expr"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of them."""

    parts: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them at least."""

    parts: tuple["Expr", ...]


Expr = Holds | Compare | In | Not | AllOf | AnyOf


@lru_cache(maxsize=4096)
def parse(text: str) -> Expr:
    """Read an expression.

    Raises:
        ExpressionInvalid: it is none; the column says where it stops being one.
    """
    if len(text) > EXPRESSION_CHARS_MAX:
        raise ExpressionInvalid(
            f"an expression has at most {EXPRESSION_CHARS_MAX} characters", column=EXPRESSION_CHARS_MAX + 1
        )
    reader = _Reader(_tokens(text))
    expression = reader.any_of(0)
    if reader.token.kind != "end":
        reader.fail("expected `and`, `or` or the end")
    return expression


def evaluate(expression: Expr, scope: Mapping[str, Json]) -> bool:
    """Whether it is surely true. What is unknown is not."""
    return judge(expression, scope) is True


def judge(expression: Expr, scope: Mapping[str, Json]) -> bool | None:
    """Say true, false, or nothing where it is unknown."""
    match expression:
        case Holds(value):
            found = _value(value, scope)
            return found if isinstance(found, bool) else None
        case Compare(left, operator, right):
            return _compare(_value(left, scope), operator, _value(right, scope))
        case In(item, among):
            return _among(_value(item, scope), _value(among, scope))
        case Not(of):
            inner = judge(of, scope)
            return None if inner is None else not inner
        case AllOf(parts):
            return _all(judge(part, scope) for part in parts)
        case AnyOf(parts):
            return _any(judge(part, scope) for part in parts)


def paths(expression: Expr) -> tuple[Path, ...]:
    """Name every path that an expression looks at, in order."""
    match expression:
        case Holds(value):
            return _paths_of(value)
        case Compare(left, _, right):
            return _paths_of(left) + _paths_of(right)
        case In(item, among):
            return _paths_of(item) + _paths_of(among)
        case Not(of):
            return paths(of)
        case AllOf(parts) | AnyOf(parts):
            return tuple(path for part in parts for path in paths(part))


_FIX = "write paths, literals, comparisons, `in`, `and`, `or`, `not`, such as `result.status in ['done', 'sent']`"

_Found = str | bool | Decimal | Sequence["_Found"] | None  # nothing: unknown


def _value(value: Value, scope: Mapping[str, Json]) -> _Found:
    match value:
        case Literally(literal):
            return literal
        case ListOf(items):
            return [_value(item, scope) for item in items]
        case Path():
            found = lookup(value, dict(scope))
            return None if isinstance(found, Absent) else _known(found, 0)


def _known(value: Json, depth: int) -> _Found:
    """Turn JSON into what can be compared. Objects, nulls and what is nested too deeply cannot."""
    match value:
        case bool() | str():
            return value
        case int():
            return Decimal(value)
        case float():
            return Decimal(repr(value)) if isfinite(value) else None
        case list() if depth < EXPRESSION_DEPTH_MAX:
            return [_known(item, depth + 1) for item in value]
        case _:
            return None


def _compare(left: _Found, operator: Operator, right: _Found) -> bool | None:
    match operator:
        case "==":
            return _equal(left, right)
        case "!=":
            equal = _equal(left, right)
            return None if equal is None else not equal
        case _:
            return _ordered(left, operator, right)


def _equal(left: _Found, right: _Found) -> bool | None:
    match left, right:
        case (bool(), bool()) | (str(), str()) | (Decimal(), Decimal()):
            return left == right
        case list(), list():
            if len(left) != len(right):
                return False
            return _all(_equal(one, other) for one, other in zip(left, right, strict=True))
        case _:
            return None


def _ordered(left: _Found, operator: Operator, right: _Found) -> bool | None:
    match left, right:
        case Decimal(), Decimal():
            sign = (left > right) - (left < right)
        case str(), str():
            sign = (left > right) - (left < right)
        case _:
            return None
    match operator:
        case "<":
            return sign < 0
        case "<=":
            return sign <= 0
        case ">":
            return sign > 0
        case _:
            return sign >= 0


def _among(item: _Found, among: _Found) -> bool | None:
    if not isinstance(among, list):
        return None
    return _any(_equal(item, each) for each in among)


def _all(parts: Iterable[bool | None]) -> bool | None:
    found = tuple(parts)
    return False if False in found else None if None in found else True


def _any(parts: Iterable[bool | None]) -> bool | None:
    found = tuple(parts)
    return True if True in found else None if None in found else False


def _paths_of(value: Value) -> tuple[Path, ...]:
    match value:
        case Path():
            return (value,)
        case Literally():
            return ()
        case ListOf(items):
            return tuple(path for item in items for path in _paths_of(item))


_TokenKind = Literal["path", "number", "text", "sign", "end"]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: _TokenKind
    text: str
    column: int


_TOKEN = re.compile(
    rf"(?P<path>{PATH_PATTERN})"
    r"|(?P<number>-?[0-9]{1,24}(?:\.[0-9]{1,24})?(?![\w.%]))"
    r"|(?P<text>'(?:[^'\\]|\\['\\])*'|\"(?:[^\"\\]|\\[\"\\])*\")"
    r"|(?P<sign>==|!=|<=|>=|[<>()\[\],])"
)
_KEYWORDS = frozenset({"and", "or", "not", "in"})
_SPACE = re.compile(r"\s*")


def _tokens(text: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    at = 0
    while (at := _end_of_space(text, at)) < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionInvalid(f"`{text[at : at + 20]}` is no part of an expression", column=at + 1)
        word = found.group()
        tokens.append(_Token("sign" if word in _KEYWORDS else _kind(found), word, at + 1))
        at = found.end()
    return (*tokens, _Token("end", "the end", len(text) + 1))


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _kind(found: re.Match[str]) -> _TokenKind:
    return "path" if found["path"] else "number" if found["number"] else "text" if found["text"] else "sign"


class _Reader:
    """Reads tokens from left to right; each method is a line of the grammar."""

    def __init__(self, tokens: tuple[_Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def token(self) -> _Token:
        return self._tokens[self._at]

    def fail(self, expected: str) -> NoReturn:
        raise ExpressionInvalid(f"{expected}, found `{self.token.text[:20]}`", column=self.token.column)

    def any_of(self, depth: int) -> Expr:
        parts = self._parts("or", lambda: self._all_of(depth))
        return parts[0] if len(parts) == 1 else AnyOf(parts)

    def _all_of(self, depth: int) -> Expr:
        parts = self._parts("and", lambda: self._one(depth))
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _parts(self, word: str, part: Callable[[], Expr]) -> tuple[Expr, ...]:
        parts = [part()]
        while self._took(word):
            parts.append(part())
        return tuple(parts)

    def _one(self, depth: int) -> Expr:
        self._bound(depth)
        if self._took("not"):
            return Not(self._one(depth + 1))
        if self._took("("):
            inner = self.any_of(depth + 1)
            self._must(")")
            return inner
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Expr:
        start = self.token
        left = self._value(depth)
        if self._took("in"):
            return In(left, self._value(depth))
        for operator in _OPERATORS:
            if self._took(operator):
                return Compare(left, operator, self._value(depth))
        if isinstance(left, Path) or (isinstance(left, Literally) and isinstance(left.value, bool)):
            return Holds(left)
        raise ExpressionInvalid(f"`{start.text[:20]}` alone is neither true nor false", column=start.column)

    def _value(self, depth: int) -> Value:
        self._bound(depth)
        token = self.token
        if self._took("["):
            return self._list(depth)
        if token.kind in {"sign", "end"}:
            self.fail("expected a path or a literal")
        self._at += 1
        match token.kind:
            case "number":
                return Literally(Decimal(token.text))
            case "text":
                return Literally(re.sub(r"\\(.)", r"\1", token.text[1:-1]))
            case _:
                return Literally(token.text == "true") if token.text in {"true", "false"} else parse_path(token.text)

    def _list(self, depth: int) -> ListOf:
        items: list[Value] = []
        while not self._took("]"):
            if items:
                self._must(",")
            items.append(self._value(depth + 1))
        return ListOf(tuple(items))

    def _took(self, word: str) -> bool:
        taken = self.token.kind == "sign" and self.token.text == word
        self._at += taken
        return taken

    def _must(self, word: str) -> None:
        if not self._took(word):
            self.fail(f"expected `{word}`")

    def _bound(self, depth: int) -> None:
        if depth > EXPRESSION_DEPTH_MAX:
            self.fail(f"expected at most {EXPRESSION_DEPTH_MAX} levels")


_OPERATORS: tuple[Operator, ...] = ("==", "!=", "<=", ">=", "<", ">")
