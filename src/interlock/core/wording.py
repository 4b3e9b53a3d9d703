"""Words for people: which known word was probably meant, and how many there are of something."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = 0.75
"""A word that differs in more than about a quarter of its letters is another word."""
_PART = re.compile(r"[-_. /:]")
_BEGINNING_MIN = 4
_SLIP_MIN = 3
_WORD_CHARS_MAX = 200  # longer than any name that is meant, and whoever asks may write anything
_COMPARED_MAX = 200  # comparing spellings is slow, and a file may have thousands of both


UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""What counts as printable and is drawn as nothing: whole sentences for a model can be written in it."""


def closest(word: str, known: Iterable[str], *, alike: float = _ALIKE) -> str | None:
    """Find the known word that was probably meant, if any comes near, or is the only one that is akin to it.

    Args:
        word: what was written.
        known: the words that there are.
        alike: from 0 to 1, how much alike the two have to be.
    """
    if len(word) > _WORD_CHARS_MAX:
        return None
    compared = sorted(known)[:_COMPARED_MAX]
    if near := close(word, compared, most=1, alike=alike):
        return near[0]
    slips = [each for each in compared if _one_slip(word, each)]
    if len(slips) == 1:
        return slips[0]
    akin = [each for each in compared if word in _PART.split(each) or _begins(word, each) or _begins(each, word)]
    return akin[0] if len(akin) == 1 else None


def _one_slip(word: str, other: str) -> bool:
    """Say whether one letter is too many, missing or wrong, or two neighbours are swapped: a lot of a short word."""
    if min(len(word), len(other)) < _SLIP_MIN or abs(len(word) - len(other)) > 1:
        return False
    same = _shared(word, other)
    word, other = word[same:][::-1], other[same:][::-1]
    same = _shared(word, other)
    word, other = word[same:], other[same:]
    return max(len(word), len(other)) <= 1 or (len(word) == len(other) == len("ab") and word == other[::-1])


def _shared(word: str, other: str) -> int:
    """Count the letters with which both begin."""
    return next((n for n, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))


def _begins(word: str, longer: str) -> bool:
    return len(word) >= _BEGINNING_MIN and longer.startswith(word)


def close(word: str, known: Iterable[str], *, most: int, alike: float = _ALIKE) -> list[str]:
    """Find the known words that come near, at most so many, the nearest first."""
    return get_close_matches(word[:_WORD_CHARS_MAX], list(known), n=most, cutoff=alike)


def count(number: int, one: str, more: str) -> str:
    """Write how many there are of something."""
    return f"{number:,} {one if number == 1 else more}"


def count_entries(number: int) -> str:
    """Write how many entries there are."""
    return count(number, "entry", "entries")


def dollars(micros: int) -> str:
    """Write micro-dollars in full: `$1,200.00`, `$0.0004`."""
    whole, rest = divmod(micros, 1_000_000)
    cents, below = divmod(rest, 10_000)
    return f"${whole:,}.{cents:02d}" + (f"{below:04d}".rstrip("0") if below else "")
