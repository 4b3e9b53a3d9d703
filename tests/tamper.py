"""A filled ledger, and someone with the database open who lacks the keys."""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from interlock.approval.grant import Grant, consume
from interlock.core.action import ActionState
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import Mode
from interlock.core.errors import InterlockError, UpstreamSilent
from interlock.core.ids import (
    ActionId,
    ClaimId,
    GrantId,
    Instant,
    PersonId,
    Role,
    RuleId,
    RunId,
    SliceHash,
    TenantId,
    WorkflowId,
)
from interlock.core.outcome import Done, Receipt
from interlock.gateway.budgets import raise_budget
from interlock.gateway.compare import verify_state
from interlock.gateway.doors import resume_switch, set_mode, throw
from interlock.gateway.history import exported, signer_of, to_anchor
from interlock.ledger import change
from interlock.ledger.anchor import Anchor
from interlock.ledger.audit import audit
from interlock.ledger.export import read
from interlock.ledger.seal import ActionEntry, ChangeEntry, Kind, Used
from interlock.ledger.tree import Tree, full_root, leaf_hash
from interlock.ports import Changes, Claim, Needs, Notice, Rows, RunRow, TenantStore, Wanted
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
        export = read(await exported(store, self.world.opened.secrets))
        signer = signer_of(store, self.world.opened.secrets)
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
        secrets = self.world.opened.secrets
        for row in await store.actions(Wanted()):
            for id in filter(None, (row.action.arguments, row.result)):
                sealed = await store.payload(id)
                if sealed is not None:
                    secrets.open(store.tenant, id, sealed)
        return True


_WITH_ID = ("action", "budget", "claim", "run")


async def watched(world: World, where: str) -> Watched:
    """Fill a ledger: done, refused, uncertain, parked; doors, a budget, a grant; one tile full and some more."""
    tools = [a_tool(price=7), a_tool("pay", price=7)]
    rules = (ALLOW, a_rule("permit.pay", "permit", "pay"), a_rule("ask.pay", "ask", "pay"))
    await world.publish(*rules, tools=tools, budgets=[a_budget(1_000)])
    seen = Watched(world, Intruder(where, world.tenant))
    await _calls(seen, "first")
    await _beside(world)
    seen.early = seen.intruder.everything()
    await throw(world.store, _switch("s1"), KIM)
    await throw(world.store, _switch("s2"), KIM)
    await resume_switch(world.store, "s1", KIM)
    await resume_switch(world.store, "s2", KIM)
    count = WIDTH - len(await world.store.entries())
    modes = (set_mode(world.store, WorkflowId("support"), PROD, Mode.ACT, KIM) for _ in range(count))
    await asyncio.gather(*modes)
    seen.anchors.append(await to_anchor(world.store, world.clock.now()))
    await _calls(seen, "second")
    (id,) = await world.store.budgets()
    await raise_budget(world.store, id, 5, KIM)
    await _start_parked(world)
    await throw(world.store, _switch("s3"), KIM)
    seen.anchors.append(await to_anchor(world.store, world.clock.now()))
    return seen


async def _calls(seen: Watched, when: str) -> None:
    world = seen.world
    done = await world.call({"when": when})
    assert isinstance(done, Done)
    assert done.receipt is not None
    seen.receipts.append(done.receipt)
    await world.call({"when": when}, tool="pay")  # parks
    await world.call("[]", tool="unheard of")  # is refused
    world.tool.breaks = [UpstreamSilent("", fix="")]
    await world.call({"when": when, "silent": True})  # stays uncertain


async def _beside(world: World) -> None:
    """Rows that no call of this contract writes: a grant, a claim, a run, a line of the outbox."""
    (row,) = [row for row in await world.store.actions(Wanted()) if row.action.tool == "pay"]
    claim = Claim(id=ClaimId("pay/4711"), action=row.action.id, until=Instant(2**50))
    grants = [
        Grant(
            id=GrantId(f"g{n}"),
            action=row.action.id,
            digest=row.action.digest,
            slice=SliceHash("s"),
            rules=frozenset({RuleId("ask.pay")}),
            seen="",
            person=PersonId(f"person {n}"),
            roles=frozenset({Role("lead")}),
            known_by="os:1000",
            given_at=Instant(0),
            expires_at=Instant(2**50),
        )
        for n in range(2)
    ]

    def write(rows: Rows) -> tuple[Changes, None]:
        return Changes(
            actions=(replace(row, claims=(claim.id,)),),
            claims=(claim,),
            runs=(RunRow(id=row.action.run, calls=1), RunRow(id=RunId("r2"), calls=1)),
            notices=(Notice(id="n1", topic="t", action=row.action.id, at=Instant(1)),),
            grants=tuple(grants),
            entries=tuple(_granted(rows, grant) for grant in grants),
        ), None

    await world.store.write(Needs(), write)


def _granted(rows: Rows, grant: Grant) -> ChangeEntry:
    return ChangeEntry(
        kind=Kind.GRANTED,
        at=rows.now,
        epoch=rows.door.epoch,
        process=KIM.process,
        by=grant.person,
        known_by=grant.known_by,
        detail=change.granted(
            grant.id,
            action=grant.action,
            slice=grant.slice,
            rules=grant.rules,
            roles=grant.roles,
            seen=grant.seen,
            expires_at=grant.expires_at,
        ),
    )


async def _start_parked(world: World) -> None:
    """Use the grants up as a start does, and go on with the run and the outbox."""
    (parked,) = [row for row in await world.store.actions(Wanted()) if row.claims]
    needs = Needs(
        actions=frozenset({parked.action.id}), grants=frozenset({parked.action.id}), runs=frozenset({RunId("r2")})
    )

    def write(rows: Rows) -> tuple[Changes, None]:
        started = replace(parked, state=ActionState.STARTED, fence=1, lease_until=Instant(2**50))
        grants, run = rows.grants[parked.action.id], rows.runs[RunId("r2")]
        assert run is not None
        entry = ActionEntry(
            kind=Kind.STARTED,
            at=rows.now,
            epoch=rows.door.epoch,
            process=KIM.process,
            action=parked.action,
            state=started.state,
            fence=1,
            lease_until=started.lease_until,
            grants=tuple(Used(grant=g.id, person=g.person, known_by=g.known_by) for g in grants),
        )
        return Changes(
            actions=(started,),
            grants=tuple(consume(grant, parked.action.id) for grant in grants),
            runs=(replace(run, calls=run.calls + 1),),
            notices=(Notice(id="n1", topic="t", action=parked.action.id, at=Instant(1), done=True),),
            entries=(entry,),
        ), None

    await world.store.write(needs, write)


def _switch(id: str) -> Switch:
    scope = Scope(workflow=WorkflowId("another"))
    return Switch(id=id, kind=SwitchKind.STOP, scope=scope, by=PersonId("kim"), at=Instant(0))
