"""What is left of an action whose entries were pruned, and the hash by which an entry holds it to that."""

from collections.abc import Mapping, Sequence
from hashlib import sha256, shake_256

from interlock.core.action import ActionState
from interlock.core.canonical import Json, canonical
from interlock.core.ids import AgentId, BudgetId, PayloadId, PrincipalId
from interlock.core.value import replace
from interlock.ledger.rebuild import Booked
from interlock.ports import ActionRow, Pruned

_SUM_BYTES = 256
_WHY = "what was known of it was pruned"
_FIX = "look into an export of the ledger from before that"


def remains_of(row: ActionRow, *, entry: int, booked: Mapping[BudgetId, Booked]) -> ActionRow:
    """Return what is left of a row: its key, how it ended and what it came to, but nobody's name and no payload.

    An owner who was given up may still speak: what that costs is booked as ever.

    Args:
        row: the action, which has ended.
        entry: the index of the entry that tells of it.
        booked: what its entries come to, by budget.
    """
    caller = replace(row.action.caller, agent=AgentId(""), principal=PrincipalId(""), known_by="")
    action = replace(row.action, what="", caller=caller, arguments=PayloadId(""), by=None)
    return ActionRow(
        action=action,
        state=row.state,
        fence=row.fence,
        contract=row.contract,
        asked_digest=row.asked_digest,
        price=row.price,
        claims=row.claims,
        gathered=row.gathered,
        heard=row.heard,
        cost=row.cost,
        overrun=row.overrun,
        check=row.check,
        reason=row.reason,
        why=f"{_WHY}\n{_FIX}" if row.state is ActionState.REFUSED else _WHY,
        changed_at=row.changed_at,
        undone_by=row.undone_by,
        pruned=Pruned(entry=entry, cost=row.cost.micros, booked=booked),
    )


class Remains:
    """Adds up what is left of actions. The order does not matter: each database sorts ids in its own way.

    The sum is of 2,048 bits: of 256, other summands with the same sum could be found (Wagner, *A Generalized Birthday
    Problem*, 2002).
    """

    def __init__(self) -> None:
        self._sum, self.actions = 0, 0

    def add(self, row: ActionRow, entries: Sequence[int]) -> None:
        """Go on by one action, and the indexes of its entries."""
        hashed = shake_256(canonical([_told(row), list(entries)])).digest(_SUM_BYTES)
        self._sum = (self._sum + int.from_bytes(hashed)) % (1 << 8 * _SUM_BYTES)
        self.actions += 1

    def rows(self) -> str:
        """Return the hash of the sum so far."""
        return sha256(self._sum.to_bytes(_SUM_BYTES)).hexdigest()


def _told(row: ActionRow) -> Json:
    action, caller = row.action, row.action.caller
    assert row.pruned is not None, "of a row that was not pruned more is left"
    booked: dict[str, Json] = {
        budget: [each.held, each.spent, each.raised, list(each.limit), list(each.closed)]
        for budget, each in row.pruned.booked.items()
    }
    return {
        "action": action.id,
        "asked_at": action.asked_at,
        "asked_digest": row.asked_digest,
        "booked": booked,
        "changed_at": row.changed_at,
        "check": row.check,
        "contract": row.contract,
        "cost": row.pruned.cost,
        "digest": action.digest,
        "draft_of": action.draft_of or "",
        "effect": action.effect.value,
        "environment": caller.environment,
        "fence": row.fence,
        "gathered": row.gathered,
        "key": action.key,
        "overrun": row.overrun,
        "own_run": action.own_run,
        "reason": row.reason.value if row.reason else "",
        "retry_of": action.retry_of or "",
        "run": action.run,
        "state": row.state.value,
        "tier": action.tier.value,
        "tool": action.tool,
        "undo_of": action.undo_of or "",
        "undone_by": row.undone_by or "",
        "workflow": caller.workflow,
    }
