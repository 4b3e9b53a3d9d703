"""What another program answered, as JSON: every number exactly, or unreadable."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from interlock.core.canonical import Json, Unreadable


def json_answer(body: bytes) -> Json | Unreadable:
    """Read JSON that nobody here wrote. Nothing at all is nothing."""
    if not body.strip():
        return None
    try:
        return json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_float=exact, parse_constant=_no_constant
        )
    except (ValueError, ArithmeticError, RecursionError):
        return Unreadable()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name is said twice")
    return table


def exact(text: str) -> float:
    """Read a number that is none of the whole ones.

    Raises:
        ValueError: it would not keep its value.
    """
    number = float(text)
    # An amount that changes its value on the way is worse than one that nobody can read.
    if Decimal(repr(number)) != Decimal(text):
        raise ValueError("a number has more digits than JSON readers keep")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
