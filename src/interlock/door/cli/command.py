"""A command as a value: what it is called, what it takes, and which module carries it out once it is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument or option, as argparse takes it."""

    names: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line of the table of commands."""

    name: str
    """All its words: `approvals approve`."""
    says: str
    """What it does, on one line."""
    run: str
    """`module:function`, imported when it runs and not before."""
    takes: tuple[Argument, ...] = ()
    example: str = ""
    """What may stand behind its name, for whoever left out what it needs."""
    more: str = ""
    """What `--help` says below the arguments."""


def arg(*names: str, **options: Any) -> Argument:  # noqa: ANN401  what argparse takes
    """Write an argument as one would for argparse."""
    return Argument(names=names, options=options)


def port(text: str) -> int:
    """Read the number of a port; 0 is any.

    Raises:
        ValueError: there is no such port.
    """
    number = int(text)
    if not 0 <= number <= _PORT_MAX:
        raise ValueError(number)
    return number


_PORT_MAX = 65_535
WHO = (
    arg("--account", action="store_true", help="be the user of this machine, though somebody has logged in"),
    arg("--sign-with", metavar="KEY", help="the Ed25519 key file to be known by, instead of your login or account"),
    arg("--as", dest="as_name", metavar="NAME", help="be NAME; believed for the tenant `demo` alone"),
)
"""How a command is told who types it."""

PLACE = (
    arg("--workflow", metavar="W", help="the workflow; needed where several are published"),
    arg("--env", metavar="E", help="the environment; needed where it has several"),
)
"""Where a command looks."""
