"""Times and amounts: in the local form for people, exact and in one form for programs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interlock.core.errors import UsageWrong
from interlock.core.ids import Instant
from interlock.core.limits import SAFE_INTEGER
from interlock.core.money import micros_of
from interlock.core.unit import Unit
from interlock.door.moment import iso

_IN_MILLIONTHS = (Unit.USD, Unit.USD_OF_ARGS, Unit.SECONDS)


@dataclass(frozen=True, slots=True)
class Time:
    """A moment: in the local zone for people, in UTC for programs."""

    at: Instant

    def __str__(self) -> str:
        seconds, micros = divmod(self.at, 1_000_000)
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) + f".{micros // 1000:03} {self.zone()}"

    def short(self) -> str:
        """Say it to the second."""
        seconds = self.at // 1_000_000
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) + f" {self.zone()}"

    def zone(self) -> str:
        offset = time.localtime(self.at // 1_000_000).tm_gmtoff
        sign = "-" if offset < 0 else "+"
        return f"{sign}{abs(offset) // 3600:02}:{abs(offset) % 3600 // 60:02}"

    def as_json(self) -> str:
        return iso(self.at)


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of a unit: with its name for people, as an exact decimal for programs."""

    unit: Unit
    count: int

    def __str__(self) -> str:
        return self.unit.show(self.count) if self.count >= 0 else f"-{self.unit.show(-self.count)}"

    def as_json(self) -> str:
        if self.unit not in _IN_MILLIONTHS:
            return str(self.count)
        whole, rest = divmod(abs(self.count), 1_000_000)
        sign = "-" if self.count < 0 else ""
        return f"{sign}{whole}.{rest:06}".rstrip("0").rstrip(".")


def usd(micros: int) -> Amount:
    """Count micro-dollars."""
    return Amount(Unit.USD, micros)


def plain(value: Any) -> Any:  # noqa: ANN401  whatever is told
    """Turn what is no JSON into JSON: times and amounts know how, the rest is a bug."""
    as_json: Callable[[], Any] | None = getattr(value, "as_json", None)
    assert as_json is not None, f"{type(value)} has no form in JSON"
    return as_json()


def amount_of(text: str, unit: Unit) -> int:
    """Read an amount exactly, in the unit of a budget.

    Raises:
        UsageWrong: it is none, or would have to be rounded.
    """
    in_millionths = unit in _IN_MILLIONTHS
    number = text.removeprefix("$") if unit in (Unit.USD, Unit.USD_OF_ARGS) else text
    amount = micros_of(number) if in_millionths else int(number) if _is_count(number) else None
    if amount is None or not 0 <= amount <= SAFE_INTEGER:
        example = "`5.00`, with at most 6 decimals" if in_millionths else "`10`, a whole number"
        raise UsageWrong(f"`{text}` is no amount of {unit.value.replace('_', ' ')}", fix=f"write it as {example}")
    return amount


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX


_DIGITS_MAX = 16
