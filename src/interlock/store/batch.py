"""One batch: lock, load, run the functions one after the other, write in bulk, sign the heads, commit."""

from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from interlock.core.ids import Instant, TenantId
from interlock.core.outcome import Receipt
from interlock.core.value import replace
from interlock.ledger.note import Verifier, signed
from interlock.ledger.pruned import gone
from interlock.ledger.seal import ActionEntry, seal
from interlock.ledger.tree import Tree, leaf_hash
from interlock.ports import Change, Changes, Clock, Halt, Needs, Secrets, Written
from interlock.store.database import Database, Put, Standing, Value
from interlock.store.load import Known, Loaded, Stored, StoredHead, load, mac_of, set_back
from interlock.store.schema import (
    CONTRACT,
    DOOR,
    ENTRY,
    GRANT,
    HEAD,
    MEMO,
    PAYLOAD,
    PRUNED_ENTRY,
    TABLES,
    Table,
    encode,
)
from interlock.store.tiles import fill


class Write(Struct, frozen=True, kw_only=True):
    """A write that waits for its turn."""

    tenant: TenantId
    needs: Needs
    change: Change[Any]
    durable: bool
    answer: "Future[Written[Any]]"
    """Of the loop that waits for it. Who is cancelled before the turn is not served."""


Told = Written[Any] | Exception
"""What a caller is told once the batch is committed."""


@dataclass(slots=True, kw_only=True)
class Batcher:
    """Runs batches on one connection, and remembers the heads that it has seen."""

    secrets: Secrets
    clock: Clock
    time: Callable[[TenantId, Instant, Instant], tuple[Instant, Halt | None]]
    """Given the tenant, the wall clock and when an operator last vouched for it: the time to believe, and what keeps
    this machine from starting anything."""
    known: Known = field(default_factory=Known)
    seen: dict[TenantId, Tree] = field(default_factory=dict[TenantId, Tree])

    def run(self, db: Database, writes: Sequence[Write]) -> list[Told]:
        """Run the writes in one transaction and return what each caller is told, in the same order.

        Raises:
            StoreError: the batch as a whole was not written, or nobody knows.
        """
        try:
            db.begin(durable=any(write.durable for write in writes), tenants=sorted({write.tenant for write in writes}))
            told, moved = self.within(db, writes)
        except BaseException:
            db.rollback()
            raise
        db.commit()
        self.seen |= moved
        return told

    def within(self, db: Database, writes: Sequence[Write]) -> tuple[list[Told], dict[TenantId, Tree]]:
        """Run the writes in a transaction that somebody else commits; return what each caller is told, and the heads.

        Raises:
            StoreError: the batch as a whole cannot be written.
        """
        by_tenant: dict[TenantId, list[int]] = {}
        for n, write in enumerate(writes):
            by_tenant.setdefault(write.tenant, []).append(n)
        told: dict[int, Told] = {}
        moved: dict[TenantId, Tree] = {}
        for tenant, turns in sorted(by_tenant.items()):
            part = _Part(db=db, batcher=self, tenant=tenant)
            told |= dict(zip(turns, part.run([writes[n] for n in turns]), strict=True))
            moved[tenant] = part.tree
        self.secrets.flush()
        return [told[n] for n in range(len(writes))], moved

    def trusted(self, stored: Stored, standing: Standing) -> StoredHead:
        """Return the stored head, which must be ours: signed, and not older than one that this process has seen.

        Raises:
            StoreTampered: it is not.
        """
        stands = stored.head(standing)
        known = self.seen.get(stored.tenant, Tree())
        if stands.tree == known:
            return stands
        if stands.tree.size <= known.size:
            other = " others" if stands.tree.size == known.size else ""
            raise set_back(stored.tenant, f"it has {stands.tree.size}{other} entries, and had {known.size} before")
        return stored.vouched(stands, stored.door(standing, stands).generation)


