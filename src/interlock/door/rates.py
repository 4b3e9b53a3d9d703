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


class Taken(Struct, frozen=True, kw_only=True):
    """What a process got out of a bucket: some calls, or how long to wait for one."""

    calls: int
    wait: Micros = Micros(0)


def taken(
    bucket: Bucket | None, now: Instant, *, rate: int, process: ProcessId, holds: int, wanted: int
) -> tuple[Bucket, Taken]:
    """Take calls out of a bucket.

    Args:
        bucket: as it was left; nothing where it is full.
        now: the time of the store.
        rate: how many calls a minute go in, and how many fit.
        process: who takes them.
        holds: how many it has taken before, and not let in.
        wanted: how many it takes at most.
    """
    known: Mapping[ProcessId, tuple[int, Instant]] = bucket.ahead if bucket is not None else {}
    ahead = {id: (n, until) for id, (n, until) in known.items() if id != process and now < until}
    room = max(0, rate - holds - sum(n for n, _ in ahead.values()))
    left = min(room, bucket.left + (now - bucket.since) * rate / _MINUTE) if bucket is not None else float(room)
    calls = min(wanted, int(left))
    if holds + calls:
        # What ends unused leaves room that has to fill again, as if it had been let in on the last moment.
        refilled = (holds + calls) * _MINUTE // rate
        ahead[process] = (holds + calls, Instant(now + _AHEAD_MICROS + refilled))
    wait = Micros(0)
    if not calls:
        ends = min((until for _, until in ahead.values()), default=now)
        wait = Micros(ceil((1 - left) * _MINUTE / rate) if room else max(ends - now, 1))
    return Bucket(left=left - calls, since=now, ahead=ahead), Taken(calls=calls, wait=wait)


@dataclass(slots=True)
class _Share:
    """What this process may let in of one token."""

    left: int = 0
    size: int = 0
    """How many it could let in after it had taken some the last time."""
    ends: Micros = Micros(0)
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
                share.left -= 1
                if 1 < share.size >= 2 * share.left and now >= share.empty_until:
                    _begin(share, gateway, tenant, who, rate)  # the next ones are there before these are used up
                return None
            if now < share.empty_until:
                return (share.empty_until - now) / 1_000_000
            await asyncio.shield(_begin(share, gateway, tenant, who, rate))


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
    holds = share.left if boot < share.ends else 0
    # Twice what was used of the last share: who comes rarely takes nothing from others, who comes often asks rarely.
    wanted = max(1, min(rate // _AHEAD_PART, 2 * (share.size - share.left)))

    def change(rows: Rows) -> tuple[Changes, Taken]:
        memo = rows.memos[id]
        known = msgspec.json.decode(memo.says, type=Bucket) if memo is not None else None
        bucket, took = taken(known, rows.now, rate=rate, process=gateway.process, holds=holds, wanted=wanted)
        until = Instant(rows.now + 2 * _MINUTE)  # by then it is full again
        return Changes(memos=(Memo(id=id, until=until, says=msgspec.json.encode(bucket)),)), took

    store = gateway.store.for_tenant(tenant)
    took = (await store.write(Needs(memos=frozenset({id})), change, durable=False)).answer
    if not took.calls:
        share.empty_until = Micros(boot + took.wait)
        return
    share.left = (share.left if holds else 0) + took.calls
    share.size, share.ends = share.left, Micros(boot + _AHEAD_MICROS)
