"""Steps 6 and 7, as one pure function: check again what may have changed since the decision, then stop or start."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from interlock.approval.grant import opening
from interlock.budget.hold import Shortfall, hold, settle
from interlock.core.action import Action, ActionState, Caller, step
from interlock.core.charge import Charge, Unit
from interlock.core.decision import Allow, Ask, Deny, Suggest
from interlock.core.errors import InterlockError, StoreBusy
from interlock.core.ids import ActionId, Instant, Micros, PayloadId, ProcessId, RunId
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.money import Money
from interlock.core.outcome import Parked, Refused, Suggested
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.gateway.charges import REASON, call_charges, charges, lease_micros
from interlock.gateway.claims import Names, holder, last_suggestion
from interlock.gateway.entry import entry_of
from interlock.gateway.judge import Judged
from interlock.gateway.keyed import run_owner
from interlock.gateway.let_in import not_let_in
from interlock.gateway.people import asked_before_adoption, counting_today, since_adoption
from interlock.gateway.sessions import mark_of
from interlock.gateway.write_begin import Writing, looping
from interlock.ledger.proposal import told
from interlock.ledger.seal import Kind
from interlock.ports import ActionRow, Changes, Halt, Needs, Rows, RunRow


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


PASSING = frozenset({Reason.OVERLOADED, Reason.STOPPED})
"""What says nothing of the action itself: what waits for a person, or has been agreed to, outlives it."""


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


def refuse(
    rows: Rows, asked: Asked, names: Names, row: ActionRow, taken: tuple[Charge, ...] | None, judged: Judged | None
) -> Refused | None:
    """(6) Say no, the strictest reason first. Whether it could be paid is asked before a person is.

    Args:
        rows: as they are now.
        asked: the action.
        names: what it claims.
        row: where it stands.
        taken: what it would take from each budget; nothing if one cannot be known.
        judged: what policy said; nothing before it is asked, to find out what would be refused anyway.
    """

    def no(reason: Reason, why: str, fix: str) -> Refused:
        return Refused(action=asked.action.id, reason=reason, why=why, fix=fix)

    if rows.halt is not None:
        return no(*HALTS[rows.halt])
    shut = not_let_in(rows, asked)
    if shut is not None:
        return shut
    if row.state is ActionState.PARKED and rows.now >= row.expires_at:
        return expired(asked.action.id)
    taken_by = _in_the_way(rows, asked, names)
    if taken_by is not None:
        return no(*taken_by)
    denied = _denied(rows, row, judged) if judged is not None else None
    if denied is not None:
        return no(*denied)
    if taken is None:
        why = f"nobody knows what a call of `{asked.tool.name}` may cost"
        return no(Reason.BUDGET_EXCEEDED, why, "give the tool a `price` in the contract; 0 is a statement")
    held = hold(rows.budgets, [charge for charge in taken if charge.budget in rows.budgets])
    return no(*lacks(held)) if isinstance(held, Shortfall) else None


def _denied(rows: Rows, row: ActionRow, judged: Judged) -> tuple[Reason, str, str] | None:
    match judged.decision:
        case Deny() if not judged.unasked:
            looked = f"`interlock policy explain --action {row.action.id}` shows why"
            fix = f"{looked}; {judged.fix}" if judged.fix else looked
            return judged.decision.reason, judged.decision.why, fix
        case Allow() if row.state is ActionState.PARKED and asked_before_adoption(rows.door, row):
            why = "it waited when the ledger was adopted, may have been done in what is lost, and nobody would be asked"
            return Reason.UNCERTAIN, why, "find out whether it happened; if it did not, call again"
        case _:
            return None


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


def not_theirs(rows: Rows, asked: Asked) -> Refused | None:
    """Say no to an agent that names a run which another one began, or for somebody else."""
    if asked.action.by is not None or not foreign(rows.runs.get(asked.action.run), asked.action.caller):
        return None
    why = f"the run `{asked.action.run}` belongs to another agent, or is for somebody else"
    fix = "name a run of your own, or none"
    return Refused(action=asked.action.id, reason=Reason.TOOL_NOT_ALLOWED, why=why, fix=fix)


def foreign(run: RunRow | None, caller: Caller) -> bool:
    """Whether a run is known, and somebody else's."""
    return run is not None and run.owner not in ("", run_owner(caller))


