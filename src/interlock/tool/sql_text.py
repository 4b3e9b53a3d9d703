"""SQL as text: where its parameters, its words and its end are. It is written by people who own the contract."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["parameter", "word", "end", "other"]

_TOKENS = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<escaped>(?<![A-Za-z0-9_])[eE]'(?:[^'\\]|\\.|'')*')
    |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    |(?P<dollars>\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$)
    |(?P<cast>::)
    |(?P<parameter>(?<![A-Za-z0-9_\]]):[A-Za-z_][A-Za-z0-9_]*)
    |(?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    |(?P<end>;)
    |(?P<open>['"`])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of SQL."""

    kind: Kind
    text: str


def tokens(sql: str) -> Iterator[Token]:
    """Return all pieces of a text, in order; together they are the text.

    Raises:
        ValueError: a text in quotes has no end, or is quoted by dollars.
    """
    at = 0
    for found in _TOKENS.finditer(sql):
        if found.start() > at:
            yield Token(kind="other", text=sql[at : found.start()])
        at = found.end()
        match found.lastgroup:
            case "parameter" | "word" | "end":
                yield Token(kind=found.lastgroup, text=found[0])
            case "open":
                raise ValueError("a text in quotes has no end")
            case "dollars":
                raise ValueError("a text is quoted by dollars")
            case _:
                yield Token(kind="other", text=found[0])
    if at < len(sql):
        yield Token(kind="other", text=sql[at:])


def returns_rows(sql: str) -> bool:
    """Whether a statement of Postgres returns rows: it selects, or it says `returning`, and not in a part of it alone.

    Raises:
        ValueError: a text in quotes has no end, or is quoted by dollars.
    """
    depth, outside = 0, list[str]()
    for token in tokens(sql):
        if token.kind == "word" and depth == 0:
            outside.append(token.text.lower())
        elif token.kind == "other" and not _QUOTED.match(token.text):
            depth += token.text.count("(") - token.text.count(")")
    does = next((word for word in outside if word in _VERBS), "")
    return does in _SELECTS or "returning" in outside


_QUOTED = re.compile(r"--|/\*|[eE]?['\"`]")
_SELECTS = frozenset({"select", "values", "table"})
_VERBS = _SELECTS | {"insert", "update", "delete", "merge"}


def with_parameters(sql: str, write: Callable[[str], str], rest: Callable[[str], str]) -> str:
    """Write each parameter, given by its name, and all that stands between in another way."""
    return "".join(
        write(token.text.removeprefix(":")) if token.kind == "parameter" else rest(token.text) for token in tokens(sql)
    )
