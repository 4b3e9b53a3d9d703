"""Times and amounts: in the local form for people, exact and in one form for programs. What every command imports."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interlock.core.ids import Instant
from interlock.core.unit import Unit
from interlock.door.moment import iso

IN_MILLIONTHS = (Unit.USD, Unit.USD_OF_ARGS, Unit.SECONDS)


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
        if self.unit not in IN_MILLIONTHS:
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
