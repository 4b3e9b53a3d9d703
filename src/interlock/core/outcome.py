"""How a call ended. A refusal is an answer, not an exception."""

from typing import Literal

from msgspec import Struct

from interlock.core.canonical import Json
from interlock.core.decision import Requirement
from interlock.core.ids import ActionId, Instant
from interlock.core.money import Money
from interlock.core.reason import Reason


class Receipt(Struct, frozen=True, kw_only=True):
    """What the caller keeps to hold the ledger to its word: this leaf, at this index, under this signed head."""

    leaf: str
    """RFC 6962 leaf hash, hex."""
    index: int
    head: str
    """A signed note (C2SP checkpoint) whose size is above `index`."""


class Wrong(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the arguments: where, and of which kind. Never what stood there."""

    path: str
    kind: str


class Done(Struct, frozen=True, kw_only=True):
    """The effect happened and was paid for."""

    action: ActionId
    result: Json
    cost: Money
    check: Literal["", "passed", "failed"] = ""
    """Whether the post-conditions of the contract held; empty where it has none."""
    overrun: bool = False
    """It cost more than was held. The charge is booked and the budget is closed."""
    undone_by: ActionId | None = None
    """Told again after somebody took it back: the action that did."""
    receipt: Receipt | None = None
    recalled: bool = False


class Parked(Struct, frozen=True, kw_only=True):
    """A person has to decide."""

    action: ActionId
    requirements: tuple[Requirement, ...]
    expires_at: Instant
    receipt: Receipt | None = None
    recalled: bool = False


class Suggested(Struct, frozen=True, kw_only=True):
    """Nothing happened: this is what would be done. `draft` is one that a person may start."""

    action: ActionId
    preview: Json
    draft: bool = False
    receipt: Receipt | None = None
    recalled: bool = False


class Refused(Struct, frozen=True, kw_only=True):
    """Nothing happened. An agent sees `reason` and `wrong`; operators see `why` and `fix` too."""

    action: ActionId
    reason: Reason
    why: str
    fix: str
    wrong: tuple[Wrong, ...] = ()
    receipt: Receipt | None = None
    recalled: bool = False


class Failed(Struct, frozen=True, kw_only=True):
    """It was started, and it is sure that nothing happened."""

    action: ActionId
    why: str
    said: str = ""
    """What the other side said about it: foreign text, as a result is."""
    fix: str = ""
    """What somebody may do about it, for people alone. It is not kept: an answer from the record has none."""
    receipt: Receipt | None = None
    recalled: bool = False


class Uncertain(Struct, frozen=True, kw_only=True):
    """It was started and nobody knows how it ended; it is never started again by itself."""

    action: ActionId
    why: str = ""
    """For people alone; empty while it is under way."""
    receipt: Receipt | None = None
    recalled: bool = False


Outcome = Done | Parked | Suggested | Refused | Failed | Uncertain
