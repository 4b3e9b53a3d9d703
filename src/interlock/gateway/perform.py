"""Step 8: have it done, with the same key however often it is tried, and never after the lease."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from interlock.core.action import Action
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import Micros
from interlock.gateway.asked import Asked
from interlock.ports import Clock, Errand, Performed, Performer

RESENDABLE = frozenset({EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.IDEMPOTENT_KEY})
"""The classes for which the same request once more is harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """The other side did it and answered."""

    result: Json
    costs: Mapping[str, int]
    attempts: int
    took: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverHappened:
    """It is sure that there was no effect."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """Nobody knows: it was silent, it broke, or we were told to stop."""

    why: str


Ending = Happened | NeverHappened | Unheard


async def perform(asked: Asked, performer: Performer, clock: Clock, *, lease_ends: Micros) -> Ending:
    """(8) Do it. Whatever ends this is an ending, so nothing that happened stays unwritten.

    Args:
        asked: what was judged; its canonical bytes are what is sent.
        performer: who carries it out.
        clock: its boot clock is held against the lease.
        lease_ends: on the boot clock, when nothing may be sent any more.
    """
    begun = clock.boot()
    errand = _errand(asked, clock, lease_ends)
    tries = 1 + (asked.tool.retries if asked.tool.effect in RESENDABLE else 0)
    sent = False
    for attempt in range(1, tries + 1):
        ending = await _attempt(asked, performer, errand, attempt)
        match ending:
            case Performed():
                took = Micros(clock.boot() - begun)
                return Happened(result=ending.result, costs=ending.costs, attempts=attempt, took=took)
            case NeverHappened():
                # An earlier attempt that stayed unanswered may have had the effect all the same.
                return Unheard(why=ending.why) if sent else ending
            case Unheard():
                sent = True
        if attempt == tries or not await _pause(asked, attempt):
            return ending
    raise AssertionError("the last attempt returns")


async def _attempt(
    asked: Asked, performer: Performer, errand: Errand, attempt: int
) -> Performed | NeverHappened | Unheard:
    try:
        async with asyncio.timeout(asked.tool.timeout / 1_000_000):
            return await performer.perform(errand)
    except UpstreamFailed as failed:
        return NeverHappened(why=str(failed))
    except TimeoutError:
        return Unheard(why=f"no answer within {asked.tool.timeout / 1_000_000:g} s (attempt {attempt})")
    except BaseException as broken:  # noqa: BLE001  silence, a bug, a stop: an effect may have happened
        return Unheard(why=f"{type(broken).__name__} (attempt {attempt})")


async def _pause(asked: Asked, attempt: int) -> bool:
    try:
        await asyncio.sleep(asked.tool.backoff * 2 ** (attempt - 1) / 1_000_000)
    except asyncio.CancelledError:
        return False
    return True


def _errand(asked: Asked, clock: Clock, lease_ends: Micros) -> Errand:
    def check_lease() -> None:
        if clock.boot() >= lease_ends:
            raise UpstreamFailed("the lease passed before anything was sent", fix="call again")

    return Errand(
        action=asked.action,
        arguments=asked.arguments.text,
        key=provider_key(asked.action),
        check_lease=check_lease,
    )


def provider_key(action: Action) -> str:
    """Return what the other side may use to recognise a repetition of this action."""
    return f"{action.caller.tenant}.{action.id}"
