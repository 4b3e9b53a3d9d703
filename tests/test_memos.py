"""Memos: what a door keeps for a while in the store, for whichever process is asked next."""

import asyncio

import pytest

from interlock.core.errors import StoreTampered
from interlock.core.ids import Instant, MemoId
from interlock.gateway.compare import disagreements
from interlock.gateway.recover import attend
from interlock.ports import Changes, Kept, Memo, Needs, Rows
from test_store import execute, one
from world import World

pytestmark = pytest.mark.anyio

HOUR = 3_600 * 1_000_000


async def kept(world: World, id: str, says: bytes = b"", *, hours: float = 1) -> Memo:
    memo = Memo(id=MemoId(id), until=Instant(world.clock.now() + int(hours * HOUR)), says=says)
    await world.store.write(Needs(), lambda _: (Changes(memos=(memo,)), None), durable=False)
    return memo


async def found(world: World, id: str) -> Memo | None:
    return (await world.store.read(Needs(memos=frozenset({MemoId(id)})))).memos[MemoId(id)]


async def test_a_memo_is_there_for_every_process_until_it_ends(world: World) -> None:
    memo = await kept(world, "note:1", b"remember")
    beside = world.another()
    assert await found(beside, "note:1") == memo
    assert await found(beside, "note:2") is None
    world.clock.forward(minutes=61)
    assert await found(beside, "note:1") is None


async def test_a_memo_that_is_kept_anew_says_the_new_and_one_that_has_ended_is_gone_at_once(
    world: World, where: str
) -> None:
    await kept(world, "note:1", b"old")
    memo = await kept(world, "note:1", b"new")
    assert await found(world, "note:1") == memo
    await kept(world, "note:1", hours=0)
    assert await found(world, "note:1") is None
    assert one(where, "select count(*) from memo where tenant = ?", world.tenant) == 0


async def test_writes_that_share_a_batch_find_what_the_one_before_them_kept(world: World) -> None:
    id = MemoId("count:1")

    def change(rows: Rows) -> tuple[Changes, int]:
        count = int(known.says) + 1 if (known := rows.memos[id]) is not None else 1
        memo = Memo(id=id, until=Instant(rows.now + HOUR), says=b"%d" % count)
        return Changes(memos=(memo,)), count

    needs = Needs(memos=frozenset({id}))
    told = await asyncio.gather(*(world.store.write(needs, change, durable=False) for _ in range(20)))
    assert sorted(each.answer for each in told) == list(range(1, 21))


async def test_memos_are_found_by_how_their_ids_begin_and_whoever_adds_one_takes_away_what_has_ended(
    world: World, where: str
) -> None:
    for id, hours in (("a:2", 1), ("a:1", 1), ("a:old", 0.5), ("b:1", 1)):
        await kept(world, id, hours=hours)
    world.clock.forward(minutes=31)
    assert [each.id for each in await world.store.memos("a:", now=world.clock.now())] == ["a:1", "a:2"]
    assert one(where, "select count(*) from memo where tenant = ?", world.tenant) == 4
    await kept(world, "a:3")
    assert one(where, "select count(*) from memo where tenant = ?", world.tenant) == 4
    assert one(where, "select count(*) from memo where tenant = ? and id = ?", world.tenant, "a:old") == 0


async def test_a_memo_that_somebody_edited_is_none_and_is_told_of(world: World, where: str) -> None:
    await kept(world, "a:1", b"one")
    await kept(world, "a:2", b"two")
    execute(where, "update memo set id = 'a:0' where id = 'a:1' and tenant = ?", world.tenant)
    with pytest.raises(StoreTampered):
        await found(world, "a:0")
    assert [each.id for each in await world.store.memos("a:", now=world.clock.now())] == ["a:2"]

    def differences(stored: Kept) -> list[str]:
        return [each.where for each in (*disagreements(stored), *stored.differences)]

    assert await world.store.kept(differences) == ["`a:0` of `memo`"]


async def test_a_memo_makes_no_entry(world: World) -> None:
    await world.publish()
    before = (await world.entries(), await world.store.signed_head())
    await kept(world, "note:1", b"remember")
    assert (await world.entries(), await world.store.signed_head()) == before


async def test_what_has_ended_is_taken_out_by_whoever_attends(world: World, where: str) -> None:
    await kept(world, "a:1")
    await kept(world, "a:2", hours=3)
    world.clock.forward(minutes=61)
    await attend(world.gateway, world.store)
    assert one(where, "select count(*) from memo where tenant = ?", world.tenant) == 1
    assert await found(world, "a:2") is not None
