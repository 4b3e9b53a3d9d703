"""Calls as tasks (2025-11-25): the client gets a handle as soon as an action is under way, and comes back for its end.

A task that waits for a person is `working`, and says whose consent it waits for. Its handle names its action under our
MAC, so any process on the same store tells of it; a client that lost its handle makes the same call again.
"""

import asyncio
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from interlock.core.action import ActionState, Caller
from interlock.core.ids import ActionId, Instant, MemoId
from interlock.core.mcp import INVALID_PARAMS
from interlock.core.outcome import Done, Outcome, Parked, Receipt, Refused
from interlock.core.value import replace
from interlock.door.mcp.places import Who, a_place
from interlock.door.mcp.rendered import in_words, tool_result
from interlock.door.mcp.wire import WireError
from interlock.door.moment import iso
from interlock.door.sealed import opened, sealed
from interlock.door.told.outcome import name_of
from interlock.gateway.call import Gateway
from interlock.gateway.keyed import run_owner
from interlock.gateway.proposal import Proposal
from interlock.gateway.recall import row_of
from interlock.gateway.repeated import call_or_recall
from interlock.ledger.pruned import leaf_of
from interlock.ports import ActionRow, Changes, Memo, Needs, TenantStore

RELATED = "io.modelcontextprotocol/related-task"
_KEPT_MICROS = 24 * 3_600 * 1_000_000
_POLL_MILLISECONDS = 2_000  # how soon a client may ask again: people take longer
_POLL_SECONDS = 1.0
_ASKS_SECONDS = 0.5  # for a call to come to its end, or to ask something; then its client gets a handle
_WAIT_SECONDS = 300  # for an end; a client that still wants it asks again
_LISTED_MAX = 100  # on one page
_CURSOR = re.compile(r"[0-9]{20}-[a-z0-9]{1,64}", re.ASCII)
WAITS_MAX = 1_000  # for ends, in one process; each costs a read of the store a second
WAITS_OF_ONE_MAX = 100  # of one token, or of one who is known in another way


