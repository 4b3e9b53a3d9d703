"""For how many days payloads may have been kept so far, by every contract that was ever in force.

Which contracts those are is the ledger's word. Their rows say the days, and whoever can edit the database can take one
away, or add one: what is gone is known to be gone, and what nobody published says nothing.
"""

from dataclasses import dataclass

from interlock.contract.bundle import days_of
from interlock.core.errors import ContractInvalid, LedgerBroken, StoreTampered
from interlock.core.ids import ActionId, ContractHash
from interlock.ledger.reading import ChangeLine, read
from interlock.ledger.seal import Kind
from interlock.ports import TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFor:
    """Numbers of days; 0 is until somebody erases it."""

    days: frozenset[int]
    complete: bool
    """Whether each contract that was ever in force has said its own."""


async def kept_for(store: TenantStore) -> KeptFor:
    """Return all numbers of days that were ever in force."""
    hashes = [_published(line) for _, line in await store.entries_of(ActionId(""))]
    found = [await _days(store, hash) for hash in dict.fromkeys(hashes) if hash]
    return KeptFor(days=frozenset({0, *(days for days in found if days is not None)}), complete=None not in found)


async def _days(store: TenantStore, hash: ContractHash) -> int | None:
    try:
        return days_of(await store.contract(hash)).payloads
    except (StoreTampered, ContractInvalid):
        return None


def _published(line: bytes) -> ContractHash | None:
    """Name the contract that an entry put in force; one that cannot be read may have named any."""
    try:
        entry = read(line)
        published = isinstance(entry, ChangeLine) and entry.kind is Kind.PUBLISHED
        return ContractHash(str(entry.detail["contract"])) if published else None
    except (LedgerBroken, KeyError):
        return ContractHash("unreadable")
