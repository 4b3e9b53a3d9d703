"""All that is stored of a tenant at one moment, some rows at a time, and what shows to be wrong without its meaning."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from operator import itemgetter
from typing import Any, TypeVar

from interlock.approval.grant import Grant
from interlock.budget.hold import Balance
from interlock.core.door import Door
from interlock.core.errors import LedgerBroken, StoreTampered
from interlock.core.ids import ActionId, BudgetId, ClaimId, ContractHash, GrantId, PayloadId, RunId
from interlock.ledger.pruned import is_pruned, leaf_of
from interlock.ledger.reading import ActionLine, EntryLine, read
from interlock.ledger.rebuild import Difference
from interlock.ledger.tree import Growing, Head, full_root
from interlock.ports import ActionRow, Claim, RunRow
from interlock.store import queries
from interlock.store.database import Standing
from interlock.store.load import Stored, StoredHead
from interlock.store.schema import ACTION, BUDGET, CLAIM, GRANT, MEMO, NOTICE, RUN, Table
from interlock.store.tiles import WIDTH

Row = TypeVar("Row")

_ACTIONS_AT_ONCE = 250
_ROWS_AT_ONCE = 1_000
_CONTRACTS_AT_ONCE = 20  # each may have a quarter of a megabyte


class StoredRows:
    """`Kept`, out of the tables."""

    def __init__(self, stored: Stored) -> None:
        stored.db.take_time()
        self._stored = stored
        self.differences: list[Difference] = []

    @cached_property
    def _head(self) -> StoredHead:
        standing = self._stored.standing()
        try:
            head = self._stored.head(standing)
            generation = self._generation(standing, head)
            return head if generation is None else self._stored.vouched(head, generation)
        except StoreTampered as tampered:
            self._wrong("head", str(tampered))
            return StoredHead()

    def _generation(self, standing: Standing, head: StoredHead) -> int | None:
        try:
            return self._stored.door(standing, head).generation
        except StoreTampered:
            return None  # `door` tells of it

    def door(self) -> Door:
        try:
            return self._stored.door(self._stored.standing(), self._head)
        except StoreTampered as tampered:
            self._wrong("door", str(tampered))
            return Door()

    def contracts(self) -> frozenset[ContractHash]:
        hashes: set[ContractHash] = set()
        for hash, body in self._pages("contract", "hash", ("hash", "body"), _CONTRACTS_AT_ONCE):
            if sha256(bytes(body)).hexdigest() == hash:
                hashes.add(ContractHash(hash))
            else:
                self._wrong(f"`{hash}` of `contract`", "it is not what has this hash")
        return frozenset(hashes)

    def look_through(self) -> None:
        tree, tiles = Growing(()), _Tiles(self._stored, self.differences)
        for line in self._lines():
            leaf = leaf_of(line)
            tree.add(leaf)
            tiles.add(leaf)
        tiles.end()
        if self._head.tree.head() != Head(size=tree.size, root=tree.root()):
            what = f"the {tree.size} entries do not lead to the signed head, which is over {self._head.tree.size}"
            self._wrong("head", what)
        deque(self._each(NOTICE), maxlen=0)
        deque(self._each(CLAIM), maxlen=0)
        deque(self._each(MEMO), maxlen=0)

    def _lines(self) -> Iterator[bytes]:
        last, count = -1, 0
        while page := self._stored.db.query(_LINES, {"tenant": self._stored.tenant, "last": last}):
            for index, line in page:
                if index != count:
                    self._wrong(f"entry {index}", f"it stands where entry {count} must be")
                yield bytes(line)
                last, count = index, count + 1

    def changes(self) -> Iterator[tuple[int, EntryLine]]:
        last = -1
        while page := self._stored.db.query(_CHANGES, {"tenant": self._stored.tenant, "last": last}):
            yield from self.read(page)
            last = page[-1][0]

    def parts(self) -> Iterator["_Part"]:
        params = {"tenant": self._stored.tenant, "limit": _ACTIONS_AT_ONCE}
        sql = _IDS.format(action="true", id="true")
        while ids := [id for (id,) in self._stored.db.query(sql, params)]:
            yield self._part(ids)
            sql, params["after"] = _IDS.format(action="action > :after", id="id > :after"), ids[-1]

    def _part(self, ids: Sequence[str]) -> "_Part":
        actions: dict[ActionId, ActionRow] = dict(self._named(ACTION, "id", ids))
        claims: dict[ClaimId, Claim] = dict(
            self._named(CLAIM, "id", sorted({id for row in actions.values() for id in row.claims}))
        )
        holders = self._there(sorted({claim.action for claim in claims.values()}))
        return _Part(
            rows=self,
            ids=ids,
            actions=actions,
            grants=dict(self._named(GRANT, "action", ids)),
            claims={id: claim for id, claim in claims.items() if claim.action in holders},
        )

    def entries(self, ids: Sequence[str], pruned: dict[ActionId, list[int]]) -> Iterator[tuple[int, EntryLine]]:
        """Yield the entries about some actions in their order; those that were taken out go to `pruned`."""
        db = self._stored.db
        sql = _ENTRIES.format(within=db.within)
        # The entries about no action are those of `changes`.
        named = db.names([id for id in ids if id])
        params = {"tenant": self._stored.tenant, "names": named, "last": -1}
        while page := db.query(sql, params):
            for index, action, line in page:
                if is_pruned(bytes(line)):
                    pruned.setdefault(ActionId(action), []).append(index)
                else:
                    yield from self.read([(index, action, line)])
            params["last"] = page[-1][0]

    def read(self, page: Sequence[Sequence[Any]]) -> Iterator[tuple[int, EntryLine]]:
        """Yield what can be read of rows of entries."""
        for index, action, line in page:
            try:
                entry = read(bytes(line))
            except LedgerBroken as broken:
                self._wrong(f"entry {index}", str(broken))
                continue
            if action == (entry.action if isinstance(entry, ActionLine) else ""):
                yield index, entry
            else:
                self._wrong_column("entry", str(index), "action")

    def budgets(self) -> Iterator[tuple[BudgetId, Balance]]:
        return self._each(BUDGET)

    def runs(self) -> Iterator[tuple[RunId, RunRow]]:
        return self._each(RUN)

    def payloads(self, ids: Sequence[PayloadId]) -> Mapping[PayloadId, bytes]:
        return queries.payloads(self._stored, ids)

    def _there(self, ids: Sequence[ActionId]) -> frozenset[str]:
        db = self._stored.db
        sql = f"select id from action where tenant = :tenant and id {db.within}"  # noqa: S608  our own words
        found = db.query(sql, {"tenant": self._stored.tenant, "names": db.names(ids)})
        return frozenset(id for (id,) in found)

    def _named(self, table: Table[Row], column: str, names: Sequence[str]) -> Iterator[tuple[Any, Row]]:
        db, columns = self._stored.db, ", ".join(_columns(table))
        sql = f"select {columns} from {table.name} where tenant = :tenant and {column} {db.within}"  # noqa: S608  our own words
        found = db.query(sql, {"tenant": self._stored.tenant, "names": db.names(names)})
        # Sorted here: for the order of their ids SQLite would read the whole table, once for every part.
        yield from self._checked(table, sorted(found, key=itemgetter(0)))

    def _each(self, table: Table[Row]) -> Iterator[tuple[Any, Row]]:
        yield from self._checked(table, self._pages(table.name, "id", _columns(table), _ROWS_AT_ONCE))

    def _pages(self, table: str, key: str, columns: Sequence[str], limit: int) -> Iterator[Sequence[Any]]:
        begin = f"select {', '.join(columns)} from {table} where tenant = :tenant"  # noqa: S608  our own words
        end = f"order by {key} limit :limit"
        params = {"tenant": self._stored.tenant, "limit": limit}
        page = self._stored.db.query(f"{begin} {end}", params)
        while page:
            yield from page
            params["after"] = page[-1][0]
            page = self._stored.db.query(f"{begin} and {key} > :after {end}", params)

    def _checked(self, table: Table[Row], rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]]) -> Iterator[Any]:
        for id, *columns, body, mac in rows:
            try:
                row = table.decode(self._stored.checked(table.name, id, body, mac))
            except StoreTampered as tampered:
                self._wrong(f"`{id}` of `{table.name}`", str(tampered))
                continue
            for (name, column), stands in zip(table.columns.items(), columns, strict=True):
                if column.of(id, row) != stands:
                    self._wrong_column(table.name, id, name)
            yield id, row

    def _wrong(self, where: str, what: str) -> None:
        self.differences.append(Difference(where=where, what=what))

    def _wrong_column(self, table: str, id: str, column: str) -> None:
        self._wrong(f"`{id}` of `{table}`", f"column `{column}` says something else than the row")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """`Part`, out of the tables."""

    rows: StoredRows
    ids: Sequence[str]
    actions: Mapping[ActionId, ActionRow]
    grants: Mapping[GrantId, Grant]
    claims: Mapping[ClaimId, Claim]
    pruned: dict[ActionId, list[int]] = field(default_factory=dict[ActionId, list[int]])

    def entries(self) -> Iterator[tuple[int, EntryLine]]:
        return self.rows.entries(self.ids, self.pruned)


@dataclass(slots=True)
class _Tiles:
    """Makes each tile again as the leaves go by, and holds the stored one against it."""

    stored: Stored
    found: list[Difference]
    _rows: list[list[bytes]] = field(default_factory=list[list[bytes]])
    """By level, the hashes of the tile that is not full yet."""
    _full: list[int] = field(default_factory=list[int])
    """By level, how many tiles are full."""

    def add(self, hash: bytes, level: int = 0) -> None:
        if level == len(self._rows):
            self._rows.append([])
            self._full.append(0)
        row = self._rows[level]
        row.append(hash)
        if len(row) == WIDTH:
            root, index = full_root(row), self._full[level]
            place = {"tenant": self.stored.tenant, "level": level, "index": index}
            stands = [(bytes(each[0]), bytes(each[1])) for each in self.stored.db.query(_TILE, place)]
            if stands != [(root, b"".join(row))]:
                self._other(level, index)
            self._rows[level] = []
            self._full[level] += 1
            self.add(root, level + 1)

    def end(self) -> None:
        """List the tiles that no entries fill."""
        params = {"tenant": self.stored.tenant, "levels": len(self._full)}
        beyond = list(self.stored.db.query(_NO_LEVEL, params))
        for level, full in enumerate(self._full):
            beyond += self.stored.db.query(_BEYOND, {"tenant": self.stored.tenant, "level": level, "full": full})
        for place in beyond:
            self._other(*place)

    def _other(self, level: int, index: int) -> None:
        what = "its hashes are not those of the entries"
        self.found.append(Difference(where=f"tile {index} of level {level}", what=what))


def _columns(table: Table[Any]) -> tuple[str, ...]:
    return ("id", *table.columns, "body", "mac")


_LINES = """
select "index", line from entry where tenant = :tenant and "index" > :last order by "index" limit 2000"""

_CHANGES = """
select "index", action, line from entry where tenant = :tenant and action = '' and +"index" > :last
order by +"index" limit 1000"""

_IDS = """
select id from (
  select id from (select distinct action as id from entry where tenant = :tenant and {action} and action <> ''
                  order by action limit :limit) as told
  union select id from (select id from action where tenant = :tenant and {id}
                        order by id limit :limit) as kept
  union select id from (select distinct action as id from granted where tenant = :tenant and {action}
                        order by action limit :limit) as granted_to
) as every order by id limit :limit"""

# By an expression, so that SQLite finds the actions in their index and does not read the ledger from its beginning.
_ENTRIES = """
select "index", action, line from entry where tenant = :tenant and action {within} and +"index" > :last
order by +"index" limit 2000"""

_TILE = 'select root, hashes from tile where tenant = :tenant and level = :level and "index" = :index'

_BEYOND = """
select level, "index" from tile where tenant = :tenant and level = :level and ("index" < 0 or "index" >= :full)
order by "index" limit 1000"""

_NO_LEVEL = """
select level, "index" from tile where tenant = :tenant and (level < 0 or level >= :levels)
order by level, "index" limit 1000"""