class Handle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the id of a task says."""

    action: ActionId
    of: str
    """Whoever made the call; nobody else may use it."""
    since: Instant
    recalled: bool = False
    """Whether an equal call from before answers it."""
    refused: Refused | None = None
    """Why it was refused at once, as agents are told: not every refusal is on record."""


@dataclass(slots=True, kw_only=True)
class Tasks:
    """Gives handles, and tells of the actions that they name. Nothing of a task is kept in a process."""

    gateway: Gateway
    waits: Counter[Who] = field(default_factory=Counter[Who])
    """How many wait for an end, of whom."""
    _ends: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this process is about to end, and waits for no person any more."""

    def give_up(self) -> None:
        """Let go of whoever waits for a person here."""
        self._ends.set()

    async def begin(self, caller: Caller, proposal: Proposal, *, counted: bool) -> dict[str, Any]:
        """Begin a call, and give a handle of it once it is under way, waits for a person, or has ended."""
        now, under_way = self.gateway.clock.now(), asyncio.get_running_loop().create_future()

        def begun(action: ActionId, joined: bool) -> None:
            if not under_way.done():
                under_way.set_result((action, joined))

        call = asyncio.create_task(
            call_or_recall(self.gateway, caller, replace(proposal, begun=begun), counted=counted)
        )
        try:
            # What it asks its client in the middle goes by the stream of this answer, so there is time for that.
            await asyncio.wait({call}, timeout=_ASKS_SECONDS)
            await asyncio.wait({call, under_way}, return_when=asyncio.FIRST_COMPLETED)
            handle = _handle(caller, now, call.result() if call.done() else under_way.result())
        finally:
            # It goes on by itself from here: what is under way is in the store, and nobody has to wait for it.
            call.cancel()
        id = sealed(self.gateway.secrets, caller.tenant, "mcp task", msgspec.json.encode(handle))
        memo = Memo(id=_memo(handle), until=Instant(now + _KEPT_MICROS), says=id.encode())
        store = self.gateway.store.for_tenant(caller.tenant)
        await store.write(Needs(), lambda _: (Changes(memos=(memo,)), None), durable=False)
        return {"task": self._shown(id, handle, "working", "it is under way")}

    async def shown(self, caller: Caller, id: str) -> dict[str, Any]:
        """Say where a task stands.

        Raises:
            WireError: there is no such task.
        """
        handle = self._of(caller, id)
        return await self._now(caller, id, handle, await self._row(caller, handle))

    async def listed(self, caller: Caller, cursor: str | None) -> dict[str, Any]:
        """Say where the tasks of a caller stand, a page of them, oldest first.

        Raises:
            WireError: the cursor leads nowhere.
        """
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise WireError(INVALID_PARAMS, "this cursor leads nowhere")
        store, prefix, now = self.gateway.store.for_tenant(caller.tenant), _place(caller), self.gateway.clock.now()
        found = await store.memos(prefix, now=now, after=cursor or "", limit=_LISTED_MAX + 1)
        ids = [memo.says.decode() for memo in found[:_LISTED_MAX]]
        handles = {id: self._of(caller, id) for id in ids}
        rows = (await store.read(Needs(actions=frozenset(each.action for each in handles.values())))).actions
        tasks = [await self._now(caller, id, handle, rows[handle.action]) for id, handle in handles.items()]
        more = {"nextCursor": found[_LISTED_MAX - 1].id.removeprefix(prefix)} if len(found) > _LISTED_MAX else {}
        return {"tasks": tasks, **more}

    async def result(self, caller: Caller, id: str) -> dict[str, Any]:
        """Wait for the end of a task, and return its result.

        Raises:
            WireError: there is no such task, it has not ended yet, or too many wait already.
        """
        handle = self._of(caller, id)
        row = await self._row(caller, handle)
        full = "too many wait for an end here already; ask again later"
        with a_place(self.waits, caller, most=WAITS_MAX, of_one=WAITS_OF_ONE_MAX, full=full):
            found = handle.refused or await self._end_of(caller, handle, row)
        result = tool_result(found, row.action.effect if row is not None else None)
        return {**result, "_meta": {**result["_meta"], RELATED: {"taskId": id}}}

    async def _end_of(self, caller: Caller, handle: Handle, row: ActionRow | None) -> Outcome:
        store = self.gateway.store.for_tenant(caller.tenant)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while row is not None and _waits(row, self.gateway.clock.now()) and not self._ends.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._ends.wait(), _POLL_SECONDS)
                    row = await row_of(store, handle.action)
                if row is None or _waits(row, self.gateway.clock.now()):
                    raise _not_yet()
                return await self._told(store, handle, row)
        except TimeoutError as late:
            raise _not_yet() from late

    def _of(self, caller: Caller, id: str) -> Handle:
        text = opened(self.gateway.secrets, caller.tenant, "mcp task", id)
        handle = msgspec.json.decode(text, type=Handle) if text is not None else None
        if handle is None or handle.of != run_owner(caller) or self.gateway.clock.now() > handle.since + _KEPT_MICROS:
            raise WireError(INVALID_PARAMS, _NO_TASK)
        return handle

    async def _row(self, caller: Caller, handle: Handle) -> ActionRow | None:
        row = await row_of(self.gateway.store.for_tenant(caller.tenant), handle.action)
        if row is None and handle.refused is None:
            raise WireError(INVALID_PARAMS, _NO_TASK)
        return row

    async def _now(self, caller: Caller, id: str, handle: Handle, row: ActionRow | None) -> dict[str, Any]:
        now = self.gateway.clock.now()
        if handle.refused is not None or row is None:
            return self._shown(id, handle, "failed", "refused")
        if row.state is ActionState.STARTED and now < row.lease_until:
            return self._shown(id, handle, "working", "it is under way")
        outcome = await self.gateway.outcome_of(self.gateway.store.for_tenant(caller.tenant), row)
        if isinstance(outcome, Parked):
            return self._shown(id, handle, "working", f"it {in_words(outcome)}")
        return self._shown(id, handle, "completed" if isinstance(outcome, Done) else "failed", name_of(outcome))

    async def _told(self, store: TenantStore, handle: Handle, row: ActionRow) -> Outcome:
        """Tell how an action ended, as its own call would be told, with a receipt for its last entry."""
        found = replace(await self.gateway.outcome_of(store, row), recalled=handle.recalled)
        written = await store.entries_of(handle.action)
        if not written:
            return found
        index, line = written[-1]
        return replace(found, receipt=Receipt(leaf=leaf_of(line).hex(), index=index, head=await store.signed_head()))

    def _shown(self, id: str, handle: Handle, status: str, says: str) -> dict[str, Any]:
        return {
            "taskId": id,
            "status": status,
            "statusMessage": says,
            "createdAt": iso(handle.since),
            "lastUpdatedAt": iso(self.gateway.clock.now()),
            "ttl": _KEPT_MICROS // 1_000,
            "pollInterval": _POLL_MILLISECONDS,
        }


_NO_TASK = "there is no such task; the same call tells how it ended"


def _not_yet() -> WireError:
    return WireError(INVALID_PARAMS, "it has not ended yet; ask again")


def _handle(caller: Caller, now: Instant, known: tuple[ActionId, bool] | Outcome) -> Handle:
    """Name the action that answers a call: one that is under way, or what it came to."""
    of = run_owner(caller)
    if isinstance(known, tuple):
        action, joined = known
        return Handle(action=action, of=of, since=now, recalled=joined)
    # What it has said so far is no answer to a call that waits: its end will be that of this very call.
    recalled = known.recalled and not isinstance(known, Parked)
    refused = replace(known, why="", fix="", receipt=None) if isinstance(known, Refused) else None
    return Handle(action=known.action, of=of, since=now, recalled=recalled, refused=refused)


def _waits(row: ActionRow, now: Instant) -> bool:
    """Whether a person has to say something first."""
    return row.state is ActionState.PARKED and now < row.expires_at


def _place(caller: Caller) -> str:
    return f"task:{run_owner(caller)}:"


def _memo(handle: Handle) -> MemoId:
    return MemoId(f"task:{handle.of}:{handle.since:020}-{handle.action}")
