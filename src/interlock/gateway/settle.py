"""Step 10: charge what it cost and write down how it ended. Whatever ended the work, it leads here."""

from collections.abc import Mapping
from typing import assert_never

from msgspec import Struct

from interlock.budget.hold import overrun, settle
from interlock.core.action import ActionState, step
from interlock.core.charge import Charge, Unit
from interlock.core.effect import EffectClass
from interlock.core.ids import ActionId, BudgetId, ClaimId, Instant, Micros, ProcessId
from interlock.core.limits import SAFE_INTEGER
from interlock.core.money import Money
from interlock.core.outcome import Done, Failed, Outcome, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.charges import costs_of
from interlock.gateway.check import Checked, Seen
from interlock.gateway.claims import business_key, given_back
from interlock.gateway.entry import entry_of
from interlock.gateway.handoff import Handoff
from interlock.gateway.perform import Ending, Happened, NeverHappened, Unheard
from interlock.ledger.seal import ActionEntry, Kind
from interlock.ports import ActionRow, Changes, Claim, Needs, Notice, Payload, Rows

_COUNTED = (Unit.TOOL_CALLS, Unit.CALLS)
"""What is charged for having called at all."""

_CALLED = (*_COUNTED, Unit.RETRIES, Unit.SECONDS)
"""What a call takes that had no effect."""

LABEL = "untrusted"
"""What a result may be trusted with, until a judge of trust says more."""


class End(Struct, frozen=True, kw_only=True):
    """How an action ended, as whoever performed it knows."""

    id: ActionId
    fence: int
    ending: Ending
    checked: Checked | None
    process: ProcessId
    said: Payload | None = None
    """What the other side said of its failure, encrypted."""
    seen: tuple[Seen, ...] = ()
    """Pictures of it, encrypted."""
    undo_within: Micros = Micros(0)
    price: int = 0
    """Of one attempt, where whoever performed it does not say what it cost."""
    looked_up: int = 0
    """What looking at the record afterwards cost."""
    round_price: int = 0
    """What the attempts of one owner, with the look at the record afterwards, may cost at most."""
    rounds: tuple[Charge, ...] = ()
    """What earlier rounds of attempts may have taken, by budget."""
    held: tuple[Charge, ...] = ()
    """What was set aside when it started, for an end that comes after all of it was given back."""
    cache: ClaimId | None = None
    cache_ttl: Micros = Micros(0)
    handoff: Handoff = Handoff()
    kind: Kind = Kind.ENDED
    by: tuple[tuple[str, str], ...] = ()
    """Codes for the entry, such as the verdict of a person and how they were known."""

    @property
    def earlier(self) -> int:
        """What the attempts of earlier owners may have cost; nothing where it is no owner who speaks."""
        return 0 if self.kind is Kind.RESOLVED else self.round_price * (self.fence - 1)


def needs_to_end(begun: Needs) -> Needs:
    """Leave out of what a start looked at what no end does: whose the key is, what people said, the run."""
    return Needs(actions=begun.actions, budgets=begun.budgets, claims=begun.claims)


def end(rows: Rows, *, end: End) -> tuple[Changes, Outcome]:
    """(10) Write the end, if the action is still ours to end. Writing it twice writes it once."""
    row = rows.actions[end.id]
    if row is None:
        return Changes(), Failed(action=end.id, why="the start was never written, so nothing was sent")
    if row.state is ActionState.STARTED and row.fence == end.fence:
        return ended(rows, row, end)
    written = ActionState.DONE if isinstance(end.ending, Happened) else ActionState.FAILED
    if row.fence == end.fence and row.state is written:
        return Changes(), told(row, end)
    if row.state is ActionState.FAILED and row.action.effect is EffectClass.READ and not _costs_more(row, end):
        return Changes(), Failed(action=row.action.id, why=row.why)  # it changed nothing, and it is paid
    return late(rows, row, end)


def never_sent(rows: Rows, *, end: End) -> tuple[Changes, Outcome | ActionRow | None]:
    """Find out what became of a begin whose commit was not answered, and end it if it was a start: nothing was sent.

    Returns:
        How it ended, the row as it stands where it was no start, or nothing where nothing was written.
    """
    row = rows.actions[end.id]
    ours = (ActionState.STARTED, end.fence, end.process)
    if row is not None and (row.state, row.fence, row.owner) == ours:
        return ended(rows, row, end)
    return Changes(), row


