"""A yes opens exactly what the person saw, once, and counts only from who may say it."""

from collections.abc import Awaitable

from interlock.contract.ir import Approvals
from interlock.core.action import ActionState
from interlock.core.errors import NotPermitted
from interlock.core.ids import ActionId, PersonId, ProcessId, Role
from interlock.core.outcome import Done, Parked
from interlock.gateway.consent import agree, deny, edit
from interlock.gateway.doors import Operator
from interlock.gateway.resume import resume
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import ALLOW, World, a_rule

ASK = a_rule("ask.mail", "ask")
TWO = a_rule("ask.mail", "ask", quorum=2)
LEADS = Approvals(people={Role("lead"): frozenset(map(PersonId, ("ann", "ben", "cyn", "sam")))})


@check("consent", "a yes opens these arguments once, and nothing else")
async def exactly_what_was_seen(lab: Lab) -> str:
    world = lab.world()
    await world.publish(ALLOW, ASK, approvals=LEADS)
    one, other = await _park(world, "bob"), await _park(world, "eve")
    await _yes(world, one, "ann")
    await _refused(agree(world.gateway, world.store, other, _who("ann"), seen="0" * 64), "a yes to something else")
    ended(await resume(world.gateway, world.store, other), Parked, "one that nobody agreed to")
    ended(await resume(world.gateway, world.store, one), Done, "the one that somebody agreed to")
    await resume(world.gateway, world.store, one)
    must(world.tool.sent == [b'{"to":"bob"}'], f"what was sent: {world.tool.sent}")
    used = [entry for entry in await world.entries() if entry["kind"] == "started"]
    must(len(used) == 1 and used[0]["grants"][0]["person"] == "ann", "the start does not name who agreed")
    return "1 of 2 opened, once"


@check("consent", "arguments that were edited need a new yes, and not from who edited them")
async def edited(lab: Lab) -> str:
    world = lab.world()
    await world.publish(ALLOW, TWO, approvals=LEADS)
    id = await _park(world, "bob")
    await _yes(world, id, "ann")
    await edit(world.gateway, world.store, id, '{"to":"eve"}', _who("ben"))
    ended(await resume(world.gateway, world.store, id), Parked, "edited after one yes of two")
    await _refused(_yes(world, id, "ben"), "a yes of who edited it")
    await _yes(world, id, "cyn")
    ended(await resume(world.gateway, world.store, id), Parked, "one yes to the old arguments and one to the new")
    must(not world.tool.performed, "it was carried out")
    must((await world.row(id)).state is ActionState.PARKED, "it does not wait any more")
    return "the old yes opens nothing"


@check("consent", "who asked, who holds no role, and one person twice do not make a quorum")
async def by_whom(lab: Lab) -> str:
    world = lab.world()
    await world.publish(ALLOW, TWO, approvals=LEADS)
    id = await _park(world, "bob")
    await _refused(_yes(world, id, "sam"), "a yes of who asked")
    await _refused(_yes(world, id, "mallory"), "a yes of a stranger")
    for _ in range(2):
        await _yes(world, id, "ann")
    ended(await resume(world.gateway, world.store, id), Parked, "one person's two yeses of two")
    await _yes(world, id, "ben")
    ended(await resume(world.gateway, world.store, id), Done, "two yeses of two people")
    return "2 people of 5 words"


@check("consent", "a yes ends with its time, and one no is enough")
async def in_time(lab: Lab) -> str:
    world = lab.world()
    await world.publish(ALLOW, ASK, approvals=LEADS)
    late, denied = await _park(world, "bob"), await _park(world, "eve")
    await _yes(world, late, "ann")
    await deny(world.gateway, world.store, denied, _who("ben"))
    await _refused(_yes(world, denied, "ann"), "a yes after a no")
    world.clock.forward(days=400)
    outcome = await resume(world.gateway, world.store, late)
    must(not isinstance(outcome, Done), "a yes of last year opened it")
    must(not world.tool.performed, "it was carried out")
    return "1 expired, 1 denied"


async def _park(world: World, to: str) -> ActionId:
    return ended(await world.call({"to": to}), Parked, "a call that a rule asks about").action


async def _yes(world: World, id: ActionId, name: str) -> None:
    await agree(world.gateway, world.store, id, _who(name), seen=(await world.row(id)).seen)


def _who(name: str) -> Operator:
    return Operator(person=PersonId(name), known_by=f"os:{name}", process=ProcessId("pverify"))


async def _refused(word: Awaitable[object], what: str) -> None:
    try:
        await word
    except NotPermitted:
        return
    broken(f"{what} was heard")


CHECKS = (exactly_what_was_seen, edited, by_whom, in_time)
