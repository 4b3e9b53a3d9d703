"""Shell variables into nodes: `NAME=value` and `NAME=("one" "two")`, one a line. Nothing is expanded."""

import re

from interlock.contract.node import Kind, Map, Node, Scalar, Seq
from interlock.contract.problem import Findings
from interlock.contract.scalar import is_plain_number
from interlock.policy.rule import Place


def looks_like_variables(text: str) -> bool:
    """Whether the first line that says something sets a variable."""
    lines = (line.strip() for line in text.splitlines())
    return bool(_SETS.match(next((line for line in lines if line and not line.startswith("#")), "")))


def parse_variables(text: str, file: str, findings: Findings) -> Map:
    """Read the variables of a file. What is wrong goes to `findings`."""
    entries: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        column = len(line) - len(line.lstrip()) + 1
        place = Place(file=file, line=number, column=column)
        if found is None:
            findings.wrong(
                place,
                "the line does not set a variable",
                'write `NAME=value` or `NAME=("one" "two")` on one line; nothing is expanded',
            )
        elif found["name"] in keys:
            findings.wrong(place, f"`{found['name']}` is set twice", "keep one of them")
        else:
            keys[found["name"]] = place
            entries[found["name"]] = _value(found, file, number)
    return Map(entries=entries, place=Place(file=file, line=1, column=1), keys=keys)


def _value(found: re.Match[str], file: str, line: int) -> Node:
    group = "list" if found["list"] is not None else "word"
    place = Place(file=file, line=line, column=found.start(group) + 1)
    if group == "word":
        return _word(found["word"], place)
    start = found.start("list") + 1
    words = (
        _word(word.group(), Place(file=file, line=line, column=start + word.start()))
        for word in _WORD.finditer(found["list"])
    )
    return Seq(items=tuple(words), place=place)


def _word(word: str, place: Place) -> Scalar:
    text = word[1:-1] if word.startswith(("'", '"')) else word
    kind: Kind = "number" if word == text and is_plain_number(text) else "text"
    return Scalar(text=text, kind=kind, place=place)


_ONE_WORD = r"""(?:"[^"$`\\]*"|'[^']*'|[A-Za-z0-9_.:/@%+-]+)"""
_WORD = re.compile(_ONE_WORD)
_SETS = re.compile(r"(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=")
_LINE = re.compile(
    rf"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)="
    rf"(?:(?P<word>{_ONE_WORD})|\((?P<list>\s*(?:{_ONE_WORD}(?:\s+{_ONE_WORD})*\s*)?)\))\s*(?:\s#.*)?"
)
