"""From the database to the rows that a write named. A row whose MAC does not fit is a no, not a row."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec import Struct

from interlock.approval.grant import Grant
from interlock.budget.hold import Balance
from interlock.core.door import Door
from interlock.core.errors import LedgerBroken, StoreTampered
from interlock.core.ids import ActionId, BudgetId, ClaimId, Instant, Key, MemoId, RunId, TenantId
from interlock.core.limits import DOOR_BYTES_READ_ALWAYS_MAX
from interlock.core.value import replace
from interlock.ledger.note import Verifier, opened
from interlock.ledger.rotation import signers
from interlock.ledger.tree import Tree
from interlock.ports import ActionRow, Changes, Claim, Halt, Memo, Needs, Rows, RunRow, Secrets
from interlock.store.database import Database, HeadValues, Lookup, Standing
from interlock.store.schema import ACTION, BUDGET, CLAIM, GRANT, MEMO, RUN, Table, decode_door, holds_key

Row = TypeVar("Row")


def mac_of(secrets: Secrets, tenant: TenantId, table: str, id: str, body: bytes) -> bytes:
    """Authenticate a row in its place, so that no row can stand in for another."""
    return secrets.mac(tenant, b"row\0" + table.encode() + b"\0" + id.encode() + b"\0" + body)


class StoredHead(Struct, frozen=True, kw_only=True):
    """Where a tenant's ledger stands, and which door belongs to it."""

    tree: Tree = Tree()
    at: Instant = Instant(0)
    """The time of the last entry."""
    epoch: int = 0
    """That of the door, so that an older door cannot be put back."""
    note: str = ""

    def values(self, mac: bytes) -> HeadValues:
        """Put what is stored in the order of the columns."""
        return self.tree.size, self.tree.to_bytes(), self.at, self.epoch, self.note, mac

    def body(self) -> bytes:
        """Write down what the MAC of the head is over. The size says how long the peaks are."""
        return f"{self.tree.size}/{self.at}/{self.epoch}/".encode() + self.tree.to_bytes() + self.note.encode()


