"""One line of history, as bytes. Its place is not inside: the tree knows the place."""

from collections.abc import Mapping, Sequence
from enum import Enum

from msgspec import Struct, field

from interlock.core.action import Action, ActionState
from interlock.core.canonical import Line, line_bytes
from interlock.core.charge import Charge
from interlock.core.ids import BudgetId, ContractHash, GrantId, Instant, ProcessId, RuleId, SliceHash
from interlock.core.money import Money
from interlock.core.reason import Reason

FORMAT = 1
"""The version of the entry format. It is covered by the version promise."""


class Kind(Enum):
    """What an entry tells of."""

    LOOKED_UP = "looked_up"  # something that costs money was looked up for it, and is paid
    PARKED = "parked"
    SUGGESTED = "suggested"
    REFUSED = "refused"
    STARTED = "started"
    RESENT = "resent"  # the same request once more, for a class where that is harmless
    ENDED = "ended"  # done, failed or uncertain: `state` says which
    RESOLVED = "resolved"  # what was uncertain is not any more
    EDITED = "edited"  # a person changed the arguments of what waits
    GRANTED = "granted"
    DENIED = "denied"
    EVIDENCE = "evidence"  # something became known after the end
    PUBLISHED = "published"
    MODE = "mode"
    SWITCH = "switch"
    GLASS = "glass"
    UNDO_ASKED = "undo_asked"  # a person asked whoever performs to undo something
    BUDGET = "budget"
    ERASING = "erasing"  # a person decided to destroy the key of a subject: from here on it cannot be held for law
    ERASED = "erased"
    EXPIRING = "expiring"  # the days of a lot are over, and a process begins to destroy its key
    EXPIRED = "expired"
    LEGAL_HOLD = "legal_hold"
    CLOCK = "clock"
    RESTORED = "restored"  # what stands before it came out of a backup
    ADOPTED = "adopted"  # a person took on a ledger that may lack its last entries
    PRUNED = "pruned"  # entries about what has ended long ago are taken out, and their hashes stay
    SECRET = "secret"  # noqa: S105  a person set or removed one: its name, and nothing of what it is
    ROTATED = "rotated"  # another generation of the signing key signs from here on
    CREDENTIAL = "credential"  # a token was issued, or revoked
    ISSUER = "issuer"  # somebody may vouch for people from here on, or no more
    RIGHT = "right"  # a person holds a role until a time, or no more


class Used(Struct, frozen=True, kw_only=True):
    """A grant that opened an action, and how its person was known."""

    grant: GrantId
    person: str
    known_by: str


class ActionEntry(Struct, frozen=True, kw_only=True):
    """What happened to an action. No free text: names, codes, numbers and commitments."""

    kind: Kind
    at: Instant
    epoch: int
    process: ProcessId
    action: Action
    state: ActionState
    fence: int = 0
    decision: str = ""
    rules: tuple[RuleId, ...] = ()
    slice: SliceHash = SliceHash("")
    contract: ContractHash = ContractHash("")
    facts: str = ""
    """The commitment to everything that policy was asked with."""
    reason: Reason | None = None
    grants: tuple[Used, ...] = ()
    holds: tuple[Charge, ...] = ()
    costs: Mapping[BudgetId, int] = field(default_factory=dict[BudgetId, int])
    cost: Money = Money(0)
    overrun: bool = False
    lease_until: Instant = Instant(0)
    result: str = ""
    """The commitment to what came back."""
    label: str = ""
    """Whether what came back may steer a write; empty where nothing came back."""
    check: str = ""
    detail: Mapping[str, str] = field(default_factory=dict[str, str])
    """Codes that only this kind has, such as the verdict that resolved an action and who gave it."""


class ChangeEntry(Struct, frozen=True, kw_only=True):
    """What a person changed about the doors, a budget, a grant or a payload."""

    kind: Kind
    at: Instant
    epoch: int
    process: ProcessId
    by: str
    known_by: str
    detail: Mapping[str, str | int]


Entry = ActionEntry | ChangeEntry


def seal(entry: Entry) -> bytes:
    """Turn an entry into the bytes that are kept, hashed and exported, and never written again."""
    head: Line = {
        "at": entry.at,
        "epoch": entry.epoch,
        "format": FORMAT,
        "kind": entry.kind.value,
        "process": entry.process,
    }
    if isinstance(entry, ChangeEntry):
        return line_bytes({**head, "by": entry.by, "known_by": entry.known_by, "detail": dict(entry.detail)})
    return line_bytes({**head, **_who(entry.action), **_how(entry)})


def _who(action: Action) -> Line:
    caller = action.caller
    known: Line = {"known_by": caller.known_by} if caller.known_by else {}
    return {
        **known,
        "action": action.id,
        "agent": caller.agent,
        "asked_at": action.asked_at,
        "asked_by": action.by or "",
        "draft_of": action.draft_of or "",
        "effect": action.effect.value,
        "environment": caller.environment,
        "principal": caller.principal,
        "retry_of": action.retry_of or "",
        "run": action.run,
        "tenant": caller.tenant,
        "tier": action.tier.value,
        "tool": action.tool,
        "undo_of": action.undo_of or "",
        "what": action.what,
        "workflow": caller.workflow,
    }


def _how(entry: ActionEntry) -> Line:
    return {
        "check": entry.check,
        "contract": entry.contract,
        "cost": entry.cost.micros,
        "costs": {str(budget): amount for budget, amount in entry.costs.items()},
        "decision": entry.decision,
        "detail": dict(entry.detail),
        "facts": entry.facts,
        "fence": entry.fence,
        "grants": tuple({"grant": g.grant, "known_by": g.known_by, "person": g.person} for g in entry.grants),
        "holds": _holds(entry.holds),
        "label": entry.label,
        "lease_until": entry.lease_until,
        "overrun": entry.overrun,
        "reason": entry.reason.value if entry.reason else "",
        "result": entry.result,
        "rules": entry.rules,
        "slice": entry.slice,
        "state": entry.state.value,
    }


def _holds(charges: Sequence[Charge]) -> tuple[Line, ...]:
    return tuple(
        {"amount": charge.amount, "budget": charge.budget, "limit": charge.limit, "unit": charge.unit.value}
        for charge in charges
    )
