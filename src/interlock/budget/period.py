"""Which budget an action of this moment belongs to. Periods are calendar ones in UTC: no row has to be opened."""

from typing import Literal

from interlock.core.ids import BudgetId, Instant

Period = Literal["run", "hour", "day", "month"]

_HOUR = 3600 * 1_000_000
_DAY = 24 * _HOUR


def period_name(period: Period, *, run: str, now: Instant) -> str:
    """Name the period that `now` falls into: `day:2026-11-21`."""
    if period == "run":
        return f"run:{run}"
    year, month, day = civil(now)
    match period:
        case "hour":
            return f"hour:{year:04}-{month:02}-{day:02}T{now % _DAY // _HOUR:02}"
        case "day":
            return f"day:{year:04}-{month:02}-{day:02}"
        case "month":
            return f"month:{year:04}-{month:02}"


def budget_id(owner: str, unit: str, period: Period, *, run: str, now: Instant) -> BudgetId:
    """Name the balance of `owner` (a workflow in an environment, or a tool of it) for one period."""
    return BudgetId(f"{owner}/{unit}/{period_name(period, run=run, now=now)}")


def civil(now: Instant) -> tuple[int, int, int]:
    """Turn an instant into year, month and day (proleptic Gregorian, Howard Hinnant's `civil_from_days`)."""
    days = now // _DAY + 719_468
    era, of_era = divmod(days, 146_097)
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1
