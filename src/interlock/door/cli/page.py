"""Pages of the documentation as plain text: Markdown as we write it, in any width."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from interlock.door.cli.render import table, wrapped

_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
_CODE = "    "
_GOES_ON = " \\"
_COMMANDS = r"interlock|echo|pip|python3?|curl|export|git|psql|openssl|[A-Z_]+=\$\(interlock|-[a-zA-Z]|--[a-z-]+"
_TYPED = re.compile(rf" *(\$ |\{{ )?({_COMMANDS}) ")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NO_BREAK = "\0"
_REMARK = re.compile(r" {2,}# (.+)$")
_LAST_COLUMN = 30
"""A table whose last column would be narrower is written as a list."""


def plain(markdown: str, width: int) -> str:
    """Write a page as plain text."""
    blocks = [block for kind, lines in _blocks(markdown) if (block := _written(kind, lines, width))]
    return "\n\n".join(blocks)


def inline(text: str) -> str:
    """Write a line without marks: what is linked to is named if it is a page that can be asked for."""
    return _LINK.sub(_link, text).replace("**", "").replace("\\|", "|")


def sections(markdown: str) -> Iterator[tuple[str, str]]:
    """Return the title and the text of each section, those within it included."""
    lines = [(kind, line) for kind, block in _blocks(markdown) for line in block]
    heads = [(n, *line.split(" ", 1)) for n, (kind, line) in enumerate(lines) if kind == "head"]
    for start, marks, title in heads:
        end = next((n for n, other, _ in heads if n > start and len(other) <= len(marks)), len(lines))
        yield title.replace("`", ""), "\n".join(line for _, line in lines[start:end])


def rows(lines: Sequence[str]) -> list[list[str]]:
    """Return the cells of a table, the first row its head."""
    cells = [[inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    return [row for row in cells if not all(set(cell) <= set("-: ") for cell in row)] if len(cells) > 1 else cells


def _link(found: re.Match[str]) -> str:
    page = re.fullmatch(r"([a-z-]+)\.md(?:#.*)?", found[2])
    return f"{found[1]} (`interlock help {page[1]}`)" if page else found[1]


def _blocks(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Cut a page into pieces of one kind."""
    inside = False
    marked: list[tuple[str, str]] = []
    for line in markdown.splitlines():
        fence = line.startswith("```")
        inside ^= fence
        marked.append((_kind(line, code=inside or fence), line))
    for kind, lines in groupby(marked, key=lambda each: each[0]):
        yield kind, [line for _, line in lines]


def _kind(line: str, *, code: bool) -> str:
    if code:
        return "fenced"
    starts = {"#": "head", "|": "table", "- ": "list", "  ": "list", "<!--": "nothing"}
    if line.startswith(_CODE):
        return "code"
    return next(
        (kind for start, kind in starts.items() if line.startswith(start)), "text" if line.strip() else "nothing"
    )


def _written(kind: str, lines: list[str], width: int) -> str:
    match kind:
        case "head":
            return "\n\n".join(_head(line, width) for line in lines)
        case "fenced":
            return "\n".join(_code(f"{_CODE}{line}".rstrip(), width) for line in lines if not line.startswith("```"))
        case "code":
            return "\n".join(_code(line, width) for line in lines)
        case "table":
            return _table(rows(lines), width)
        case "list":
            items = re.sub(r"\n +", " ", "\n".join(lines)).splitlines()
            return "\n".join(wrapped(inline(item), width, hang=2) for item in items)
        case "text":
            return wrapped(inline(" ".join(lines)), width)
        case _:
            return ""


def _code(line: str, width: int) -> str:
    """Fit a line of code: what is typed goes on behind a backslash, a remark stands above, else it is indented."""
    if len(line) <= width:
        return line
    left = line[: len(line) - len(line.lstrip())]
    if remark := _REMARK.search(line):
        said = "\n".join(f"{left}# {part}" for part in wrapped(remark[1], width - len(left) - 2).splitlines())
        return f"{said}\n{_code(line[: remark.start()].rstrip(), width)}"
    ends = _GOES_ON if _TYPED.match(line) else ""
    whole = _QUOTED.sub(lambda quoted: quoted[0].replace(" ", _NO_BREAK), line) if ends else line
    first, *rest = textwrap.wrap(
        whole, width - len(ends), subsequent_indent=left + _CODE, break_long_words=False, break_on_hyphens=False
    )
    return f"{ends}\n".join([first, *rest]).replace(_NO_BREAK, " ")


def _head(line: str, width: int) -> str:
    marks, _, title = line.partition(" ")
    said, rule = wrapped(inline(title), width), {"#": "=", "##": "-"}.get(marks)
    return f"{said}\n{rule * min(len(said), width)}" if rule else said


def _table(found: list[list[str]], width: int) -> str:
    head, *body = found
    broad = [max(len(row[n]) for row in found) for n in range(len(head))]
    if sum(broad[:-1]) + 2 * len(broad) + min(broad[-1], _LAST_COLUMN) <= width:
        return table(head, body, width)
    return "\n".join(_entry(head, row, width) for row in body)


def _entry(head: list[str], row: list[str], width: int) -> str:
    """Write a row as a word and what is said of it."""
    between = "; ".join(f"{name}: {cell}" for name, cell in zip(head[1:-1], row[1:-1], strict=True) if cell)
    said = [wrapped(row[0], width, hang=2)]
    said += [wrapped(_CODE + text, width, hang=4) for text in (between, row[-1]) if text]
    return "\n".join(said)
