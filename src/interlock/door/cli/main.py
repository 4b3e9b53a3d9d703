"""The command `interlock`. It reads the line, and imports what a command needs only when that command runs."""

import argparse
import errno
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, cast

from interlock.config import settings
from interlock.core.errors import InterlockError, UsageWrong
from interlock.door.cli.advice import advised
from interlock.door.cli.command import Command
from interlock.door.cli.screen import Screen, Typed
from interlock.door.cli.table import COMMANDS, GROUPS
from interlock.door.cli.table_ways import ALONE
from interlock.door.cli.usage import COMMON, in_our_words, unexpected

if TYPE_CHECKING:
    from interlock.ports import Clock

_NOT_CARRIED_OUT = 1
_USAGE = 2
_INTERRUPTED = 130
_HERE = "interlock.door.cli."
_EPILOG = """\
environment: INTERLOCK_STORE, INTERLOCK_KEYS, INTERLOCK_TENANT stand for
--store, --keys, --tenant
Data goes to standard output, everything else to standard error.
Every command has --help; --version prints the version."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a line as we say it of everything else."""

    def error(self, message: str) -> NoReturn:
        raise in_our_words(message, self.prog)


class _Later:
    """Stands for a parser that is made once a line comes to it: a line needs one of many."""

    def __init__(self, *, prog: str, make: "Callable[[str], _Parser]") -> None:
        self.prog = prog
        self.make = make

    def parse_known_args(self, words: Sequence[str], _: None) -> tuple[argparse.Namespace, list[str]]:
        return self.make(self.prog).parse_known_args(words)


class _Layout(argparse.RawDescriptionHelpFormatter):
    """Leaves room for the longest name of a command, and keeps the lines of a text, each broken to fit."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(textwrap.fill(line, width, initial_indent=indent) for line in text.splitlines())


def main(
    argv: Sequence[str] | None = None, *, clock: "Clock | None" = None, begins: Callable[[], None] = lambda: None
) -> int:
    """Carry out one command line and return its exit code.

    Args:
        argv: the words behind the command's name; those of this process if nothing else is given.
        clock: the clock of this machine, if nothing else is given.
        begins: called once the command is understood and imported; nothing has been done before.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    screen = Screen.of_this_process(json="--json" in words)
    try:
        return _carry_out(words, screen, clock, begins)
    except UsageWrong as error:
        screen.error(error)
        return _USAGE
    except InterlockError as error:
        screen.error(error)
    except BrokenPipeError:
        # Whoever read us has left, as `head` does. Nothing more can be said, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        screen.error(_unusable(error))
    except KeyboardInterrupt:
        screen.note("interrupted")
        return _INTERRUPTED
    return _NOT_CARRIED_OUT


def _unusable(error: OSError) -> InterlockError:
    """Say which file the machine does not let us use, and what to do about it."""
    named = f"`{error.filename}`" if error.filename else "a file, or where the output goes,"
    fixes = {
        errno.EACCES: "give this user the right to it, or name another place",
        errno.EPERM: "give this user the right to it, or name another place",
        errno.EROFS: "use a disk that can be written; commands that only read need that as well",
        errno.ENOSPC: "make room on its disk, or name another place",
    }
    fix = fixes.get(error.errno or 0, "name another one, or mend it")
    return InterlockError(f"{named} cannot be used: {(error.strerror or type(error).__name__).lower()}", fix=fix)


def _carry_out(words: Sequence[str], screen: Screen, clock: "Clock | None", begins: Callable[[], None]) -> int:
    for word in words:
        if not _is_text(word):
            raise UsageWrong("an argument is not UTF-8 text", fix="type it again, or read it from a file")
    first = words[0].partition("=")[0] if words else ""
    if first == "--version":
        from importlib.metadata import version  # noqa: PLC0415  a tenth of the time that `--help` may take

        screen.show({"interlock": version("interlock")}, f"interlock {version('interlock')}")
        return 0
    if first.startswith("-") and first not in (*COMMON, "-h"):
        raise unexpected(words[0])
    try:
        given, left = parser().parse_known_args(whole(words))
    except SystemExit as asked_for_help:
        return int(asked_for_help.code or 0)
    command: Command = given.command
    _place(left, given, command)
    said = settings(
        os.environ,
        store=getattr(given, "store", None),
        keys=getattr(given, "keys", None),
        tenant=getattr(given, "tenant", None),
        json=getattr(given, "json", False),
    )
    carry_out = _found(command)
    begins()
    typed = Typed(given=given, settings=said, screen=screen, clock=clock)
    try:
        return carry_out(typed)
    except InterlockError as error:
        error.fix = advised(typed, error.fix)
        raise


