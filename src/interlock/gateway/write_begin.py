"""What each way out of the begin writes down: the row, the holds, the claims, the payloads, the entry."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from interlock.approval.grant import Grant, consume
from interlock.budget.hold import Balance, Shortfall, hold, settle
from interlock.core.action import ActionState, step
from interlock.core.canonical import Json
from interlock.core.charge import Charge, Unit
from interlock.core.decision import Ask, Suggest
from interlock.core.ids import BudgetId, Instant, ProcessId
from interlock.core.money import Money
from interlock.core.outcome import Parked, Refused, Suggested
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.charges import lease_micros
from interlock.gateway.claims import Names, suggested, taken
from interlock.gateway.entry import entry_of
from interlock.gateway.handoff import Handoff
from interlock.gateway.judge import Judged
from interlock.gateway.keyed import run_owner
from interlock.ledger.proposal import told
from interlock.ledger.seal import ActionEntry, Kind, Used
from interlock.ports import ActionRow, Changes, Claim, Notice, Payload, Rows, RunRow

_RECENT_MAX = 16
"""How many calls of a run are remembered to notice a loop."""


class Writing(Struct, frozen=True, kw_only=True):
    """Everything that was found out before the write, so that the write is a function of the rows alone."""

    asked: Asked
    judged: Judged
    names: Names
    arguments: Payload
    preview: Payload | None
    shown: Json
    """The preview as the agent sees it where nothing is done."""
    gathered: int
    """What was looked up for it, in micro-dollars. It is paid."""
    before: Mapping[str, Json]
    """How the record was before, where the contract asks for it."""
    process: ProcessId
    handoff: Handoff = Handoff()
    suggestion: Claim | None = None
    """The last suggestion under the same key as it was when this was judged, which then was another one."""
    may_start: bool = True
    """Whether it may start at all, as it was judged: a question that nobody was asked yet needs no free slot."""

    def refused(self, rows: Rows, row: ActionRow, stop: Refused, charges: Sequence[Charge]) -> Changes:
        balances, booked = _counted(rows, row, charges)
        moved = self._moved(rows, row, ActionState.REFUSED)
        moved = replace(moved, reason=stop.reason, why=f"{stop.why}\n{stop.fix}", cost=Money(moved.gathered))
        return Changes(
            actions=(moved,),
            budgets=balances,
            runs=self._run(rows),
            payloads=self._payloads(row),
            notices=self.handoff.notices(stop.reason, row.action.id, rows.now),
            entries=(self._refusal(rows, moved, booked),),
        )

    def suggested(self, rows: Rows, row: ActionRow, charges: Sequence[Charge]) -> tuple[Changes, Suggested]:
        assert isinstance(self.judged.decision, Suggest), "only a suggestion is suggested"
        draft = self.judged.decision.draft
        balances, booked = _counted(rows, row, charges)
        moved = self._moved(rows, row, ActionState.SUGGESTED, draft=draft)
        changes = Changes(
            actions=(moved,),
            budgets=balances,
            claims=suggested(self.asked, self.names, rows.now),
            runs=self._run(rows),
            payloads=self._payloads(row),
            entries=(self._entry(rows, Kind.SUGGESTED, moved, booked=booked),),
        )
        return changes, Suggested(action=row.action.id, preview=self.shown, draft=draft)

    def parked(self, rows: Rows, row: ActionRow, ask: Ask, charges: Sequence[Charge]) -> tuple[Changes, Parked]:
        """Wait for a person.

        One that waits already waits on, unless what it waits for, what is shown or what judges it has changed.
        """
        waits_for = (row.requirements, row.seen, row.bound)
        if row.state is ActionState.PARKED and waits_for == (ask.requirements, self.judged.seen, self.judged.bound):
            return Changes(), Parked(action=row.action.id, requirements=row.requirements, expires_at=row.expires_at)
        first = row.state is ActionState.ASKED
        balances, booked = _counted(rows, row, charges)
        expires_at = Instant(rows.now + min(requirement.expires for requirement in ask.requirements))
        moved = replace(
            self._moved(rows, row, ActionState.PARKED) if first else self._same(rows, row),
            requirements=ask.requirements,
            seen=self.judged.seen,
            expires_at=expires_at if first else row.expires_at,
        )
        changes = Changes(
            actions=(moved,),
            budgets=balances,
            runs=self._run(rows),
            payloads=self._payloads(row),
            notices=_reminders(self.asked, moved, rows.now),
            entries=(self._entry(rows, Kind.PARKED, moved, booked=booked),),
        )
        return changes, Parked(action=row.action.id, requirements=ask.requirements, expires_at=moved.expires_at)

    def started(self, rows: Rows, row: ActionRow, charges: Sequence[Charge], grants: Sequence[Grant]) -> Changes:
        held = hold(rows.budgets, charges)
        assert not isinstance(held, Shortfall), "`refuse` looked at the same rows"
        claims = taken(self.asked, self.names, rows.now)
        moved = self._moved(
            rows,
            row,
            ActionState.STARTED,
            fence=row.fence + 1,
            owner=self.process,
            started_at=rows.now,
            price=self.asked.price or 0,
            lease_until=Instant(rows.now + lease_micros(self.asked)),
            holds=tuple(charges),
            claims=(*(claim.id for claim in claims), *self.names.reversed),
        )
        return Changes(
            actions=(moved,),
            budgets=held,
            grants=tuple(consume(grant, row.action.id) for grant in grants),
            claims=claims,
            runs=self._run(rows),
            payloads=self._payloads(row),
            entries=(self._entry(rows, Kind.STARTED, moved, grants=grants),),
        )

    def _entry(
        self,
        rows: Rows,
        kind: Kind,
        row: ActionRow,
        *,
        grants: Sequence[Grant] = (),
        booked: tuple[Charge, ...] = (),
    ) -> ActionEntry:
        return replace(
            entry_of(rows, row, kind, self.process),
            decision=type(self.judged.decision).__name__.lower(),
            rules=self.judged.rules,
            slice=self.judged.slice,
            contract=row.contract,
            facts=self.judged.commitment,
            grants=tuple(Used(grant=g.id, person=g.person, known_by=g.known_by) for g in grants),
            # What is booked at once was held and charged: the entry says both.
            holds=row.holds or booked,
            costs=_amounts(booked),
            lease_until=row.lease_until,
            detail=self._named(row, kind),
        )

    def _refusal(self, rows: Rows, row: ActionRow, booked: tuple[Charge, ...]) -> ActionEntry:
        entry = self._entry(rows, Kind.REFUSED, row, booked=booked)
        return replace(
            entry, reason=row.reason, cost=row.cost, detail={**entry.detail, **self.handoff.detail(row.reason)}
        )

    def _named(self, row: ActionRow, kind: Kind) -> Mapping[str, str]:
        """Name the payloads that this decision stands on, what a person is shown, and who has signed what was asked."""
        named = {"question": self.judged.question.id, "preview": self.preview.id if self.preview else ""}
        named |= {"seen": row.seen} if kind is Kind.PARKED else {}
        named |= told(row.action.signed)
        return {name: value for name, value in named.items() if value}

    def _moved(self, rows: Rows, row: ActionRow, new: ActionState, **more: Any) -> ActionRow:  # noqa: ANN401  fields of a row
        return self._same(rows, row, state=step(row.state, new), **more)

    def _same(self, rows: Rows, row: ActionRow, **more: Any) -> ActionRow:  # noqa: ANN401  fields of a row
        tool, action = self.asked.tool, row.action
        if (action.effect, action.tier) != (tool.effect, tool.tier):
            # What it is by the contract that judges it now, which may not be the one it was asked under.
            action = replace(action, effect=tool.effect, tier=tool.tier)
        return replace(
            row,
            action=action,
            contract=self.asked.force.hash,
            slice=self.judged.slice,
            bound=self.judged.bound,
            question=self.judged.question.id,
            preview=self.preview.id if self.preview else None,
            gathered=row.gathered + self.gathered,
            changed_at=rows.now,
            **more,
        )

    def _payloads(self, row: ActionRow) -> tuple[Payload, ...]:
        arguments = (self.arguments,) if row.state is ActionState.ASKED else ()
        return (*arguments, self.judged.question, *((self.preview,) if self.preview else ()))

    def _run(self, rows: Rows) -> tuple[RunRow, ...]:
        return tuple(
            called(rows.runs[id] or RunRow(id=id), self.asked)
            for id in rows.runs
            if rows.actions[self.asked.action.id] is None
        )


def called(run: RunRow, asked: Asked) -> RunRow:
    """Remember one more call of a run, and whose run it is. What is beside its calls makes no loop."""
    recent = run.recent if asked.beside else (*run.recent, asked.action.digest)[-_RECENT_MAX:]
    return replace(run, calls=run.calls + 1, recent=recent, owner=run.owner or run_owner(asked.action.caller))


def _reminders(asked: Asked, row: ActionRow, now: Instant) -> tuple[Notice, ...]:
    approvals = asked.force.contract.approvals
    wait = row.expires_at - now
    times = {f"remind:{percent}": Instant(now + wait * percent // 100) for percent in approvals.remind}
    times |= {"asked": now, "expire": row.expires_at}
    return tuple(Notice(id=f"{name}:{row.action.id}", action=row.action.id, at=at) for name, at in times.items())


def _counted(
    rows: Rows, row: ActionRow, charges: Sequence[Charge]
) -> tuple[Mapping[BudgetId, Balance], tuple[Charge, ...]]:
    """Count a proposal that does not start as a call of its run.

    Otherwise a hijacked agent could flood the ledger, the sources of facts and the people who are asked.
    """
    first = row.state is ActionState.ASKED
    mine = tuple(c for c in charges if first and c.unit is Unit.TOOL_CALLS and c.budget in rows.budgets)
    held = hold(rows.budgets, mine)
    return ({}, ()) if isinstance(held, Shortfall) else (settle(held, mine, _amounts(mine)), mine)


def _amounts(charges: Sequence[Charge]) -> dict[BudgetId, int]:
    return {charge.budget: charge.amount for charge in charges}