def late(rows: Rows, row: ActionRow, end: End) -> tuple[Changes, Outcome]:
    """Take an answer that came after the action was given up: it closes what is still open, or is evidence.

    Whoever says that it happened is believed, however many took it over since. That it did not happen, only the last
    owner can say: the others may have done it.
    """
    is_open = row.state in (ActionState.UNCERTAIN, ActionState.STARTED)
    if is_open and isinstance(end.ending, Happened):
        # Who is at work on it still says what that cost, and is no owner any more.
        fence = row.fence + (row.state is ActionState.STARTED)
        return ended(rows, replace(row, fence=fence), replace(end, kind=Kind.EVIDENCE))
    nobody_since = row.fence == end.fence + 1
    if row.state is ActionState.UNCERTAIN and nobody_since and isinstance(end.ending, NeverHappened):
        return ended(rows, row, replace(end, kind=Kind.EVIDENCE))
    if isinstance(end.ending, Unheard):
        return Changes(), Uncertain(action=row.action.id, why=row.why)
    said = "done" if isinstance(end.ending, Happened) else "failed"
    detail = {"late": said, **dict(seen.detail for seen in end.seen)}
    entry = replace(_entry(rows, row, end), kind=Kind.EVIDENCE, state=row.state, detail=detail)
    closed = row.state in (ActionState.FAILED, ActionState.DONE, ActionState.ABANDONED)
    if isinstance(end.ending, Happened) and closed:
        return _charged_after_all(rows, row, end, end.ending, entry)
    kept, payloads = _kept_beside(row, end)
    return Changes(actions=(kept,), entries=(entry,), payloads=payloads), Uncertain(action=row.action.id, why=row.why)


def _charged_after_all(
    rows: Rows, row: ActionRow, end: End, ending: Happened, entry: ActionEntry
) -> tuple[Changes, Outcome]:
    """Book what came to light after the books were closed: nothing is held for it, so it closes its budgets.

    How the action ended stays as it is, because others have relied on it. A person has to look.
    """
    heard = {**dict(row.heard), end.fence: _said(ending, end)}
    more = max(0, row.gathered + _due(row, heard, end) - row.cost.micros)
    costs = {id: cost for id, cost in _not_booked(row, end, ending, more).items() if cost and id in rows.budgets}
    nothing = tuple(replace(charge, amount=0) for charge in end.held if charge.budget in costs)
    kept, payloads = _kept_beside(row, end)
    moved = replace(kept, heard=tuple(sorted(heard.items())), cost=Money(row.cost.micros + more))
    entry = replace(entry, holds=nothing, costs=costs, cost=moved.cost, overrun=bool(costs))
    told = Notice(id=f"incident:{row.action.id}", action=row.action.id, at=rows.now)
    return Changes(
        actions=(moved,),
        entries=(entry,),
        payloads=payloads,
        budgets=settle(rows.budgets, nothing, costs),
        notices=(told,) if costs or row.state is ActionState.FAILED else (),
    ), Uncertain(action=row.action.id, why=row.why)


def _kept_beside(row: ActionRow, end: End) -> tuple[ActionRow, tuple[Payload, ...]]:
    """Keep what was said too late. Of what was pruned nothing is kept: the entry commits to it."""
    payloads = _payloads(end) if row.pruned is None else ()
    return replace(row, beside=(*row.beside, *(payload.id for payload in payloads))), payloads


def _due(row: ActionRow, heard: Mapping[int, int], end: End) -> int:
    """Return what all owners cost: what each of them said, and for one who never did what it may have.

    After a verdict that nothing happened, only the owners before one that says otherwise may have cost something.
    """
    failed = row.state is ActionState.FAILED or not end.round_price
    last = max(heard) if failed else row.price // end.round_price
    silent = sum(1 for fence in range(1, last + 1) if fence not in heard)
    return sum(heard.values()) + silent * end.round_price


def _costs_more(row: ActionRow, end: End) -> bool:
    """Whether whoever was given up says that it cost more than is booked."""
    if not isinstance(end.ending, Happened):
        return False
    heard = {**dict(row.heard), end.fence: _said(end.ending, end)}
    return row.gathered + _due(row, heard, end) > row.cost.micros


