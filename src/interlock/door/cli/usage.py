"""What is wrong with a line that was typed, in the words of whoever typed it, and a line that would do."""

import re
from collections.abc import Iterable

from interlock.core.errors import UsageWrong
from interlock.core.wording import closest
from interlock.door.cli.command import Command
from interlock.door.cli.table import COMMANDS

_NAME = "interlock"
COMMON = ("--store", "--keys", "--tenant", "--json", "--help")
"""Options of every command. They may stand before its name, too."""


def in_our_words(message: str, prog: str) -> UsageWrong:
    """Turn what argparse says of a line into what we say.

    Args:
        message: in the words of argparse.
        prog: the words that were understood: `interlock action show`.
    """
    words = prog.removeprefix(_NAME).strip()
    command = next((each for each in COMMANDS if each.name == words), None)
    if found := re.fullmatch(r"the following arguments are required: (.+)", message):
        return _missing(found[1], prog, command)
    about, _, what = message.removeprefix("argument ").partition(": ")
    about = about.rpartition("/")[2]
    if found := re.match(r"invalid choice: '(.*)' \(choose from (.+)\)$", what, re.DOTALL):
        if command is None:
            return _unknown(found[1], words)
        choices = re.findall(r"'([^']+)'", found[2])
        return UsageWrong(f"`{about}` cannot be `{found[1]}`", fix=_one_of(found[1], choices))
    if what.startswith("expected "):
        return UsageWrong(f"`{about}` needs a value behind it", fix=f"write `{about} {_stands_for(about, command)}`")
    if found := re.fullmatch(r"invalid int value: '(.*)'", what, re.DOTALL):
        return UsageWrong(f"`{about}` is a whole number, found `{found[1]}`", fix=f"write one such as `{about} 50`")
    if found := re.fullmatch(r"invalid float value: '(.*)'", what, re.DOTALL):
        return UsageWrong(f"`{about}` is a number, found `{found[1]}`", fix=f"write one such as `{about} 2.5`")
    if found := re.fullmatch(r"invalid port value: '(.*)'", what, re.DOTALL):
        fix = f"name one from 1 to 65535, or 0 for any that is free: `{about} 7400`"
        return UsageWrong(f"`{found[1]}` is no port", fix=fix)
    if what.startswith("ignored explicit argument"):
        return UsageWrong(f"`{about}` takes no value", fix="say it alone")
    return UsageWrong(message, fix=f"look at `{prog} --help`")


def unexpected(word: str, command: Command | None = None) -> UsageWrong:
    """Say that a word has no place in a line; for an option, which one was probably meant."""
    own = [name for each in (command.takes if command else ()) for name in each.names if name.startswith("-")]
    near = closest(word.partition("=")[0], [*own, *COMMON])
    if near and word.startswith("-"):
        return UsageWrong(f"`{word}` is not expected here", fix=f"did you mean `{near}`?")
    whole = f"{_NAME} {command.name}" if command else _NAME
    if command is not None and command.name == "secret set":
        # It may be the secret, and what goes to standard error is often kept.
        fix = "type the secret when it is asked for, or hand it over on standard input: `... < FILE`"
        return UsageWrong("a word too many stands in the line", fix=fix)
    return UsageWrong(f"`{word}` is not expected here", fix=f"look at `{whole} --help`")


def _missing(names: str, prog: str, command: Command | None) -> UsageWrong:
    if names == "COMMAND":
        group = prog.removeprefix(_NAME).strip()
        rest = [each.name.removeprefix(f"{group} ") for each in COMMANDS if group and each.name.startswith(f"{group} ")]
        if rest:
            return UsageWrong(f"`{prog}` needs one more word", fix=f"say one of {_listed(rest)}")
        return UsageWrong("no command was given", fix=f"look at `{_NAME} --help`, or begin with `{_NAME} demo`")
    return UsageWrong(f"`{prog}` needs {_joined(names.split(', '))}", fix=_example(command, prog))


def _unknown(word: str, group: str) -> UsageWrong:
    """Say that there is no such command, and which one comes nearest: by its whole name, or by one word of it."""
    names = [each.name for each in COMMANDS]
    within = [name for name in names if name.startswith(f"{group} ")] if group else names
    by_word = {part: name for name in reversed(within) for part in (name, name.rpartition(" ")[2])}
    groups = {name.partition(" ")[0]: name.partition(" ")[0] for name in names if " " in name and not group}
    meant = {**by_word, **groups}
    near = closest(word, meant)
    what = f"there is no command `{f'{group} {word}'.strip()}`"
    alike = [f"{_NAME} {name}" for name in within if near and name.endswith(f" {near}")]
    if len(alike) > 1:
        return UsageWrong(what, fix=f"say of what: {_listed(alike)}")
    if near:
        return UsageWrong(what, fix=f"did you mean `{_NAME} {meant[near]}`?")
    if group:
        return UsageWrong(what, fix=f"say one of {_listed(name.removeprefix(f'{group} ') for name in within)}")
    return UsageWrong(what, fix=f"look at `{_NAME} --help`")


def _one_of(word: str, choices: list[str]) -> str:
    near = closest(word, choices)
    return f"did you mean `{near}`?" if near else f"use one of {_listed(choices)}"


def _stands_for(option: str, command: Command | None) -> str:
    found = (each for each in (command.takes if command else ()) if option in each.names)
    return next((str(each.options["metavar"]) for each in found if "metavar" in each.options), "VALUE")


def _example(command: Command | None, prog: str) -> str:
    if command is None or not command.example:
        return f"look at `{prog} --help`"
    return f"write it as `{_NAME} {command.name} {command.example}`"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _joined(words: list[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
