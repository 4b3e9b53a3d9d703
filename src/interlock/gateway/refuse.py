"""Step 6: whether anything says no to an action as the rows are now, and what each refusal says."""

from collections.abc import Mapping

from interlock.budget.hold import Shortfall, hold
from interlock.core.action import ActionState, Caller
from interlock.core.charge import Charge
from interlock.core.decision import Allow, Deny
from interlock.core.errors import InterlockError, StoreBusy
from interlock.core.ids import ActionId, Digest
from interlock.core.limits import DECIDE_TRIES_MAX
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.gateway.asked import Asked
from interlock.gateway.charges import REASON
from interlock.gateway.claims import Names, holder
from interlock.gateway.judge import Judged
from interlock.gateway.keyed import run_owner
from interlock.gateway.let_in import not_let_in
from interlock.gateway.people import asked_before_adoption
from interlock.ports import ActionRow, Halt, Rows, RunRow

No = tuple[Reason, str, str]
"""A refusal of an action that is not named yet: the reason, why, and what to do about it."""

ADOPT = "compare it with what was kept outside: `interlock ledger adopt`"
HALTS: Mapping[Halt, No] = {
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
    Halt.RESTORED: (Reason.STOPPED, "the store came out of a backup, and nobody has adopted it", ADOPT),
}
"""What a refusal says while this machine starts nothing."""
PASSING = frozenset({Reason.OVERLOADED, Reason.STOPPED})
"""What says nothing of the action itself: what waits for a person, or has been agreed to, outlives it."""


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


def _denied(rows: Rows, row: ActionRow, judged: Judged) -> No | None:
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


def _in_the_way(rows: Rows, asked: Asked, names: Names) -> No | None:
    return (
        _key_taken(rows, asked)
        or _claim_taken(rows, asked, names)
        or _loop(rows, asked)
        or (_not_to_be_undone(rows, asked.action.undo_of) if asked.action.undo_of else None)
    )


def _key_taken(rows: Rows, asked: Asked) -> No | None:
    known = rows.keys[asked.action.key]
    if known is None or known.action.id == asked.action.id:
        return None
    return Reason.DUPLICATE, f"the key belongs to another call, `{known.action.id}`", "use a new key for a new call"


def _claim_taken(rows: Rows, asked: Asked, names: Names) -> No | None:
    unique = holder(rows.claims[names.unique], asked, rows.now) if names.unique else None
    if unique is not None:
        why = f"`{unique.action}` had the same effect on the same business key"
        return Reason.DUPLICATE, why, _look_at(unique.action)
    serial = holder(rows.claims[names.serial], asked, rows.now) if names.serial else None
    if serial is not None:
        why = f"`{serial.action}` is changing the same record"
        return Reason.OVERLOADED, why, f"wait for it, or resolve it: `interlock action show {serial.action}`"
    followed = holder(rows.claims[names.follow_up], asked, rows.now) if names.follow_up else None
    if followed is not None:
        what = "undoes it" if asked.action.undo_of else "started this draft"
        return Reason.DUPLICATE, f"`{followed.action}` {what} already, or may have", _look_at(followed.action)
    return None


def _loop(rows: Rows, asked: Asked) -> No | None:
    equal_calls = asked.force.contract.loop.equal_calls
    by_agent = rows.actions[asked.action.id] is None and asked.action.by is None and not asked.beside
    if not by_agent or not _loops(rows.runs.get(asked.action.run), asked.action.digest, equal_calls):
        return None
    why = f"the run makes the same calls again and again ({equal_calls} equal ones are a loop)"
    return Reason.LOOP, why, "end the run, or raise `loop.equal_calls` in the contract"


def _loops(run: RunRow | None, digest: Digest, equal_calls: int) -> bool:
    """Whether one more call would be a loop: the n-th equal one, or two calls that take turns for as long."""
    recent = run.recent if run is not None else ()
    if (*recent, digest).count(digest) >= equal_calls:
        return True
    turns = (*recent, digest)[-2 * equal_calls :]
    return len(turns) == 2 * equal_calls and len(set(turns)) == 2 and turns[::2].count(turns[0]) == equal_calls


def _not_to_be_undone(rows: Rows, id: ActionId) -> No | None:
    row = rows.actions[id]
    if row is None:
        return None
    if row.state is not ActionState.DONE or row.undone_by is not None:
        return Reason.DUPLICATE, f"`{id}` is not there to be undone (any more)", _look_at(id)
    if rows.now >= row.undo_until:
        why = f"the time in which `{id}` could be undone is over"
        return Reason.TIMEOUT, why, "put it right in the other system by hand"
    return None


def _look_at(id: ActionId) -> str:
    return f"look at it: `interlock action show {id}`"


def lacks(short: Shortfall) -> No:
    """Say what is missing: the reason, why, and what to do about it."""
    reason = REASON.get(short.unit, Reason.BUDGET_EXCEEDED)
    fix = f"run `interlock budget raise {short.budget} --by AMOUNT`"
    if short.closed:
        fix = f"run `interlock budget raise {short.budget} --by AMOUNT --reopen`"
        return reason, f"budget `{short.budget}` was closed by an overrun", fix
    return reason, f"budget `{short.budget}` lacks {short.unit.show(short.missing)}", fix


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