@dataclass(frozen=True, slots=True)
class Known:
    """The head and the door of each tenant as they were checked last. The same bytes need no second look."""

    heads: dict[TenantId, tuple[HeadValues, StoredHead]] = field(
        default_factory=dict[TenantId, tuple[HeadValues, StoredHead]]
    )
    doors: dict[TenantId, tuple[tuple[bytes, bytes], Door]] = field(
        default_factory=dict[TenantId, tuple[tuple[bytes, bytes], Door]]
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """Reads rows of one tenant, each checked."""

    db: Database
    secrets: Secrets
    tenant: TenantId
    known: Known = field(default_factory=Known)

    def checked(self, table: str, id: str, body: object, mac: object) -> bytes:
        """Return the body of a row that carries its MAC.

        Raises:
            StoreTampered: it does not.
        """
        if isinstance(body, bytes) and isinstance(mac, bytes):
            if hmac.compare_digest(mac, mac_of(self.secrets, self.tenant, table, id, body)):
                return body
        raise StoreTampered(
            f"row `{id}` of `{table}` was not written by this installation",
            fix="if these are the keys of another store, name its own with `--keys`; if not, "
            "run `interlock ledger verify --state` to see what differs, and restore it",
        )

    def standing(self, needs: Needs | None = None) -> Standing:
        """Read head, door and the rows that a write named, all of one moment."""
        lookups = lookups_of(needs) if needs else ()
        known = self.known.doors.get(self.tenant)
        if known is None or len(known[0][0]) <= DOOR_BYTES_READ_ALWAYS_MAX:
            return self.db.standing(self.tenant, lookups)
        standing = self.db.standing(self.tenant, lookups, known[0][1])
        # Where its MAC is that of the long door that was checked, it is that one: an edit of it is not believed.
        return replace(standing, door=known[0]) if standing.door == (b"", known[0][1]) else standing

    def rows(self, standing: Standing, table: Table[Row], column: str) -> list[tuple[str, Row]]:
        """Return id and row for each row that was looked up by this column."""
        found = standing.rows.get((table.name, column), ())
        return [(id, table.decode(self.checked(table.name, id, body, mac))) for id, body, mac in found]

    def door(self, standing: Standing, head: StoredHead) -> Door:
        """Return the door that belongs to this head.

        Raises:
            StoreTampered: it is another one.
        """
        door = self._door(standing.door) if standing.door else Door()
        if door.epoch != head.epoch:
            raise StoreTampered(
                f"the door is that of epoch {door.epoch}, and the ledger is at epoch {head.epoch}",
                fix="run `interlock ledger verify --state` to see what differs, and restore it",
            )
        return door

    def head(self, standing: Standing) -> StoredHead:
        """Return the stored head, as this installation wrote it."""
        if standing.head is None:
            return StoredHead()
        known = self.known.heads.get(self.tenant)
        if known is not None and known[0] == standing.head:
            return known[1]
        size, peaks, at, epoch, note, mac = standing.head
        try:
            tree = Tree.from_bytes(size, peaks)
        except LedgerBroken as broken:
            raise StoreTampered(str(broken), fix=broken.fix) from broken
        head = StoredHead(tree=tree, at=Instant(at), epoch=epoch, note=note)
        if head != StoredHead():  # on Postgres a tenant has a row to lock before it has an entry
            self.checked("head", self.tenant, head.body(), mac)
        self.known.heads[self.tenant] = (standing.head, head)
        return head

    def _door(self, stands: tuple[bytes, bytes]) -> Door:
        known = self.known.doors.get(self.tenant)
        if known is not None and known[0] == stands:
            return known[1]
        door = decode_door(self.checked("door", self.tenant, *stands))
        self.known.doors[self.tenant] = (stands, door)
        return door

    def signed_now(self) -> StoredHead:
        """Return the head of now, signed by the generation that the door names.

        Raises:
            StoreTampered: it is not as this installation wrote it.
        """
        standing = self.standing()
        head = self.head(standing)
        return self.vouched(head, self.door(standing, head).generation)

    def vouched(self, stands: StoredHead, generation: int) -> StoredHead:
        """Return a head that a generation of this installation's key has signed; one of no entries needs no signature.

        Raises:
            StoreTampered: it is not signed, or something else was.
        """
        if stands.tree.size == 0:
            return stands
        signer = Verifier.of(self.tenant, self.secrets.public_key(self.tenant, generation=generation))

        def fits(signature: bytes, text: bytes) -> bool:
            # Ed25519 is deterministic (RFC 8032): who holds the key checks by signing again.
            return self.secrets.sign(self.tenant, text, generation=generation) == signature

        try:
            head = opened(stands.note, signer, fits)
        except LedgerBroken as broken:
            raise not_ours(self.tenant, "its head is not signed by this installation") from broken
        if head != stands.tree.head():
            raise not_ours(self.tenant, "its head is not the one that was signed")
        return stands


def signers_of(secrets: Secrets, tenant: TenantId) -> Iterator[Verifier]:
    """Name the key of every generation of a tenant, for a note whose generation nobody has said."""
    return signers(tenant, lambda generation: secrets.public_key(tenant, generation=generation))


def not_ours(tenant: TenantId, why: str) -> StoreTampered:
    """Say that somebody else has written to a ledger."""
    return StoreTampered(
        f"the ledger of `{tenant}` is not as this installation left it: {why}",
        fix="run `interlock ledger verify`, and restore the database from before the change",
    )


def set_back(tenant: TenantId, why: str) -> StoreTampered:
    """Say that a ledger is older than this process has seen it: a backup, a standby that lagged, or an intruder."""
    return StoreTampered(
        f"the ledger of `{tenant}` is not as this installation left it: {why}",
        fix="if it was restored, run `interlock ledger adopt` and start this process again; else `ledger verify`",
    )


@dataclass(slots=True)
class Loaded:
    """The rows of a batch while its functions run one after the other. Each finds what the one before it left."""

    now: Instant
    door: Door
    tree: Tree
    halt: Halt | None
    actions: dict[ActionId, ActionRow | None]
    keys: dict[Key, ActionRow | None]
    budgets: dict[BudgetId, Balance | None]
    grants: dict[ActionId, dict[str, Grant]]
    claims: dict[ClaimId, Claim | None]
    runs: dict[RunId, RunRow | None]
    memos: dict[MemoId, Memo | None]
    put: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """By table and id, the last version of each row that was changed."""

    def only(self, needs: Needs) -> Rows:
        """Hide what others in the batch named, or a forgotten need would work by luck."""
        return Rows(
            now=self.now,
            door=self.door,
            tree=self.tree,
            halt=self.halt,
            actions={id: self.actions[id] for id in needs.actions},
            keys={key: self.keys[key] for key in needs.keys},
            budgets={id: self.budgets[id] for id in needs.budgets},
            grants={id: tuple(self.grants[id].values()) for id in needs.grants},
            claims={id: self.claims[id] for id in needs.claims},
            runs={id: self.runs[id] for id in needs.runs},
            memos={id: self.memos[id] for id in needs.memos},
        )

    def apply(self, changes: Changes) -> None:
        for row in changes.actions:
            self._put("action", row.action.id, row)
            self.actions[row.action.id] = row
            held = self.keys.get(row.action.key)
            if holds_key(row):
                self.keys[row.action.key] = row
            elif held is not None and held.action.id == row.action.id:
                self.keys[row.action.key] = None
        for id, balance in changes.budgets.items():
            self._put("budget", id, balance)
            self.budgets[id] = balance
        for grant in changes.grants:
            self._put("granted", grant.id, grant)
            self.grants.setdefault(grant.action, {})[grant.id] = grant
        for claim in changes.claims:
            self._put("claim", claim.id, claim)
            self.claims[claim.id] = claim
        for run in changes.runs:
            self._put("run", run.id, run)
            self.runs[run.id] = run
        for notice in changes.notices:
            self._put("notice", notice.id, notice)
        self._apply_memos(changes.memos)
        if changes.door is not None:
            assert changes.door.epoch == self.door.epoch + 1, "each change of a door is a new epoch"
            self.door = changes.door

    def _apply_memos(self, memos: Iterable[Memo]) -> None:
        for memo in memos:
            self._put("memo", memo.id, memo)
            self.memos[memo.id] = memo if self.now < memo.until else None

    def _put(self, table: str, id: str, row: object) -> None:
        self.put.setdefault(table, {})[id] = row


def lookups_of(needs: Needs) -> tuple[Lookup, ...]:
    """Say where the rows are that a write named."""
    named = (
        Lookup("action", "id", tuple(needs.actions)),
        Lookup("action", "held_key", tuple(needs.keys)),
        Lookup("budget", "id", tuple(needs.budgets)),
        Lookup("granted", "action", tuple(needs.grants)),
        Lookup("claim", "id", tuple(needs.claims)),
        Lookup("run", "id", tuple(needs.runs)),
        Lookup("memo", "id", tuple(needs.memos)),
    )
    return tuple(lookup for lookup in named if lookup.names)


def load(
    stored: Stored, needs: Needs, standing: Standing, *, door: Door, tree: Tree, now: Instant, halt: Halt | None
) -> Loaded:
    """Read each named row once, out of what `lookups_of` found."""
    by_id = {row.action.id: row for _, row in stored.rows(standing, ACTION, "id")}
    by_key = {row.action.key: row for _, row in stored.rows(standing, ACTION, "held_key")}
    budgets = _by_id(stored.rows(standing, BUDGET, "id"))
    claims = _by_id(stored.rows(standing, CLAIM, "id"))
    runs = _by_id(stored.rows(standing, RUN, "id"))
    memos = {id: memo for id, memo in stored.rows(standing, MEMO, "id") if now < memo.until}
    grants: dict[ActionId, dict[str, Grant]] = {id: {} for id in needs.grants}
    for id, grant in stored.rows(standing, GRANT, "action"):
        grants.get(grant.action, {})[id] = grant
    return Loaded(
        now=now,
        door=door,
        tree=tree,
        halt=Halt.RESTORED if door.restored else halt,
        actions={id: by_id.get(id) for id in needs.actions},
        keys={key: by_key.get(key) for key in needs.keys},
        budgets={id: budgets.get(id) for id in needs.budgets},
        grants=grants,
        claims={id: claims.get(id) for id in needs.claims},
        runs={id: runs.get(id) for id in needs.runs},
        memos={id: memos.get(id) for id in needs.memos},
    )


def _by_id(found: list[tuple[str, Row]]) -> Mapping[str, Row]:
    return dict(found)
