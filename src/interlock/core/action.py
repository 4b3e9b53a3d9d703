"""An action: one thing an agent asked for, frozen before anyone judges it. Its life is a table."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from interlock.core.effect import EffectClass, Tier
from interlock.core.ids import (
    ActionId,
    AgentId,
    Digest,
    Environment,
    Instant,
    Key,
    PayloadId,
    PersonId,
    PrincipalId,
    RunId,
    TenantId,
    ToolName,
    WorkflowId,
)


class ActionState(Enum):
    """Where an action is on its way from the door to the ledger."""

    ASKED = "asked"  # at the door; nothing is written yet
    PARKED = "parked"  # waits for a person
    SUGGESTED = "suggested"  # shown and not done
    REFUSED = "refused"
    STARTED = "started"  # the effect may have happened from here on
    DONE = "done"
    FAILED = "failed"  # the other side said for sure that nothing happened, or nothing was sent
    UNCERTAIN = "uncertain"  # we started it and nobody knows how it ended
    ABANDONED = "abandoned"  # a person gave up finding out; what was held is charged


NEXT: Mapping[ActionState, frozenset[ActionState]] = MappingProxyType(
    {
        ActionState.ASKED: frozenset(
            {ActionState.PARKED, ActionState.STARTED, ActionState.REFUSED, ActionState.SUGGESTED}
        ),
        ActionState.PARKED: frozenset({ActionState.STARTED, ActionState.REFUSED, ActionState.SUGGESTED}),
        ActionState.STARTED: frozenset({ActionState.DONE, ActionState.FAILED, ActionState.UNCERTAIN}),
        ActionState.UNCERTAIN: frozenset({ActionState.DONE, ActionState.FAILED, ActionState.ABANDONED}),
        ActionState.DONE: frozenset(),
        ActionState.FAILED: frozenset(),
        ActionState.REFUSED: frozenset(),
        ActionState.SUGGESTED: frozenset(),
        ActionState.ABANDONED: frozenset(),
    }
)
"""Every legal step. A state missing here is a bug that `test_action.py` finds."""

HOLDS = frozenset({ActionState.STARTED, ActionState.UNCERTAIN})
"""The states in which an action holds what it may cost."""


def step(old: ActionState, new: ActionState) -> ActionState:
    """Return `new`, which must be one step away from `old`."""
    assert new in NEXT[old], f"`{old.value}` never becomes `{new.value}`"
    return new


class Caller(Struct, frozen=True, kw_only=True):
    """Who stands at the door, as the door has established it. Nothing here is the agent's own word."""

    tenant: TenantId
    workflow: WorkflowId
    environment: Environment
    agent: AgentId
    principal: PrincipalId
    """The person or service on whose behalf the agent acts."""
    known_by: str = ""
    """How the agent is known: `token:ID`, `oidc:ISSUER`, `os:1000` for a user of this machine. It is part of no key and
    no digest: who is known by another token asks for the same."""


class ProposalSignature(Struct, frozen=True, kw_only=True):
    """A signature under a proposal, as it was presented. `ledger.proposal` says what it is about."""

    at: int
    """When it was made, in seconds since 1970, as whoever signed says."""
    salt: str
    """What keeps the arguments from being guessed from the signature: 32 hex digits or more, drawn for each."""
    signature: str
    """Ed25519, in hex."""


class Signed(Struct, frozen=True, kw_only=True):
    """A signature under a proposal that was held against its agent's key."""

    key: str
    """`ed25519:` and 64 hex digits."""
    signature: str
    at: int
    what: str
    """The commitment to what was signed and stands in no entry: arguments, run, key."""


class Action(Struct, frozen=True, kw_only=True):
    """What was asked, by whom. It never changes; what becomes of it is in its row."""

    id: ActionId
    """Drawn by us for each call; an agent never chooses it."""
    key: Key
    """What makes two calls the same call: a MAC over tenant, workflow, agent, principal and the caller's key."""
    digest: Digest
    """A MAC over who asks, for whom, which tool, these exact arguments."""
    what: str
    """The salted commitment to the arguments, which is all that an entry says of them."""
    caller: Caller
    run: RunId
    tool: ToolName
    effect: EffectClass
    tier: Tier
    arguments: PayloadId
    """Where the canonical arguments and their salt are kept, encrypted."""
    asked_at: Instant
    own_run: bool = False
    """The run was made for this one call, because the caller named none."""
    by: PersonId | None = None
    """The person who asks for it, where it is no agent."""
    undo_of: ActionId | None = None
    """The action that this one reverses."""
    retry_of: ActionId | None = None
    """The action that this one does again, because a person gave up finding out how it ended."""
    draft_of: ActionId | None = None
    """The suggestion that a person started."""
    signed: Signed | None = None
    """What its agent has signed, where it has a key."""
