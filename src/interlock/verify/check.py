"""What a check is: the promise that it holds somebody to, what has to be seen, and a run that says what was seen."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from interlock.core.outcome import Outcome
from interlock.verify.lab import Lab

Run = Callable[[Lab], Awaitable[str]]


class Broken(Exception):
    """What was seen is not what was promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One way to find out whether a promise is kept."""

    promise: str
    name: str
    says: str
    run: Run
    """Says what was seen, in a few words.

    Raises:
        Broken: the promise is not kept.
    """


def check(promise: str, says: str) -> Callable[[Run], Check]:
    """Make a check of a function, under the promise that it is about."""
    return lambda run: Check(promise=promise, name=run.__name__, says=says, run=run)


def must(holds: bool, seen: object) -> None:
    """Go on if it holds.

    Raises:
        Broken: it does not; `seen` says what is there instead.
    """
    if not holds:
        broken(seen)


def broken(seen: object) -> NoReturn:
    """Say what was seen instead of what was promised."""
    raise Broken(str(seen))


Ended = TypeVar("Ended")


def ended(outcome: Outcome, how: type[Ended], what: str) -> Ended:
    """Return an outcome that has to be of this kind.

    Raises:
        Broken: it is of another one.
    """
    if not isinstance(outcome, how):
        why = getattr(outcome, "why", "")
        broken(f"{what}: {type(outcome).__name__.lower()}{f' ({why})' if why else ''}")
    return outcome
