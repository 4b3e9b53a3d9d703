"""The ledger as it leaves the house: an export of a tenant, the proof of one entry, the head to anchor."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant
from interlock.core.outcome import Receipt
from interlock.ledger import export
from interlock.ledger.anchor import Anchor
from interlock.ledger.audit import Audit, Report
from interlock.ledger.export import ProvedEntry
from interlock.ledger.note import Verifier, opened
from interlock.ports import Secrets, TenantStore

_PAGE = 1_000


def signer_of(store: TenantStore, secrets: Secrets) -> Verifier:
    """Name who signs for a tenant's ledger: what others are to pin."""
    return Verifier.of(store.tenant, secrets.public_key(store.tenant))


async def exported(store: TenantStore, secrets: Secrets) -> AsyncIterator[str]:
    """Yield an export of all entries as they are now, line by line.

    It says what is stored, even where that is not what was written: to find out is for the audit of the export.

    Raises:
        StoreTampered: the stored head is not as this installation wrote it.
    """
    signer, head = signer_of(store, secrets), await store.signed_head()
    size = opened(head, signer).size if head else 0
    yield export.first_line(signer, size)
    async for line in first_entries(store, size):
        yield export.as_text(line)
    yield export.last_line(head)


async def first_entries(store: TenantStore, size: int) -> AsyncIterator[bytes]:
    """Yield the first so many entries as they are stored, as far as they are there."""
    after = 0
    while after < size:
        page = await store.entries(after=after, limit=min(_PAGE, size - after))
        for line in page:
            yield line
        after = after + len(page) if page else size


async def audited(
    store: TenantStore,
    secrets: Secrets,
    *,
    pinned: Verifier | None = None,
    heads: Iterable[str] = (),
    receipts: Sequence[Receipt] = (),
) -> Report:
    """Audit what is stored, as an export of it would be audited.

    Args:
        store: of the tenant.
        secrets: they say who signs for it.
        pinned: the public key as you know it; if not said, the one of these secrets.
        heads: signed notes that you kept.
        receipts: what callers were given.

    Raises:
        StoreTampered: the stored head is not as this installation wrote it.
    """
    signer, head = signer_of(store, secrets), await store.signed_head()
    size = announced(head)
    audit = Audit(signer, announced=size, pinned=pinned or signer, heads=heads, receipts=receipts)
    async for line in first_entries(store, size):
        audit.add(line)
    return audit.report(head)


def announced(head: str) -> int:
    """Read over how many entries a head says that it is. Who signed it is for others to check."""
    said = head.split("\n")[1:2]
    return int(said[0]) if said and re.fullmatch("[0-9]{1,16}", said[0]) else 0


async def proved(store: TenantStore, index: int) -> ProvedEntry:
    """Return one entry with its proof.

    Raises:
        LedgerBroken: there is no such entry.
        StoreTampered: what is stored does not lead to the signed head.
    """
    proof = await store.inclusion(index)
    (line,) = await store.entries(after=index, limit=1)
    return ProvedEntry(line=line, index=index, proof=proof)


async def to_anchor(store: TenantStore, now: Instant) -> Anchor:
    """Return what is to be kept outside as of now.

    Raises:
        LedgerBroken: there is no entry to anchor.
    """
    head = await store.signed_head()
    if not head:
        raise LedgerBroken("the ledger has no entries yet", fix="anchor it once a contract is published")
    return Anchor(at=now, head=head)
