"""A lot: what came in one month and may be kept for equally many days. Its payloads share a key and go together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from interlock.budget.period import civil
from interlock.core.ids import Instant, SubjectId
from interlock.core.limits import EXPIRY_SPARE_DAYS

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Lot:
    """The payloads of one month whose contract allows the same number of days."""

    month: str
    """Year and month in UTC, `2026-11`."""
    days: int = 0
    """For how many days they may be kept from the end of the month on; 0 where the contract names none."""

    @property
    def name(self) -> str:
        """Name it for people and in the ledger: `2026-11/90`."""
        return f"{self.month}/{self.days}" if self.days else self.month

    @property
    def subject(self) -> SubjectId:
        """Name what its key is of."""
        return SubjectId(f"month:{self.name}")

    @property
    def due(self) -> Instant | None:
        """From when on it must not be readable; nothing if it may be kept until somebody erases it."""
        if not self.days:
            return None
        ends = _first_day(_next(self.month)) + self.days + EXPIRY_SPARE_DAYS
        return Instant((ends - date(1970, 1, 1).toordinal()) * _DAY)


def lots_due(month: str, now: Instant) -> Iterator[Lot]:
    """Name every lot of a month that can be due by now, whatever the contracts say."""
    over = now // _DAY + date(1970, 1, 1).toordinal() - _first_day(_next(month)) - EXPIRY_SPARE_DAYS
    return (Lot(month=month, days=days) for days in range(1, over + 1))


def lot_at(at: Instant, days: int | None) -> Lot:
    """Return the lot of what is sealed at a moment, under a contract that allows so many days."""
    year, month, _ = civil(at)
    return Lot(month=f"{year:04}-{month:02}", days=days or 0)


def months(first: Instant, last: Instant) -> tuple[str, ...]:
    """Name every month from that of one moment to that of another."""
    month, end = lot_at(first, None).month, lot_at(last, None).month
    found: list[str] = []
    while month <= end:
        found.append(month)
        month = _next(month)
    return tuple(found)


def _next(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def _first_day(month: str) -> int:
    return date(int(month[:4]), int(month[5:]), 1).toordinal()
