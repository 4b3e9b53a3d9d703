"""What the spine needs of the world, in the words of the judges: a store, performers, a clock, secrets, an observer.

A write is a value: the rows it needs, and a pure function from those rows to changes and an answer.
The store may run the function again, so ids and salts are drawn before it; time is in the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct, field

from interlock.approval.grant import Grant
from interlock.budget.hold import Balance
from interlock.core.door import Door
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import PayloadErased, StoreTampered
from interlock.core.ids import (
    ActionId,
    BudgetId,
    ClaimId,
    ContractHash,
    Instant,
    Key,
    MemoId,
    Micros,
    PayloadId,
    RunId,
    SubjectId,
    SubjectName,
    TenantId,
)
from interlock.core.outcome import Receipt
from interlock.ledger.proof import Proof
from interlock.ledger.seal import Entry
from interlock.ledger.tree import Head, Tree
from interlock.rows import ActionRow as ActionRow
from interlock.rows import Claim as Claim
from interlock.rows import Halt as Halt
from interlock.rows import Kept as Kept
from interlock.rows import Memo as Memo
from interlock.rows import Needs as Needs
from interlock.rows import Notice as Notice
from interlock.rows import Page as Page
from interlock.rows import Part as Part
from interlock.rows import Payload as Payload
from interlock.rows import Pruned as Pruned
from interlock.rows import Pruning as Pruning
from interlock.rows import RunRow as RunRow
from interlock.rows import Wanted as Wanted


class Changes(Struct, frozen=True, kw_only=True):
    """What a write wants to be true afterwards. All of it is kept, or none of it."""

    actions: tuple[ActionRow, ...] = ()
    budgets: Mapping[BudgetId, Balance] = field(default_factory=dict[BudgetId, Balance])
    grants: tuple[Grant, ...] = ()
    claims: tuple[Claim, ...] = ()
    runs: tuple[RunRow, ...] = ()
    payloads: tuple[Payload, ...] = ()
    notices: tuple[Notice, ...] = ()
    contracts: Mapping[ContractHash, bytes] = field(default_factory=dict[ContractHash, bytes])
    door: Door | None = None
    """A new door. Its epoch is one above the old one's."""
    entries: tuple[Entry, ...] = ()
    prunings: tuple[Pruning, ...] = ()
    memos: tuple[Memo, ...] = ()
    """No entry tells of them. One that has ended by now is gone at once."""


class Rows(Struct, frozen=True, kw_only=True):
    """The rows a write named, as they are at its turn. A row that is not there is `None`; one not named is a bug."""

    now: Instant
    door: Door
    tree: Tree
    """Over all entries that the tenant's ledger has."""
    halt: "Halt | None"
    """What keeps this process from starting anything, whatever policy says."""
    actions: Mapping[ActionId, ActionRow | None]
    keys: Mapping[Key, ActionRow | None]
    """By key, the action that has it. A refused or suggested action leaves its key free."""
    budgets: Mapping[BudgetId, Balance | None]
    grants: Mapping[ActionId, tuple[Grant, ...]]
    claims: Mapping[ClaimId, Claim | None]
    runs: Mapping[RunId, RunRow | None]
    memos: Mapping[MemoId, Memo | None]
    """One that has ended is not there."""

    @property
    def entries(self) -> int:
        """How many entries the tenant's ledger has."""
        return self.tree.size


Answer = TypeVar("Answer")
Change = Callable[[Rows], tuple[Changes, Answer]]


class Written(Struct, Generic[Answer], frozen=True, kw_only=True):
    """What a change answered, and the receipt for its last entry. There is none where nothing durable was entered."""

    answer: Answer
    receipt: Receipt | None


