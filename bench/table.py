"""Prints a table with ratios against the baseline of the same run. Machines are noisy: ratios say more than times."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line: what was measured, and what it is to reach."""

    what: str
    value: float
    unit: str
    reach: str = ""
    note: str = ""


def show(title: str, rows: Sequence[Row], *, baseline: int = 0) -> None:
    """Print rows under a title, each with its ratio to the row `baseline` where both have the same unit."""
    base = rows[baseline]
    print(f"\n{title}")
    print(f"  {'':58} {'':>12} {'ratio':>8}  {'reach':16} note")
    for row in rows:
        ratio = f"{row.value / base.value:.2f}x" if row.unit == base.unit and base.value else ""
        print(f"  {row.what:58} {row.value:>7.2f} {row.unit:4} {ratio:>8}  {row.reach:16} {row.note}")


def p(values: Sequence[float], percent: float) -> float:
    """Return a percentile of unsorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
