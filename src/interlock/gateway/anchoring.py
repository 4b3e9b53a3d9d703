"""Keeping the signed head outside. A place that has seen more than there is tells that the ledger was set back."""

from collections.abc import Iterable
from typing import Protocol

from interlock.core.errors import LedgerBroken, StoreBusy
from interlock.core.ids import Instant
from interlock.core.value import replace
from interlock.gateway.history import first_entries, to_anchor
from interlock.ledger.anchor import Ahead, Anchor, Since
from interlock.ledger.cosign import checkpoint, parse
from interlock.ledger.proof import Proof
from interlock.ledger.pruned import leaf_of
from interlock.ledger.tree import Growing, Head
from interlock.ports import Needs, TenantStore

_TRIES_MAX = 3  # each time the ledger has grown meanwhile, and somebody else has anchored it


class Place(Protocol):
    """Where signed heads are kept outside."""

    @property
    def name(self) -> str:
        """How it is called in the book of anchors; without secrets."""
        ...

    async def keep(self, new: Anchor, old: int, since: Since) -> Anchor | Ahead:
        """Keep a head for good, and return it with what the place has put to it.

        Args:
            new: what to keep. A place that needs a proof may keep the newer head that the proof leads to.
            old: over how many entries the last one was that was put there, by our own book.
            since: proves that the ledger goes on from an older size.

        Raises:
            LedgerBroken: what the place has seen is not what the ledger says.
            StoreBusy: it cannot be written.
            UpstreamError: it did not answer, or not as it should.
        """
        ...


async def anchored(store: TenantStore, place: Place, book: Iterable[Anchor], now: Instant) -> Anchor:
    """Keep the signed head of now in a place, and return the line for the book.

    Raises:
        LedgerBroken: there is no entry to anchor; or the place has seen entries that are gone, or others.
        StoreBusy: the place cannot be written, or the ledger grows too fast.
        UpstreamError: it did not answer, or not as it should.
    """
    new = await to_anchor(store, now)
    before = {each.size or 0: each for each in book if each.to == place.name and each.origin == new.origin}

    async def since(size: int) -> Proof:
        held = before.get(size)
        return await store.consistency(_head(held.head) if held is not None else await _own(store, size))

    old = max(before, default=0)
    for _ in range(_TRIES_MAX):
        kept = await place.keep(new, old, since)
        if not isinstance(kept, Ahead):
            return replace(kept, to=place.name)
        entries = (await store.read(Needs())).entries
        if kept.size > entries:
            raise LedgerBroken(
                f"{kept.by} has signed a head over {kept.size:,} entries, and the ledger has {entries:,}: "
                "it was set back to an earlier moment",
                fix="stop writing, and find out what became of the entries: `interlock ledger verify --state`",
            )
        new, old = await to_anchor(store, now), kept.size
    raise StoreBusy("others anchor the ledger there at the same time", fix="run it again")


def _head(note: str) -> Head:
    return checkpoint(parse(note).text).head


async def _own(store: TenantStore, size: int) -> Head:
    """Make the head of our own first entries again, for a place that knows more of them than our book."""
    tree = Growing({size})
    async for line in first_entries(store, size):
        tree.add(leaf_of(line))
    if size not in tree.roots:
        raise LedgerBroken(
            f"there are not {size:,} entries any more", fix="stop writing: `interlock ledger verify --state`"
        )
    return Head(size=size, root=tree.roots[size])
