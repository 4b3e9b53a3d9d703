"""The manual page, made of the table of commands: `interlock help --man` prints it for `man`."""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from interlock.door.cli.command import Argument, Command
from interlock.door.cli.page import rows, sections
from interlock.door.cli.table import COMMANDS, GROUPS

_CODES = "Exit codes"
_ABOUT = (
    "What agents do goes through one door that checks it, budgets it, asks a person where one must agree,",
    "records it so that nobody can rewrite it unnoticed, and can undo it.",
)


def manual(page: str) -> str:
    """Write the page in the language of `man`.

    Args:
        page: the documentation of the command line, of which the exit codes and the options of every command are.
    """
    return "\n".join(_lines(page)) + "\n"


def _lines(page: str) -> Iterator[str]:
    yield f'.TH INTERLOCK 1 "" "interlock {_text(version("interlock"))}" "Interlock"'
    yield from (".SH NAME", r"interlock \- the control plane for AI agents that act on real systems")
    yield from (".SH SYNOPSIS", r".B interlock", r"[\fIOPTION\fR]... \fICOMMAND\fR [\fIARGUMENT\fR]...")
    yield from (
        ".SH DESCRIPTION",
        "What agents do goes through one door that checks it, budgets it, asks a person where",
    )
    yield "one must agree, records it so that nobody can rewrite it unnoticed, and can undo it."
    yield from (".SH COMMANDS", *_commands())
    yield from (".SH OPTIONS OF EVERY COMMAND", *_table(page, (0, 3, 1)))
    yield from (".SH EXIT STATUS", *_table(page, (0, 1), title=_CODES))
    yield from (".SH SEE ALSO", _text("`interlock help` lists the pages of the documentation and the words that it"))
    yield _text("explains; `--help` behind a command has examples.")


def _commands() -> Iterator[str]:
    group = ""
    for command in sorted(COMMANDS, key=lambda each: (" " in each.name, each.name.partition(" ")[0])):
        first = command.name.partition(" ")[0] if " " in command.name else ""
        if first != group:
            yield f".SS {_text(f'interlock {first}: {GROUPS[first]}')}"
            group = first
        yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield from (".TP", f".B interlock {_text(command.name)}{_synopsis(command.takes)}", f"{_sentence(command.says)}")
    if command.takes:
        yield ".RS"
        for argument in command.takes:
            names = ", ".join(argument.names) if argument.names[0].startswith("-") else str(_named(argument))
            value = f" {_named(argument)}" if argument.names[0].startswith("-") and _takes_value(argument) else ""
            yield from (".TP", rf"\fB{_text(names)}\fR{_text(value)}", _text(str(argument.options.get("help", ""))))
        yield ".RE"
    if command.more:
        yield from (".IP", _text(" ".join(command.more.split())))


def _synopsis(takes: Sequence[Argument]) -> str:
    """Name what stands behind a command without an option; its options are listed below."""
    said = [_named(argument) for argument in takes if not argument.names[0].startswith("-")]
    return "".join(rf" \fI{_text(each)}\fR" for each in said)


def _named(argument: Argument) -> str:
    return str(argument.options.get("metavar", argument.names[0].lstrip("-").upper()))


def _takes_value(argument: Argument) -> bool:
    return argument.options.get("action") in (None, "append")


def _table(page: str, columns: Sequence[int], title: str = "") -> Iterator[str]:
    """Write a table of the page as a list: its first column, and below it the others."""
    text = next((said for name, said in sections(page) if name.lower() == title.lower()), "") if title else page
    block = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert block is not None, "the page has the table"
    for row in rows(block[0].splitlines())[1:]:
        first, *rest = (row[n] for n in columns)
        yield from (".TP", rf"\fB{_text(first)}\fR", " ".join(_sentence(each) for each in rest if each))


def _sentence(text: str) -> str:
    return _text(text[:1].upper() + text[1:] + ("" if text.endswith(".") else "."))


def _text(text: str) -> str:
    """Write text so that it is read as it stands: every sign means itself, and no line begins a request."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain
