"""Pictures of what was done: kept for people, committed to, erased with the rest, and never told to an agent."""

import json
from collections.abc import AsyncGenerator

import pytest

from interlock.core.errors import PayloadErased, UpstreamFailed, UpstreamSilent
from interlock.core.ids import PayloadId, SubjectId
from interlock.core.outcome import Done, Failed, Outcome, Uncertain
from interlock.core.picture import Picture
from interlock.core.reason import Reason
from interlock.gateway.compare import verify_state
from interlock.gateway.erase import erase, payloads_of
from world import KIM, World, a_tool

pytestmark = pytest.mark.anyio
BEFORE, AFTER = Picture(moment="before", png=b"PNG before"), Picture(moment="after", png=b"PNG after")


async def named(world: World, outcome: Outcome) -> dict[str, PayloadId]:
    """The payloads of pictures that the entries of an action name."""
    entries = [json.loads(line) for _, line in await world.store.entries_of(outcome.action)]
    details = [(name, said) for entry in entries for name, said in entry["detail"].items()]
    return {name: PayloadId(said.split(" ")[0]) for name, said in details if name.startswith("picture_")}


async def opened(world: World, id: PayloadId) -> bytes:
    sealed = await world.store.payload(id)
    assert sealed is not None
    assert b"PNG" not in sealed
    return world.opened.secrets.open(world.tenant, id, sealed)


async def sound(world: World) -> bool:
    return await verify_state(world.store, world.opened.secrets) == ()


async def test_pictures_are_kept_beside_the_ledger_and_committed_to_in_it(world: World) -> None:
    await world.publish()
    world.tool.pictures = (BEFORE, AFTER)
    outcome = await world.call()
    assert isinstance(outcome, Done)
    assert outcome.result == "sent"
    found = await named(world, outcome)
    assert {name: await opened(world, id) for name, id in found.items()} == {
        "picture_before": b"PNG before",
        "picture_after": b"PNG after",
    }
    assert set(found.values()) <= payloads_of(await world.row(outcome.action))
    assert b"PNG" not in b"".join(await world.store.entries())
    assert await sound(world)


@pytest.mark.parametrize(
    ("breaks", "ends"),
    [
        (UpstreamFailed("renamed", fix="look", reason=Reason.MISSING_CONTEXT, pictures=[BEFORE]), Failed),
        (UpstreamSilent("a dialog", fix="look", reason=Reason.TOOL_ERROR, pictures=[BEFORE]), Uncertain),
    ],
)
async def test_what_says_why_a_person_takes_over_hands_off_whatever_the_contract_says(
    world: World, breaks: Exception, ends: type[Outcome]
) -> None:
    await world.publish()
    world.tool.breaks = [breaks]
    outcome = await world.call()
    assert isinstance(outcome, ends)
    assert [name async for name in _handoffs(world)] == [outcome.action]
    assert await opened(world, (await named(world, outcome))["picture_before"]) == b"PNG before"
    row = await world.row(outcome.action)
    assert row.reason is (Reason.MISSING_CONTEXT if ends is Failed else None)
    assert await sound(world)


async def _handoffs(world: World) -> AsyncGenerator[str]:
    for notice in await world.store.notices(before=world.clock.now()):
        if notice.topic == "handoff":
            yield notice.action


async def test_pictures_are_erased_with_whoever_they_show(world: World) -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    await world.publish(tools=[a_tool(subject="args.to", schema=schema)])
    world.tool.pictures = (AFTER,)
    outcome = await world.call('{"to": "zoe"}')
    (id,) = (await named(world, outcome)).values()
    await erase(world.store, world.opened.secrets, SubjectId("subject:zoe"), KIM)
    with pytest.raises(PayloadErased):
        await opened(world, id)
    assert await sound(world)
