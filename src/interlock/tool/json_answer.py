"""What another program answered, as JSON: every number exactly, or unreadable."""

import json
from decimal import Decimal

from interlock.core.canonical import Json, Unreadable
from interlock.core.json_text import members_once, no_constant


def json_answer(body: bytes) -> Json | Unreadable:
    """Read JSON that nobody here wrote. Nothing at all is nothing."""
    if not body.strip():
        return None
    try:
        return json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=members_once, parse_float=exact, parse_constant=no_constant
        )
    except (ValueError, ArithmeticError, RecursionError):
        return Unreadable()


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
