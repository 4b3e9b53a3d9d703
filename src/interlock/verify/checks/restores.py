"""A store that was set back repeats nothing, and what is lost is known to whoever kept something."""

from interlock import app
from interlock.contract.ir import Approvals
from interlock.core.errors import NotPermitted
from interlock.core.ids import PersonId, Role
from interlock.core.outcome import Done, Parked, Refused
from interlock.gateway.adopt import adopt
from interlock.gateway.consent import agree
from interlock.gateway.doors import Operator
from interlock.gateway.recover import attend
from interlock.gateway.resume import resume
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import ALLOW, KIM, a_rule

ANN = Operator(person=PersonId("ann"), known_by="os:ann", process=KIM.process)


@check("once", "a store that was restored starts nothing until a person adopts it, and an old yes opens nothing then")
async def set_back(lab: Lab) -> str:
    world = lab.world()
    approvals = Approvals(people={Role("lead"): frozenset({PersonId("ann")})})
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=approvals)
    agreed = ended(await world.call({"to": "bob"}), Parked, "a call that waits").action
    await agree(world.gateway, world.store, agreed, ANN, seen=(await world.row(agreed)).seen)
    file, keys = lab.folder / f"{world.tenant}.backup", lab.folder / "keys"
    app.back_up(lab.where, keys, file, clock=world.clock)
    lost = ended(await resume(world.gateway, world.store, agreed), Done, "what was agreed to")
    must(lost.receipt is not None, "an effect without a receipt")
    lab.close()
    app.bring_back(lab.where, keys, file, KIM, over=True, clock=world.clock)
    again = lab.world(beside=world)
    ended(await again.call({"to": "eve"}), Refused, "a call on a restored store")
    await attend(again.gateway, again.store)
    notes = [lost.receipt.head] if lost.receipt is not None else []
    try:
        await adopt(again.store, again.opened.secrets, KIM, notes)
        broken("it was adopted, and nobody said that they know of what is lost")
    except NotPermitted:
        await adopt(again.store, again.opened.secrets, KIM, notes, lost=2)
    await attend(again.gateway, again.store)
    ended(await resume(again.gateway, again.store, agreed), Parked, "what had been agreed to before")
    must(len(world.tool.performed) == 1, f"the effect happened {len(world.tool.performed)} times")
    return "2 entries lost and declared, 1 effect"


CHECKS = (set_back,)
