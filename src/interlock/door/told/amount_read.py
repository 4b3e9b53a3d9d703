"""Amounts as people and programs write them."""

from interlock.core.errors import UsageWrong
from interlock.core.limits import SAFE_INTEGER
from interlock.core.money import micros_of
from interlock.core.unit import Unit
from interlock.door.told.measures import IN_MILLIONTHS


def amount_of(text: str, unit: Unit) -> int:
    """Read an amount exactly, in the unit of a budget.

    Raises:
        UsageWrong: it is none, or would have to be rounded.
    """
    in_millionths = unit in IN_MILLIONTHS
    number = text.removeprefix("$") if unit in (Unit.USD, Unit.USD_OF_ARGS) else text
    amount = micros_of(number) if in_millionths else int(number) if _is_count(number) else None
    if amount is None or not 0 <= amount <= SAFE_INTEGER:
        example = "`5.00`, with at most 6 decimals" if in_millionths else "`10`, a whole number"
        raise UsageWrong(f"`{text}` is no amount of {unit.value.replace('_', ' ')}", fix=f"write it as {example}")
    return amount


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX


_DIGITS_MAX = 16