def whole(words: Sequence[str]) -> Sequence[str]:
    """Write out the second word of a command that means one by its first word alone."""
    alone = ALONE.get(words[0]) if words else None
    if alone is None or not all(word.startswith("-") for word in words[1:2]) or words[1:2] in (["--help"], ["-h"]):
        return words
    return [words[0], alone, *words[1:]]


def _place(left: Sequence[str], given: argparse.Namespace, command: Command) -> None:
    """Give words that stand behind an option to the optional arguments that are still empty; argparse does not."""
    optional = [each.names[0] for each in command.takes if each.options.get("nargs") == "?"]
    empty = [name for name in optional if getattr(given, name) is None and not name.startswith("-")]
    for word in left:
        if word.startswith("-") or not empty:
            raise unexpected(word, command)
        setattr(given, empty.pop(0), word)


def _found(command: Command) -> Callable[[Typed], int]:
    module, _, function = command.run.partition(":")
    try:
        found = import_module(_HERE + module)
    except ModuleNotFoundError as error:
        if error.name != _HERE + module:
            raise
        what = f"this installation has no command `{command.name}`"
        raise UsageWrong(what, fix="install the version that has it") from error
    return getattr(found, function)


def parser() -> argparse.ArgumentParser:
    """Make the parser from the table of commands. That of a command is made once a line comes to it."""
    # Options are written out in full: an abbreviation would change its meaning with the next option that we add.
    top = _Parser(
        prog="interlock",
        description="The control plane for AI agents that act on real systems.",
        epilog=_EPILOG,
        parents=[_common()],
        allow_abbrev=False,
        formatter_class=_Layout,
    )
    alone = [command for command in COMMANDS if " " not in command.name]
    groups = dict.fromkeys(command.name.partition(" ")[0] for command in COMMANDS if command not in alone)
    lines = {command.name: (command.says, partial(_of_command, command)) for command in alone}
    for group in groups:
        inner = [command for command in COMMANDS if command.name.startswith(f"{group} ")]
        names = ", ".join(command.name.partition(" ")[2] for command in inner)
        lines[group] = (f"{GROUPS[group]}: {names}", partial(_of_group, group, inner))
    order = list(dict.fromkeys(command.name.partition(" ")[0] for command in COMMANDS))
    _add(top, {name: lines[name] for name in order})
    return top


def _add(to: _Parser, lines: "Mapping[str, tuple[str, Callable[[str], _Parser]]]") -> None:
    each: Any = to.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=cast("type[_Parser]", _Later)
    )
    for name, (says, make) in lines.items():
        each.add_parser(name, help=says, make=make)


def _of_group(group: str, commands: Sequence[Command], prog: str) -> _Parser:
    made = _Parser(prog=prog, description=GROUPS[group], allow_abbrev=False)
    _add(made, {each.name.partition(" ")[2]: (each.says, partial(_of_command, each)) for each in commands})
    return made


def _of_command(command: Command, prog: str) -> _Parser:
    made = _Parser(
        prog=prog,
        description=command.says,
        epilog=command.more,
        parents=[_common()],
        allow_abbrev=False,
        formatter_class=_Layout,
    )
    for argument in command.takes:
        made.add_argument(*argument.names, **argument.options)
    made.set_defaults(command=command)
    return made


def _common() -> _Parser:
    """Make the options that every command has. They may stand before or behind its name."""
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    common.add_argument("--store", metavar="WHERE", help="a SQLite file or `postgresql://...`")
    common.add_argument("--keys", metavar="DIR", help="the folder of the keys")
    common.add_argument("--tenant", metavar="NAME", help="whose data; default: `default`")
    common.add_argument("--json", action="store_true", help="print data, and errors, as JSON")
    return common


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in word
