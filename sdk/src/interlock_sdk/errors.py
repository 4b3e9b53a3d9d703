"""What a caller hears instead of an outcome. Each says what to do about it, and none repeats what was sent.

InterlockError
├── Refused         nothing has happened, and a rule, a budget or a person is why
├── Failed          the tool was asked, and has surely done nothing
├── UnderWay        it was started and has not ended yet
├── NotLetIn        the token opens nothing, or not this
├── NotThere        there is no such thing, or not for this token
├── NotWanted       what was asked for is not as the server wants it
├── Later           nothing was looked at: the same call may be made again
├── Unreachable     nothing was sent
├── Unanswered      something was sent, and nobody has heard how it ended
└── NotUnderstood   the answer is none of an Interlock
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing that is wrong: where, and of which kind. Never what stood there."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What holds the ledger to its word: this leaf, at this index, under this signed head."""

    leaf: str
    index: int
    head: str


class InterlockError(Exception):
    """The root of all errors of this SDK. `fix` says what to do; no text repeats the token or what was sent."""

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.args[0]}\nfix: {self.fix}"


class Refused(InterlockError):
    """Nothing has happened, for `reason`, which is one of a closed list. Asking again in other words changes nothing.

    For arguments that do not fit, `wrong` says where and how; `action` is the id of the refusal in the ledger.
    """

    def __init__(
        self,
        message: str,
        *,
        fix: str,
        reason: str,
        action: str = "",
        wrong: Sequence[Wrong] = (),
        recalled: bool = False,
        receipt: Receipt | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.reason = reason
        self.action = action
        self.wrong = tuple(wrong)
        self.recalled = recalled
        self.receipt = receipt


class Failed(InterlockError):
    """It was started, and it is sure that nothing has happened. What the other side said of it is `said`."""

    def __init__(
        self,
        message: str,
        *,
        fix: str,
        action: str = "",
        said: str = "",
        recalled: bool = False,
        receipt: Receipt | None = None,
    ) -> None:
        super().__init__(message, fix=fix)
        self.action = action
        self.said = said
        self.recalled = recalled
        self.receipt = receipt


class UnderWay(InterlockError):
    """The action has started and has not ended within the time that you wanted to wait."""

    def __init__(self, action: str) -> None:
        super().__init__(f"`{action}` is under way and has not ended yet", fix=f"wait again: `wait({action!r})`")
        self.action = action


class NotLetIn(InterlockError):
    """The token opens nothing, or not this."""


class NotThere(InterlockError):
    """There is no such thing, or not for this token: one is told like the other."""


class NotWanted(InterlockError):
    """What was asked for cannot be read, or cannot be done as things stand. `wrong` says where, if it is known."""

    def __init__(self, message: str, *, fix: str, wrong: Sequence[Wrong] = ()) -> None:
        super().__init__(message, fix=fix)
        self.wrong = tuple(wrong)


class Later(InterlockError):
    """Too much at once, or the server is about to end. Nothing was looked at: call again after `seconds`."""

    def __init__(self, message: str, *, fix: str, seconds: float) -> None:
        super().__init__(message, fix=fix)
        self.seconds = seconds


class Unreachable(InterlockError):
    """There was no connection, so nothing was sent and nothing has happened."""


class Unanswered(InterlockError):
    """Something was sent, and no answer came: it may have happened.

    Make the same call again with this error's `key` and `run`: if it has happened, the record answers; if not, it is
    carried out. Without them it would be another action. Where a call had parked, `action` is its id, for `wait`.
    After a look, such as `wait` or `tools`, all three are empty: looking changes nothing, so look again.
    """

    def __init__(self, message: str, *, fix: str, key: str | None, run: str | None, action: str = "") -> None:
        super().__init__(message, fix=fix)
        self.key = key
        self.run = run
        self.action = action


class NotUnderstood(InterlockError):
    """What answers there is no Interlock, or another version of it."""
