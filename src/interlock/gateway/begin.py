"""Steps 6 and 7, as one pure function: check again what may have changed since the decision, then stop or start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from interlock.approval.grant import Grant, consume, opening
from interlock.budget.hold import Balances, Shortfall, hold, settle
from interlock.core.action import Action, ActionState, step
from interlock.core.charge import Charge, Unit
from interlock.core.decision import Allow, Ask, Decision, Deny, Suggest, rules_of
from interlock.core.ids import BudgetId, Instant, Micros, PayloadId, ProcessId, RuleId, SliceHash
from interlock.core.outcome import Parked, Refused, Suggested
from interlock.core.reason import Reason
from interlock.gateway.asked import Asked
from interlock.gateway.charges import REASON, charges, lease_micros
from interlock.ledger.seal import ActionEntry, Kind, Used
from interlock.ports import ActionRow, Changes, Halt, Needs, Payload, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What policy said, and all that it stands on."""

    decision: Decision
    epoch: int
    slice: SliceHash = SliceHash("")
    facts: str = ""
    """The commitment to everything that policy was asked with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The `started` entry is committed: from here on the effect may happen."""

    fence: int


@dataclass(frozen=True, slots=True)
class Stale:
    """The world moved between the decision and the start: decide again."""


Begun = Started | Parked | Suggested | Refused | Stale


def needs_of(asked: Asked, now: Instant) -> Needs:
    """Name the rows that any step of this action reads or writes."""
    return Needs(
        actions=frozenset({asked.action.id}),
        keys=frozenset({asked.action.key}),
        budgets=frozenset(charge.budget for charge in charges(asked, now) or ()),
        grants=frozenset({asked.action.id}),
    )


def begin(rows: Rows, *, asked: Asked, judged: Judged, payload: Payload, process: ProcessId) -> tuple[Changes, Begun]:
    """(6) and (7): refuse, park, suggest or start, whatever the rows as they are now allow."""
    row = rows.actions[asked.action.id] or ActionRow(action=asked.action, state=ActionState.ASKED)
    holder = rows.keys[asked.action.key]
    if rows.door.epoch != judged.epoch or row.state not in (ActionState.ASKED, ActionState.PARKED):
        return Changes(), Stale()
    if holder is not None and holder.action.id != asked.action.id and holder.action.digest == asked.action.digest:
        return Changes(), Stale()
    taken = charges(asked, rows.now)
    if taken is not None and not {charge.budget for charge in taken} <= rows.budgets.keys():
        return Changes(), Stale()  # a period ended meanwhile
    writing = _Writing(rows=rows, asked=asked, judged=judged, row=row, payload=payload, process=process)
    stop = refuse(rows, asked, judged.decision, holder, taken)
    if stop is not None:
        return writing.refused(stop, taken or ()), stop
    assert taken is not None, "an unknown cost was refused"
    match judged.decision:
        case Suggest():
            suggested = Suggested(action=asked.action.id, preview=None, draft=judged.decision.draft)
            return writing.suggested(), suggested
        case Ask():
            grants = opening(
                judged.decision,
                rows.grants[asked.action.id],
                digest=asked.action.digest,
                slice=judged.slice,
                now=rows.now,
            )
            if grants is None:
                return writing.parked(judged.decision)
            return writing.started(taken, grants), Started(fence=row.fence + 1)
        case Allow() | Deny():
            return writing.started(taken, ()), Started(fence=row.fence + 1)


def refuse(
    rows: Rows, asked: Asked, decision: Decision, holder: ActionRow | None, taken: tuple[Charge, ...] | None
) -> Refused | None:
    """(6) Say no, the strictest reason first. Whether it could be paid is asked before a person is."""

    def no(reason: Reason, why: str, fix: str) -> Refused:
        return Refused(action=asked.action.id, reason=reason, why=why, fix=fix)

    if rows.halt is not None:
        return no(*_HALTS[rows.halt])
    if holder is not None and holder.action.id != asked.action.id:
        why = f"the key belongs to another call, `{holder.action.id}`"
        return no(Reason.DUPLICATE, why, "use a new key for a new call")
    if isinstance(decision, Deny):
        rule = decision.rules[0] if decision.rules else RuleId("default")
        return no(decision.reason, decision.why, f"run `interlock policy explain` to see rule `{rule}`")
    if taken is None:
        why = f"nobody knows what a call of `{asked.tool.name}` may cost"
        return no(Reason.BUDGET_EXCEEDED, why, "give the tool a `price` in the contract; 0 is a statement")
    held = hold(rows.budgets, taken)
    if isinstance(held, Shortfall):
        return no(*_lacks(held))
    return None


def _lacks(short: Shortfall) -> tuple[Reason, str, str]:
    reason = REASON.get(short.unit, Reason.BUDGET_EXCEEDED)
    missing = short.unit.show(short.missing)
    if short.closed:
        return (
            reason,
            f"budget `{short.budget}` was closed by an overrun",
            f"run `interlock budget show {short.budget}`",
        )
    return (
        reason,
        f"budget `{short.budget}` lacks {missing}",
        f"run `interlock budget raise {short.budget} --by AMOUNT`",
    )


