"""How many calls a minute a token lets in: a bucket that fills evenly and holds a minute's worth, one in the store.

Few calls wait for the store to be counted: a process takes some out of the bucket ahead, and lets them in by itself.
What it has taken and not let in ends by itself, and leaves no room for others until then, so that all processes
together let in no more than one bucket would.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

import msgspec
from msgspec import Struct

from interlock.core.ids import Instant, MemoId, Micros, ProcessId, TenantId
from interlock.gateway.call import Gateway
from interlock.ports import Changes, Memo, Needs, Rows

_MINUTE = 60_000_000
_AHEAD_PART = 10  # at most this part of a minute's calls is taken at once
_AHEAD_MICROS = 30_000_000  # for so long; whoever calls again later asks the bucket again
_KNOWN_MAX = 10_000  # tokens that are remembered; of the one that was quiet for longest, what is left is given up


class Bucket(Struct, frozen=True, kw_only=True):
    """What is left of the calls of one token, and what processes have taken ahead."""

    left: float
    since: Instant
    ahead: Mapping[ProcessId, tuple[int, Instant]]
    """By process how many it may still let in, and until when they leave no room for others."""


class Taking(Struct, frozen=True, kw_only=True):
    """What a process asks of a bucket, and what became of what it took before."""

    process: ProcessId
    wanted: int
    """How many calls it takes at most."""
    waiting: int = 0
    """How many of them it lets in at once; the others it takes ahead."""
    holds: int = 0
    """How many it has taken before, and not let in."""
    since: Micros = Micros(0)
    """How long ago it let in the last one that it had taken ahead."""


class Taken(Struct, frozen=True, kw_only=True):
    """What a process got out of a bucket: some calls, or how long to wait for one."""

    calls: int
    wait: Micros = Micros(0)


def taken(bucket: Bucket | None, now: Instant, asked: Taking, *, rate: int) -> tuple[Bucket, Taken]:
    """Take calls out of a bucket; one that is not there is full.

    What is taken ahead leaves no room in it, for as long as it may be let in: otherwise both could be let in at once.

    Args:
        bucket: as it was left.
        now: the time of the store.
        asked: who takes how many.
        rate: how many calls a minute go in, and how many fit.
    """
    known = bucket or Bucket(left=float(rate), since=now, ahead={})
    ahead = {id: (n, until) for id, (n, until) in known.ahead.items() if now < until}
    used = Instant(max(known.since, now - asked.since))
    left = _filled(known.left, used - known.since, rate, ahead)
    ahead[asked.process] = (asked.holds, Instant(now + _AHEAD_MICROS))
    left = _filled(left, now - used, rate, ahead)
    calls = min(asked.wanted, int(left))
    held = asked.holds + calls - min(calls, asked.waiting)
    # What ends unused leaves room that has to fill again, as if it had been let in at the last moment.
    ahead[asked.process] = (held, Instant(now + _AHEAD_MICROS + held * _MINUTE // rate))
    wait = 0 if calls else max(1, ceil((1 - left) * _MINUTE / rate))
    ahead = {id: (n, until) for id, (n, until) in ahead.items() if n}
    return Bucket(left=left - calls, since=now, ahead=ahead), Taken(calls=calls, wait=Micros(wait))


def _filled(left: float, passed: int, rate: int, ahead: Mapping[ProcessId, tuple[int, Instant]]) -> float:
    room = max(0, rate - sum(n for n, _ in ahead.values()))
    return min(float(room), left + passed * rate / _MINUTE)


@dataclass(slots=True)
class _Share:
    """What this process may let in of one token."""

    left: int = 0
    size: int = 0
    """How many it could let in after it had taken some the last time."""
    ends: Micros = Micros(0)
    used: Micros = Micros(0)
    """When it let in the last one."""
    waiting: int = 0
    empty_until: Micros = Micros(0)
    """Until when there is nothing to be taken."""
    taking: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class Rates:
    """The shares of all tokens that were seen lately."""

    _shares: OrderedDict[tuple[TenantId, str], _Share] = field(
        default_factory=OrderedDict[tuple[TenantId, str], _Share]
    )

    async def take(self, gateway: Gateway, tenant: TenantId, who: str, rate: int) -> float | None:
        """Take one call of `rate` a minute, 0 being as many as come; or say in how many seconds there is room.

        Raises:
            StoreError: nothing is left here, and the bucket cannot be had.
        """
        if rate <= 0:
            return None
        share = self._shares[tenant, who] = self._shares.pop((tenant, who), None) or _Share()
        if len(self._shares) > _KNOWN_MAX:
            self._shares.popitem(last=False)
        while True:
            now = gateway.clock.boot()
            if share.left and now < share.ends:
                share.left, share.used = share.left - 1, now
                if 1 < share.size >= 2 * share.left and now >= share.empty_until:
                    _begin(share, gateway, tenant, who, rate)  # the next ones are there before these are used up
                return None
            if now < share.empty_until:
                return (share.empty_until - now) / 1_000_000
            share.waiting += 1
            try:
                await asyncio.shield(_begin(share, gateway, tenant, who, rate))
            finally:
                share.waiting -= 1


def _begin(share: _Share, gateway: Gateway, tenant: TenantId, who: str, rate: int) -> "asyncio.Task[None]":
    """Take more into a share, unless somebody does."""
    if share.taking is None or share.taking.done():
        share.taking = asyncio.create_task(_more(share, gateway, tenant, who, rate))
        share.taking.add_done_callback(_heard)
    return share.taking


def _heard(task: "asyncio.Task[None]") -> None:
    """Hear of a bucket that could not be had, also where nobody waits: whoever comes next asks again."""
    if not task.cancelled():
        task.exception()


async def _more(share: _Share, gateway: Gateway, tenant: TenantId, who: str, rate: int) -> None:
    id, boot = MemoId(f"rate:{who}"), gateway.clock.boot()
    # Twice what was used of the last share: who comes rarely takes nothing from others, who comes often asks rarely.
    asked = Taking(
        process=gateway.process,
        wanted=max(1, min(rate // _AHEAD_PART, 2 * (share.size - share.left))),
        waiting=share.waiting,
        holds=share.left if boot < share.ends else 0,
        since=Micros(boot - share.used),
    )

    def change(rows: Rows) -> tuple[Changes, Taken]:
        memo = rows.memos[id]
        known = msgspec.json.decode(memo.says, type=Bucket) if memo is not None else None
        bucket, took = taken(known, rows.now, asked, rate=rate)
        until = Instant(rows.now + 2 * _MINUTE)  # by then it is full again
        return Changes(memos=(Memo(id=id, until=until, says=msgspec.json.encode(bucket)),)), took

    store = gateway.store.for_tenant(tenant)
    took = (await store.write(Needs(memos=frozenset({id})), change, durable=False)).answer
    if not took.calls:
        share.empty_until = Micros(boot + took.wait)
        return
    # Who has left while they waited is not let in later: nothing says that theirs is still to come.
    left = max(0, min(took.calls, asked.waiting) - share.waiting)
    share.left = (share.left if asked.holds else 0) + took.calls - left
    share.size, share.ends = share.left, Micros(boot + _AHEAD_MICROS)