def away(id: ActionId, down: InterlockError) -> Refused:
    """Refuse because the store cannot be asked."""
    reason = Reason.OVERLOADED if isinstance(down, StoreBusy) else Reason.INTERNAL
    return Refused(action=id, reason=reason, why=str(down), fix=down.fix)


def changing(id: ActionId) -> Refused:
    """Refuse because the doors changed during every try."""
    why = f"the rules changed {DECIDE_TRIES_MAX} times during this call"
    return Refused(action=id, reason=Reason.OVERLOADED, why=why, fix="call again")


def expired(id: ActionId) -> Refused:
    """Say that nobody agreed in time. It is so from that moment on, whoever writes it down."""
    fix = "call again, and it waits again"
    return Refused(action=id, reason=Reason.APPROVAL_EXPIRED, why="nobody agreed in time", fix=fix)


def _in_the_way(rows: Rows, asked: Asked, names: Names) -> tuple[Reason, str, str] | None:
    known = rows.keys[asked.action.key]
    if known is not None and known.action.id != asked.action.id:
        return Reason.DUPLICATE, f"the key belongs to another call, `{known.action.id}`", "use a new key for a new call"
    unique = holder(rows.claims[names.unique], asked, rows.now) if names.unique else None
    if unique is not None:
        why = f"`{unique.action}` had the same effect on the same business key"
        return Reason.DUPLICATE, why, f"look at it: `interlock action show {unique.action}`"
    serial = holder(rows.claims[names.serial], asked, rows.now) if names.serial else None
    if serial is not None:
        why = f"`{serial.action}` is changing the same record"
        return Reason.OVERLOADED, why, f"wait for it, or resolve it: `interlock action show {serial.action}`"
    followed = holder(rows.claims[names.follow_up], asked, rows.now) if names.follow_up else None
    if followed is not None:
        what = "undoes it" if asked.action.undo_of else "started this draft"
        why = f"`{followed.action}` {what} already, or may have"
        return Reason.DUPLICATE, why, f"look at it: `interlock action show {followed.action}`"
    equal_calls = asked.force.contract.loop.equal_calls
    by_agent = rows.actions[asked.action.id] is None and asked.action.by is None and not asked.beside
    if by_agent and looping(rows.runs.get(asked.action.run), asked.action.digest, equal_calls):
        why = f"the run makes the same calls again and again ({equal_calls} equal ones are a loop)"
        return Reason.LOOP, why, "end the run, or raise `loop.equal_calls` in the contract"
    reversed_one = rows.actions[asked.action.undo_of] if asked.action.undo_of else None
    if reversed_one is not None and (reversed_one.state is not ActionState.DONE or reversed_one.undone_by is not None):
        why = f"`{reversed_one.action.id}` is not there to be undone (any more)"
        return Reason.DUPLICATE, why, f"look at it: `interlock action show {reversed_one.action.id}`"
    if reversed_one is not None and rows.now >= reversed_one.undo_until:
        why = f"the time in which `{reversed_one.action.id}` could be undone is over"
        return Reason.TIMEOUT, why, "put it right in the other system by hand"
    return None


def lacks(short: Shortfall) -> tuple[Reason, str, str]:
    """Say what is missing: the reason, why, and what to do about it."""
    reason = REASON.get(short.unit, Reason.BUDGET_EXCEEDED)
    fix = f"run `interlock budget raise {short.budget} --by AMOUNT`"
    if short.closed:
        fix = f"run `interlock budget raise {short.budget} --by AMOUNT --reopen`"
        return reason, f"budget `{short.budget}` was closed by an overrun", fix
    return reason, f"budget `{short.budget}` lacks {short.unit.show(short.missing)}", fix


ADOPT = "compare it with what was kept outside: `interlock ledger adopt`"
HALTS: Mapping[Halt, tuple[Reason, str, str]] = {
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
    Halt.RESTORED: (
        Reason.STOPPED,
        "the store came out of a backup, and nobody has adopted it",
        ADOPT,
    ),
}
"""What a refusal says while this machine starts nothing."""


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
