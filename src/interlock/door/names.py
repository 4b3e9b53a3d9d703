"""Whether a JSON text says a name twice in one object: one reader takes the first, another the last.

What a judge looked at has to be what is carried out, so doors refuse such a text.
"""

import json
from collections.abc import Sequence
from typing import NoReturn


def says_a_name_twice(text: bytes) -> bool:
    """Whether any object in a text has a name twice, however it is written.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is too deep to look at.
    """
    try:
        _DECODE(text.decode())
    except _Twice:
        return True
    return False


class _Twice(Exception):
    pass


def _once(pairs: Sequence[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _Twice


def _as_it_is(number: str) -> str:
    return number


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


_DECODE = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_as_it_is, parse_float=_as_it_is, parse_constant=_no_number
).decode
