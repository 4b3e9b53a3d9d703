"""What was taken out of the ledger leaves every proof as it was, and no call is forgotten with it."""

from interlock.core.outcome import Done
from interlock.gateway.compare import verify_state
from interlock.gateway.history import audited, exported, signer_of
from interlock.gateway.prune import prune
from interlock.ledger.audit import audit
from interlock.ledger.export import as_text, read
from interlock.ledger.pruned import gone
from interlock.ledger.tree import leaf_hash
from interlock.verify.check import check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import KIM, World, a_tool


@check("forget", "what ended longer ago than its days is taken out, its key answers, and every proof of it holds")
async def pruned(lab: Lab) -> str:
    world = lab.world()
    await world.publish(tools=[a_tool(subject="$.args.to")], ledger_days=30)
    old = [ended(await world.call({"to": name}, key=name), Done, "a call") for name in ("sam", "eve")]
    note = await world.store.signed_head()
    world.clock.forward(days=31)
    young = ended(await world.call({"to": "sam"}, key="young"), Done, "a call")
    taken = await prune(world.store, world.opened.secrets, world.clock, KIM)
    must((taken.actions, taken.entries) == (2, 4), f"{taken.actions} actions were taken out, and 2 are past their days")
    store, secrets = world.store, world.opened.secrets
    receipts = [each.receipt for each in (*old, young) if each.receipt is not None]
    report = await audited(store, secrets, heads=[note], receipts=receipts)
    must(report.sound and report.pruned == 4, f"what was kept of before does not verify: {report.findings}")
    must(await verify_state(store, secrets) == (), "rows and entries do not agree any more")
    for each, name in zip(old, ("sam", "eve"), strict=True):
        again = ended(await world.call({"to": name}, key=name), Done, "a call")
        must(again.recalled and again.action == each.action, "a call under the key of what was pruned is done again")
    must(len(world.tool.performed) == 3, "an effect happened twice")
    await _by_somebody_else(world)
    return "4 entries of 2 actions, 3 receipts and 1 head hold, 2 calls answered by their keys"


async def _by_somebody_else(world: World) -> None:
    """An entry that is taken out and named nowhere is found, although every hash fits."""
    store, secrets = world.store, world.opened.secrets
    lines = [line async for line in exported(store, secrets)]
    signer = await signer_of(store, secrets)
    must(audit(read(lines), pinned=signer).sound, "the export of what was pruned does not verify")
    young = len(lines) - 3  # behind it stand the entry about what was pruned, and the head
    silently = [*lines[:young], as_text(gone(leaf_hash(lines[young].rstrip("\n").encode()))), *lines[young + 1 :]]
    report = audit(read(silently), pinned=signer)
    must(any("no entry says so" in each.what for each in report.findings), "what was taken out in silence is not found")
    must(len(report.findings) == 1, "a hash in the place of an entry does not lead to the signed head")


CHECKS = (pruned,)
