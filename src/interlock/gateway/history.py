"""The ledger as it leaves the house: an export of a tenant, the proof of one entry, the head to anchor."""

from collections.abc import Iterator

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant
from interlock.ledger import export
from interlock.ledger.anchor import Anchor
from interlock.ledger.export import ProvedEntry
from interlock.ledger.note import Verifier, opened
from interlock.ports import Secrets, TenantStore

_PAGE = 1_000


def signer_of(store: TenantStore, secrets: Secrets) -> Verifier:
    """Name who signs for a tenant's ledger: what others are to pin."""
    return Verifier.of(store.tenant, secrets.public_key(store.tenant))


async def exported(store: TenantStore, secrets: Secrets) -> Iterator[str]:
    """Return an export of all entries as they are now, line by line.

    It says what is stored, even where that is not what was written: to find out is for the audit of the export.

    Raises:
        StoreTampered: the stored head is not as this installation wrote it.
    """
    signer = signer_of(store, secrets)
    head = await store.signed_head()
    size = opened(head, signer).size if head else 0
    lines: list[bytes] = []
    while len(lines) < size:
        page = await store.entries(after=len(lines), limit=min(_PAGE, size - len(lines)))
        if not page:
            break
        lines += page
    return export.write(signer, lines, size=size, head=head)


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
