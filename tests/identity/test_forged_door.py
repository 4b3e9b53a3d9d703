"""Whoever can edit the database and has no keys lets nobody in, and nobody back in."""

from collections.abc import Callable

import pytest

from cards import door_of, fill, issued, with_token
from interlock.app import Opened
from interlock.core.errors import StoreTampered
from interlock.core.limits import DOOR_BYTES_READ_ALWAYS_MAX
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.gateway import access
from interlock.gateway.compare import verify_state
from interlock.identity.token import draw
from tamper import Intruder
from world import KIM, HandClock, World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger")]


def edited(world: World, where: str, old: bytes, new: bytes) -> bytes:
    """Put other bytes into the body of the door; return what stood there."""
    intruder = Intruder(where, world.tenant)
    (row,) = intruder.rows("door")
    body = bytes(row[intruder.columns["door"].index("body")])
    assert old in body
    assert intruder.replace("door", row, intruder.having("door", row, body=body.replace(old, new)))
    intruder.close()
    return body


async def test_a_token_that_somebody_without_the_keys_writes_into_the_door_lets_nobody_in(
    world: World, where: str
) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    edited(world, where, drawn.hash.encode(), draw(world.tenant).hash.encode())
    outcome = await world.call(caller=caller)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.INTERNAL, [])


async def test_a_door_from_before_a_revocation_is_not_believed(world: World, where: str) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    intruder = Intruder(where, world.tenant)
    (before,) = intruder.rows("door")
    await access.revoke(world.store, drawn.id, KIM)
    (after,) = intruder.rows("door")
    assert intruder.replace("door", after, before)
    intruder.close()
    outcome = await world.call(caller=caller)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.INTERNAL, [])


async def test_an_edit_of_a_long_door_is_not_believed_by_who_has_checked_it_and_stops_who_has_not(
    world: World, where: str, opens: Callable[[HandClock], Opened]
) -> None:
    await world.publish()
    drawn, _ = await issued(world)
    caller = await with_token(world, drawn)
    await fill(world, 150)
    assert isinstance(await world.call({"n": 1}, caller=caller), Done)
    body = edited(world, where, drawn.hash.encode(), draw(world.tenant).hash.encode())
    assert len(body) > DOOR_BYTES_READ_ALWAYS_MAX
    assert isinstance(await world.call({"n": 2}, caller=caller), Done)
    assert (await door_of(world)).credentials[drawn.id].hash == drawn.hash
    found = await verify_state(world.store, world.opened.secrets)
    assert "door" in {difference.where for difference in found}
    other = World.on(opens(world.clock), world.clock, world.tenant)
    with pytest.raises(StoreTampered):
        await door_of(other)