def _not_booked(row: ActionRow, end: End, ending: Happened, more: int) -> Mapping[BudgetId, int]:
    """Return what the books do not say yet of what it cost, where that is `more` money than they say."""
    real = costs_of(end.held, usd=more, attempts=ending.attempts, took=ending.took)
    # What has failed was charged for the call, the retries and the time, and for nothing that it moved.
    first = row.state is ActionState.FAILED and not row.heard
    return {
        charge.budget: real[charge.budget]
        for charge in end.held
        if charge.unit is Unit.USD or (first and charge.unit not in _CALLED)
    }


def ended(rows: Rows, row: ActionRow, end: End) -> tuple[Changes, Outcome]:
    """Write an end that counts: the row, what it cost, the names it lets go, the entry."""
    moved, costs = _moved(rows, row, end)
    if end.said is not None:
        before = (moved.said,) if moved.said else ()
        moved = replace(moved, said=end.said.id, beside=(*moved.beside, *before))
    moved = replace(moved, beside=(*moved.beside, *(seen.payload.id for seen in end.seen)))
    final = moved.state is not ActionState.UNCERTAIN
    handoff, reason = _taken_over(end, final=final)
    entry = replace(
        _entry(rows, moved, end),
        costs=costs,
        cost=moved.cost,
        overrun=moved.overrun,
        check=moved.check,
        detail={**dict(end.by), **handoff.detail(reason), **dict(seen.detail for seen in end.seen)},
    )
    undone, let_go = _undone(rows, moved)
    changes = Changes(
        actions=(replace(moved, holds=()) if final else moved, *undone),
        budgets=settle(rows.budgets, row.holds, costs) if final else {},
        claims=(*_claims(rows, moved, end), *let_go),
        notices=handoff.notices(reason, row.action.id, rows.now),
        payloads=_payloads(end),
        entries=(entry,),
    )
    return changes, told(moved, end)


def _taken_over(end: End, *, final: bool) -> tuple[Handoff, Reason | None]:
    """Say for which reason a person may have to take over: where its contract, or whoever performed it, says so."""
    said = end.ending.reason if not isinstance(end.ending, Happened) else None
    reason = said if final else Reason.UNCERTAIN
    if said is None or reason is None:
        return end.handoff, reason
    return replace(end.handoff, reasons=end.handoff.reasons | {reason}), reason


def told(row: ActionRow, end: End) -> Outcome:
    """Say how it ended, as the row that was written has it."""
    match end.ending:
        case Happened():
            assert end.checked is not None, "what happened has a result"
            return Done(
                action=row.action.id,
                result=end.checked.shown,
                cost=row.cost,
                check=end.checked.check,
                overrun=row.overrun,
            )
        case NeverHappened():
            return Failed(action=row.action.id, why=end.ending.why, said=end.ending.said, fix=end.ending.fix)
        case Unheard() if row.state is ActionState.FAILED:
            return Failed(action=row.action.id, why=end.ending.why, said=end.ending.said)
        case Unheard():
            return Uncertain(action=row.action.id, why=row.why)


def _moved(rows: Rows, row: ActionRow, end: End) -> tuple[ActionRow, dict[BudgetId, int]]:
    ending = end.ending
    match ending:
        case Happened():
            assert end.checked is not None, "what happened has a result"
            heard = {} if end.kind is Kind.RESOLVED else {end.fence: _said(ending, end)}
            usd = _due(row, heard, end) if heard else _said(ending, end)
            # Who speaks after others have taken over does not know how often those sent it: what is held counts.
            attempts = 0 if row.fence > end.fence + 1 else ending.attempts
            costs = costs_of(row.holds, usd=usd, attempts=attempts, took=ending.took, earlier=end.rounds)
            undo = end.checked.undo
            return replace(
                _step(rows, row, ActionState.DONE),
                cost=Money(usd + row.gathered),
                heard=tuple(heard.items()) if row.fence > 1 else (),
                result=end.checked.result.id,
                undo=undo.id if undo else None,
                undo_until=Instant(rows.now + end.undo_within) if undo else Instant(0),
                check=end.checked.check,
                overrun=overrun(row.holds, costs),
            ), costs
        case NeverHappened():
            # It was called: that counts, and costs nothing but what was looked up for it, which is paid.
            costs = costs_of(row.holds, usd=end.earlier, attempts=ending.attempts, took=ending.took, earlier=end.rounds)
            failed = _step(rows, row, ActionState.FAILED)
            cost = Money(row.gathered + end.earlier)
            return replace(failed, why=ending.why, reason=ending.reason, cost=cost), _for_a_call(row, costs)
        case Unheard() if row.action.effect is EffectClass.READ:
            # A read that nobody answered changed nothing; what it may have cost is charged.
            costs = costs_of(row.holds, usd=row.price, attempts=ending.attempts, took=ending.took, earlier=end.rounds)
            failed = _step(rows, row, ActionState.FAILED)
            reason, cost = ending.reason or Reason.TOOL_ERROR, Money(row.price + row.gathered)
            return replace(failed, why=ending.why, reason=reason, cost=cost), _for_a_call(row, costs)
        case Unheard():
            # The hold stays: money for an effect that may have happened is not free again.
            return replace(_step(rows, row, ActionState.UNCERTAIN), why=ending.why, fence=row.fence + 1), {}
        case _:
            assert_never(ending)


