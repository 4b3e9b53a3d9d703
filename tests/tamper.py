"""A filled ledger, and someone with the database open who lacks the keys."""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from interlock.contract.ir import Approvals, Unique
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import Mode
from interlock.core.errors import InterlockError, UpstreamSilent
from interlock.core.ids import (
    ActionId,
    ClaimId,
    Instant,
    MemoId,
    Micros,
    PayloadId,
    PersonId,
    Role,
    RunId,
    TenantId,
    WorkflowId,
)
from interlock.core.outcome import Done, Parked, Receipt
from interlock.gateway.budgets import raise_budget
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator, resume_switch, set_mode, throw
from interlock.gateway.history import exported, key_of, to_anchor
from interlock.gateway.recover import attend
from interlock.gateway.resume import resume
from interlock.ledger.anchor import Anchor
from interlock.ledger.audit import audit
from interlock.ledger.export import read
from interlock.ledger.tree import Tree, full_root, leaf_hash
from interlock.ports import Changes, Memo, Needs, TenantStore, Wanted
from interlock.store.tiles import WIDTH
from world import ALLOW, KIM, PROD, World, a_budget, a_rule, a_tool

Row = tuple[Any, ...]
GLOBAL = frozenset({"version", "interlock_key", "key"})
"""Tables that are not a tenant's."""


@dataclass
class Intruder:
    """Reads and edits every row of one tenant, on either database."""

    where: str
    tenant: TenantId
    db: Any = None
    columns: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    keys: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def __post_init__(self) -> None:
        if self.where.endswith(".db"):
            self.db = sqlite3.connect(self.where, isolation_level=None)
            self.db.execute("pragma synchronous = off")
            tables = self.run("select name from sqlite_schema where type = 'table'")
            for (table,) in tables:
                found = self.run(f"select name, pk from pragma_table_info('{table}')")
                self.columns[table] = [name for name, _ in found]
                self.keys[table] = [name for name, place in found if place]
        else:
            self.db = psycopg.connect(self.where, autocommit=True)
            for table, column in self.run(_PG_COLUMNS):
                self.columns.setdefault(table, []).append(column)
            for table, column in self.run(_PG_KEYS):
                self.keys.setdefault(table, []).append(column)

    def close(self) -> None:
        self.db.close()

    @property
    def tables(self) -> list[str]:
        return sorted(table for table, columns in self.columns.items() if "tenant" in columns)

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        cursor = self.db.execute(sql if self.where.endswith(".db") else sql.replace("?", "%s"), values)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def rows(self, table: str) -> list[Row]:
        """All rows of the tenant, and of the tenants that rows were moved to."""
        names = _quoted(self.columns[table])
        order = _quoted(self.keys[table])
        sql = f"select {names} from {table} where tenant in (?, ?) order by {order}"
        return self.run(sql, [self.tenant, self.other])

    @property
    def other(self) -> TenantId:
        return TenantId(f"{self.tenant}-other")

    def insert(self, table: str, row: Row) -> None:
        marks = ", ".join("?" * len(row))
        self.run(f"insert into {table} ({_quoted(self.columns[table])}) values ({marks})", row)

    def delete(self, table: str, row: Row) -> None:
        match = " and ".join(f'"{key}" = ?' for key in self.keys[table])
        self.run(f"delete from {table} where {match}", [self.value(table, row, key) for key in self.keys[table]])

    def value(self, table: str, row: Row, column: str) -> Any:
        return row[self.columns[table].index(column)]

    def having(self, table: str, row: Row, **values: Any) -> Row:
        """The row with other values in some columns."""
        return tuple(values.get(name, old) for name, old in zip(self.columns[table], row, strict=True))

    def replace(self, table: str, old: Row, new: Row) -> bool:
        """Put a row in the place of another, unless the database itself forbids it."""
        self.delete(table, old)
        done = self.add(table, new)
        if not done:
            self.insert(table, old)
        return done

    def add(self, table: str, row: Row) -> bool:
        """Put a row beside the others, unless the database itself forbids it."""
        try:
            self.insert(table, row)
        except (sqlite3.IntegrityError, psycopg.IntegrityError):
            return False
        return True

    def restore(self, table: str, rows: Iterable[Row]) -> None:
        """Bring a table to exactly these rows."""
        wanted, stands = set(rows), set(self.rows(table))
        for row in stands - wanted:
            self.delete(table, row)
        for row in wanted - stands:
            self.insert(table, row)

    def everything(self) -> dict[str, list[Row]]:
        return {table: self.rows(table) for table in self.tables}

    def repair(self) -> None:
        """Make right what needs no key: indexes, derived columns of entries, tiles, peaks, size."""
        entries = self.rows("entry")
        lines = [bytes(self.value("entry", row, "line")) for row in entries]
        self.restore("entry", [self.having("entry", row, index=n) for n, row in enumerate(entries)])
        leaves, tree = [leaf_hash(line) for line in lines], Tree()
        for line in lines:
            tree = tree.add(line)
        tiles = [leaves[n : n + WIDTH] for n in range(0, len(leaves) - WIDTH + 1, WIDTH)]
        rows = [
            self.having("tile", tuple(self.columns["tile"]), **values)
            for values in (
                {"tenant": self.tenant, "level": 0, "index": n, "root": full_root(tile), "hashes": b"".join(tile)}
                for n, tile in enumerate(tiles)
            )
        ]
        self.restore("tile", rows)
        heads = self.rows("head")
        self.restore("head", [self.having("head", row, size=tree.size, peaks=tree.to_bytes()) for row in heads])


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_PG_COLUMNS = """
select table_name, column_name from information_schema.columns where table_schema = 'public'
order by table_name, ordinal_position"""

