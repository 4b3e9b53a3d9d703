"""All rows of a tenant at one moment, and what is wrong with them that shows without the meaning of an entry."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, TypeVar

from interlock.core.door import Door
from interlock.core.errors import LedgerBroken, StoreTampered
from interlock.core.ids import ContractHash
from interlock.ledger.reading import ActionLine, read
from interlock.ledger.rebuild import Difference
from interlock.ledger.tree import Tree, full_root, leaf_hash
from interlock.ports import Kept
from interlock.store.database import Standing
from interlock.store.load import Stored, StoredHead
from interlock.store.schema import ACTION, BUDGET, CLAIM, GRANT, NOTICE, RUN, Table
from interlock.store.tiles import WIDTH

Row = TypeVar("Row")


def kept(stored: Stored) -> Kept:
    """Read every row, and list what does not hold."""
    found: list[Difference] = []
    lines, leaves, tree = list[bytes](), list[bytes](), Tree()
    for line in _lines(stored, found):
        lines.append(line)
        leaves.append(leaf_hash(line))
        tree = tree.add(line)
    standing = stored.standing()
    head = _head(stored, standing, tree, found)
    _tiles(stored, leaves, found)
    _rows(stored, NOTICE, found)
    return Kept(
        lines=tuple(lines),
        door=_door(stored, standing, head, found),
        actions=_rows(stored, ACTION, found),
        budgets=_rows(stored, BUDGET, found),
        grants=_rows(stored, GRANT, found),
        claims=_rows(stored, CLAIM, found),
        runs=_rows(stored, RUN, found),
        contracts=_contracts(stored, found),
        differences=tuple(found),
    )


def _lines(stored: Stored, found: list[Difference]) -> Iterator[bytes]:
    # In pages: Postgres cuts off a statement that takes long, and a transaction that rests between two.
    last, count = -1, 0
    while page := stored.db.query(_PAGE, {"tenant": stored.tenant, "last": last}):
        for index, action, line in page:
            if index != count:
                found.append(Difference(where=f"entry {index}", what=f"it stands where entry {count} must be"))
            found += _entry(index, action, bytes(line))
            yield bytes(line)
            last, count = index, count + 1


def _entry(index: int, action: str, line: bytes) -> Iterator[Difference]:
    try:
        entry = read(line)
    except LedgerBroken as broken:
        yield Difference(where=f"entry {index}", what=str(broken))
        return
    if action != (entry.action if isinstance(entry, ActionLine) else ""):
        yield _column("entry", str(index), "action")


def _head(stored: Stored, standing: Standing, tree: Tree, found: list[Difference]) -> StoredHead:
    try:
        head = stored.vouched(stored.head(standing))
    except StoreTampered as tampered:
        found.append(Difference(where="head", what=str(tampered)))
        return StoredHead()
    if head.tree != tree:
        what = f"the {tree.size} entries do not lead to the signed head, which is over {head.tree.size}"
        found.append(Difference(where="head", what=what))
    return head


def _door(stored: Stored, standing: Standing, head: StoredHead, found: list[Difference]) -> Door:
    try:
        return stored.door(standing, head)
    except StoreTampered as tampered:
        found.append(Difference(where="door", what=str(tampered)))
        return Door()


def _rows(stored: Stored, table: Table[Row], found: list[Difference]) -> dict[Any, Row]:
    names = ("id", *table.columns, "body", "mac")
    sql = f"select {', '.join(names)} from {table.name} where tenant = :tenant order by id"  # noqa: S608  our own names
    rows: dict[Any, Row] = {}
    for id, *columns, body, mac in stored.db.query(sql, {"tenant": stored.tenant}):
        try:
            row = table.decode(stored.checked(table.name, id, body, mac))
        except StoreTampered as tampered:
            found.append(Difference(where=f"`{id}` of `{table.name}`", what=str(tampered)))
            continue
        rows[id] = row
        for (name, column), stands in zip(table.columns.items(), columns, strict=True):
            if column.of(row) != stands:
                found.append(_column(table.name, id, name))
    return rows


def _contracts(stored: Stored, found: list[Difference]) -> frozenset[ContractHash]:
    sql = "select hash, body from contract where tenant = :tenant order by hash"
    hashes: set[ContractHash] = set()
    for hash, body in stored.db.query(sql, {"tenant": stored.tenant}):
        if sha256(bytes(body)).hexdigest() == hash:
            hashes.add(ContractHash(hash))
        else:
            found.append(Difference(where=f"`{hash}` of `contract`", what="it is not what has this hash"))
    return frozenset(hashes)


def _tiles(stored: Stored, leaves: list[bytes], found: list[Difference]) -> None:
    sql = 'select level, "index", root, hashes from tile where tenant = :tenant'
    stands = {
        (row[0], row[1]): (bytes(row[2]), bytes(row[3])) for row in stored.db.query(sql, {"tenant": stored.tenant})
    }
    must = dict(_full_tiles(leaves))
    for place in sorted(stands.keys() | must.keys()):
        if stands.get(place) != must.get(place):
            level, index = place
            found.append(
                Difference(where=f"tile {index} of level {level}", what="its hashes are not those of the entries")
            )


def _full_tiles(row: list[bytes]) -> Iterator[tuple[tuple[int, int], tuple[bytes, bytes]]]:
    level = 0
    while len(row) >= WIDTH:
        tiles = [row[n * WIDTH : (n + 1) * WIDTH] for n in range(len(row) // WIDTH)]
        row = [full_root(tile) for tile in tiles]
        for index, (tile, root) in enumerate(zip(tiles, row, strict=True)):
            yield (level, index), (root, b"".join(tile))
        level += 1


def _column(table: str, id: str, column: str) -> Difference:
    return Difference(where=f"`{id}` of `{table}`", what=f"column `{column}` says something else than the row")


_PAGE = """
select "index", action, line from entry where tenant = :tenant and "index" > :last order by "index" limit 10000"""
