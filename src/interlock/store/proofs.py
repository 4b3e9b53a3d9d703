"""Proofs from stored hashes. A proof that does not lead to the signed head is never handed out."""

from interlock.core.errors import LedgerBroken
from interlock.ledger import proof
from interlock.ledger.proof import Proof
from interlock.ledger.pruned import leaf_of
from interlock.ledger.tree import Head
from interlock.store.load import Stored, not_ours
from interlock.store.tiles import Tiles


def inclusion(stored: Stored, index: int) -> Proof:
    """Prove that an entry is in the ledger as it is now."""
    stands = stored.signed_now()
    head = stands.tree.head()
    if not 0 <= index < head.size:
        raise LedgerBroken(f"there is no entry {index}", fix=f"the ledger has {head.size} entries, from 0 on")
    path = proof.inclusion(Tiles(stored.db, stored.tenant), index, head.size)
    sql = 'select line from entry where tenant = :tenant and "index" = :index'
    found = stored.db.query(sql, {"tenant": stored.tenant, "index": index})
    leaf = leaf_of(bytes(found[0][0])) if found else b""
    if not proof.check_inclusion(leaf, index, head.size, path, head.root):
        raise not_ours(stored.tenant, f"entry {index} does not lead to the signed head")
    return Proof(path=path, head=stands.note)


def consistency(stored: Stored, old: Head) -> Proof:
    """Prove that the ledger as it is now goes on from an older head."""
    stands = stored.signed_now()
    head = stands.tree.head()
    if old.size > head.size:
        raise _forked(old, f"it has only {head.size} entries")
    hashes = Tiles(stored.db, stored.tenant)
    path = proof.consistency(hashes, old.size, head.size)
    if proof.check_consistency(old, head, path):
        return Proof(path=path, head=stands.note)
    # Either these hashes are not ours, or that head is of another history: the root of our own past tells.
    ours = Head(size=old.size, root=proof.root(hashes, old.size))
    if proof.check_consistency(ours, head, path):
        raise _forked(old, "its entries are others")
    raise not_ours(stored.tenant, "its stored hashes do not lead to the signed head")


def _forked(old: Head, why: str) -> LedgerBroken:
    return LedgerBroken(
        f"the ledger does not go on from the head of {old.size} entries: {why}",
        fix="stop writing and compare with an export: `interlock ledger verify FILE`",
    )
