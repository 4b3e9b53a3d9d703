"""Patterns of texts as values: the part of regular expressions that means the same to everybody who reads them.

What is not in here is no error: the text is then taken to be any text, which is said with the proof.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REPEAT_MAX = 64  # beyond it, a count of repetitions is taken to be without a limit
_LITERALS = frozenset("-_ /@:,;<>=!\"#%&'~`")
_CLASSES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "d": (("0", "9"),),
    "w": (("a", "z"), ("A", "Z"), ("0", "9"), ("_", "_")),
}
"""What `\\d` and `\\w` stand for where schemas are checked: ASCII alone."""


@dataclass(frozen=True, slots=True)
class Signs:
    """One character of some ranges, or of none of them."""

    ranges: tuple[tuple[str, str], ...]
    other: bool = False


@dataclass(frozen=True, slots=True)
class InTurn:
    """One after the other."""

    parts: tuple["Pattern", ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several."""

    parts: tuple["Pattern", ...]


@dataclass(frozen=True, slots=True)
class Times:
    """Repeated, at least and at most so often; nothing said is without a limit."""

    of: "Pattern"
    least: int
    most: int | None


Pattern = Signs | InTurn | OneOf | Times

ANY = Signs((), other=True)


class _Foreign(Exception):
    """Something that is not in here."""


def parse(text: str) -> Pattern | None:
    """Read a pattern of a JSON Schema as one of the whole text, or nothing where it has what is not in here."""
    try:
        reader = _Reader(text)
        found = reader.choice(top=True)
        return found if reader.at == len(text) else None
    except (_Foreign, RecursionError):
        return None


def matches(pattern: Pattern, text: str) -> bool:
    """Tell whether a text matches as a whole."""
    return re.fullmatch(_written(pattern), text, re.DOTALL) is not None


def _written(pattern: Pattern) -> str:
    match pattern:
        case Signs(ranges, other):
            inside = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges)
            return f"[{'^' if other else ''}{inside}]" if inside else "." if other else r"[^\s\S]"
        case InTurn(parts):
            return "".join(_written(part) for part in parts)
        case OneOf(parts):
            return "(?:" + "|".join(_written(part) for part in parts) + ")"
        case Times(of, least, most):
            return f"(?:{_written(of)}){{{least},{'' if most is None else most}}}"


@dataclass(slots=True)
class _Reader:
    """Reads from left to right. Only a whole branch may be anchored, so that `^` and `$` mean one thing."""

    text: str
    at: int = 0

    def choice(self, *, top: bool = False) -> Pattern:
        branches = [self._branch(top=top)]
        while self._took("|"):
            branches.append(self._branch(top=top))
        return branches[0] if len(branches) == 1 else OneOf(tuple(branches))

    def _branch(self, *, top: bool) -> Pattern:
        before = () if top and self._took("^") else (Times(ANY, 0, None),) if top else ()
        parts: list[Pattern] = list(before)
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if top and self.text[self.at] == "$":
                self.at += 1
                if self.at < len(self.text) and self.text[self.at] != "|":
                    raise _Foreign
                return InTurn(tuple(parts))
            parts.append(self._repeated())
        return InTurn((*parts, Times(ANY, 0, None)) if top else tuple(parts))

    def _repeated(self) -> Pattern:
        one = self._one()
        found = _COUNT.match(self.text, self.at)
        if found is None:
            return one
        self.at = found.end()
        if self.at < len(self.text) and self.text[self.at] in "?+*{":
            raise _Foreign  # lazy and possessive repetition
        least, most = _counts(found)
        return Times(one, least, most)

    def _one(self) -> Pattern:
        sign = self.text[self.at]
        self.at += 1
        match sign:
            case "(":
                if self._took("?") and not self._took(":"):
                    raise _Foreign
                inner = self.choice()
                if not self._took(")"):
                    raise _Foreign
                return inner
            case "[":
                return self._signs()
            case "\\":
                return self._escaped()
            case ".":
                return Signs((("\n", "\n"),), other=True)
            case _ if sign.isascii() and (sign.isalnum() or sign in _LITERALS):
                return _exactly(sign)
            case _:
                raise _Foreign

    def _escaped(self) -> Signs:
        sign = self._next()
        if sign.lower() in _CLASSES:
            return Signs(_CLASSES[sign.lower()], other=sign.isupper())
        if sign.isascii() and not sign.isalnum():
            return _exactly(sign)
        raise _Foreign

    def _signs(self) -> Signs:
        other = self._took("^")
        ranges: list[tuple[str, str]] = []
        while not self._took("]"):
            low = self._in_signs()
            if not self.text.startswith("-", self.at) or self.text.startswith("-]", self.at):
                ranges += low
                continue
            self.at += 1
            high = self._in_signs()
            if len(low) > 1 or len(high) > 1 or high < low:
                raise _Foreign
            ranges.append((low[0][0], high[0][0]))
        if not ranges:
            raise _Foreign
        return Signs(tuple(ranges), other=other)

    def _in_signs(self) -> list[tuple[str, str]]:
        """Return one character as a range, or the ranges of a class."""
        sign = self._next()
        if sign == "\\":
            sign = self._next()
            if sign in _CLASSES:
                return [*_CLASSES[sign]]
            if sign.isalnum() or not sign.isascii():
                raise _Foreign
            return [(sign, sign)]
        # `[` and `&&` begin sets of their own for some readers.
        if sign in "[&~" or not sign.isascii():
            raise _Foreign
        return [(sign, sign)]

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise _Foreign
        self.at += 1
        return self.text[self.at - 1]

    def _took(self, sign: str) -> bool:
        taken = self.text.startswith(sign, self.at)
        self.at += len(sign) if taken else 0
        return taken


_COUNT = re.compile(r"[?*+]|\{(?P<least>[0-9]{1,4})(?P<rest>,(?P<most>[0-9]{1,4})?)?\}")


def _counts(found: "re.Match[str]") -> tuple[int, int | None]:
    match found[0]:
        case "?":
            return 0, 1
        case "*":
            return 0, None
        case "+":
            return 1, None
        case _:
            least = int(found["least"])
            most = least if found["rest"] is None else int(found["most"]) if found["most"] else None
            if least > _REPEAT_MAX or (most is not None and (most > _REPEAT_MAX or most < least)):
                raise _Foreign
            return least, most


def _exactly(sign: str) -> Signs:
    return Signs(((sign, sign),))
