"""Another generation of the signing key: a write like any other. Every process signs with it from its next batch on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from interlock.core.door import Door
from interlock.core.errors import NotPermitted
from interlock.core.ids import TenantId
from interlock.core.limits import GENERATIONS_MAX
from interlock.core.value import replace
from interlock.gateway.doors import Operator, changed
from interlock.ledger.note import Verifier
from interlock.ledger.rotation import Rotation, detail
from interlock.ledger.seal import Kind
from interlock.ports import Changes, Needs, Rows, Secrets, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What was entered."""

    rotation: Rotation
    door: Door


async def rotate(store: TenantStore, secrets: Secrets, by: Operator, *, why: str) -> Rotated:
    """Let the next generation of the signing key sign. Once this returns, no older one signs any more.

    Args:
        store: the tenant's.
        secrets: has both keys.
        by: the person who answers for it.
        why: a code for why it is done; it stands in the ledger.

    Raises:
        NotPermitted: the store was restored and nobody has adopted it, or there are no more generations.
    """
    rotated = (
        await store.write(Needs(), partial(_rotated, secrets=secrets, tenant=store.tenant, by=by, why=why))
    ).answer
    if isinstance(rotated, NotPermitted):
        raise rotated
    return rotated


def _rotated(
    rows: Rows, *, secrets: Secrets, tenant: TenantId, by: Operator, why: str
) -> tuple[Changes, Rotated | NotPermitted]:
    if rows.door.restored:
        fix = "say what it may lack first: `interlock ledger adopt`"
        return Changes(), NotPermitted("the store was restored, and what is lost may have a newer key", fix=fix)
    if rows.door.generation >= GENERATIONS_MAX:
        return Changes(), NotPermitted(f"there are {GENERATIONS_MAX} generations at most", fix="keep this one")
    rotation = signed_rotation(rows, secrets, tenant, to=rows.door.generation + 1)
    door = replace(rows.door, epoch=rows.door.epoch + 1, generation=rotation.generation)
    changes = changed(rows, door, by, Kind.ROTATED, detail(rotation, why=why))
    return changes, Rotated(rotation=rotation, door=door)


def signed_rotation(rows: Rows, secrets: Secrets, tenant: TenantId, *, to: int) -> Rotation:
    """Make the rotation that is entered next, signed by both keys. The same rows give the same bytes."""
    was = rows.door.generation
    key: Callable[[int], Verifier] = lambda n: Verifier.of(tenant, secrets.public_key(tenant, generation=n))  # noqa: E731
    rotation = Rotation(generation=to, before=rows.tree.head(), old=key(was), new=key(to))
    return rotation.signed(lambda generation, text: secrets.sign(tenant, text, generation=generation), was=was)