class TenantStore(Protocol):
    """What one tenant's part of the store remembers. No method takes a tenant."""

    @property
    def tenant(self) -> TenantId: ...

    async def write(self, needs: Needs, change: Change[Answer], *, durable: bool = True) -> Written[Answer]:
        """Run `change` in turn with all others of this tenant, and return its answer once it is committed.

        Args:
            needs: the rows that `change` may look at.
            change: a pure function; it may be run again.
            durable: whether to wait for the disk. A crash may forget what was not waited for.

        Raises:
            StoreBusy: another process held the lock for too long; nothing was written.
            StoreUnsure: the answer to the commit was lost; it may or may not be written.
            StoreTampered: a row that opens something was edited; nothing was written.
            StoreClosed: the store failed and must be opened again.
        """
        ...

    def held(self, against: Callable[[Rows], None]) -> "TenantStore":
        """Return the same part of the store. What `against` raises of the rows of a write, that write raises."""
        ...

    async def read(self, needs: Needs) -> Rows:
        """Return a snapshot. It may be old by the time you look."""
        ...

    async def contracts(self) -> tuple[ContractHash, ...]:
        """Name every contract that was ever in force."""
        ...

    async def contract(self, hash: ContractHash) -> bytes:
        """Return the contract with this hash, checked against it."""
        ...

    async def payload(self, id: PayloadId) -> bytes | None:
        """Return the sealed bytes of a payload."""
        ...

    async def payloads(self, ids: Sequence[PayloadId]) -> Mapping[PayloadId, bytes]:
        """Return the sealed bytes of many payloads at once, of those that are there."""
        ...

    async def actions(self, wanted: Wanted) -> tuple[ActionRow, ...]: ...

    async def actions_like(self, prefix: str) -> tuple[ActionRow, ...]:
        """Return the actions whose id begins with `prefix`, at most two: enough to know whether it names one."""
        ...

    async def actions_from(self, after: ActionId | None, limit: int = 1_000) -> tuple[ActionRow, ...]:
        """Return the next actions in the order of their ids, to look at all of them a page at a time."""
        ...

    async def actions_until(
        self, until: Instant, *, after: tuple[Instant, ActionId] | None = None, limit: int = 1_000
    ) -> Page:
        """Return the actions that last changed at `until` or before and are not pruned, oldest first.

        Args:
            until: the newest change.
            after: `last` of the page before.
            limit: how many at most.
        """
        ...

    async def payloads_under(self, subject: SubjectName) -> frozenset[PayloadId]:
        """Return the payloads that take the key of a subject to read. It looks at all of them."""
        ...

    async def budgets(self, periods: Sequence[str] | None = None) -> Mapping[BudgetId, Balance]:
        """Return the balances of these periods, as `budget.period` names them, that were touched; or all there are."""
        ...

    async def entries(self, *, after: int = 0, limit: int = 1_000) -> tuple[bytes, ...]:
        """Return the ledger as it was written, from the entry with that index on."""
        ...

    async def entries_of(self, action: ActionId) -> tuple[tuple[int, bytes], ...]:
        """Return the index and bytes of each entry about an action, oldest first."""
        ...

    async def entries_of_each(self, actions: Sequence[ActionId]) -> Mapping[ActionId, Sequence[tuple[int, bytes]]]:
        """Return the same for each of some actions that has entries."""
        ...

    async def undos_of_each(self, actions: Sequence[ActionId]) -> Sequence[tuple[ActionId, ActionRow | None]]:
        """Return each undo of some actions behind what it undoes; nothing in place of a row that was edited."""
        ...

    async def signed_head(self) -> str:
        """Return the signed note that holds the ledger as it is now."""
        ...

    async def kept(self, look: Callable[[Kept], Answer]) -> Answer:
        """Show all that is stored at one moment to `look`, and return its answer. It may be asked again."""
        ...

    async def inclusion(self, index: int) -> Proof:
        """Prove that the entry with this index is in the ledger as it is now.

        Raises:
            LedgerBroken: there is no such entry.
            StoreTampered: the stored hashes do not lead to the signed head.
        """
        ...

    async def consistency(self, old: Head) -> Proof:
        """Prove that the ledger as it is now begins with the entries under an older head.

        Raises:
            LedgerBroken: it does not, or the head is of a larger ledger.
            StoreTampered: the stored hashes do not lead to the signed head.
        """
        ...

    async def notices(self, *, before: Instant, topics: Sequence[str] = ()) -> tuple[Notice, ...]:
        """Return the undone lines of the outbox that are due, of these topics if any are named."""
        ...

    async def memos(self, prefix: str, *, now: Instant, after: str = "", limit: int = 1_000) -> tuple[Memo, ...]:
        """Return the memos whose id begins with `prefix` and that have not ended by `now`, sorted by id.

        Args:
            prefix: how their ids begin.
            now: the time.
            after: the id, without the prefix, behind which they stand.
            limit: how many at most.
        """
        ...


class Store(Protocol):
    """Where the interlock remembers."""

    def for_tenant(self, tenant: TenantId) -> TenantStore: ...

    def tenants(self) -> Sequence[TenantId]: ...

    def close(self) -> None:
        """Finish what is queued, then let go."""
        ...


