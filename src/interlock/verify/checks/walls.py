"""What is one tenant's or one agent's is nobody else's, and what is secret is not readable."""

import json
from secrets import token_hex

from interlock.contract.ir import Unique
from interlock.core.errors import StoreTampered
from interlock.core.ids import Micros
from interlock.core.outcome import Done, Refused
from interlock.gateway.recall import row_of
from interlock.ports import Wanted
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import World, a_budget, a_tool

DAY = Micros(86_400_000_000)


@check("tenant", "the same call under the same key in two tenants is two actions, on two budgets")
async def two_tenants(lab: Lab) -> str:
    one, other = lab.world(), lab.world()
    must(one.tenant != other.tenant, "the lab has one tenant")
    unique = Unique(on=("args.to",), within=DAY)
    for world in (one, other):
        await world.publish(tools=[a_tool(price=10, unique=unique)], budgets=[a_budget(10)])
    done = [ended(await world.call(key="k", run="r1"), Done, "the call in its own tenant") for world in (one, other)]
    must(done[0].action != done[1].action, "one tenant was told of the other's action")
    for world, mine, theirs in ((one, done[0], done[1]), (other, done[1], done[0])):
        must(await row_of(world.store, mine.action) is not None, "a tenant does not find its own action")
        must(await row_of(world.store, theirs.action) is None, "a tenant finds the other's action")
        must(not await world.store.entries_of(theirs.action), "a tenant reads the other's entries")
        must((await world.balance()).spent == 10, f"a tenant was charged {(await world.balance()).spent}")
    return "2 actions, 2 budgets, 0 shared"


@check("tenant", "a row, a payload or a signature of one tenant is worth nothing in another")
async def nothing_carries_over(lab: Lab) -> str:
    one, other = lab.world(), lab.world()
    secrets = one.opened.secrets
    text = b"the same words"
    must(secrets.mac(one.tenant, text) != secrets.mac(other.tenant, text), "two tenants share a key for MACs")
    must(
        secrets.public_key(one.tenant, generation=1) != secrets.public_key(other.tenant, generation=1),
        "two tenants share a key of the ledger",
    )
    for each in (one, other):
        await each.publish()
    done = ended(await one.call(run="r1"), Done, "a call")
    row = await one.row(done.action)
    theirs = [tuple(other.tenant if value == one.tenant else value for value in row) for row in lab.rows("action", one)]
    lab.put_back("action", other, theirs)
    try:
        await other.row(done.action)
        broken("a row of one tenant was believed in another")
    except StoreTampered:
        lab.put_back("action", other, [])
    sealed = await one.store.payload(row.action.arguments)
    assert sealed is not None
    must(bool(secrets.open(one.tenant, row.action.arguments, sealed)), "a tenant cannot open its own payload")
    try:
        opened = secrets.open(other.tenant, row.action.arguments, sealed)
    except StoreTampered:
        return "MAC, signature and payload"
    broken(f"another tenant opened a payload of {len(opened)} bytes")


@check("tenant", "an agent that presents another's key, in another's run, is answered with nothing of theirs")
async def another_agents_key(lab: Lab) -> str:
    world = lab.world()
    await world.publish()
    mine = ended(await world.call(key="k", run="r1", caller=world.caller("bot", "sam")), Done, "a call")
    for agent, principal in (("other", "sam"), ("bot", "eve")):
        stranger, who = world.caller(agent, principal), f"`{agent}` for `{principal}`"
        theirs = ended(await world.call(key="k", caller=stranger), Done, f"a call of {who}")
        must(theirs.action != mine.action, f"{who} was told of another's action")
        no = ended(await world.call(key="k2", run="r1", caller=stranger), Refused, f"a call of {who} in another's run")
        must(no.action != mine.action, f"{who} was told of another's action")
    return "2 strangers, 0 answers of others, 0 calls in the run of another"


@check("secret", "arguments and results are nowhere in the database, beside its keys or in the ledger")
async def not_readable(lab: Lab) -> str:
    world = lab.world()
    argument, answer, key = (f"word-{token_hex(12)}" for _ in range(3))
    world.tool.result = {"said": answer}
    await world.publish()
    ended(await world.call({"to": argument}, key=key, run="r1"), Done, "a call")
    must((await _payload(world)).count(argument) == 1, "the arguments were not kept at all")
    read_bytes = 0
    for stored in lab.everything():
        read_bytes += len(stored)
        for word, what in ((argument, "an argument"), (answer, "a result"), (key, "a key of a call")):
            must(word.encode() not in stored, f"{what} can be read in the database")
    must(read_bytes > 1_000, "nothing was looked at")
    return f"{read_bytes:,} bytes, 0 words found" + (f"; not looked at: {lab.unseen}" if lab.unseen else "")


async def _payload(world: World) -> str:
    (row,) = await world.store.actions(Wanted(limit=1))
    sealed = await world.store.payload(row.action.arguments)
    assert sealed is not None
    return json.dumps(json.loads(world.opened.secrets.open(world.tenant, row.action.arguments, sealed)))


CHECKS = (two_tenants, nothing_carries_over, another_agents_key, not_readable)
