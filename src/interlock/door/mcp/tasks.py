"""Calls as tasks (2025-11-25): the client gets a handle at once, and comes back for the end, however long it takes.

A task that waits for a person is `working`, and says whose consent it waits for. Its handle names its action under our
MAC, so any process on the same store knows it. A call that takes longer before its action can be named is known to the
process that carries it alone; a client that lost its handle makes the same call again.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Literal, overload

import msgspec
from msgspec import Struct

from interlock.contract.ir import Tool
from interlock.core.action import ActionState, Caller
from interlock.core.ids import ActionId, Instant
from interlock.core.mcp import INTERNAL_ERROR, INVALID_PARAMS
from interlock.core.outcome import Done, Outcome, Parked
from interlock.core.value import replace
from interlock.door.mcp.places import Who, a_place, who_is
from interlock.door.mcp.rendered import in_words, tool_result
from interlock.door.mcp.wire import WireError
from interlock.door.moment import iso
from interlock.door.sealed import opened, sealed
from interlock.door.told.outcome import name_of
from interlock.gateway.call import Gateway
from interlock.gateway.keyed import run_owner
from interlock.gateway.recall import row_of
from interlock.ports import ActionRow, TenantStore

RELATED = "io.modelcontextprotocol/related-task"
_KEPT_MAX = 1_000  # of whoever has most, the oldest is forgotten first; its action is not
_KEPT_MICROS = 24 * 3_600 * 1_000_000
_POLL_MILLISECONDS = 2_000  # how soon a client may ask again: people take longer
_POLL_SECONDS = 1.0
_KNOWN_SECONDS = 0.5  # for a call to come to its end or to a person, so that its action can be named
_WAIT_SECONDS = 300  # for an end; a client that still wants it asks again
WAITS_MAX = 1_000  # for ends, in one process; each costs a read of the store a second
WAITS_OF_ONE_MAX = 100  # of one token, or of one who is known in another way


class Handle(Struct, frozen=True, kw_only=True):
    """What the id of a task says."""

    action: ActionId
    of: str
    """Whoever made the call; nobody else may use it."""
    since: Instant


@dataclass(slots=True, kw_only=True)
class Kept:
    """A call that somebody has a handle of."""

    id: str
    caller: Caller
    tool: Tool | None
    since: Instant
    call: asyncio.Task[Outcome]


@dataclass(slots=True, kw_only=True)
class Tasks:
    """The calls that this process has handles of."""

    gateway: Gateway
    _kept: OrderedDict[str, Kept] = field(default_factory=OrderedDict[str, Kept])
    waits: Counter[Who] = field(default_factory=Counter[Who])
    """How many wait for an end, of whom."""
    _ends: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this process is about to end, and waits for no person any more."""

    def give_up(self) -> None:
        """Let go of whoever waits for a person here."""
        self._ends.set()

    async def begin(self, caller: Caller, tool: Tool | None, call: Coroutine[Any, Any, Outcome]) -> dict[str, Any]:
        """Begin a call, and give a handle of it."""
        now, carried = self.gateway.clock.now(), asyncio.create_task(call)
        carried.add_done_callback(_heard)
        await asyncio.wait({carried}, timeout=_KNOWN_SECONDS)
        named = carried.done() and not _is_lost(carried)
        id = self._named(caller, carried.result().action, now) if named else token_hex(16)
        task = self._keep(Kept(id=id, caller=caller, tool=tool, since=now, call=carried))
        return {"task": self._shown(task, "working", "it is under way", now)}

    def _named(self, caller: Caller, action: ActionId, now: Instant) -> str:
        handle = Handle(action=action, of=run_owner(caller), since=now)
        return sealed(self.gateway.secrets, caller.tenant, "mcp task", msgspec.json.encode(handle))

    def _keep(self, task: Kept) -> Kept:
        now = self.gateway.clock.now()
        self._kept[task.id] = task
        while now > next(iter(self._kept.values())).since + _KEPT_MICROS:
            self._kept.popitem(last=False)
        if len(self._kept) > _KEPT_MAX:
            (most, _), *_ = Counter(who_is(each.caller) for each in self._kept.values()).most_common(1)
            self._kept.pop(next(id for id, each in self._kept.items() if who_is(each.caller) == most))
        return task

    async def shown(self, caller: Caller, id: str) -> dict[str, Any]:
        """Say where a task stands."""
        return await self._now(await self._of(caller, id))

    async def listed(self, caller: Caller) -> dict[str, Any]:
        """Say where all tasks of a caller stand."""
        mine = [task for task in self._kept.values() if _same(task.caller, caller)]
        return {"tasks": [await self._now(task) for task in mine]}

    async def result(self, caller: Caller, id: str) -> dict[str, Any]:
        """Wait for the end of a task, and return its result.

        Raises:
            WireError: there is no such task, it has not ended yet, or too many wait already.
        """
        task = await self._of(caller, id)
        full = "too many wait for an end here already; ask again later"
        with a_place(self.waits, caller, most=WAITS_MAX, of_one=WAITS_OF_ONE_MAX, full=full):
            found = await self._end_of(task)
        result = tool_result(found, task.tool)
        return {**result, "_meta": {**result["_meta"], RELATED: {"taskId": id}}}

    async def _end_of(self, task: Kept) -> Outcome:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await asyncio.wait({task.call})
                if _is_lost(task.call):
                    raise WireError(INTERNAL_ERROR, _LOST)
                outcome = task.call.result()
                while (
                    isinstance(found := await self._after(task, outcome, waits=True), Parked)
                    and not self._ends.is_set()
                ):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._ends.wait(), _POLL_SECONDS)
        except TimeoutError as late:
            raise _not_yet() from late
        if isinstance(found, Parked):
            raise _not_yet()
        return found

    async def _of(self, caller: Caller, id: str) -> Kept:
        task = self._kept.get(id) or await self._from_elsewhere(caller, id)
        if task is None or not _same(task.caller, caller):
            raise WireError(INVALID_PARAMS, "there is no such task here; the same call tells how it ended")
        return task

    async def _from_elsewhere(self, caller: Caller, id: str) -> Kept | None:
        """Keep here what another process gave out, if it is for this caller and not too old."""
        text = opened(self.gateway.secrets, caller.tenant, "mcp task", id)
        handle = msgspec.json.decode(text, type=Handle) if text is not None else None
        if handle is None or handle.of != run_owner(caller):
            return None
        if self.gateway.clock.now() > handle.since + _KEPT_MICROS:
            return None
        store = self.gateway.store.for_tenant(caller.tenant)
        row = await row_of(store, handle.action)
        if row is None:
            return None
        told = asyncio.create_task(self._told(store, row))

        def forget(told: "asyncio.Task[Outcome]") -> None:
            # How it ended could not be read, which says nothing of its end: it is looked for anew.
            if _is_lost(told):
                self._kept.pop(id, None)

        told.add_done_callback(forget)
        await asyncio.wait({told}, timeout=_KNOWN_SECONDS)
        if told.done():
            told.result()
        return self._keep(Kept(id=id, caller=caller, tool=None, since=handle.since, call=told))

    async def _now(self, task: Kept) -> dict[str, Any]:
        now = self.gateway.clock.now()
        if not task.call.done():
            return self._shown(task, "working", "it is under way", now)
        if _is_lost(task.call):
            return self._shown(task, "failed", _LOST, now)
        outcome = await self._after(task, task.call.result(), waits=False)
        if outcome is None:
            return self._shown(task, "working", "it is under way", now)
        if isinstance(outcome, Parked):
            return self._shown(task, "working", f"it {in_words(outcome)}", now)
        ended = "completed" if isinstance(outcome, Done) else "failed"
        return self._shown(task, ended, name_of(outcome), now)

    @overload
    async def _after(self, task: Kept, outcome: Outcome, *, waits: Literal[True]) -> Outcome: ...

    @overload
    async def _after(self, task: Kept, outcome: Outcome, *, waits: bool) -> Outcome | None: ...

    async def _after(self, task: Kept, outcome: Outcome, *, waits: bool) -> Outcome | None:
        """Return how an action stands now that waited for a person; nothing if it is under way, unless it `waits`."""
        if not isinstance(outcome, Parked):
            return outcome
        store, now = self.gateway.store.for_tenant(task.caller.tenant), self.gateway.clock.now()
        row = await row_of(store, outcome.action)
        if row is None or row.state is ActionState.PARKED and now < row.expires_at:
            return outcome
        if row.state is ActionState.STARTED and now < row.lease_until and not waits:
            return None
        return await self._told(store, row)

    async def _told(self, store: TenantStore, row: ActionRow) -> Outcome:
        return replace(await self.gateway.outcome_of(store, row), recalled=False)  # it is the end of this very call

    def _shown(self, task: Kept, status: str, says: str, now: Instant) -> dict[str, Any]:
        return {
            "taskId": task.id,
            "status": status,
            "statusMessage": says,
            "createdAt": iso(task.since),
            "lastUpdatedAt": iso(now),
            "ttl": _KEPT_MICROS // 1_000,
            "pollInterval": _POLL_MILLISECONDS,
        }


def _not_yet() -> WireError:
    return WireError(INVALID_PARAMS, "it has not ended yet; ask again")


def _same(one: Caller, other: Caller) -> bool:
    return one.tenant == other.tenant and run_owner(one) == run_owner(other)


_LOST = "nobody can tell here how it ended; the same call tells"


def _is_lost(call: "asyncio.Task[Outcome]") -> bool:
    """Whether a call came back without an outcome: its store was away, or this process ends."""
    return call.done() and (call.cancelled() or call.exception() is not None)


def _heard(call: "asyncio.Task[Outcome]") -> None:
    """Hear of how a call ended, so that one that nobody comes back for is no surprise to the loop."""
    if not call.cancelled():
        call.exception()
