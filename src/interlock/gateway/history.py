"""The ledger as it leaves the house: an export of a tenant, the proof of one entry, the head to anchor."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from interlock.core.errors import LedgerBroken
from interlock.core.ids import ActionId, Instant
from interlock.core.outcome import Receipt
from interlock.ledger import export
from interlock.ledger.anchor import Anchor
from interlock.ledger.audit import Audit, Report
from interlock.ledger.export import Older, ProvedEntry
from interlock.ledger.note import Verifier, opened_by, over
from interlock.ledger.pruned import is_pruned
from interlock.ledger.reading import ChangeLine, read
from interlock.ledger.rotation import Chain, Generation, rotation_of, signers
from interlock.ledger.tree import Head
from interlock.ports import Needs, Secrets, TenantStore

_PAGE = 1_000


async def signer_of(store: TenantStore, secrets: Secrets) -> Verifier:
    """Name who signs for a tenant's ledger now: what others are to pin."""
    return key_of(store, secrets, (await store.read(Needs())).door.generation)


def key_of(store: TenantStore, secrets: Secrets, generation: int) -> Verifier:
    """Name the key of a generation."""
    return Verifier.of(store.tenant, secrets.public_key(store.tenant, generation=generation))


def own(note: str, store: TenantStore, secrets: Secrets) -> tuple[int, Head]:
    """Return which generation of our key has signed a note, and the head that it speaks of.

    Raises:
        LedgerBroken: it is not well formed, or signed by another installation.
    """
    place, head = opened_by(note, signers(store.tenant, lambda n: key_of(store, secrets, n).public_key))
    return place + 1, head


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A generation of the signing key, and the entry that brought it in; the first one has none."""

    generation: Generation
    index: int | None = None
    line: bytes = b""
    entry: ChangeLine | None = None


async def generations(store: TenantStore, secrets: Secrets) -> tuple[Known, ...]:
    """Return every generation of a tenant's signing key, oldest first, as its entries tell.

    Raises:
        LedgerBroken: a rotation does not go on from the one before it.
    """
    chain = Chain.begun(key_of(store, secrets, 1))
    entered: list[tuple[int, bytes, ChangeLine]] = []
    for index, line in await store.entries_of(ActionId("")):
        entry = read(line)
        rotation = rotation_of(entry)
        if rotation is None or not isinstance(entry, ChangeLine):
            continue
        if wrong := chain.problem(rotation):
            raise LedgerBroken(f"entry {index}: {wrong}", fix="look at it: `interlock ledger verify --state`")
        chain = chain.after(rotation)
        entered.append((index, line, entry))
    first, *others = chain.generations
    told = [
        Known(generation=each, index=index, line=line, entry=entry)
        for each, (index, line, entry) in zip(others, entered, strict=True)
    ]
    return (Known(generation=first), *told)


async def exported(store: TenantStore, secrets: Secrets) -> AsyncIterator[str]:
    """Yield an export of all entries as they are now, line by line.

    It says what is stored, even where that is not what was written: to find out is for the audit of the export.

    Raises:
        StoreTampered: the stored head is not as this installation wrote it.
    """
    head, generation, size = await store.signed_head(), 1, 0
    if head:
        generation, known = own(head, store, secrets)
        size = known.size
    yield export.first_line(key_of(store, secrets, generation), size)
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
    older: Older | None = None,
) -> Report:
    """Audit what is stored, as an export of it would be audited.

    Args:
        store: of the tenant.
        secrets: they say who signs for it.
        pinned: the public key as you know it; if not said, the one of these secrets.
        heads: signed notes that you kept.
        receipts: what callers were given.
        older: exports of before entries were pruned.

    Raises:
        StoreTampered: the stored head is not as this installation wrote it.
    """
    head = await store.signed_head()
    signer, size = await _signer(head, store, secrets), over(head)
    audit = Audit(signer, announced=size, pinned=pinned or signer, heads=heads, receipts=receipts)
    index = 0
    async for line in first_entries(store, size):
        audit.add(line if older is None else older.put_back(line, index))
        index += 1
    return audit.report(head)


async def _signer(head: str, store: TenantStore, secrets: Secrets) -> Verifier:
    """Name who has signed a head; if we have not, whoever ought to have."""
    try:
        return key_of(store, secrets, own(head, store, secrets)[0])
    except LedgerBroken:
        return await signer_of(store, secrets)


async def proved(store: TenantStore, index: int, *, older: Older | None = None) -> ProvedEntry:
    """Return one entry with its proof.

    Args:
        store: of the tenant.
        index: where it stands.
        older: exports that may have it still, if it was pruned.

    Raises:
        LedgerBroken: there is no such entry, or it was pruned and nothing but its hash is there to be proved.
        StoreTampered: what is stored does not lead to the signed head.
    """
    proof = await store.inclusion(index)
    (line,) = await store.entries(after=index, limit=1)
    line = older.put_back(line, index) if older is not None else line
    if is_pruned(line):
        raise LedgerBroken(
            f"entry {index} was pruned: its hash is in the ledger, and its bytes are not",
            fix="name an export of before that: `interlock ledger prove ENTRY --archive FILE`",
        )
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
