"""Step 8: have it done, with the same key however often it is tried, and never after the lease."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec import Struct

from interlock.core.action import Action
from interlock.core.canonical import Json, Unreadable
from interlock.core.errand import Errand, Performed
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import Micros
from interlock.core.picture import Picture
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.ports import Clock, Performer


class Happened(Struct, frozen=True, kw_only=True):
    """The other side did it and answered."""

    result: Json | Unreadable
    costs: Mapping[str, int]
    attempts: int
    """How often it was sent; 0 where nobody knows."""
    took: Micros
    before: tuple[Mapping[str, int], ...] = ()
    """What attempts before it cost that answered while it was under way."""
    pictures: tuple[Picture, ...] = ()


class NeverHappened(Struct, frozen=True, kw_only=True):
    """It is sure that there was no effect."""

    why: str
    """In our own words: it is kept as plain text."""
    said: str = ""
    """In the words of the other side."""
    fix: str = ""
    """What somebody may do about it."""
    attempts: int = 1
    took: Micros = Micros(0)
    reason: Reason | None = None
    """Why a person takes over; nothing where none has to."""
    pictures: tuple[Picture, ...] = ()


class Unheard(Struct, frozen=True, kw_only=True):
    """Nobody knows: it was silent, it broke, or we were told to stop."""

    why: str
    said: str = ""
    attempts: int = 0
    """0 where nobody knows."""
    took: Micros = Micros(0)
    reason: Reason | None = None
    """Why a person takes over, whatever the contract says of silence."""
    pictures: tuple[Picture, ...] = ()


Ending = Happened | NeverHappened | Unheard


@dataclass(slots=True)
class Late:
    """What comes back after the spine gave up waiting: from any thread, the first that says something.

    It holds on to nothing: who hands nothing over leaves nothing behind.
    """

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    then: Callable[[Ending], None] | None = None
    """What to do with it. Until the giving up is written down there is nothing to do."""
    first: Ending | None = None

    def come(self, ending: Ending) -> None:
        """Take an ending. What says nothing is no ending."""
        if isinstance(ending, Unheard):
            return
        # A loop that is closed belongs to a process that stops: whoever comes after it finds the action uncertain.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._take, ending)

    def settle(self, then: Callable[[Ending], None]) -> None:
        """Say what to do with it, now that the giving up is written down."""
        self.then = then
        if self.first is not None:
            then(self.first)

    def _take(self, ending: Ending) -> None:
        if self.first is None:
            self.first = ending
            if self.then is not None:
                self.then(ending)


async def perform(asked: Asked, performer: Performer, clock: Clock, *, lease_ends: Micros, late: Late) -> Ending:
    """(8) Do it. Whatever ends this is an ending, so nothing that happened stays unwritten.

    Args:
        asked: what was judged; its canonical bytes are what is sent.
        performer: who carries it out.
        clock: its boot clock is held against the lease.
        lease_ends: on the boot clock, when nothing may be sent any more.
        late: gets what comes back after this has returned.
    """
    begun = clock.boot()
    tries = asked.attempts
    sent = 0
    answered: list[Mapping[str, int]] = []

    def came_late(what: Performed | Exception) -> None:
        if isinstance(what, Performed):
            answered.append(what.costs)
            late.come(_happened(what, sent, clock.boot() - begun))
        elif isinstance(what, UpstreamFailed) and sent == 1:
            late.come(_never(what))  # of several attempts it would speak for one alone

    errand = _errand(asked, clock, lease_ends, came_late)
    while True:
        sent += 1
        ending = await _attempt(asked, performer, errand, sent)
        took = Micros(clock.boot() - begun)
        match ending:
            case Performed():
                return replace(_happened(ending, sent, took), before=tuple(answered[: sent - 1]))
            case NeverHappened() if sent == 1:
                return replace(ending, took=took)
            case NeverHappened():
                # An earlier attempt that stayed unanswered may have had the effect all the same.
                return replace(_unheard_after(ending), attempts=sent, took=took)
            case Unheard():
                if sent == tries or not await _pause(asked, sent):
                    return replace(ending, attempts=sent, took=took)


def _happened(performed: Performed, attempts: int, took: int) -> Happened:
    return Happened(
        result=performed.result,
        costs=performed.costs,
        attempts=attempts,
        took=Micros(took),
        pictures=performed.pictures,
    )


def _never(failed: UpstreamFailed) -> NeverHappened:
    return NeverHappened(
        why=str(failed), said=_valid(failed.said), fix=failed.fix, reason=failed.reason, pictures=failed.pictures
    )


def _unheard_after(never: NeverHappened) -> Unheard:
    return Unheard(why=never.why, said=never.said, reason=never.reason, pictures=never.pictures)


async def _attempt(
    asked: Asked, performer: Performer, errand: Errand, attempt: int
) -> Performed | NeverHappened | Unheard:
    waiting = asyncio.timeout(asked.tool.timeout / 1_000_000)
    try:
        async with waiting:
            return await performer.perform(errand)
    except UpstreamFailed as failed:
        return _never(failed)
    except UpstreamSilent as silent:
        why, said = f"{silent} (attempt {attempt})", _valid(silent.said)
        return Unheard(why=why, said=said, reason=silent.reason, pictures=silent.pictures)
    except BaseException as broken:  # noqa: BLE001  silence, a bug, a stop: an effect may have happened
        if waiting.expired():
            return Unheard(why=f"no answer within {asked.tool.timeout / 1_000_000:g} s (attempt {attempt})")
        return Unheard(why=f"{type(broken).__name__} (attempt {attempt})")


async def _pause(asked: Asked, attempt: int) -> bool:
    try:
        await asyncio.sleep(asked.tool.backoff * 2 ** (attempt - 1) / 1_000_000)
    except asyncio.CancelledError:
        return False
    return True


def _valid(said: str) -> str:
    # Foreign text may hold half a character, which no JSON can.
    return said.encode(errors="replace").decode()


def _errand(asked: Asked, clock: Clock, lease_ends: Micros, late: Callable[[Performed | Exception], None]) -> Errand:
    def check_lease() -> None:
        if clock.boot() >= lease_ends:
            raise UpstreamFailed("the lease passed before anything was sent", fix="call again")

    return Errand(
        action=asked.action,
        arguments=asked.arguments.text,
        key=provider_key(asked.action),
        check_lease=check_lease,
        late=late,
        line=asked.line,
    )


def provider_key(action: Action) -> str:
    """Return what the other side may use to recognise a repetition of this action."""
    return f"{action.caller.tenant}.{action.id}"
