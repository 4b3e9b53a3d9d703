"""The spine. One action goes from the door to the ledger in this file, one function a step.

 1. Identify   who asks, under which contract, and whose key    `identify`, `proved`
 2. Validate   one canonical form of the arguments              `validate`
 3. Recall     what is already recorded under this key          `recall`; once it is allowed, `remembered`
 4. Gather     facts, paid for and then looked up by us         `facts.gather`; once it is judged, `preview`, `before`
 5. Decide     policy, outside any transaction, at one epoch    `judge`
 6. Ask        refuse, suggest, or park until a person agrees   `begin` ┐ one write
 7. Start      hold, consume grants, write down that we start   `begin` ┘
 8. Perform    outside any transaction, in a task of our own    `perform`
 9. Check      what came back, and what of it the agent sees    `checked`
10. Settle     charge, and write down how it ended              `end`, one write

What no rule has to refuse leaves by `turn_away`, also in one write.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from interlock.contract.ir import Hook, Tool
from interlock.core.action import Action, ActionState, Caller
from interlock.core.canonical import Json, Unreadable
from interlock.core.decision import Allow, Ask, Deny, Suggest
from interlock.core.door import Door
from interlock.core.errors import InterlockError, StoreClosed, StoreError, StoreUnsure
from interlock.core.fact import Known
from interlock.core.hint import Hints
from interlock.core.ids import ActionId, Instant, Micros, ProcessId, TenantId
from interlock.core.limits import DECIDE_TRIES_MAX, LEASE_MARGIN_SECONDS
from interlock.core.outcome import Outcome, Refused, Uncertain
from interlock.core.value import replace
from interlock.gateway.able import cannot_perform
from interlock.gateway.access_check import knows
from interlock.gateway.asked import Asked, identify, owner_of, put_together, unreadable, validate
from interlock.gateway.begin import (
    Stale,
    Started,
    begin,
    lease_ends,
    needs_of,
    needs_to_refuse,
    turned_away,
    would_refuse,
)
from interlock.gateway.charges import call_charges
from interlock.gateway.check import Checked, checked, said_apart, seen_apart
from interlock.gateway.claims import Names, last_suggestion, names_of
from interlock.gateway.force import Force, Forces, terms_of
from interlock.gateway.gather import Facts, Gathered, seen_by_a_person
from interlock.gateway.judge import Judged, judge, left_open, question_of
from interlock.gateway.let_in import not_let_in
from interlock.gateway.paid import Payer, Purse
from interlock.gateway.perform import Ending, Happened, Late, NeverHappened, Unheard, perform
from interlock.gateway.proposal import Fresh, Proposal, Proposed
from interlock.gateway.recall import if_key_is_in_use, outcome_of, recall, remembered, row_of
from interlock.gateway.refuse import away, changing, expired, not_theirs
from interlock.gateway.settle import End, end, needs_to_end, never_sent
from interlock.gateway.signed import proved
from interlock.gateway.write_begin import Writing
from interlock.gateway.writing import writing_of
from interlock.ports import (
    ActionRow,
    Answer,
    Change,
    Clock,
    Needs,
    Observer,
    Performers,
    Rows,
    Secrets,
    Store,
    TenantStore,
    Written,
)

_NOT_WRITTEN = "the store did not take how it ended"
_SETTLE_PAUSE_SECONDS = 0.05  # between attempts to write an end down while the store is away
_ELSEWHERE_PAUSE_SECONDS = (0.02, 0.5)  # between looks at an action that another process carries out, ever longer

Task = asyncio.Task[Outcome | Stale]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Carries actions. What lasts is in the store; only the work under way is here."""

    store: Store
    performers: Performers
    clock: Clock
    secrets: Secrets
    observer: Observer
    process: ProcessId
    forces: Forces
    facts: Facts
    under_way: dict[ActionId, Task]
    doors: dict[TenantId, Door] = field(default_factory=dict[TenantId, Door])  # each as it was read last
    hints: Hints = field(default_factory=Hints)
    looked_for_due: dict[TenantId, Instant] = field(default_factory=dict[TenantId, Instant])
    looked_to_prune: dict[TenantId, Instant] = field(default_factory=dict[TenantId, Instant])
    """When each tenant was last looked at for what is older than its days, and for what may be pruned."""
    settling: set[asyncio.Task[object]] = field(default_factory=set[asyncio.Task[object]])
    """Ends that came after they were given up, while they are written down."""

    async def call(self, caller: Caller, proposal: Proposal) -> Outcome:
        """Carry one proposal from the door to the ledger, and say how it ended.

        It never raises for what an agent sends or for a store that is away: both are refusals.
        """
        proposed = Proposed(caller=caller, proposal=proposal, drawn=Fresh.draw(self.clock.now()))
        store = self.store.for_tenant(caller.tenant)
        try:
            # The door that was seen last is nearly always that of now. Whether it is shows before anything is decided.
            door = self.doors.get(caller.tenant)
            door = door if door is not None and knows(door, caller) else None
            outcome = await self._call(store, proposed, door, sure=False) if door else Stale()
            for _ in range(DECIDE_TRIES_MAX):
                if not isinstance(outcome, Stale):
                    return outcome
                door = self.doors[caller.tenant] = (await store.read(Needs())).door
                outcome = await self._call(store, proposed, door, sure=True, paid=outcome.paid)
        except InterlockError as down:
            return away(proposed.drawn.id, down)
        return changing(proposed.drawn.id) if isinstance(outcome, Stale) else outcome

    async def _call(
        self, store: TenantStore, proposed: Proposed, door: Door, *, sure: bool, paid: int = 0
    ) -> Outcome | Stale:
        """Carry a proposal under a door. Unless that is `sure` to be the one of now, it refuses nothing by itself."""
        self.observer.at("identify", proposed.drawn.id)
        force = await self.forces.of(store, door, proposed.caller.workflow, proposed.caller.environment)

        async def refused(why: Refused, tool: Tool | None) -> Outcome | Stale:
            action = unreadable(proposed, tool)
            return await self.turn_away(store, action, why, force=force, gathered=paid) if sure else Stale()

        tool = identify(proposed, force)  # (1)
        if isinstance(tool, Refused):
            return await refused(await if_key_is_in_use(store, proposed, tool, self.secrets), None)
        assert force is not None, "without a contract there is no tool"
        signed = proved(proposed, force, door)
        if isinstance(signed, Refused):
            return await refused(signed, tool)
        arguments = validate(proposed, tool, force)  # (2)
        if isinstance(arguments, Refused):
            return await refused(await if_key_is_in_use(store, proposed, arguments, self.secrets), tool)
        asked = put_together(proposed, tool, arguments, force, self.secrets, signed)
        return await self.carry(store, asked, paid=paid)

    async def carry(self, store: TenantStore, asked: Asked, *, paid: int = 0) -> Outcome | Stale:
        """Carry an action that has its canonical form, or say that the world moved meanwhile.

        Args:
            store: the tenant's.
            asked: the action.
            paid: what an earlier try has looked up and no row says yet.
        """
        id = asked.action.id
        names = names_of(asked, self.secrets)
        self.observer.at("recall", id)
        needs = needs_of(asked, names, self.clock.now())
        seen = await store.read(needs)
        if seen.door.of(asked.action.caller.workflow, asked.action.caller.environment) != asked.force.published:
            return Stale(paid=paid)  # another contract or mode is in force by now
        shut = not_let_in(seen, asked) or not_theirs(seen, asked)
        if shut is not None:  # what is recorded is nothing to tell them either
            return await self.turn_away(store, asked.action, shut, force=asked.force, gathered=paid)
        known = recall(seen, asked)  # (3)
        if known is not None:
            if known.state is ActionState.STARTED:
                asked.answered_by(known.action.id, joined=True)
            return await self.outcome_of(store, known)
        pays: Payer = "tenant" if asked.action.undo_of and asked.action.by else "agent"
        purse = Purse(store=store, asked=asked, process=self.process, seen=seen, spent=paid, pays=pays)
        row = seen.actions[id]
        waits = row is not None and seen.now < row.expires_at
        busy = cannot_perform(self.performers, asked) if waits else None
        if busy is not None:
            return busy  # it waits on, and nothing is looked up for it meanwhile
        judged, gathered = await self._judged(asked, seen, names, purse)  # (4), (5)
        answer = await remembered(seen, asked, names, judged, gathered.preview, store, self.secrets)
        if answer is not None:
            return answer
        if isinstance(purse.stopped, Stale):
            return purse.stopped
        if purse.stopped is not None:
            no = purse.stopped
            return await self.turn_away(store, asked.action, no, force=asked.force, gathered=purse.spent)
        reversed_one = seen.actions[asked.action.undo_of] if asked.action.undo_of else None
        if reversed_one is not None:
            names = replace(names, reversed=reversed_one.claims)
            needs = replace(needs, claims=names.all())
        may_start = waits or isinstance(judged.decision, Allow)
        writing = writing_of(asked, judged, names, gathered, self.secrets, self.process)
        last = last_suggestion(seen, names)
        writing = replace(writing, gathered=purse.spent, may_start=may_start, suggestion=last)
        return await asyncio.shield(self._in_own_task(id, lambda: self._from_start_to_end(store, needs, writing)))

    async def _judged(self, asked: Asked, seen: Rows, names: Names, purse: Purse) -> tuple[Judged, Gathered]:
        """Look up what the rules look at, decide, and look up what a person or the record is to be shown."""
        self.observer.at("gather", asked.action.id)
        # Nothing is looked up, and nothing paid, for what is refused anyway.
        question = question_of(asked, seen)
        looks = asked.hooks_before != ()
        shut = looks and isinstance(left_open(asked, question), Deny)
        unasked = looks and not shut and would_refuse(seen, asked, names)
        skipped = shut or unasked
        gathered = Gathered() if skipped else await self.facts.gather(asked, seen.now, purse)  # (4)
        self.observer.at("decide", asked.action.id)
        judged = replace(judge(asked, seen, question, gathered.facts, self.secrets), unasked=unasked)  # (5)
        if isinstance(judged.decision, Ask | Suggest) and not skipped:
            await self.facts.preview(asked, gathered, seen.now, purse)
            judged = replace(judged, seen=seen_by_a_person(asked, gathered))
        if isinstance(judged.decision, Allow | Ask) and not skipped:
            await self.facts.before(asked, gathered, seen.now, purse)
        return judged, gathered

    async def _from_start_to_end(self, store: TenantStore, needs: Needs, writing: Writing) -> Outcome | Stale:
        asked = writing.asked
        no = cannot_perform(self.performers, asked) if writing.may_start else None
        if no is not None:
            return await self.turn_away(store, asked.action, no, force=asked.force, gathered=writing.gathered)
        ends = lease_ends(self.clock.boot(), asked)
        self.observer.at("start", asked.action.id)
        try:
            begun = await store.write(needs, partial(begin, writing=writing), durable=not asked.plain_read)  # (6), (7)
        except StoreUnsure:
            return await self._never_sent(store, needs, writing, until=ends)
        self.observer.at("started", asked.action.id)
        if isinstance(begun.answer, Stale):
            return begun.answer
        if not isinstance(begun.answer, Started):
            return replace(begun.answer, receipt=begun.receipt)
        asked.answered_by(asked.action.id, joined=False)
        late, started = Late(), begun.answer
        performer = self.performers.find(asked.tool.source, terms_of(asked.force.contract, asked.tool))
        assert performer is not None, "what may start was looked for before"
        ending = await perform(asked, performer, self.clock, lease_ends=ends, late=late)  # (8)
        self.observer.at("performed", asked.action.id)
        outcome = await self._settle(store, needs, writing, started, ending=ending, until=ends)
        if isinstance(ending, Unheard):
            self.when_late(late, lambda came: self._settle(store, needs, writing, started, ending=came, until=ends))
        return outcome

    def when_late(self, late: Late, settle: Callable[[Ending], Coroutine[Any, Any, object]]) -> None:
        """Settle what comes after it was given up, in a task of our own. The giving up must be written down by now."""

        def begin(ending: Ending) -> None:
            task = asyncio.create_task(settle(ending))
            self.settling.add(task)
            task.add_done_callback(self.settling.discard)

        late.settle(begin)

    async def _never_sent(self, store: TenantStore, needs: Needs, writing: Writing, *, until: int) -> Outcome | Stale:
        """Say what became of a begin whose commit was not answered. Whatever it was, nothing was sent."""
        ending = NeverHappened(why="the answer to the start was lost, so nothing was sent")
        how = await self._end_of(writing, Started(fence=1), ending)
        written = await self.written(store, needs, partial(never_sent, end=how), until=until)
        if written is None:
            return Uncertain(action=how.id, why=_NOT_WRITTEN)
        match written.answer:
            case None:
                return Stale(paid=writing.gathered)  # it was not written at all: decide again
            case ActionRow(state=ActionState.PARKED) if writing.may_start:
                return Stale()  # it may have been agreed to, and still waits
            case ActionRow():
                return replace(await outcome_of(written.answer, store, self.secrets), recalled=False)
            case outcome:
                return replace(outcome, receipt=written.receipt)

    async def _settle(
        self, store: TenantStore, needs: Needs, writing: Writing, started: Started, *, ending: Ending, until: int
    ) -> Outcome:
        how = await self._end_of(writing, started, ending)
        written = await self.written(store, needs_to_end(needs), partial(end, end=how), until=until)  # (10)
        if written is None:
            return Uncertain(action=how.id, why=_NOT_WRITTEN)
        self.observer.at("settled", how.id)
        return replace(written.answer, receipt=written.receipt)

    async def written(
        self, store: TenantStore, needs: Needs, change: Change[Answer], *, until: int
    ) -> Written[Answer] | None:
        """Write an end down, however long the store is away. Nothing is told that is not written down.

        One that comes after `until` is tried for as long as a lease has to spare.
        """
        until = max(until, self.clock.boot() + LEASE_MARGIN_SECONDS * 1_000_000)
        while True:
            try:
                return await store.write(needs, change)
            except StoreError as down:
                if isinstance(down, StoreClosed) or self.clock.boot() >= until:
                    return None
                await asyncio.sleep(_SETTLE_PAUSE_SECONDS)

    async def _end_of(self, writing: Writing, started: Started, ending: Ending) -> End:
        asked = writing.asked
        result = await self.checked(asked, ending, writing.before) if isinstance(ending, Happened) else None  # (9)
        return End(
            id=asked.action.id,
            fence=started.fence,
            ending=ending,
            checked=result,
            process=self.process,
            said=None if isinstance(ending, Happened) else said_apart(asked, ending.said, self.secrets),
            seen=seen_apart(asked, ending, self.secrets, self.clock.now()),
            undo_within=asked.tool.undo.within if asked.tool.undo else Micros(0),
            price=asked.tool.price or 0,
            round_price=asked.price or 0,
            looked_up=asked.price_after,
            held=started.held,
            cache=writing.names.cache,
            cache_ttl=asked.tool.cache_ttl,
            handoff=writing.handoff,
        )

    async def checked(self, asked: Asked, ending: Happened, before: Mapping[str, Json]) -> Checked:
        """(9) Look at what came back, and at the record as it is now. The effect stands, whatever goes wrong here."""
        around = dict(before)
        try:
            if asked.tool.after is not None:
                around["after"] = await self._after(asked, asked.tool.after, ending)
            return checked(asked, ending.result, self.secrets, around=around)
        except (InterlockError, RecursionError, ValueError):
            # It has happened, whatever came back: what cannot be kept is told as unreadable.
            return checked(asked, Unreadable(), self.secrets)

    async def _after(self, asked: Asked, hook: Hook, ending: Happened) -> Json:
        result = None if isinstance(ending.result, Unreadable) else ending.result
        store = self.store.for_tenant(asked.action.caller.tenant)
        seen = await store.read(Needs())
        # Its price is part of what the effect holds.
        purse = Purse(store=store, asked=asked, process=self.process, seen=seen, pays="hold")
        found = await self.facts.look(asked, hook, seen.now, purse, result=result)
        return found.value if isinstance(found, Known) else None

    async def turn_away(
        self,
        store: TenantStore,
        action: Action,
        refused: Refused,
        *,
        force: Force | None = None,
        gathered: int = 0,
        epoch: int | None = None,
    ) -> Outcome | Stale:
        """Write down a refusal that no rule had to make. Under a contract in force it counts as a call of its run."""
        now = self.clock.now()
        counts = call_charges(force.contract, owner_of(action.caller), action.run, now) if force is not None else ()
        change = partial(
            turned_away,
            action=action,
            refused=refused,
            process=self.process,
            counts=counts,
            gathered=gathered,
            epoch=epoch,
        )
        written = await store.write(needs_to_refuse(action, counts), change)
        if isinstance(written.answer, Stale):
            return Stale(paid=gathered)
        return replace(written.answer, receipt=written.receipt)

    def _in_own_task(self, id: ActionId, work: Callable[[], Coroutine[Any, Any, Outcome | Stale]]) -> Task:
        # The task is ours, not the caller's: whoever leaves stops waiting, and the work goes on.
        # It begins before the start, so that no action is started with nobody left to perform it.
        if id not in self.under_way:
            self.under_way[id] = asyncio.create_task(work())
            self.under_way[id].add_done_callback(lambda _: self.under_way.pop(id))
        return self.under_way[id]

    async def outcome_of(self, store: TenantStore, known: ActionRow) -> Outcome:
        """Tell how a known action ended; wait for its end if it is under way."""
        task = self.under_way.get(known.action.id)
        if task is not None:
            ended = await asyncio.shield(task)
            if not isinstance(ended, Stale):
                return replace(ended, recalled=True)
        pause, longest = _ELSEWHERE_PAUSE_SECONDS
        while known.state is ActionState.STARTED and self.clock.now() < known.lease_until:
            # Another process carries it out.
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
            known = await row_of(store, known.action.id) or known
        if known.state is ActionState.PARKED and self.clock.now() >= known.expires_at:
            return replace(expired(known.action.id), recalled=True)
        return await outcome_of(known, store, self.secrets)