_HALTS = {
    Halt.CLOCK_JUMPED: (
        Reason.STOPPED,
        "the wall clock jumped against the boot clock",
        "set the clock, or vouch for it: `interlock clock accept`",
    ),
    Halt.DISK_SHORT: (Reason.OVERLOADED, "there is too little room on the disk", "make room on the disk"),
    Halt.STOP_FILE: (
        Reason.STOPPED,
        "a stop file lies beside the database",
        "run `interlock switch resume`, which removes it",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """Puts together what each way out of the begin writes down."""

    rows: Rows
    asked: Asked
    judged: Judged
    row: ActionRow
    payload: Payload
    process: ProcessId

    def refused(self, stop: Refused, taken: Sequence[Charge]) -> Changes:
        row = replace(self._moved(ActionState.REFUSED), reason=stop.reason, why=f"{stop.why}\n{stop.fix}")
        counted, budgets = _counted(self.rows, taken if self.row.state is ActionState.ASKED else ())
        entry = replace(self.entry(Kind.REFUSED, row), holds=counted, costs=_amounts(counted))
        return Changes(actions=(row,), budgets=budgets, payloads=self._payloads(), entries=(entry,))

    def suggested(self) -> Changes:
        assert isinstance(self.judged.decision, Suggest), "only a suggestion is suggested"
        row = replace(self._moved(ActionState.SUGGESTED), draft=self.judged.decision.draft)
        return Changes(actions=(row,), payloads=self._payloads(), entries=(self.entry(Kind.SUGGESTED, row),))

    def parked(self, ask: Ask) -> tuple[Changes, Parked]:
        expires_at = Instant(self.rows.now + min(requirement.expires for requirement in ask.requirements))
        if self.row.state is ActionState.PARKED:
            return Changes(), Parked(
                action=self.row.action.id, requirements=self.row.requirements, expires_at=self.row.expires_at
            )
        row = replace(self._moved(ActionState.PARKED), requirements=ask.requirements, expires_at=expires_at)
        parked = Parked(action=row.action.id, requirements=ask.requirements, expires_at=expires_at)
        return Changes(actions=(row,), payloads=self._payloads(), entries=(self.entry(Kind.PARKED, row),)), parked

    def started(self, taken: Sequence[Charge], grants: Sequence[Grant]) -> Changes:
        held = hold(self.rows.budgets, taken)
        assert not isinstance(held, Shortfall), "`refuse` looked at the same rows"
        row = replace(
            self._moved(ActionState.STARTED),
            fence=self.row.fence + 1,
            owner=self.process,
            lease_until=Instant(self.rows.now + lease_micros(self.asked)),
            holds=tuple(taken),
        )
        return Changes(
            actions=(row,),
            budgets=held,
            grants=tuple(consume(grant, row.action.id) for grant in grants),
            payloads=self._payloads(),
            entries=(self.entry(Kind.STARTED, row, grants),),
        )

    def entry(self, kind: Kind, row: ActionRow, grants: Sequence[Grant] = ()) -> ActionEntry:
        return ActionEntry(
            kind=kind,
            at=self.rows.now,
            epoch=self.rows.door.epoch,
            process=self.process,
            action=row.action,
            state=row.state,
            fence=row.fence,
            decision=type(self.judged.decision).__name__.lower(),
            rules=rules_of(self.judged.decision),
            slice=self.judged.slice,
            contract=row.contract,
            facts=self.judged.facts,
            reason=row.reason,
            grants=tuple(Used(grant=g.id, person=g.person, known_by=g.known_by) for g in grants),
            holds=row.holds,
            lease_until=row.lease_until,
        )

    def _moved(self, new: ActionState) -> ActionRow:
        return replace(
            self.row,
            state=step(self.row.state, new),
            contract=self.asked.force.hash,
            slice=self.judged.slice,
            changed_at=self.rows.now,
        )

    def _payloads(self) -> tuple[Payload, ...]:
        return (self.payload,) if self.row.state is ActionState.ASKED else ()


def _counted(rows: Rows, taken: Sequence[Charge]) -> tuple[tuple[Charge, ...], Balances]:
    """Count a refused proposal as a tool call, so that nobody can flood the ledger and the sources of facts."""
    calls = tuple(charge for charge in taken if charge.unit is Unit.TOOL_CALLS)
    held = hold(rows.budgets, calls)
    return ((), {}) if isinstance(held, Shortfall) else (calls, settle(held, calls, _amounts(calls)))


def _amounts(taken: Sequence[Charge]) -> dict[BudgetId, int]:
    return {charge.budget: charge.amount for charge in taken}


def lease_ends(boot_before: Micros, asked: Asked) -> Micros:
    """Return when, on the boot clock, the lease of a start ends that was asked for at `boot_before`."""
    return Micros(boot_before + lease_micros(asked))


def turned_away(rows: Rows, *, action: Action, refused: Refused, process: ProcessId) -> tuple[Changes, Refused]:
    """Write down a refusal that no rule had to make: no contract, no such tool, arguments that cannot be read."""
    known = rows.actions[action.id]
    if known is not None and known.state is not ActionState.PARKED:
        return Changes(), refused
    # Its arguments are kept only where it was parked before: nobody judged them.
    row = known or ActionRow(action=replace(action, arguments=PayloadId("")), state=ActionState.ASKED)
    row = replace(
        row,
        state=step(row.state, ActionState.REFUSED),
        reason=refused.reason,
        why=f"{refused.why}\n{refused.fix}",
        changed_at=rows.now,
    )
    entry = ActionEntry(
        kind=Kind.REFUSED,
        at=rows.now,
        epoch=rows.door.epoch,
        process=process,
        action=action,
        state=row.state,
        decision="deny",
        reason=refused.reason,
    )
    return Changes(actions=(row,), entries=(entry,)), refused
