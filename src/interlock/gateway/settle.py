"""Step 10: charge what it cost and write down how it ended. Whatever ended the work, it leads here."""

from dataclasses import dataclass, replace
from typing import assert_never

from interlock.budget.hold import overrun, settle
from interlock.core.action import ActionState, step
from interlock.core.canonical import Json, canonical
from interlock.core.charge import Unit
from interlock.core.ids import ActionId, BudgetId, ProcessId
from interlock.core.money import Money
from interlock.core.outcome import Done, Failed, Outcome, Uncertain
from interlock.gateway.asked import Asked, commitment
from interlock.gateway.charges import costs_of
from interlock.gateway.perform import Ending, Happened, NeverHappened, Unheard
from interlock.ledger.seal import ActionEntry, Kind
from interlock.ports import ActionRow, Changes, Payload, Rows, Secrets

LABEL = "untrusted"
"""What a result may be trusted with, until a judge of trust says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came back, encrypted as it is kept, and what an entry says of it."""

    value: Json
    payload: Payload
    commitment: str


def sealed_result(asked: Asked, value: Json, secrets: Secrets) -> Result:
    """Encrypt a result beside its arguments, under the same keys."""
    text = canonical(value)
    tenant = asked.action.caller.tenant
    sealed = secrets.seal(tenant, asked.result, text, asked.subjects())
    return Result(value=value, payload=Payload(id=asked.result, sealed=sealed), commitment=commitment(asked.salt, text))


def end(
    rows: Rows, *, id: ActionId, fence: int, ending: Ending, result: Result | None, process: ProcessId
) -> tuple[Changes, Outcome]:
    """(10) Write the end, if the action is still ours to end. Writing it twice writes it once."""
    row = rows.actions[id]
    if row is None:
        return Changes(), Failed(action=id, why="the start was never written, so nothing was sent")
    if row.state is ActionState.STARTED and row.fence == fence:
        return _ended(rows, row, ending, result, process, kind=Kind.ENDED)
    if row.fence == fence and row.state in (ActionState.DONE, ActionState.FAILED):
        return Changes(), told(row, ending, result)
    return late(rows, row=row, fence=fence, ending=ending, result=result, process=process)


def late(
    rows: Rows, *, row: ActionRow, fence: int, ending: Ending, result: Result | None, process: ProcessId
) -> tuple[Changes, Outcome]:
    """Take an answer that came after the action was given up: it closes what is still uncertain, or is evidence."""
    nobody_since = row.fence == fence + 1
    if row.state is ActionState.UNCERTAIN and nobody_since and not isinstance(ending, Unheard):
        return _ended(rows, row, ending, result, process, kind=Kind.EVIDENCE)
    outcome = Uncertain(action=row.action.id)
    if isinstance(ending, Unheard):
        return Changes(), outcome
    entry = ActionEntry(
        kind=Kind.EVIDENCE,
        at=rows.now,
        epoch=rows.door.epoch,
        process=process,
        action=row.action,
        state=row.state,
        fence=row.fence,
        contract=row.contract,
        result=result.commitment if result else "",
        detail={"late": "done" if isinstance(ending, Happened) else "failed"},
    )
    return Changes(entries=(entry,), payloads=(result.payload,) if result else ()), outcome


def _ended(
    rows: Rows, row: ActionRow, ending: Ending, result: Result | None, process: ProcessId, *, kind: Kind
) -> tuple[Changes, Outcome]:
    costs: dict[BudgetId, int] = {}
    match ending:
        case Happened():
            assert result is not None, "what happened has a result"
            usd = _usd(row, ending)
            costs = costs_of(row.holds, usd=usd, attempts=ending.attempts, took=ending.took)
            ended = replace(
                _moved(rows, row, ActionState.DONE),
                cost=Money(usd),
                result=result.payload.id,
                overrun=overrun(row.holds, costs),
                holds=(),
            )
        case NeverHappened():
            # It was called: that counts, and costs nothing.
            costs = {c.budget: c.amount for c in row.holds if c.unit in (Unit.TOOL_CALLS, Unit.CALLS)}
            ended = replace(_moved(rows, row, ActionState.FAILED), why=ending.why, holds=())
        case Unheard():
            # The hold stays: money for an effect that may have happened is not free again.
            ended = replace(_moved(rows, row, ActionState.UNCERTAIN), why=ending.why, fence=row.fence + 1)
        case _:
            assert_never(ending)
    entry = ActionEntry(
        kind=kind,
        at=rows.now,
        epoch=rows.door.epoch,
        process=process,
        action=row.action,
        state=ended.state,
        fence=ended.fence,
        contract=row.contract,
        costs=costs,
        cost=ended.cost,
        overrun=ended.overrun,
        result=result.commitment if result else "",
        label=LABEL if result else "",
    )
    changes = Changes(
        actions=(ended,),
        budgets={} if ended.holds else settle(rows.budgets, row.holds, costs),
        payloads=(result.payload,) if result else (),
        entries=(entry,),
    )
    return changes, told(ended, ending, result)


def told(row: ActionRow, ending: Ending, result: Result | None) -> Outcome:
    """Say how it ended, as the row that was written has it."""
    match ending:
        case Happened():
            assert result is not None, "what happened has a result"
            return Done(action=row.action.id, result=result.value, cost=row.cost, overrun=row.overrun)
        case NeverHappened():
            return Failed(action=row.action.id, why=ending.why)
        case Unheard():
            return Uncertain(action=row.action.id)


def _usd(row: ActionRow, ending: Happened) -> int:
    price = max((charge.amount for charge in row.holds if charge.unit is Unit.USD), default=0)
    return ending.costs.get(Unit.USD.value, price)


def _moved(rows: Rows, row: ActionRow, new: ActionState) -> ActionRow:
    return replace(row, state=step(row.state, new), changed_at=rows.now)
