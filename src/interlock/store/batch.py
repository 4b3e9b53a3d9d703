"""One batch: lock, load, run the functions one after the other, write in bulk, sign the heads, commit."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from interlock.core.ids import Instant, TenantId
from interlock.core.outcome import Receipt
from interlock.ledger.note import Verifier, signed
from interlock.ledger.seal import ActionEntry, seal
from interlock.ledger.tree import Tree, leaf_hash
from interlock.ports import Change, Changes, Clock, Halt, Needs, Secrets, Written
from interlock.store.database import Database
from interlock.store.load import Loaded, Stored, StoredHead, load, mac_of, not_ours
from interlock.store.schema import TABLES, UPSERT, encode
from interlock.store.tiles import fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A write that waits for its turn."""

    tenant: TenantId
    needs: Needs
    change: Change[Any]
    durable: bool
    answer: "Future[Written[Any]]"


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
    seen: dict[TenantId, Tree] = field(default_factory=dict[TenantId, Tree])

    def run(self, db: Database, writes: Sequence[Write]) -> list[Told]:
        """Run the writes in one transaction and return what each caller is told, in the same order.

        Raises:
            StoreError: the batch as a whole was not written, or nobody knows.
        """
        by_tenant: dict[TenantId, list[int]] = {}
        for n, write in enumerate(writes):
            by_tenant.setdefault(write.tenant, []).append(n)
        told: dict[int, Told] = {}
        moved: dict[TenantId, Tree] = {}
        db.begin(durable=any(write.durable for write in writes))
        try:
            db.lock(sorted(by_tenant))
            for tenant, turns in sorted(by_tenant.items()):
                part = _Part(db=db, batcher=self, tenant=tenant)
                told |= dict(zip(turns, part.run([writes[n] for n in turns]), strict=True))
                moved[tenant] = part.tree
            self.secrets.flush()
        except BaseException:
            db.rollback()
            raise
        db.commit()
        self.seen |= moved
        return [told[n] for n in range(len(writes))]

    def trusted(self, stored: Stored) -> StoredHead:
        """Return the stored head, which must be ours: signed, and not older than one that this process has seen.

        Raises:
            StoreTampered: it is not.
        """
        stands = stored.head()
        known = self.seen.get(stored.tenant, Tree())
        if stands.tree == known:
            return stands
        if stands.tree.size < known.size:
            raise not_ours(stored.tenant, f"it has {stands.tree.size} entries, and had {known.size} before")
        return stored.vouched(stands)


@dataclass(slots=True, kw_only=True)
class _Part:
    """What a batch does for one tenant."""

    db: Database
    batcher: Batcher
    tenant: TenantId
    before: StoredHead = StoredHead()
    tree: Tree = Tree()
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    kept: list[Changes] = field(default_factory=list[Changes])

    def run(self, writes: Sequence[Write]) -> list[Told]:
        stored = Stored(self.db, self.batcher.secrets, self.tenant)
        self.before = self.batcher.trusted(stored)
        self.tree = self.before.tree
        door = stored.door(self.before)
        wall = Instant(self.db.now() or self.batcher.clock.now())
        believed, halt = self.batcher.time(self.tenant, wall, door.clock_accepted)
        now = Instant(max(believed, self.before.at))
        needs = Needs.joined(write.needs for write in writes)
        loaded = load(stored, needs, tree=self.tree, now=now, halt=halt, door=door)
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
            self.lines.append({"tenant": self.tenant, "index": self.tree.size, "action": about, "line": line})
            receipt = Receipt(leaf=leaf_hash(line).hex(), index=self.tree.size, head="")
            self.tree = self.tree.add(line)
        loaded.tree = self.tree
        return Written(answer=answer, receipt=None), receipt if write.durable else None

    def _save(self, loaded: Loaded, *, door_changed: bool) -> str:
        secrets, tenant = self.batcher.secrets, self.tenant
        for table in TABLES:
            rows: list[dict[str, Any]] = []
            for id, row in loaded.put.get(table.name, {}).items():
                body = encode(row)
                derived = {name: value(row) for name, value in table.columns.items()}
                mac = mac_of(secrets, tenant, table.name, id, body)
                rows.append({"tenant": tenant, "id": id, "body": body, "mac": mac, **derived})
            self.db.run_many(UPSERT[table.name], rows)
        if door_changed:
            body = encode(loaded.door)
            mac = mac_of(secrets, tenant, "door", tenant, body)
            self.db.run_many(_PUT_DOOR, [{"tenant": tenant, "body": body, "mac": mac}])
        self.db.run_many(_PUT_PAYLOAD, [{"tenant": tenant, "id": p.id, "sealed": p.sealed} for p in self._payloads()])
        self.db.run_many(_PUT_CONTRACT, self._contracts())
        self.db.run_many(_PUT_ENTRY, self.lines)
        fill(self.db, tenant, self.before.tree.size, self.tree.size)
        return self._save_head(loaded)

    def _save_head(self, loaded: Loaded) -> str:
        tree, tenant, secrets = self.tree, self.tenant, self.batcher.secrets
        note = signed(verifier_of(secrets, tenant), tree.head(), lambda text: secrets.sign(tenant, text))
        at = loaded.now if self.lines else self.before.at
        head = StoredHead(tree=tree, at=at, epoch=loaded.door.epoch, note=note)
        mac = mac_of(secrets, tenant, "head", tenant, head.body())
        self.db.run_many(_PUT_HEAD, [{"tenant": tenant, "mac": mac, **head.columns()}])
        return note

    def _payloads(self) -> dict[Any, None]:
        return {payload: None for changes in self.kept for payload in changes.payloads}

    def _contracts(self) -> list[dict[str, Any]]:
        return [
            {"tenant": self.tenant, "hash": hash, "body": body}
            for changes in self.kept
            for hash, body in changes.contracts.items()
        ]


def verifier_of(secrets: Secrets, tenant: TenantId) -> Verifier:
    """Name who signs for a tenant's ledger."""
    return Verifier.of(tenant, secrets.public_key(tenant))


_PUT_DOOR = """
insert into door (tenant, body, mac) values (:tenant, :body, :mac)
on conflict (tenant) do update set body = excluded.body, mac = excluded.mac"""

_PUT_PAYLOAD = """
insert into payload (tenant, id, sealed) values (:tenant, :id, :sealed)
on conflict (tenant, id) do update set sealed = excluded.sealed"""

_PUT_CONTRACT = """
insert into contract (tenant, hash, body) values (:tenant, :hash, :body) on conflict (tenant, hash) do nothing"""

_PUT_ENTRY = 'insert into entry (tenant, "index", action, line) values (:tenant, :index, :action, :line)'

_PUT_HEAD = """
insert into head (tenant, size, peaks, at, epoch, note, mac)
values (:tenant, :size, :peaks, :at, :epoch, :note, :mac)
on conflict (tenant) do update set size = excluded.size, peaks = excluded.peaks, at = excluded.at,
  epoch = excluded.epoch, note = excluded.note, mac = excluded.mac"""
