"""Another generation of the signing key signs at once, everywhere, and an older one signs nothing any more."""

from interlock.core.outcome import Done, Receipt
from interlock.gateway.history import audited, generations, key_of, own
from interlock.gateway.rotate import rotate
from interlock.ledger.note import signed
from interlock.ledger.rotation import Chain, rotation_of
from interlock.ledger.tree import Head
from interlock.ports import Needs
from interlock.verify.check import check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import KIM, World


@check("ledger", "a rotated key signs from the next batch of every process on, and what an older one signs is found")
async def rotated(lab: Lab) -> str:
    world = lab.world()
    await world.publish()
    other = lab.world(beside=world)
    kept = [await _receipt(each) for each in (world, other)]
    await rotate(world.store, world.opened.secrets, KIM, why="verify")
    kept += [await _receipt(each) for each in (other, world)]
    store, secrets = world.store, world.opened.secrets
    keys = [key_of(store, secrets, n) for n in (1, 2)]
    must(keys[0] != keys[1], "the new generation has the key of the old one")
    must([own(each.head, store, secrets)[0] for each in kept] == [1, 1, 2, 2], "a process signs with the wrong key")
    for key in keys:
        report = await audited(store, secrets, pinned=key, receipts=kept)
        must(report.sound, f"what was kept does not verify: {report.findings}")
    tree = (await store.read(Needs())).tree
    for head in (tree.head(), Head(size=tree.size + 5, root=bytes(32))):
        stolen = signed(keys[0], head, lambda text: secrets.sign(world.tenant, text, generation=1))
        for key in keys:
            found = (await audited(store, secrets, pinned=key, heads=[stolen])).findings
            must(any("with the key of generation 1" in each.what for each in found), "an old key signs on unnoticed")
    await _forged(world)
    return "4 receipts by 2 keys, 2 heads of a stolen key found, 2 forged rotations refused"


async def _receipt(world: World) -> Receipt:
    done = ended(await world.call(), Done, "a call")
    must(done.receipt is not None, "a call without a receipt")
    assert done.receipt is not None
    return done.receipt


async def _forged(world: World) -> None:
    """A rotation that one of both keys alone has signed leads nowhere."""
    made = [each.entry for each in await generations(world.store, world.opened.secrets) if each.entry is not None]
    rotation = rotation_of(made[0])
    must(rotation is not None, "the ledger has no rotation")
    assert rotation is not None
    chain = Chain.begun(rotation.old)
    must(not chain.problem(rotation), "a rotation that both keys signed is refused")
    fields = {name: getattr(rotation, name) for name in ("generation", "before", "old", "new", "by_old", "by_new")}
    for name, other in (("by_old", "by_new"), ("by_new", "by_old")):
        forged = type(rotation)(**fields | {name: fields[other]})
        must(bool(chain.problem(forged)), "a rotation that one key alone signed is believed")


CHECKS = (rotated,)