@dataclass(slots=True, kw_only=True)
class _Part:
    """What a batch does for one tenant."""

    db: Database
    batcher: Batcher
    tenant: TenantId
    before: StoredHead = StoredHead()
    tree: Tree = Tree()
    lines: list[tuple[int, str, bytes]] = field(default_factory=list[tuple[int, str, bytes]])
    kept: list[Changes] = field(default_factory=list[Changes])

    def run(self, writes: Sequence[Write]) -> list[Told]:
        stored = Stored(self.db, self.batcher.secrets, self.tenant, self.batcher.known)
        needs = writes[0].needs if len(writes) == 1 else Needs.joined(write.needs for write in writes)
        standing = stored.standing(needs)
        self.before = self.batcher.trusted(stored, standing)
        self.tree = self.before.tree
        door = stored.door(standing, self.before)
        wall = Instant(standing.now or self.batcher.clock.now())
        believed, halt = self.batcher.time(self.tenant, wall, door.clock_accepted)
        now = Instant(max(believed, self.before.at))
        loaded = load(stored, needs, standing, tree=self.tree, now=now, halt=halt, door=door)
        epoch = loaded.door.epoch
        told = [self._turn(loaded, write) for write in writes]
        if not self.kept:
            return [result for result, _ in told]
        note = self._save(loaded, door_changed=loaded.door.epoch != epoch)
        return [
            replace(result, receipt=replace(receipt, head=note)) if isinstance(result, Written) and receipt else result
            for result, receipt in told
        ]

    def _turn(self, loaded: Loaded, write: Write) -> tuple[Told, Receipt | None]:
        try:
            changes, answer = write.change(loaded.only(write.needs))
            lines = [seal(entry) for entry in changes.entries]
        except Exception as bug:  # noqa: BLE001  a bug in one function is that caller's alone
            return bug, None
        if changes == Changes():
            return Written(answer=answer, receipt=None), None
        loaded.apply(changes)
        self.kept.append(changes)
        receipt = None
        for entry, line in zip(changes.entries, lines, strict=True):
            about = entry.action.id if isinstance(entry, ActionEntry) else ""
            self.lines.append((self.tree.size, about, line))
            leaf = leaf_hash(line)
            receipt = Receipt(leaf=leaf.hex(), index=self.tree.size, head="")
            self.tree = self.tree.with_leaf(leaf)
        loaded.tree = self.tree
        return Written(answer=answer, receipt=None), receipt if write.durable else None

    def _save(self, loaded: Loaded, *, door_changed: bool) -> str:
        puts = [self._rows_of(table, rows) for table in (*TABLES, MEMO) if (rows := loaded.put.get(table.name))]
        if door_changed:
            body = encode(loaded.door)
            puts.append(Put(DOOR, [(body, self._mac("door", self.tenant, body))]))
        payloads = {payload.id: payload.sealed for changes in self.kept for payload in changes.payloads}
        contracts = [pair for changes in self.kept for pair in changes.contracts.items()]
        head = self._head(loaded)
        head_values = head.values(self._mac("head", self.tenant, head.body()))
        puts += [
            Put(PAYLOAD, list(payloads.items())),
            Put(CONTRACT, contracts),
            Put(ENTRY, self.lines),
            Put(HEAD, [head_values]),
        ]
        self.db.put(self.tenant, puts)
        self._take_out()
        if MEMO.name in loaded.put:
            self.db.take_out_ended(self.tenant, MEMO.name, loaded.now)  # whoever adds one takes away what has ended
        fill(self.db, self.tenant, self.before.tree.size, self.tree.size)
        self.batcher.known.heads[self.tenant] = (head_values, head)
        return head.note

    def _take_out(self) -> None:
        """Put hashes in place of what is pruned. What was kept beside it goes with it."""
        prunings = [pruning for changes in self.kept for pruning in changes.prunings]
        if not prunings:
            return
        lines = [(index, each.action, gone(leaf)) for each in prunings for index, leaf in each.entries]
        self.db.put(self.tenant, [Put(PRUNED_ENTRY, lines)])
        self.db.take_out(self.tenant, GRANT.name, "action", [each.action for each in prunings])
        self.db.take_out(self.tenant, PAYLOAD.table, "id", [id for each in prunings for id in each.payloads])

    def _rows_of(self, table: Table[Any], rows: Mapping[str, object]) -> Put:
        values: list[tuple[Value, ...]] = []
        for id, row in rows.items():
            body = encode(row)
            values.append(table.values(id, row, body, self._mac(table.name, id, body)))
        return Put(table.into, values)

    def _head(self, loaded: Loaded) -> StoredHead:
        tree, tenant, secrets, generation = self.tree, self.tenant, self.batcher.secrets, loaded.door.generation
        note = signed(
            verifier_of(secrets, tenant, generation),
            tree.head(),
            lambda text: secrets.sign(tenant, text, generation=generation),
        )
        at = loaded.now if self.lines else self.before.at
        return StoredHead(tree=tree, at=at, epoch=loaded.door.epoch, note=note)

    def _mac(self, table: str, id: str, body: bytes) -> bytes:
        return mac_of(self.batcher.secrets, self.tenant, table, id, body)


def verifier_of(secrets: Secrets, tenant: TenantId, generation: int) -> Verifier:
    """Name who signs for a tenant's ledger in a generation."""
    return Verifier.of(tenant, secrets.public_key(tenant, generation=generation))