_PG_KEYS = """
select u.table_name, u.column_name from information_schema.table_constraints c
join information_schema.key_column_usage u using (constraint_schema, constraint_name)
where c.constraint_type = 'PRIMARY KEY' and c.table_schema = 'public' order by u.table_name, u.ordinal_position"""


@dataclass
class Watched:
    """A world with a past, and what somebody kept of it outside."""

    world: World
    intruder: Intruder
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    anchors: list[Anchor] = field(default_factory=list[Anchor])
    payloads: list[PayloadId] = field(default_factory=list[PayloadId])
    """What may be asked for."""
    early: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    """All rows as they were in the middle of it."""

    async def noticed(self, store: TenantStore | None = None) -> frozenset[str]:
        """Who notices that something is wrong: `audit` and `state` find it, `refused` is what the next call meets."""
        ways: set[str] = set()
        for name, look in (("audit", self._audited), ("state", self._compared), ("refused", self._goes_on)):
            try:
                if not await look(store or self.world.store):
                    ways.add(name)
            except InterlockError:
                ways.add("refused")
        return frozenset(ways)

    async def _audited(self, store: TenantStore) -> bool:
        export = read([line async for line in exported(store, self.world.opened.secrets)])
        signer = key_of(store, self.world.opened.secrets, 1)
        heads = [anchor.head for anchor in self.anchors]
        return audit(export, pinned=signer, heads=heads, receipts=self.receipts).sound

    async def _compared(self, store: TenantStore) -> bool:
        other = self.world.opened.store.for_tenant(self.intruder.other)
        secrets = self.world.opened.secrets
        return not await verify_state(store, secrets) and not await verify_state(other, secrets)

    async def _goes_on(self, store: TenantStore) -> bool:
        """Do what any call does first: load the rows in a batch, and read what is kept beside them."""
        state = self.intruder.everything()
        named = {table: {str(self.intruder.value(table, row, "id")) for row in state[table]} for table in _WITH_ID}
        needs = Needs(
            actions=frozenset(map(ActionId, named["action"])),
            budgets=frozenset(named["budget"]),  # pyright: ignore[reportArgumentType]
            grants=frozenset(map(ActionId, named["action"])),
            claims=frozenset(map(ClaimId, named["claim"])),
            runs=frozenset(map(RunId, named["run"])),
        )
        await store.write(needs, lambda rows: (Changes(), None))
        door = (await store.read(needs)).door
        for published in door.published.values():
            await store.contract(published.contract)
        await store.notices(before=Instant(2**62))
        await store.actions(Wanted())
        for id in self.payloads:
            sealed = await store.payload(id)
            if sealed is not None:
                self.world.opened.secrets.open(store.tenant, id, sealed)
        return True


