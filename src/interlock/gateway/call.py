"""The spine. One action goes from the door to the ledger in this file, one function a step.

 1. Identify   who asks, under which contract                   `identify`
 2. Validate   one canonical form of the arguments              `validate`
 3. Recall     what is already recorded under this key          `recall`
 5. Decide     policy, outside any transaction, at one epoch    `decide`
 6. Ask        refuse, or park until a person agrees            `begin` ┐ one write
 7. Start      hold, consume grants, write down that we start   `begin` ┘
 8. Perform    outside any transaction, in a task of our own    `perform`
10. Settle     charge, and write down how it ended              `end`, one write
"""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial

from interlock.core.action import Action, ActionState, Caller
from interlock.core.errors import StoreBusy, StoreClosed, StoreError, StoreUnsure
from interlock.core.ids import ActionId, Micros, ProcessId
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.outcome import Outcome, Receipt, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.gateway.asked import Asked, Fresh, Proposal, asked, identify, unreadable, validate
from interlock.gateway.begin import Judged, Stale, Started, begin, lease_ends, needs_of, turned_away
from interlock.gateway.force import Forces
from interlock.gateway.perform import Ending, Happened, NeverHappened, perform
from interlock.gateway.recall import outcome_of, recall
from interlock.gateway.settle import end, sealed_result
from interlock.policy.decide import decide
from interlock.ports import (
    ActionRow,
    Clock,
    Needs,
    Observer,
    Performer,
    Performers,
    Secrets,
    Store,
    TenantStore,
)

