"""What a check of the doctor finds: a state, what was looked at, and what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from interlock.core.errors import InterlockError


class State(Enum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"  # it works today
    WRONG = "wrong"  # it keeps something from working, or from being as safe as promised


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One line of what the doctor says."""

    name: str
    state: State
    found: str
    fix: str = ""
    tenant: str = ""


def ok(name: str, found: str) -> Checked:
    """Say that something is as it should be."""
    return Checked(name=name, state=State.OK, found=found)


def warning(name: str, found: str, fix: str) -> Checked:
    """Say that something works and may not for long, or is not meant like this."""
    return Checked(name=name, state=State.WARNING, found=found, fix=fix)


def wrong(name: str, found: str, fix: str) -> Checked:
    """Say that something has to be mended."""
    return Checked(name=name, state=State.WRONG, found=found, fix=fix)


def tried(name: str, check: Callable[[], Iterable[Checked]]) -> list[Checked]:
    """Run a check. One that cannot be run has found something: never does the doctor end because of it."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
        return [broken(name, error)]


def broken(name: str, error: Exception) -> Checked:
    """Say what kept a check from being run."""
    if isinstance(error, InterlockError):
        return wrong(name, str(error), error.fix)
    if isinstance(error, OSError):
        where = f"`{error.filename}`" if error.filename else "a file"
        return wrong(name, f"{where} cannot be used: {(error.strerror or 'unknown').lower()}", "mend it, or its rights")
    return wrong(name, f"the check itself failed ({type(error).__name__})", "report this")
