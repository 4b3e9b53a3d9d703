"""What is asked for, as a door hands it over, and what is drawn for it before anything is written."""

import re
from collections.abc import Callable

from msgspec import Struct

from interlock.core.action import Caller, ProposalSignature, Signed
from interlock.core.errand import Line
from interlock.core.ids import ActionId, Instant, PayloadId, PersonId, RunId, ToolName
from interlock.gateway import fresh

RUN_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What a caller may call a run."""


Begun = Callable[[ActionId, bool], None]
"""Is given the action, and whether an equal call began it before."""


class Proposal(Struct, frozen=True, kw_only=True):
    """What is asked for. Nothing that an agent says in it is believed."""

    tool: ToolName
    arguments: bytes | str
    """JSON text as it came."""
    run: RunId | None = None
    """The run it belongs to; without one it gets a run of its own."""
    session: RunId | None = None
    """The session that it is made in, by its run; in one that was ended nothing starts."""
    key: str | None = None
    """The caller's own idempotency key."""
    occurrence: int = 1
    """Its number among the equal calls of the run, from 1, as its caller counts them in what it replays."""
    equal: str = ""
    """Which of several equal calls this is, where its caller has no word for that: see `repeated`."""
    signature: ProposalSignature | None = None
    """Of an agent that has a key."""
    beside: bool = False
    """Whether it is beside the calls of an agent: what an upstream server asks in the middle of one, a look of the
    client at resources or prompts. Each is another one, and no loop of the agent."""
    line: Line | None = None
    """The way back to the caller while the call is under way. Nothing is judged by it."""
    begun: Begun | None = None
    """Hears which action answers it once that is under way, so that any process can tell of its end."""
    # What follows is never an agent's to say: a door sets it for a person whom it knows.
    by: PersonId | None = None
    undo_of: ActionId | None = None
    even_if_changed: bool = False
    """With an undo: whether the person knows that the record has changed since."""
    retry_of: ActionId | None = None
    draft_of: ActionId | None = None
    authors: tuple[PersonId, ...] = ()
    """Whoever edited what is done again, or started as a draft."""
    askers: tuple[PersonId, ...] = ()
    """Whoever asked for it before, or on whose behalf."""


class Fresh(Struct, frozen=True, kw_only=True):
    """What was drawn for a call before anything was written."""

    id: ActionId
    run: RunId
    at: Instant
    salt: str
    arguments: PayloadId
    question: PayloadId
    preview: PayloadId
    result: PayloadId
    said: PayloadId
    undo: PayloadId

    @classmethod
    def draw(cls, now: Instant) -> "Fresh":
        arguments, question, preview, result, said, undo = fresh.payload_ids(now, 6)
        return cls(
            id=fresh.action_id(now),
            run=fresh.run_id(now),
            at=now,
            salt=fresh.salt(),
            arguments=arguments,
            question=question,
            preview=preview,
            result=result,
            said=said,
            undo=undo,
        )


class Proposed(Struct, frozen=True, kw_only=True):
    """One proposal on its way: whose it is, what is asked for, and what was drawn for it."""

    caller: Caller
    proposal: Proposal
    drawn: Fresh

    @property
    def run(self) -> RunId:
        """The run that it belongs to: the one that the caller names, or one of its own."""
        return self.proposal.run or self.drawn.run


class Proved(Struct, frozen=True, kw_only=True):
    """What an agent has signed: as the ledger says it, and the part that stays beside the ledger."""

    signed: Signed
    private: str
