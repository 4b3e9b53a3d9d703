"""What the store keeps of each thing: the rows that writes read and change, in the judges' types."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct, field

from interlock.approval.grant import Grant
from interlock.budget.hold import Balance
from interlock.core.action import Action, ActionState
from interlock.core.charge import Charge
from interlock.core.decision import Requirement
from interlock.core.door import Door
from interlock.core.ids import (
    ActionId,
    Binding,
    BudgetId,
    ClaimId,
    ContractHash,
    Digest,
    GrantId,
    Instant,
    Key,
    MemoId,
    PayloadId,
    PersonId,
    ProcessId,
    RunId,
    SliceHash,
)
from interlock.core.money import Money
from interlock.core.reason import Reason
from interlock.ledger.reading import EntryLine
from interlock.ledger.rebuild import Booked, Difference


class Halt(Enum):
    """A state of the machine in which nothing may start."""

    CLOCK_JUMPED = "clock_jumped"  # wall and boot clock disagree, and nobody has vouched for the new time
    DISK_SHORT = "disk_short"  # an effect that happened might not fit into the ledger any more
    STOP_FILE = "stop_file"  # `switch stop` could not reach the database and left a file beside it
    RESTORED = "restored"  # the store came out of a backup, and nobody has said what it may lack


class Needs(Struct, frozen=True, kw_only=True):
    """The rows that a write names. Door, head and time come with every batch."""

    actions: frozenset[ActionId] = frozenset()
    keys: frozenset[Key] = frozenset()
    budgets: frozenset[BudgetId] = frozenset()
    grants: frozenset[ActionId] = frozenset()
    """All votes on these actions."""
    claims: frozenset[ClaimId] = frozenset()
    runs: frozenset[RunId] = frozenset()
    memos: frozenset[MemoId] = frozenset()

    @classmethod
    def joined(cls, all_needs: Iterable["Needs"]) -> "Needs":
        """Name every row once, so that a batch loads it once."""
        each = tuple(all_needs)
        return cls(
            actions=frozenset[ActionId]().union(*(needs.actions for needs in each)),
            keys=frozenset[Key]().union(*(needs.keys for needs in each)),
            budgets=frozenset[BudgetId]().union(*(needs.budgets for needs in each)),
            grants=frozenset[ActionId]().union(*(needs.grants for needs in each)),
            claims=frozenset[ClaimId]().union(*(needs.claims for needs in each)),
            runs=frozenset[RunId]().union(*(needs.runs for needs in each)),
            memos=frozenset[MemoId]().union(*(needs.memos for needs in each)),
        )


class Pruned(Struct, frozen=True, kw_only=True):
    """What is known of an action whose entries were pruned: which entry says so, and what they came to."""

    entry: int
    cost: int = 0
    """In micro-dollars. What an owner says after that comes on top, and has an entry."""
    booked: Mapping[BudgetId, Booked] = field(default_factory=dict[BudgetId, Booked])
    """Its part of each budget."""


class ActionRow(Struct, frozen=True, kw_only=True):
    """What is kept of an action while it lives and after."""

    action: Action
    state: ActionState
    fence: int = 0
    """Grows with each owner, so that one who was given up cannot write an end."""
    owner: ProcessId = ProcessId("")
    lease_until: Instant = Instant(0)
    """When whoever performs it must have ended. Fixed at the start, never renewed."""
    contract: ContractHash = ContractHash("")
    slice: SliceHash = SliceHash("")
    bound: Binding = Binding("")
    """The policies and the tool that it was judged by, as a yes to it binds to them."""
    requirements: tuple[Requirement, ...] = ()
    """What it waits for while it is parked."""
    seen: str = ""
    """The hash of what a person is shown while it is parked."""
    expires_at: Instant = Instant(0)
    asked_digest: Digest = Digest("")
    """What the agent asked for, where a person has edited it since."""
    authors: tuple[PersonId, ...] = ()
    """Everybody who edited it. None of them can approve it."""
    askers: tuple[PersonId, ...] = ()
    """Who asked for what it does again or starts as a draft, and on whose behalf."""
    started_at: Instant = Instant(0)
    ask_at: Instant = Instant(0)
    """While it is uncertain: when the other side may be asked again whether it happened."""
    holds: tuple[Charge, ...] = ()
    claims: tuple[ClaimId, ...] = ()
    """The names that it has taken, and with an undo those of what it reverses."""
    price: int = 0
    """What its attempts and the look at the record afterwards may cost at most, in micro-dollars."""
    gathered: int = 0
    """What looking up facts, the preview and the record before has cost, in micro-dollars. It is paid."""
    cost: Money = Money(0)
    overrun: bool = False
    question: PayloadId | None = None
    """Everything that policy was asked with."""
    preview: PayloadId | None = None
    result: PayloadId | None = None
    said: PayloadId | None = None
    """What the other side said when it failed or did not know."""
    undo: PayloadId | None = None
    """The arguments with which it would be undone."""
    beside: tuple[PayloadId, ...] = ()
    """What else is kept of it: the arguments before an edit, and what somebody said too late."""
    heard: tuple[tuple[int, int], ...] = ()
    """Where it had several owners, or one spoke after its end: by fence, what each says that it cost, in money."""
    check: str = ""
    draft: bool = False
    reason: Reason | None = None
    why: str = ""
    """Why it was refused or failed, in our words: rules, budgets, kinds of errors, never an argument."""
    changed_at: Instant = Instant(0)
    even_if_changed: bool = False
    """Of an undo: whether the person who asked knows that the record has changed since."""
    undo_until: Instant = Instant(0)
    undone_by: ActionId | None = None
    pruned: Pruned | None = None
    """Of what ended long ago: nothing is left but its key, which answers for ever, how it ended and what it cost."""


class Claim(Struct, frozen=True, kw_only=True):
    """An action's claim on a name: the business key that is unique, the record that is changed one action at a time."""

    id: ClaimId
    action: ActionId
    until: Instant
    serial: bool = False
    """Whether it is given back as soon as the action has ended."""


