"""Handoff: where the contract says that a person takes over, a line in the outbox and in the entry says who."""

from collections.abc import Mapping

from msgspec import Struct

from interlock.contract.ir import Contract
from interlock.core.ids import ActionId, Instant
from interlock.core.reason import Reason
from interlock.ports import Notice

_BY_FALLBACK = {
    "on_policy_violation": (Reason.POLICY, Reason.TOOL_NOT_ALLOWED),
    "on_timeout": (Reason.TIMEOUT, Reason.UNCERTAIN),
    "on_low_confidence": (Reason.LOW_CONFIDENCE,),
}
HUMAN = "human_handoff"


class Handoff(Struct, frozen=True, kw_only=True):
    """For which reasons a person takes over, and in which queue they find it."""

    reasons: frozenset[Reason] = frozenset()
    queue: str = ""

    def notices(self, reason: Reason | None, action: ActionId, now: Instant) -> tuple[Notice, ...]:
        """Return the line of the outbox, if a person takes over."""
        if reason not in self.reasons:
            return ()
        return (Notice(id=f"handoff:{action}", action=action, at=now),)

    def detail(self, reason: Reason | None) -> Mapping[str, str]:
        """Return what the entry says of it."""
        return {"handoff": self.queue or "default"} if reason in self.reasons else {}


def handoff_of(contract: Contract) -> Handoff:
    """Read from a contract when a person takes over."""
    said = [reasons for key, reasons in _BY_FALLBACK.items() if contract.fallback.get(key) == HUMAN]
    expired = (Reason.APPROVAL_EXPIRED,) if contract.approvals.on_expiry == "handoff" else ()
    reasons = frozenset(reason for group in (*said, expired) for reason in group)
    return Handoff(reasons=reasons, queue=contract.handoff_queue)
