"""Money is a count of micro-dollars. Floats never touch it."""

import re
from decimal import Decimal

from msgspec import Struct

from interlock.core.wording import dollars


class Money(Struct, frozen=True, order=True):
    """An amount that can be compared and added, and never goes below zero."""

    micros: int

    def __post_init__(self) -> None:
        assert self.micros >= 0, "an amount is never negative; use a Shortfall"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.micros + other.micros)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.micros - other.micros)

    def __str__(self) -> str:
        return dollars(self.micros)


def micros_of(text: str) -> int | None:
    """Read a decimal number as a count of millionths, or nothing if it is not exactly one.

    `"49.99"` is 49,990,000; `"0.0000001"` is nothing, because it would have to be rounded.
    """
    if not _DECIMAL.fullmatch(text):
        return None
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > _DIGITS_MAX or len(number.as_tuple().digits) > _DIGITS_MAX:
        return None
    scaled = number.scaleb(6)
    return int(scaled) if scaled == scaled.to_integral_value() else None


_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_DIGITS_MAX = 24  # Decimal keeps 28 digits; beyond this, scaling would round
