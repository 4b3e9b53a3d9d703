"""Proofs from stored hashes: they hold for who has only the public key, and a forged hash never becomes one."""

from functools import partial

import pytest

from interlock.core.errors import LedgerBroken, StoreTampered
from interlock.core.ids import ProcessId
from interlock.ledger.note import Verifier, opened
from interlock.ledger.proof import check_consistency, check_inclusion
from interlock.ledger.seal import ChangeEntry, Kind
from interlock.ledger.tree import Head, Tree, leaf_hash
from interlock.ports import Changes, Needs, Rows
from test_store import execute, one
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger")]


async def fill(world: World, *counts: int) -> None:
    """Write so many entries, each number in one write."""
    for count in counts:
        await world.store.write(Needs(), partial(entered, count=count))


def entered(rows: Rows, *, count: int) -> tuple[Changes, None]:
    entries = tuple(
        ChangeEntry(
            kind=Kind.CLOCK,
            at=rows.now,
            epoch=rows.door.epoch,
            process=ProcessId("ptest"),
            by="kim",
            known_by="os:1000",
            detail={"n": n},
        )
        for n in range(count)
    )
    return Changes(entries=entries), None


def verifier(world: World) -> Verifier:
    return Verifier.of(world.tenant, world.opened.secrets.public_key(world.tenant, generation=1))


def head_of(lines: tuple[bytes, ...]) -> Head:
    tree = Tree()
    for line in lines:
        tree = tree.add(line)
    return tree.head()


async def holds(world: World, index: int) -> bool:
    """Whether the store proves an entry to somebody with the public key alone."""
    proof = await world.store.inclusion(index)
    head = opened(proof.head, verifier(world))
    (line,) = await world.store.entries(after=index, limit=1)
    return check_inclusion(leaf_hash(line), index, head.size, proof.path, head.root)


@pytest.mark.parametrize("counts", [(1,), (200, 55), (200, 56), (200, 57), (100, 412), (700,)])
async def test_every_entry_is_proved_whatever_of_the_ledger_is_in_tiles(world: World, counts: tuple[int, ...]) -> None:
    await fill(world, *counts)
    size = sum(counts)
    assert all([await holds(world, index) for index in {0, 1, size // 2, 254, 255, 256, 257, size - 1} if index < size])
    with pytest.raises(LedgerBroken):
        await world.store.inclusion(size)


async def test_a_tile_is_written_by_the_batch_that_fills_it_and_by_no_other(world: World, where: str) -> None:
    tiles = "select count(*) from tile where tenant = ?"
    await fill(world, 255)
    assert one(where, tiles, world.tenant) == 0
    await fill(world, 1)
    assert one(where, tiles, world.tenant) == 1
    await fill(world, 600)
    assert one(where, tiles, world.tenant) == 3


async def test_tiles_stand_on_tiles(world: World, where: str) -> None:
    for _ in range(66):
        await fill(world, 1_000)
    assert one(where, "select count(*) from tile where tenant = ? and level = 1", world.tenant) == 1
    assert all([await holds(world, index) for index in (0, 255, 65_535, 65_536, 65_999)])
    lines = await world.store.entries(limit=66_000)
    for size in (1, 256, 65_535, 65_536, 65_537):
        old = head_of(lines[:size])
        proof = await world.store.consistency(old)
        assert check_consistency(old, opened(proof.head, verifier(world)), proof.path)


async def test_an_older_head_of_this_ledger_is_proved_and_one_of_another_is_refused(world: World) -> None:
    await fill(world, 300)
    old = opened(await world.store.signed_head(), verifier(world))
    await fill(world, 300)
    proof = await world.store.consistency(old)
    new = opened(proof.head, verifier(world))
    assert (old.size, new.size, check_consistency(old, new, proof.path)) == (300, 600, True)
    with pytest.raises(LedgerBroken, match="its entries are others"):
        await world.store.consistency(Head(size=300, root=bytes(32)))
    with pytest.raises(LedgerBroken, match="only 600"):
        await world.store.consistency(Head(size=601, root=bytes(32)))


@pytest.mark.parametrize("column", ["root", "hashes"])
async def test_a_forged_tile_proves_nothing(world: World, where: str, column: str) -> None:
    await fill(world, 600)
    forged = bytes(32 if column == "root" else 32 * 256)
    execute(where, f'update tile set {column} = ? where tenant = ? and "index" = 0', forged, world.tenant)
    refused = 0
    for index in (0, 255, 256, 599):
        try:
            assert await holds(world, index)
        except StoreTampered:
            refused += 1
    assert refused == 2, "the entries under it, or those beside it"


async def test_what_stands_on_a_tile_that_is_gone_is_not_proved(world: World, where: str) -> None:
    await fill(world, 600)
    execute(where, 'delete from tile where tenant = ? and "index" = 0', world.tenant)
    for index in (0, 599):
        with pytest.raises(StoreTampered):
            await world.store.inclusion(index)


async def test_an_edited_entry_is_not_proved(world: World, where: str) -> None:
    await fill(world, 600)
    for index in (3, 599):
        execute(where, 'update entry set line = ? where tenant = ? and "index" = ?', b"{}", world.tenant, index)
        with pytest.raises(StoreTampered):
            await world.store.inclusion(index)


async def test_a_batch_that_finds_entries_gone_writes_no_tile_and_nothing_else(world: World, where: str) -> None:
    await fill(world, 200)
    execute(where, 'delete from entry where tenant = ? and "index" = 3', world.tenant)
    with pytest.raises(StoreTampered, match="gone"):
        await fill(world, 100)
    assert opened(await world.store.signed_head(), verifier(world)).size == 200