class Performer(Protocol):
    """Something that can carry out an action: a tool, a model, a search."""

    async def perform(self, errand: Errand) -> Performed:
        """Do it. Who is cancelled was given up: what can be stopped is stopped, the rest goes to `errand.late`.

        Raises:
            UpstreamFailed: the effect did not happen.
            UpstreamSilent: nobody knows whether the effect happened.
        """
        ...

    def free(self) -> bool:
        """Whether one more errand would be begun at once."""
        ...


class Performers(Protocol):
    """Everything that can carry out an action. Only the spine asks it."""

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out the tools of this source, as a contract names it.

        Raises:
            ContractInvalid: it is not there, or not what was published.
        """
        ...


class Clock(Protocol):
    """The time, so that tests can own it."""

    def now(self) -> Instant:
        """Return the wall clock."""
        ...

    def boot(self) -> Micros:
        """Return the time since the machine started, time asleep included."""
        ...


class Secrets(Protocol):
    """All that depends on keys which are not in the database."""

    def sign(self, tenant: TenantId, text: bytes, *, generation: int) -> bytes:
        """Sign with a generation of the tenant's ledger key (Ed25519). The same text gives the same signature."""
        ...

    def public_key(self, tenant: TenantId, *, generation: int) -> bytes: ...

    def mac(self, tenant: TenantId, text: bytes) -> bytes:
        """Authenticate `text` for this tenant (HMAC-SHA256, 32 bytes)."""
        ...

    def seal(self, tenant: TenantId, id: PayloadId, text: bytes, subjects: frozenset[SubjectId]) -> bytes:
        """Encrypt a payload so that destroying the key of any one subject makes it unreadable."""
        ...

    def flush(self) -> None:
        """Return once every key that `seal` has used is on disk. To be called before a commit is."""
        ...

    def subject_name(self, tenant: TenantId, subject: SubjectId) -> SubjectName:
        """Name a subject's key without naming the subject."""
        ...

    def has_key(self, subject: SubjectName) -> bool:
        """Whether there is a key of this name that was not destroyed."""
        ...

    def have_keys(self, subjects: Sequence[SubjectName]) -> frozenset[SubjectName]:
        """Return those of which there is a key that was not destroyed, looked up at once."""
        ...

    def destroy(self, key: SubjectName) -> bool:
        """Destroy a key, and with it every payload that needed it. Returns whether there was one."""
        ...

    def names_of(self, sealed: bytes) -> tuple[SubjectName, ...]:
        """Name the keys that it takes to read a payload.

        Raises:
            StoreTampered: it is not as it was written.
        """
        ...

    def keep(self, tenant: TenantId, id: PayloadId, sealed: bytes, *, without: SubjectName, why: str) -> None:
        """Give a payload a key of its own, so that it stays readable when the key `without` is destroyed.

        Args:
            tenant: whose payload it is.
            id: its id.
            sealed: the payload.
            without: the key that will not be needed. All others are needed as before.
            why: what is remembered with the key.

        Raises:
            PayloadErased: it cannot be read any more.
            StoreTampered: it is not as it was written.
        """
        ...

    def kept(self, tenant: TenantId) -> Mapping[PayloadId, str]:
        """Return the payloads that have a key of their own, each with what is remembered with it."""
        ...

    def let_go(self, tenant: TenantId, ids: Sequence[PayloadId]) -> None:
        """Destroy the keys that payloads have of their own."""
        ...

    def can_open(self, tenant: TenantId, id: PayloadId, sealed: bytes) -> bool:
        """Whether there are the keys that it takes to read a payload."""
        ...

    def open(self, tenant: TenantId, id: PayloadId, sealed: bytes) -> bytes:
        """Decrypt a payload.

        Raises:
            PayloadErased: the key was destroyed.
            StoreTampered: it is not as it was written.
        """
        ...

    def open_all(
        self, tenant: TenantId, sealed: Mapping[PayloadId, bytes]
    ) -> Mapping[PayloadId, bytes | PayloadErased | StoreTampered]:
        """Decrypt many payloads, their keys looked up at once; for each its text, or why there is none."""
        ...


class Observer(Protocol):
    """Hears of every step that an action takes. It cannot change anything."""

    def at(self, step: str, action: ActionId) -> None: ...