class RunRow(Struct, frozen=True, kw_only=True):
    """What is kept of a run: how many calls it made, and which lately."""

    id: RunId
    calls: int = 0
    recent: tuple[Digest, ...] = ()
    owner: str = ""
    """Who made its first call, for whom; a run goes on for nobody else. See `gateway.keyed.run_owner`."""


class Payload(Struct, frozen=True, kw_only=True):
    """Bytes that may have to be forgotten, encrypted beside the ledger."""

    id: PayloadId
    sealed: bytes


class Pruning(Struct, frozen=True, kw_only=True):
    """What is to be taken out of the store about one action."""

    action: ActionId
    entries: tuple[tuple[int, bytes], ...]
    """The index and the leaf hash of each entry about it. The hashes stay."""
    payloads: tuple[PayloadId, ...] = ()


class Notice(Struct, frozen=True, kw_only=True):
    """A line of the outbox: somebody is to be woken or told, not before `at`."""

    id: str
    """Its topic, a colon, and what it is about."""
    action: ActionId
    at: Instant
    done: bool = False
    by: PersonId = PersonId("")
    """Who asked for it, where a person did."""
    known_by: str = ""
    even_if_changed: bool = False
    """Of an undo: whether the person knows that the record has changed since."""

    @property
    def topic(self) -> str:
        """What it is for: `undo`, `resume`, `remind`, `incident`."""
        return self.id.partition(":")[0]


class Memo(Struct, frozen=True, kw_only=True):
    """What a door keeps for a while, for whichever process on the store is asked next. It ends by itself.

    No entry tells of it, and no backup has it.
    """

    id: MemoId
    """Its topic, a colon, and what it is about."""
    until: Instant
    says: bytes = b""
    """Sealed by `Secrets.seal` where it is about anybody; nothing where it says all by being there."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which actions a list shows, newest first. What is not set does not narrow."""

    states: frozenset[ActionState] = frozenset()
    run: RunId | None = None
    lease_before: Instant | None = None
    before: tuple[Instant, ActionId] | None = None
    """Where the page before ended: when its last action changed, and its id."""
    undo_of: ActionId | None = None
    latest_of_run: bool = False
    """Whether of each run only the action that changed last is shown: a list of runs."""
    sound: bool = False
    """Whether a row that was edited is left out. Otherwise there is no list at all."""
    limit: int = 100


class Page(Struct, frozen=True):
    """Some actions of many."""

    rows: tuple[ActionRow, ...]
    edited: int
    """How many rows beside them are not as they were written."""
    last: tuple[Instant, ActionId] | None
    """Where the next page goes on: when the last of all these changed, and its id; nothing at the end."""


class Part(Protocol):
    """Some actions, and all that is stored about them."""

    @property
    def actions(self) -> Mapping[ActionId, ActionRow]: ...

    @property
    def grants(self) -> Mapping[GrantId, Grant]: ...

    @property
    def claims(self) -> Mapping[ClaimId, Claim]:
        """The claims that their rows name, of those whose action has a row."""
        ...

    def entries(self) -> Iterator[tuple[int, EntryLine]]:
        """Yield index and entry, in the order of the ledger."""
        ...

    @property
    def pruned(self) -> Mapping[ActionId, Sequence[int]]:
        """By action, the indexes of the entries that were taken out, once `entries` has come to its end."""
        ...


class Kept(Protocol):
    """All that is stored of a tenant at one moment. It is read as it is asked for, some rows at a time."""

    @property
    def differences(self) -> Sequence[Difference]:
        """What was found wrong with what was read so far, as far as it shows without the meaning of an entry."""
        ...

    def door(self) -> Door: ...

    def contracts(self) -> frozenset[ContractHash]: ...

    def look_through(self) -> None:
        """Read what is not handed out below: hashes, tiles and the head, claims, the outbox."""
        ...

    def changes(self) -> Iterator[tuple[int, EntryLine]]:
        """Yield index and entry of all that is about no action."""
        ...

    def parts(self) -> Iterator[Part]:
        """Yield every action that has a row, an entry or a grant, some at a time."""
        ...

    def budgets(self) -> Iterator[tuple[BudgetId, Balance]]: ...

    def runs(self) -> Iterator[tuple[RunId, RunRow]]: ...

    def payloads(self, ids: Sequence[PayloadId]) -> Mapping[PayloadId, bytes]:
        """Return the sealed bytes of those payloads that are there."""
        ...
