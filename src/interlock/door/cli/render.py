"""Plain text for people: tables, blocks of names and values, times, amounts. Readable without colour and in any width.

What agents wrote may hold anything: control characters never reach a terminal, they are shown as what they are.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from interlock.core.wording import UNSEEN
from interlock.core.wording import count as count
from interlock.door.told.measures import Amount as Amount
from interlock.door.told.measures import Time as Time
from interlock.door.told.measures import usd as usd

_GAP = "  "
_FOLDED = "    "
_GOES_ON = " \\"
_NARROWEST = 20
_A_MOMENT = 1_000_000


def span(micros: int) -> str:
    """Say how long something takes, to the unit that matters."""
    seconds = abs(micros) / 1_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (size == 60 and seconds >= 120):
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s" if seconds >= 1 else f"{abs(micros) / 1_000_000:.3g} s"


def age(micros: int) -> str:
    """Say how old something is in whole words."""
    for size, one, more in _AGES:
        if micros >= 2 * size * 1_000_000:
            return f"{count(micros // (size * 1_000_000), one, more)}"
    return "1 second" if micros >= _A_MOMENT else "less than a second"


_AGES = ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes"), (1, "second", "seconds"))


def since(at: int, now: int) -> str:
    """Say how long ago something was, or in how long it will be."""
    if abs(now - at) < _A_MOMENT:
        return "now"
    return f"{span(now - at)} ago" if now >= at else f"in {span(at - now)}"


def clean(text: str) -> str:
    """Show every character that is not printable as its code, so that no text moves the cursor or hides a part."""
    return "".join(char if char.isprintable() and not UNSEEN.match(char) else _code(char) for char in text)


def _code(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode()


def json_text(value: Any, width: int) -> str:  # noqa: ANN401  any JSON value
    """Write a JSON value on one line if it fits, else on several."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) > width:
        line = json.dumps(value, ensure_ascii=False, indent=2)
    return "\n".join(clean(each) for each in line.splitlines())


_HELD = "\x1f"  # a space at which no line is broken; what is shown has no such character


def broken(command: str, width: int) -> str:
    """Break a command so that it can be copied as it stands: never within quotes."""
    lines = [""]
    for word in re.findall(r"(?:'[^']*'|[^\s'])+", command):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return " \\\n    ".join(lines)


def wrapped(text: str, width: int, *, hang: int = 0) -> str:
    """Break a line at the width, with the rest under its beginning. A command in backticks is kept whole if it fits."""
    room = width - hang

    def held(found: re.Match[str]) -> str:
        return found[0].replace(" ", _HELD) if len(found[0]) <= room else found[0]

    lines = textwrap.wrap(
        re.sub(r"[^\s`]*`[^`]+`[^\s`]*", held, text),
        width,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(_HELD, " ")


def block(pairs: Iterable[tuple[str, object]], width: int, *, indent: int = 0) -> str:
    """Write names and values below each other. A value of several lines keeps them; an empty one is left out."""
    known = [(name, str(value)) for name, value in pairs if value is not None and str(value) != ""]
    broad = max((len(name) for name, _ in known), default=0)
    left = " " * indent
    lines: list[str] = []
    for name, value in known:
        room = max(_NARROWEST, width - indent - broad - len(_GAP))
        # What is indented was laid out already.
        parts = [part for line in value.rstrip("\n").split("\n") for part in _fitted(clean(line), room)]
        lines.append(f"{left}{name.ljust(broad)}{_GAP}{parts[0]}".rstrip())
        lines += [f"{left}{' ' * broad}{_GAP}{part}".rstrip() for part in parts[1:]]
    return "\n".join(lines)


def _fitted(line: str, room: int) -> list[str]:
    if len(line) <= room or line.startswith(" "):
        return [line]
    if not (line.startswith("`") and line.endswith("`") and line.count("`") == len("``")):
        return wrapped(line, room).splitlines()
    # A command that is broken can still be copied as it stands.
    *parts, last = wrapped(line, room - len(_GOES_ON)).splitlines()
    return [*(part + _GOES_ON for part in parts), last]


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    width: int,
    *,
    right: Iterable[int] = (),
    fold: int | None = None,
) -> str:
    """Write a table. Nothing is cut off, so that every id can be copied.

    Args:
        headers: the names of the columns.
        rows: a cell for each column.
        width: how broad it may be; the last column is broken to fit.
        right: the columns that are set to the right.
        fold: if it does not fit all the same, each row goes on in a line below from this column on, or from the first
            one that does not fit.
    """
    cells = [[clean(str(cell)) for cell in row] for row in (headers, *rows)]
    return "\n".join(line for row in _laid(cells, width, frozenset(right), fold) for line in row)


def _laid(cells: Sequence[Sequence[str]], width: int, right: frozenset[int], fold: int | None) -> list[list[str]]:
    """Lay rows out, each as its lines."""
    broad = [max(map(len, column)) for column in zip(*cells, strict=True)]
    before = sum(broad[:-1]) + len(_GAP) * (len(broad) - 1)
    if len(broad) > 1 and before + min(broad[-1], max(_NARROWEST, _longest_word(cells))) > width:
        at = fold or _fitting(broad, width)
        first = _laid([row[:at] for row in cells], width, right, None)
        rest = frozenset(n - at for n in right)
        more = _laid([row[at:] for row in cells], width - len(_FOLDED), rest, None)
        return [[*one, *(_FOLDED + line for line in two if line)] for one, two in zip(first, more, strict=True)]
    room = max(_NARROWEST, width - before)
    return [_row(row, broad, room, right) for row in cells]


def _longest_word(cells: Sequence[Sequence[str]]) -> int:
    """Return the length of what cannot be broken in the last column."""
    return max((len(word) for row in cells for word in row[-1].split()), default=0)


def _fitting(broad: Sequence[int], width: int) -> int:
    """Count the first columns that fit beside each other: one at least."""
    ends = [sum(broad[:n]) + len(_GAP) * (n - 1) for n in range(1, len(broad))]
    return max(1, sum(end <= width for end in ends))


def _row(row: Sequence[str], broad: Sequence[int], room: int, right: frozenset[int]) -> list[str]:
    last = wrapped(row[-1], room).splitlines() or [""]
    if len(row) - 1 in right and len(last) == 1:
        last = [last[0].rjust(min(broad[-1], room))]
    fixed = [
        cell.rjust(size) if n in right else cell.ljust(size)
        for n, (cell, size) in enumerate(zip(row[:-1], broad[:-1], strict=True))
    ]
    indent = " " * (sum(broad[:-1]) + len(_GAP) * (len(broad) - 1))
    return [_GAP.join([*fixed, last[0]]).rstrip(), *(indent + part for part in last[1:])]


def listed(names: Iterable[object]) -> str:
    """Write names as a list in a sentence, in one order."""
    return ", ".join(sorted(map(str, names)))