def _for_a_call(row: ActionRow, costs: Mapping[BudgetId, int]) -> dict[BudgetId, int]:
    """Return what of the costs is due for having called at all, where nothing was moved."""
    return {charge.budget: costs[charge.budget] for charge in row.holds if charge.unit in (*_CALLED, Unit.USD)}


def _step(rows: Rows, row: ActionRow, new: ActionState) -> ActionRow:
    return replace(row, state=step(row.state, new), changed_at=rows.now)


def _said(ending: Happened, end: End) -> int:
    """Return what its owner says that it cost in money.

    What is said is about the attempts that answered; any other may have cost its price.
    """
    answered = [_usd(costs, end.price) for costs in (ending.costs, *ending.before)]
    unheard = max(0, ending.attempts - len(answered))
    return sum(answered) + end.price * unheard + end.looked_up


def _usd(costs: Mapping[str, int], price: int) -> int:
    said = costs.get(Unit.USD.value)
    return said if said is not None and 0 <= said <= SAFE_INTEGER else price


def _claims(rows: Rows, row: ActionRow, end: End) -> tuple[Claim, ...]:
    """Let go of the records that were held; of the business key only if it is sure that nothing happened."""
    if row.state is ActionState.UNCERTAIN:
        return ()
    claims: list[Claim] = []
    for id in row.claims:
        claim = rows.claims[id]
        mine = claim is not None and claim.action == row.action.id
        if claim is not None and mine and (claim.serial or row.state is ActionState.FAILED):
            claims.append(given_back(claim))
    if row.state is ActionState.DONE and end.cache is not None:
        claims.append(Claim(id=end.cache, action=row.action.id, until=Instant(rows.now + end.cache_ttl)))
    return tuple(claims)


def _undone(rows: Rows, row: ActionRow) -> tuple[tuple[ActionRow, ...], tuple[Claim, ...]]:
    """Mark the action that this one reversed, and let go of its business key: its effect does not stand any more."""
    if row.action.undo_of is None or row.state is not ActionState.DONE:
        return (), ()
    reversed_one = rows.actions[row.action.undo_of]
    assert reversed_one is not None, "what is undone has a row"
    undone = replace(reversed_one, undone_by=row.action.id, changed_at=rows.now)
    if row.check == "failed":
        return (undone,), ()  # nobody can say whether it stands
    claims = [rows.claims.get(id) for id in reversed_one.claims]
    mine = [claim for claim in claims if claim is not None and claim.action == reversed_one.action.id]
    return (undone,), tuple(given_back(claim) for claim in mine if business_key(claim))


def _payloads(end: End) -> tuple[Payload, ...]:
    said = (*((end.said,) if end.said else ()), *(seen.payload for seen in end.seen))
    if end.checked is None:
        return said
    return (*said, end.checked.result, *((end.checked.undo,) if end.checked.undo else ()))


def _entry(rows: Rows, row: ActionRow, end: End) -> ActionEntry:
    return replace(
        entry_of(rows, row, end.kind, end.process),
        contract=row.contract,
        reason=row.reason,
        result=end.checked.commitment if end.checked else "",
        label=LABEL if end.checked else "",
    )
