"""One place in a call that may hold anything: of which kind it is, and what stands there."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import cast

from interlock.core.canonical import Json
from interlock.prove.formula import Formula, Value, Var, compare, every, some

_PLAIN = re.compile(r"[\w-]+")


class Kind(IntEnum):
    """What may stand in a place."""

    ABSENT = 0
    NULL = 1
    FLAG = 2
    NUMBER = 3
    TEXT = 4
    LIST = 5
    TABLE = 6


@dataclass(frozen=True, slots=True)
class Slot:
    """A place, by its path: `args.order.total`, `facts.fraud`."""

    path: tuple[str, ...]

    @property
    def name(self) -> str:
        # A name with a dot in it must not read as a path: two places would be taken for one.
        return ".".join(part if _PLAIN.fullmatch(part) else json.dumps(part) for part in self.path)

    @property
    def kind(self) -> Var:
        return Var(f"{self.name}: kind", "whole")

    @property
    def flag(self) -> Var:
        return Var(f"{self.name}: flag", "flag")

    @property
    def number(self) -> Var:
        return Var(f"{self.name}: number", "number")

    @property
    def text(self) -> Var:
        return Var(f"{self.name}: text", "text")

    def has(self, text: str) -> Var:
        """Whether the list that stands here has a text in it."""
        return Var(f"{self.name}: has {text!r}", "flag")

    def below(self, name: str) -> "Slot":
        return Slot((*self.path, name))

    def one_of(self, *kinds: Kind) -> Formula:
        """It is of one of these kinds."""
        return some(*(compare(self.kind, "==", Fraction(kind)) for kind in kinds))

    def some_kind(self) -> Formula:
        """It is of one kind that there is."""
        return every(compare(Fraction(min(Kind)), "<=", self.kind), compare(self.kind, "<=", Fraction(max(Kind))))

    def holding(self, value: Json, asked_for: frozenset[str] = frozenset()) -> Iterator[tuple[str, Value]]:
        """Return what to put in for a value that really stands here, `Kind.ABSENT` being said by `nothing`."""
        kind = kind_of(value)
        yield self.kind.name, int(kind)
        yield self.flag.name, value is True
        yield self.number.name, fraction_of(value) if kind is Kind.NUMBER else Fraction(0)
        yield self.text.name, value if isinstance(value, str) else ""
        inside = cast("list[Json]", value) if isinstance(value, list) else []
        yield from ((self.has(text).name, text in inside) for text in asked_for)

    def nothing(self, asked_for: frozenset[str] = frozenset()) -> Iterator[tuple[str, Value]]:
        """Return what to put in where nothing stands here."""
        yield from {**dict(self.holding(None, asked_for)), self.kind.name: int(Kind.ABSENT)}.items()


def kind_of(value: Json) -> Kind:
    """Say of which kind a value is."""
    match value:
        case None:
            return Kind.NULL
        case bool():
            return Kind.FLAG
        case int() | float():
            return Kind.NUMBER
        case str():
            return Kind.TEXT
        case list():
            return Kind.LIST
        case _:
            return Kind.TABLE


def fraction_of(value: Json) -> Fraction:
    """Read a number as the decimal that is written."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))