_SETTLE_PAUSE_SECONDS = 0.05  # between attempts to write an end down while the store is away
_ELSEWHERE_PAUSE_SECONDS = 0.02  # between looks at an action that another process carries out


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Carries actions. What lasts is in the store; only the work under way is here."""

    store: Store
    performers: Performers
    clock: Clock
    secrets: Secrets
    observer: Observer
    process: ProcessId
    forces: Forces = field(default_factory=Forces)
    under_way: dict[ActionId, "asyncio.Task[Outcome | Stale]"] = field(
        default_factory=dict[ActionId, "asyncio.Task[Outcome | Stale]"]
    )

    async def call(self, caller: Caller, proposal: Proposal) -> Outcome:
        """Carry one proposal from the door to the ledger, and say how it ended.

        It never raises for what an agent sends or for a store that is away: both are refusals.
        """
        drawn = Fresh.draw(self.clock.now())
        store = self.store.for_tenant(caller.tenant)
        try:
            for _ in range(DECIDE_TRIES_MAX):
                outcome = await self._call(store, caller, proposal, drawn)
                if not isinstance(outcome, Stale):
                    return outcome
        except StoreError as down:
            return Refused(action=drawn.id, reason=_reason_of(down), why=str(down), fix=down.fix)
        return Refused(
            action=drawn.id,
            reason=Reason.OVERLOADED,
            why=f"the rules changed {DECIDE_TRIES_MAX} times during this call",
            fix="call again",
        )

    async def _call(self, store: TenantStore, caller: Caller, proposal: Proposal, drawn: Fresh) -> Outcome | Stale:
        self.observer.at("identify", drawn.id)
        door = (await store.read(Needs())).door
        found = await self.forces.of(store, door, caller)
        tool = identify(caller, proposal, found[0] if found else None, drawn)  # (1)
        if isinstance(tool, Refused):
            return await self._turn_away(store, unreadable(caller, proposal, drawn, None), tool)
        assert found is not None, "without a contract there is no tool"
        force, compiled = found
        arguments = validate(proposal, tool, compiled.schemas.get(tool.name), drawn)  # (2)
        if isinstance(arguments, Refused):
            return await self._turn_away(store, unreadable(caller, proposal, drawn, tool), arguments)
        return await self.carry(store, asked(caller, proposal, drawn, tool, arguments, force, self.secrets))

    async def carry(self, store: TenantStore, asked: Asked) -> Outcome | Stale:
        """Carry an action that has its canonical form, or say that the world moved meanwhile."""
        action = asked.action
        self.observer.at("recall", action.id)
        seen = await store.read(needs_of(asked, self.clock.now()))
        known = recall(seen, asked)  # (3)
        if known is not None:
            return await self._await_if_under_way(store, known)
        self.observer.at("decide", action.id)
        decision = decide(asked.force.contract.rules, action.tool, action.effect)  # (5)
        judged = Judged(decision=decision, epoch=seen.door.epoch)
        return await asyncio.shield(self._in_own_task(store, asked, judged))

    async def _from_start_to_end(self, store: TenantStore, asked: Asked, judged: Judged) -> Outcome | Stale:
        performer = self.performers.find(asked.tool.source)
        if performer is None or not performer.free():
            return await self._turn_away(store, asked.action, _cannot_perform(asked, performer))
        boot_before = self.clock.boot()
        needs = needs_of(asked, self.clock.now())
        payload = asked.sealed(self.secrets)
        change = partial(begin, asked=asked, judged=judged, payload=payload, process=self.process)
        ends = lease_ends(boot_before, asked)
        self.observer.at("start", asked.action.id)
        try:
            begun = await store.write(needs, change, durable=not asked.plain_read)  # (6) and (7)
        except StoreUnsure:
            # Nobody knows whether the start is written. So nothing is sent, and that is what gets written.
            never_sent = NeverHappened(why="the answer to the start was lost, so nothing was sent")
            return await self._settle(store, needs, asked, fence=1, ending=never_sent, until=ends)
        self.observer.at("started", asked.action.id)
        if isinstance(begun.answer, Stale):
            return begun.answer
        if not isinstance(begun.answer, Started):
            return _with_receipt(begun.answer, begun.receipt)
        ending = await perform(asked, performer, self.clock, lease_ends=ends)  # (8)
        self.observer.at("performed", asked.action.id)
        return await self._settle(store, needs, asked, fence=begun.answer.fence, ending=ending, until=ends)

    async def _settle(
        self, store: TenantStore, needs: Needs, asked: Asked, *, fence: int, ending: Ending, until: Micros
    ) -> Outcome:
        result = sealed_result(asked, ending.result, self.secrets) if isinstance(ending, Happened) else None
        change = partial(end, id=asked.action.id, fence=fence, ending=ending, result=result, process=self.process)
        while True:
            try:
                written = await store.write(needs, change)  # (10)
            except StoreError as down:
                # Nothing is told that is not written down, so it is tried until the lease ends.
                if isinstance(down, StoreClosed) or self.clock.boot() >= until:
                    return Uncertain(action=asked.action.id)
                await asyncio.sleep(_SETTLE_PAUSE_SECONDS)
                continue
            self.observer.at("settled", asked.action.id)
            return _with_receipt(written.answer, written.receipt)

    async def _turn_away(self, store: TenantStore, action: Action, refused: Refused) -> Outcome:
        change = partial(turned_away, action=action, refused=refused, process=self.process)
        written = await store.write(Needs(actions=frozenset({action.id})), change)
        return _with_receipt(written.answer, written.receipt)

    def _in_own_task(self, store: TenantStore, asked: Asked, judged: Judged) -> "asyncio.Task[Outcome | Stale]":
        # The task is ours, not the caller's: whoever leaves stops waiting, and the work goes on.
        # It begins before the start, so that no action is started with nobody left to perform it.
        id = asked.action.id
        if id not in self.under_way:
            task = asyncio.create_task(self._from_start_to_end(store, asked, judged))
            self.under_way[id] = task
            task.add_done_callback(lambda _: self.under_way.pop(id))
        return self.under_way[id]

    async def _await_if_under_way(self, store: TenantStore, known: ActionRow) -> Outcome:
        task = self.under_way.get(known.action.id)
        if task is not None:
            ended = await asyncio.shield(task)
            if not isinstance(ended, Stale):
                return replace(ended, recalled=True)
        while known.state is ActionState.STARTED and self.clock.now() < known.lease_until:
            # Another process carries it out.
            await asyncio.sleep(_ELSEWHERE_PAUSE_SECONDS)
            found = (await store.read(Needs(actions=frozenset({known.action.id})))).actions[known.action.id]
            assert found is not None, "an action is never deleted"
            known = found
        return await outcome_of(known, store, self.secrets)


def _cannot_perform(asked: Asked, performer: Performer | None) -> Refused:
    tool = asked.tool
    if performer is None:
        return Refused(
            action=asked.action.id,
            reason=Reason.INTERNAL,
            why=f"nothing here can carry out `{tool.source}`",
            fix="start the process that has this tool, or correct `from` in the contract",
        )
    return Refused(
        action=asked.action.id,
        reason=Reason.OVERLOADED,
        why=f"all {tool.slots} slots of `{tool.name}` are taken",
        fix="call again later, or raise `slots` in the contract",
    )


def _reason_of(down: StoreError) -> Reason:
    return Reason.OVERLOADED if isinstance(down, StoreBusy) else Reason.INTERNAL


def _with_receipt(outcome: Outcome, receipt: Receipt | None) -> Outcome:
    return replace(outcome, receipt=receipt)
