"""Steps 6 and 7, as one pure function: check again what may have changed since the decision, then stop or start."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import Struct

from interlock.approval.grant import opening
from interlock.budget.hold import Shortfall, hold, settle
from interlock.core.action import Action, ActionState, step
from interlock.core.charge import Charge, Unit
from interlock.core.decision import Allow, Ask, Deny, Suggest
from interlock.core.ids import ActionId, Instant, Micros, PayloadId, ProcessId, RunId
from interlock.core.money import Money
from interlock.core.outcome import Parked, Refused, Suggested
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.charges import call_charges, charges, lease_micros
from interlock.gateway.claims import Names, last_suggestion
from interlock.gateway.entry import entry_of
from interlock.gateway.people import counting_today, since_adoption
from interlock.gateway.refuse import PASSING, foreign, lacks, not_theirs, refuse
from interlock.gateway.sessions import mark_of
from interlock.gateway.write_begin import Writing
from interlock.ledger.proposal import told
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Needs, Rows


class Started(Struct, frozen=True, kw_only=True):
    """The `started` entry is committed: from here on the effect may happen."""

    fence: int
    held: tuple[Charge, ...] = ()


class Stale(Struct, frozen=True):
    """The world moved between the decision and the start: decide again."""

    paid: int = 0
    """What was looked up meanwhile and no row says yet, in micro-dollars."""


Begun = Started | Parked | Suggested | Refused | Stale


def needs_of(asked: Asked, names: Names, now: Instant) -> Needs:
    """Name the rows that any step of this action reads or writes."""
    reversed_one = frozenset({asked.action.undo_of}) if asked.action.undo_of else frozenset[ActionId]()
    return Needs(
        actions=frozenset({asked.action.id}) | reversed_one,
        keys=frozenset({asked.action.key}),
        budgets=frozenset(charge.budget for charge in charges(asked, now) or _calls(asked, now)),
        grants=frozenset({asked.action.id}),
        claims=names.all(),
        runs=frozenset() if asked.action.own_run else frozenset({asked.action.run}),
        memos=frozenset() if asked.session is None else frozenset({mark_of(asked.session)}),
    )


def needs_to_refuse(action: Action, counts: Sequence[Charge]) -> Needs:
    """Name the rows that a refusal reads or writes which no rule had to make."""
    runs = frozenset[RunId]() if action.own_run else frozenset({action.run})
    budgets = frozenset(charge.budget for charge in counts)
    return Needs(actions=frozenset({action.id}), budgets=budgets, runs=runs)


def begin(rows: Rows, *, writing: Writing) -> tuple[Changes, Begun]:
    """(6) and (7): refuse, park, suggest or start, whatever the rows as they are now allow."""
    asked, judged = writing.asked, writing.judged
    id = asked.action.id
    row = rows.actions[id] or ActionRow(
        action=asked.action,
        state=ActionState.ASKED,
        even_if_changed=asked.even_if_changed,
        authors=asked.authors,
        askers=asked.askers,
    )
    taken = _taken(asked, row, rows.now)
    if _elsewhere(asked, row) or (rows.halt is None and _stale(rows, writing, taken)):
        return Changes(), Stale(paid=writing.gathered)
    stop = refuse(rows, asked, writing.names, row, taken, judged)
    if stop is None and judged.unasked:
        return Changes(), Stale(paid=writing.gathered)  # what stood in the way when it was judged is gone
    if stop is not None and row.state is ActionState.PARKED and stop.reason in PASSING:
        return Changes(), stop
    if stop is not None:
        return writing.refused(rows, row, stop, taken if taken is not None else _as_a_call(rows, asked)), stop
    assert taken is not None, "an unknown cost was refused"
    match judged.decision:
        case Suggest():
            return writing.suggested(rows, row, taken)
        case Ask():
            grants = opening(
                judged.decision,
                counting_today(
                    asked.force.contract.approvals,
                    row,
                    since_adoption(rows.door, rows.grants[id]),
                    rows.door,
                    rows.now,
                ),
                digest=asked.action.digest,
                bound=judged.bound,
                seen=judged.seen,
                now=rows.now,
            )
            if grants is None:
                return writing.parked(rows, row, judged.decision, taken)
            used = tuple(grant for grant in rows.grants[id] if grant.id in {each.id for each in grants})
            return writing.started(rows, row, taken, used), Started(fence=row.fence + 1, held=taken)
        case Allow():
            return writing.started(rows, row, taken, ()), Started(fence=row.fence + 1, held=taken)
        case Deny():
            raise AssertionError("what is denied was refused")
        case _:
            assert_never(judged.decision)


def _as_a_call(rows: Rows, asked: Asked) -> tuple[Charge, ...]:
    """Say what a call counts for whose cost nobody knows."""
    return tuple(charge for charge in _calls(asked, rows.now) if charge.budget in rows.budgets)


def _calls(asked: Asked, now: Instant) -> tuple[Charge, ...]:
    return call_charges(asked.force.contract, asked.owner, asked.action.run, now)


def _elsewhere(asked: Asked, row: ActionRow) -> bool:
    """Whether it has ended, was started or was edited meanwhile."""
    if row.state not in (ActionState.ASKED, ActionState.PARKED):
        return True
    return row.state is ActionState.PARKED and row.action.digest != asked.action.digest


def _stale(rows: Rows, writing: Writing, taken: tuple[Charge, ...] | None) -> bool:
    asked, judged = writing.asked, writing.judged
    if rows.door.epoch != judged.epoch or not_theirs(rows, asked) is not None:
        return True
    if rows.now >= judged.good_until:
        return True  # what let it act in spite of a mode or a switch has ended
    known = rows.keys[asked.action.key]
    if known is not None and known.action.id != asked.action.id and known.action.digest == asked.action.digest:
        return True  # the same call is there by now
    new = isinstance(judged.decision, Suggest) and rows.actions[asked.action.id] is None
    if new and last_suggestion(rows, writing.names) != writing.suggestion:
        return True  # the same call came to a suggestion
    # A period may have ended meanwhile.
    return taken is not None and not {charge.budget for charge in taken} <= rows.budgets.keys()


def would_refuse(rows: Rows, asked: Asked, names: Names) -> bool:
    """Whether something else than policy refuses it as things stand, so that nothing needs to be looked up.

    A lack of money is said after policy has spoken, as long as it costs nothing to ask.
    """
    row = rows.actions[asked.action.id] or ActionRow(action=asked.action, state=ActionState.ASKED)
    stop = refuse(rows, asked, names, row, _taken(asked, row, rows.now), None)
    return stop is not None and (asked.pays_to_look or stop.reason is not Reason.BUDGET_EXCEEDED)


def _taken(asked: Asked, row: ActionRow, now: Instant) -> tuple[Charge, ...] | None:
    taken = charges(asked, now)
    if taken is not None and row.state is ActionState.PARKED:
        # It was counted as a call of its run when it was asked for.
        return tuple(charge for charge in taken if charge.unit is not Unit.TOOL_CALLS)
    return taken


def turned_away(
    rows: Rows,
    *,
    action: Action,
    refused: Refused,
    process: ProcessId,
    counts: Sequence[Charge] = (),
    gathered: int = 0,
    epoch: int | None = None,
) -> tuple[Changes, Refused | Stale]:
    """Write down a refusal that no rule had to make: no contract, no such tool, arguments that cannot be read.

    Args:
        rows: the action and the budgets of `counts`.
        action: what was asked.
        refused: the refusal.
        process: this process.
        counts: what a first call counts for all the same; whoever has no calls left hears that instead.
        gathered: what was looked up for it, in micro-dollars.
        epoch: that of the door under which it is refused, if another one might not refuse it.
    """
    known = rows.actions[action.id]
    if epoch not in (None, rows.door.epoch):
        return Changes(), Stale()  # another contract may be in force by now
    if known is not None and (known.state is not ActionState.PARKED or known.action.digest != action.digest):
        return Changes(), Stale()  # it has ended, or a person has edited it meanwhile
    if known is not None and refused.reason in PASSING:
        return Changes(), refused
    mine = known is None and not foreign(rows.runs.get(action.run), action.caller)
    if known is None and not mine and action.by is None:
        # It is no part of the run that it names: nobody has another's run hidden, or kept from being undone.
        action = replace(action, run=RunId(f"r{action.id[1:]}"), own_run=True)
    counts = [charge for charge in counts if mine and charge.budget in rows.budgets]
    held = hold(rows.budgets, counts)
    if isinstance(held, Shortfall):
        reason, why, fix = lacks(held)
        refused, counts = replace(refused, reason=reason, why=why, fix=fix, wrong=()), []
    costs = {charge.budget: charge.amount for charge in counts}
    balances = settle({} if isinstance(held, Shortfall) else held, counts, costs)
    # Its arguments are kept only where it was parked before: nobody judged them.
    row = known or ActionRow(action=replace(action, arguments=PayloadId("")), state=ActionState.ASKED)
    row = replace(
        row,
        state=step(row.state, ActionState.REFUSED),
        reason=refused.reason,
        why=f"{refused.why}\n{refused.fix}",
        gathered=row.gathered + gathered,
        cost=Money(row.gathered + gathered),
        changed_at=rows.now,
    )
    entry = replace(
        entry_of(rows, row, Kind.REFUSED, process),
        decision="deny",
        reason=refused.reason,
        holds=tuple(counts),
        costs=costs,
        cost=row.cost,
        detail=told(action.signed),
    )
    return Changes(actions=(row,), budgets=balances, entries=(entry,)), refused


def lease_ends(boot_before: Micros, asked: Asked) -> Micros:
    """Return when, on the boot clock, the lease of a start ends that was asked for at `boot_before`."""
    return Micros(boot_before + lease_micros(asked))
