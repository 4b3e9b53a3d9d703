"""What is erased or older than its days is gone for good, and what is held for law is not."""

from interlock import app
from interlock.core.errors import NotPermitted, PayloadErased
from interlock.core.ids import ActionId, SubjectId
from interlock.core.outcome import Done
from interlock.gateway.erase import erase, hold_for_law
from interlock.gateway.expire import expire
from interlock.gateway.history import audited
from interlock.gateway.recover import attend
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import KIM, World, a_tool

SAM = SubjectId("subject:sam")


@check("forget", "once a subject's key is destroyed its payloads cannot be opened, and the ledger still verifies")
async def erased(lab: Lab) -> str:
    world = lab.world()
    await world.publish(tools=[a_tool(subject="$.args.to")])
    gone, kept = [ended(await world.call({"to": name}), Done, "a call") for name in ("sam", "eve")]
    secrets = world.opened.secrets
    key = secrets.keys.find(secrets.subject_name(world.tenant, SAM))
    await erase(world.store, secrets, SAM, KIM)
    files = b"".join(path.read_bytes() for path in (lab.folder / "keys").glob("keys.db*"))
    must(key is not None and key not in files, "the bytes of the key are still on the disk")
    again = lab.world(beside=world)
    must(await _readable(again, gone.action) == 0, "what was erased can be opened")
    must(await _readable(again, kept.action) == 2, "what was not erased cannot be opened")
    await _verifies(again)
    return "2 payloads gone, 2 kept"


@check("forget", "keys out of a file that was written before an erasure do not bring back what is erased")
async def keys_stay_destroyed(lab: Lab) -> str:
    world = lab.world()
    await world.publish(tools=[a_tool(subject="$.args.to")])
    gone, kept = [ended(await world.call({"to": name}), Done, "a call") for name in ("sam", "eve")]
    folder = lab.folder / "keys"
    file, keys = lab.folder / f"{world.tenant}.backup", lab.folder / f"{world.tenant}.keys"
    app.back_up(lab.where, folder, file, keys_to=keys, clock=world.clock)
    await erase(world.store, world.opened.secrets, SAM, KIM)
    lab.close()
    brought = app.bring_back(lab.where, folder, file, KIM, over=True, keys_from=keys, clock=world.clock)
    must(brought.keys is not None and brought.keys.stayed > 0, "no key was told to have stayed destroyed")
    again = lab.world(beside=world)
    must(await _readable(again, gone.action) == 0, "a file of keys brought back what was erased")
    must(await _readable(again, kept.action) == 2, "a restore made unreadable what was not erased")
    return "1 file of keys, 0 payloads back"


@check("forget", "what is held for law is neither erased nor does it expire")
async def held(lab: Lab) -> str:
    world = lab.world()
    await world.publish(tools=[a_tool(subject="$.args.to")], payload_days=30)
    kept, gone = [ended(await world.call({"to": name}), Done, "a call") for name in ("sam", "eve")]
    secrets = world.opened.secrets
    await hold_for_law(world.store, secrets, SAM, KIM, why="verify")
    try:
        await erase(world.store, secrets, SAM, KIM)
        broken("what is held for law was erased")
    except NotPermitted:
        pass
    world.clock.forward(days=100)
    await expire(world.store, secrets, world.clock, KIM)
    must(await _readable(world, kept.action) == 2, "what is held for law cannot be opened")
    must(await _readable(world, gone.action) == 0, "what nobody holds can be opened after its days")
    return "1 erasure refused, 2 payloads kept past their days"


@check("forget", "what is older than the days of its contract cannot be opened, and what may be kept longer can")
async def expired(lab: Lab) -> str:
    world = lab.world()
    done: list[Done] = []
    for days in (30, 365, None):
        await world.publish(tools=[a_tool(subject="$.args.to")], payload_days=days)
        done.append(ended(await world.call({"to": "sam"}), Done, "a call"))
    short, long, without = done
    world.clock.forward(days=28)
    await attend(world.gateway, world.store)
    must(await _readable(world, short.action) == 2, "what is younger than its days cannot be opened")
    world.clock.forward(days=72)
    await attend(world.gateway, world.store)
    must(await _readable(world, short.action) == 0, "what is older than its days can be opened")
    for each in (long, without):
        must(await _readable(world, each.action) == 2, "what may be kept longer cannot be opened")
    await _verifies(world)
    return "2 payloads gone after 30 days, 4 kept"


async def _readable(world: World, id: ActionId) -> int:
    """Count which of arguments and result can be opened."""
    row, count = await world.row(id), 0
    for each in (row.action.arguments, row.result):
        sealed = await world.store.payload(each) if each else None
        assert sealed is not None and each is not None
        try:
            world.opened.secrets.open(world.tenant, each, sealed)
            count += 1
        except PayloadErased:
            pass
    return count


async def _verifies(world: World) -> None:
    store, secrets = world.store, world.opened.secrets
    report = await audited(store, secrets)
    must(report.sound, f"the ledger does not verify any more: {report.findings}")


CHECKS = (erased, keys_stay_destroyed, held, expired)
