"""Stored hashes, in tiles as C2SP tlog-tiles has them: 256 subtrees of one level side by side, full tiles only.

A tile is derived from the entries and vouched for by nothing: whatever is made from one is checked against a signed
head before anyone gets to see it.
"""

from dataclasses import dataclass, field

from interlock.core.ids import TenantId
from interlock.ledger.pruned import leaf_of
from interlock.ledger.tree import full_root
from interlock.store.database import Database, Put
from interlock.store.load import not_ours
from interlock.store.schema import TILE

WIDTH = 256
_LEVELS = 8  # levels of the tree in one level of tiles


def fill(db: Database, tenant: TenantId, old: int, new: int) -> None:
    """Write each tile that was filled as the ledger grew from `old` to `new` entries; mostly there is none.

    Raises:
        StoreTampered: what a tile is made from is not all there.
    """
    level = 0
    while old // WIDTH < new // WIDTH:
        old, new = old // WIDTH, new // WIDTH
        for index in range(old, new):
            hashes = side_by_side(db, tenant, level, index)
            if len(hashes) != WIDTH:
                raise not_ours(tenant, "entries or tiles are gone")
            db.put(tenant, [Put(TILE, [(level, index, full_root(hashes), b"".join(hashes))])])
        level += 1


def side_by_side(db: Database, tenant: TenantId, level: int, index: int) -> list[bytes]:
    """Make the hashes of a tile, full or not, from what is under it: entries, or the roots of smaller tiles."""
    place = {"tenant": tenant, "below": level - 1, "first": index * WIDTH, "end": (index + 1) * WIDTH}
    if level == 0:
        return [leaf_of(bytes(line)) for (line,) in db.query(_LINES, place)]
    return [bytes(root) for (root,) in db.query(_ROOTS, place)]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Answers with the roots of full subtrees, as proofs are made of them."""

    db: Database
    tenant: TenantId
    _read: dict[tuple[int, int], list[bytes]] = field(default_factory=dict[tuple[int, int], list[bytes]])

    def __call__(self, level: int, index: int) -> bytes:
        """Return the root of a subtree; nothing where the hashes under it are gone."""
        tile_level, height = divmod(level, _LEVELS)
        tile, offset = divmod(index << height, WIDTH)
        row = self._hashes(tile_level, tile)[offset : offset + (1 << height)]
        return full_root(row) if len(row) == 1 << height else b""

    def _hashes(self, level: int, index: int) -> list[bytes]:
        place = (level, index)
        if place not in self._read:
            found = self.db.query(_TILE, {"tenant": self.tenant, "level": level, "index": index})
            hashes = bytes(found[0][0]) if found else b""
            self._read[place] = [hashes[n : n + 32] for n in range(0, len(hashes), 32)] or side_by_side(
                self.db, self.tenant, level, index
            )
        return self._read[place]


_LINES = """
select line from entry where tenant = :tenant and "index" >= :first and "index" < :end order by "index\""""

_ROOTS = """
select root from tile where tenant = :tenant and level = :below and "index" >= :first and "index" < :end
order by "index\""""

_TILE = 'select hashes from tile where tenant = :tenant and level = :level and "index" = :index'
