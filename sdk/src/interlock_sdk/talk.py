"""What is said to a server and what is heard, without a socket and without a clock.

A talk is a generator: it yields what to send or how long to pause, and is told what came of it. `client` carries it
by blocking and `asynchronous` by awaiting, so there is one place that knows when the same thing may be sent again.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TypeVar

from interlock_sdk.errors import NotWanted, Unanswered, Unreachable

BETWEEN = frozenset({500, 502, 504})
"""What says nothing of the action: a server that ended in the middle, or something in between that lost the answer."""
AGAIN = frozenset({429, 503})
"""Nothing was looked at, and `Retry-After` says when it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    seconds: float
    """How long the answer may take."""
    held: bool = False
    """Whether the server holds the answer back for a while: such requests stand in no other one's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait for so long."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """No answer."""

    sent: bool
    """Whether the request may have arrived."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how soon the same request is sent again.

    Raises:
        NotWanted: there would be no attempt at all.
    """

    attempts: int = 4
    first_seconds: float = 0.2
    """The pause after the first attempt is at most this, and at most twice as long each time."""
    pause_seconds_max: float = 10.0
    obey_seconds_max: float = 60.0
    """A `Retry-After` beyond this is handed to the caller."""
    away_seconds: float = 300.0
    """How long `wait` goes on looking at a server that gives no answer: long enough for it to be started anew."""
    chance: Callable[[], float] = SystemRandom().random
    """Draws from 0 to 1, so that many who were turned away do not come back at one moment."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise NotWanted("nothing can be asked in no attempt", fix="say `attempts=1` to ask once")

    def pause(self, attempt: int, obey: float) -> Pause:
        """Say how long to wait after an attempt; `obey` is what the server asked for."""
        most = min(self.pause_seconds_max, self.first_seconds * 2 ** (attempt - 1))
        return Pause(seconds=obey + most * self.chance())


Answer = TypeVar("Answer")
Talk = Generator[Ask | Pause, Heard | Lost | None, Answer]


def ask(make: Callable[[], Ask], retry: Retry, *, key: str | None = None, run: str | None = None) -> Talk[Heard]:
    """Send a request, and send it again where that can do no harm: each attempt carries the same key and run.

    Args:
        make: makes the request, anew for each attempt, because a signature is good for minutes only.
        retry: how often and how soon.
        key: the idempotency key that it carries, for whoever has to go on after an `Unanswered`.
        run: the run that it names.

    Raises:
        Unreachable: nothing was sent in any attempt.
        Unanswered: something was sent in one of them, and no answer of an Interlock came in the last one.
    """
    sent, why, looks = False, "", False
    for attempt in range(1, retry.attempts + 1):
        asked = make()
        heard, looks = (yield asked), asked.method == "GET"
        obey = 0.0
        match heard:
            case Lost():
                sent, why = sent or heard.sent, heard.why
            case Heard() if heard.status in BETWEEN:
                sent, why = True, f"what answers there said {heard.status}"
            case Heard() if heard.status in AGAIN and (attempt < retry.attempts or sent):
                why, obey = f"it said {heard.status}", after_seconds(heard)
                if obey > retry.obey_seconds_max and not sent:
                    return heard
                obey = min(obey, retry.obey_seconds_max)
            case Heard():
                return heard
            case None:
                raise AssertionError("whoever carries a talk answers what it asks")
        if attempt < retry.attempts:
            yield retry.pause(attempt, obey)
    if not sent:
        raise Unreachable(f"nothing was sent: {why}", fix="see whether `interlock serve` runs there, and try again")
    raise _unanswered(why, key, run, looks=looks)


def _unanswered(why: str, key: str | None, run: str | None, *, looks: bool) -> Unanswered:
    if looks:
        return Unanswered(f"no answer came: {why}", fix="look again: to look changes nothing", key=None, run=None)
    fix = "make the same call again, with this error's `key` and `run`: what has happened is answered from the record"
    return Unanswered(f"no answer came, it may have happened: {why}", fix=fix, key=key, run=run)


def after_seconds(heard: Heard) -> float:
    """Read `Retry-After`, which an Interlock writes in seconds."""
    said = heard.headers.get("retry-after", "")
    return float(said[:_RETRY_DIGITS_MAX]) if said.isascii() and said.isdigit() else 1.0


_RETRY_DIGITS_MAX = 9  # thirty years; more is no number that anybody could wait for
