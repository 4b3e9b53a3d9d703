"""Lots are found whatever somebody did to the rows of contracts in the database."""

from hashlib import sha256

import pytest

from interlock.core.ids import ContractHash, Instant
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.gateway.expire import expire, would_expire
from interlock.gateway.lot import lots_due
from interlock.gateway.recover import attend
from interlock.ports import Changes, Needs
from tamper import Intruder
from test_expire import DAY, JANUARY, called, can_read, publish, to_due
from world import KIM, World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget")]


async def test_a_contract_that_nobody_published_keeps_nothing_from_expiring(world: World) -> None:
    body = b"no contract"
    changes = Changes(contracts={ContractHash(sha256(body).hexdigest()): body})
    await world.store.write(Needs(), lambda rows: (changes, None))
    await publish(world)
    ids = await called(world)
    to_due(world)
    assert await attend(world.gateway, world.store) == ()
    assert await can_read(world, ids) == {False}


@pytest.mark.parametrize("edit", ["gone", "another", "other bytes"])
async def test_what_came_under_a_contract_whose_row_was_taken_away_expires_on_its_day(
    world: World, where: str, edit: str
) -> None:
    await publish(world)
    ids = await called(world)
    (retired,) = await world.store.contracts()
    await publish(world, 31)
    later = await called(world)
    intruder = Intruder(where, world.tenant)
    row = next(row for row in intruder.rows("contract") if intruder.value("contract", row, "hash") == retired)
    other = next(each for each in intruder.rows("contract") if each != row)
    body = b"{}" if edit == "other bytes" else intruder.value("contract", other, "body")
    intruder.delete("contract", row)
    if edit != "gone":
        intruder.insert("contract", intruder.having("contract", row, body=body))
    intruder.close()
    found = {each.what for each in await verify_state(world.store, world.opened.secrets)}
    assert "it is gone" in found
    to_due(world, less=1)
    assert await expire(world.store, world.opened.secrets, world.clock, KIM) == ()
    to_due(world)
    (would,) = await would_expire(world.store, world.opened.secrets, world.clock)
    (ended,) = await expire(world.store, world.opened.secrets, world.clock, KIM)
    assert (would.lot, ended.lot, ended.payloads) == ("2026-01/30", "2026-01/30", len(ids))
    assert (await can_read(world, ids), await can_read(world, later)) == ({False}, {True})
    to_due(world, replace(JANUARY, days=31))
    (ended,) = await expire(world.store, world.opened.secrets, world.clock, KIM)
    assert ended.lot == "2026-01/31"


async def test_a_contract_that_is_not_in_force_any_more_and_is_gone_is_found(world: World, where: str) -> None:
    await publish(world)
    (retired,) = await world.store.contracts()
    await publish(world, 31)
    intruder = Intruder(where, world.tenant)
    for row in intruder.rows("contract"):
        if intruder.value("contract", row, "hash") == retired:
            intruder.delete("contract", row)
    intruder.close()
    (found,) = await verify_state(world.store, world.opened.secrets)
    assert (found.where, found.what) == (f"contract `{retired}`", "it is gone")


def test_of_a_month_every_lot_that_can_be_due_is_named_and_no_other() -> None:
    assert JANUARY.due is not None
    due = [*lots_due("2026-01", JANUARY.due)]
    assert (len(due), due[-1]) == (30, JANUARY)
    assert [*lots_due("2026-01", Instant(JANUARY.due - 1))] == due[:-1]
    assert [*lots_due("2026-02", Instant(JANUARY.due - 4 * DAY))] == []