_WITH_ID = ("action", "budget", "claim", "run")


async def watched(world: World, where: str) -> Watched:
    """Fill a ledger: done, refused, uncertain, parked; doors, a budget, a yes; one tile full and some more."""
    tools = [a_tool(price=7), a_tool("pay", price=7, unique=Unique(on=("$.args.when",), within=Micros(2**50)))]
    rules = (ALLOW, a_rule("permit.pay", "permit", "pay"), a_rule("ask.pay", "ask", "pay"))
    people = {Role("lead"): frozenset({PersonId("ann")})}
    await world.publish(*rules, tools=tools, budgets=[a_budget(1_000)], approvals=Approvals(people=people))
    seen = Watched(world, Intruder(where, world.tenant))
    first, later = await _calls(seen, "first"), await _calls(seen, "a second")
    await _agree(world, first)
    await resume(world.gateway, world.store, first)
    await _agree(world, later)
    await _note(world, b"then")
    seen.early = seen.intruder.everything()
    for id in ("s1", "s2"):
        await throw(world.store, _switch(id), KIM)
        await resume_switch(world.store, id, KIM)
    count = WIDTH - len(await world.store.entries())
    modes = (set_mode(world.store, WorkflowId("support"), PROD, Mode.ACT, KIM) for _ in range(count))
    await asyncio.gather(*modes)
    seen.anchors.append(await to_anchor(world.store, world.clock.now()))
    await attend(world.gateway, world.store)  # carries on what was agreed to, and works the outbox off
    await _calls(seen, "third")
    (id,) = await world.store.budgets()
    await raise_budget(world.store, id, 5, KIM)
    await throw(world.store, _switch("s3"), KIM)
    await _note(world, b"now")
    seen.anchors.append(await to_anchor(world.store, world.clock.now()))
    seen.payloads = [seen.intruder.value("payload", row, "id") for row in seen.intruder.rows("payload")]
    return seen


async def _agree(world: World, id: ActionId) -> None:
    ann = Operator(person=PersonId("ann"), known_by="os:1001", process=KIM.process)
    await agree(world.gateway, world.store, id, ann, seen=(await world.row(id)).seen)


async def _note(world: World, says: bytes) -> None:
    memos = tuple(Memo(id=MemoId(f"note:{n}"), until=Instant(2**53), says=says) for n in range(2))
    await world.store.write(Needs(), lambda _: (Changes(memos=memos), None))


async def _calls(seen: Watched, when: str) -> ActionId:
    """Let a run come to each end, and return the action that waits for a person."""
    world = seen.world
    done = await world.call({"when": when}, run="r1")
    assert isinstance(done, Done)
    assert done.receipt is not None
    seen.receipts.append(done.receipt)
    parked = await world.call({"when": when}, tool="pay", run=when.replace(" ", "."))
    await world.call("[]", tool="unheard of")  # is refused
    world.tool.breaks = [UpstreamSilent("", fix="")]
    await world.call({"when": when, "silent": True})  # stays uncertain
    assert isinstance(parked, Parked)
    return parked.action


def _switch(id: str) -> Switch:
    scope = Scope(workflow=WorkflowId("another"))
    return Switch(id=id, kind=SwitchKind.STOP, scope=scope, by=PersonId("kim"), at=Instant(0))
