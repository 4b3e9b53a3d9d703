"""A rotation holds for every process from its next batch on, and an older key signs nothing any more."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_hex

import pytest

from backups import Site, adopts, anchored, done, publish
from interlock.app import Opened, open_store
from interlock.core.door import Door
from interlock.core.errors import LedgerBroken, NotPermitted, StoreTampered
from interlock.core.ids import TenantId
from interlock.core.outcome import Done, Receipt, Refused
from interlock.gateway import rotate as rotating
from interlock.gateway.adopt import not_set_back
from interlock.gateway.compare import verify_state
from interlock.gateway.history import exported, generations, key_of, own
from interlock.gateway.rotate import rotate
from interlock.ledger.audit import Report, audit
from interlock.ledger.export import read
from interlock.ledger.note import signed
from interlock.ledger.tree import Head
from interlock.ports import Needs
from interlock.store.load import mac_of
from interlock.store.schema import encode
from postgres import Server
from test_store import execute, one
from world import KIM, HandClock, World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger")]


BEYOND = "is signed over 11 entries with the key of generation 1, which signs heads over 0 to 1 entries"


async def turn(world: World, why: str = "leaked") -> None:
    await rotate(world.store, world.opened.secrets, KIM, why=why)


async def audited(world: World, *receipts: Receipt, pinned: int = 1, heads: Sequence[str] = ()) -> Report:
    export = read([line async for line in exported(world.store, world.opened.secrets)])
    key = key_of(world.store, world.opened.secrets, pinned)
    return audit(export, pinned=key, heads=heads, receipts=receipts)


async def receipt_of(world: World, n: int) -> Receipt:
    outcome = await world.call({"to": f"c{n}"})
    assert isinstance(outcome, Done), outcome
    assert outcome.receipt is not None
    return outcome.receipt


def signer(world: World, note: str) -> int:
    return own(note, world.store, world.opened.secrets)[0]


async def test_a_rotation_says_who_did_it_and_why_and_what_was_kept_before_still_verifies(world: World) -> None:
    await world.publish()
    before = await receipt_of(world, 1)
    await turn(world, "CASE-7")
    after = await receipt_of(world, 2)
    await turn(world, "yearly")
    assert [signer(world, each.head) for each in (before, after)] == [1, 2]
    assert signer(world, await world.store.signed_head()) == 3
    (first, second) = [entry for entry in await world.entries() if entry["kind"] == "rotated"]
    assert (first["by"], first["known_by"], first["detail"]["why"]) == ("kim", "os:1000", "CASE-7")
    assert (second["detail"]["generation"], second["detail"]["why"]) == (3, "yearly")
    for pinned in (1, 2, 3):
        assert (await audited(world, before, after, pinned=pinned)).findings == ()
    assert await verify_state(world.store, world.opened.secrets) == ()
    known = [each.generation for each in await generations(world.store, world.opened.secrets)]
    assert [(each.number, each.first, each.last) for each in known] == [(1, 0, 3), (2, 4, 6), (3, 7, None)]


async def test_what_comes_in_one_batch_with_a_rotation_is_signed_by_whom_it_may(world: World) -> None:
    await world.publish()
    early = [asyncio.create_task(receipt_of(world, n)) for n in range(10)]
    turned = asyncio.create_task(turn(world))
    late = [asyncio.create_task(receipt_of(world, n)) for n in range(10, 20)]
    receipts = [await each for each in (*early, *late)]
    await turned
    after = await receipt_of(world, 99)
    assert signer(world, after.head) == 2
    assert {signer(world, each.head) for each in receipts} <= {1, 2}
    for pinned in (1, 2):
        assert (await audited(world, *receipts, after, pinned=pinned)).findings == ()


async def test_a_second_process_signs_with_the_new_key_from_its_next_batch_on(
    world: World, opens: Callable[[HandClock], Opened]
) -> None:
    other = World.on(opens(world.clock), world.clock, world.tenant)
    await world.publish()
    kept = [await receipt_of(each, n) for n, each in enumerate((world, other))]
    await turn(world)
    kept.append(await receipt_of(other, 10))
    await turn(other)
    kept += [await receipt_of(world, 11), await receipt_of(other, 12)]
    assert [signer(world, each.head) for each in kept] == [1, 1, 2, 3, 3]
    for each in (world, other):
        assert (await audited(each, *kept)).findings == ()
        assert await verify_state(each.store, each.opened.secrets) == ()


async def test_while_two_processes_write_and_rotate_no_key_signs_beyond_its_range(
    world: World, opens: Callable[[HandClock], Opened]
) -> None:
    other = World.on(opens(world.clock), world.clock, world.tenant)
    await world.publish()

    async def writes(each: World, first: int) -> list[Receipt]:
        kept: list[Receipt] = []
        for n in range(first, first + 12):
            if n % 5 == 4:
                await turn(each)
            kept.append(await receipt_of(each, n))
        return kept

    parts = await asyncio.gather(writes(world, 0), writes(other, 100), writes(world, 200), writes(other, 300))
    receipts = [each for part in parts for each in part]
    report = await audited(world, *receipts)
    assert report.findings == ()
    assert [each.number for each in report.generations] == list(range(1, 10))
    assert {signer(world, each.head) for each in receipts} >= {1, 9}


@pytest.mark.parametrize("edit", ["back", "forward", "away"])
async def test_which_generation_signs_is_not_changed_by_hand(world: World, where: str, edit: str) -> None:
    await world.publish()
    await turn(world)
    body = bytes(one(where, "select body from door where tenant = ?", world.tenant))
    assert b'"generation":2' in body
    to = {"back": b'"generation":1', "forward": b'"generation":3', "away": b'"generation":true'}[edit]
    execute(where, "update door set body = ? where tenant = ?", body.replace(b'"generation":2', to), world.tenant)
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    with pytest.raises(StoreTampered):
        await turn(world)


async def test_a_head_that_another_generation_signed_is_not_gone_on_from(
    world: World, where: str, opens: Callable[[HandClock], Opened]
) -> None:
    """Who has the key for MACs and an older signing key has not the newer one."""
    await world.publish()
    await turn(world)
    stored = (await world.store.read(Needs())).tree
    secrets = world.opened.secrets
    for by in (1, 3):
        key = key_of(world.store, secrets, by)
        note = signed(key, stored.head(), lambda text, by=by: secrets.sign(world.tenant, text, generation=by))
        at, epoch = (
            int(one(where, f"select {name} from head where tenant = ?", world.tenant)) for name in ("at", "epoch")
        )
        body = f"{stored.size}/{at}/{epoch}/".encode() + stored.to_bytes() + note.encode()
        mac = mac_of(secrets, world.tenant, "head", world.tenant, body)
        execute(where, "update head set note = ?, mac = ? where tenant = ?", note, mac, world.tenant)
        fresh = World.on(opens(world.clock), world.clock, world.tenant)
        assert isinstance(await fresh.call(), Refused)
        assert "head" in [each.where for each in await verify_state(fresh.store, fresh.opened.secrets)]


async def test_a_store_of_before_there_were_generations_goes_on_as_the_first_one(world: World, where: str) -> None:
    await world.publish()
    door = (await world.store.read(Needs())).door
    body = encode(door).replace(b'"generation":1,', b"").replace(b',"generation":1', b"")
    assert b"generation" not in body
    mac = mac_of(world.opened.secrets, world.tenant, "door", world.tenant, body)
    execute(where, "update door set body = ?, mac = ? where tenant = ?", body, mac, world.tenant)
    kept = await receipt_of(world, 1)
    await turn(world)
    assert Door().generation == 1
    assert signer(world, kept.head) == 1
    assert (await audited(world, kept)).findings == ()


async def test_there_are_so_many_generations_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.publish()
    monkeypatch.setattr(rotating, "GENERATIONS_MAX", 2)
    await turn(world)
    with pytest.raises(NotPermitted, match="2 generations at most"):
        await turn(world)


@pytest.fixture(params=("sqlite", "postgres"))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A store of its own: a restore takes the place of every tenant."""
    if request.param == "sqlite":
        return Site(str(tmp_path / "interlock.db"), tmp_path)
    server: Server = request.getfixturevalue("postgres_server")
    return Site(server.a_database(f"turn{token_hex(4)}"), tmp_path)


async def test_a_store_that_was_set_back_over_a_rotation_goes_on_with_the_newer_key_once_it_is_adopted(
    site: Site,
) -> None:
    async with site.process() as world:
        await publish(world)
        site.back_up()
        await turn(world)
        lost = (await done(world)).receipt
        assert lost is not None
        knows = key_of(world.store, world.opened.secrets, 2)
    site.restore(over=True)
    async with site.process() as world:
        with pytest.raises(NotPermitted, match="may have a newer key"):
            await turn(world)
        # Until then the older key signs. Whoever knows of the rotation sees that at once.
        note = await world.store.signed_head()
        assert signer(world, note) == 1
        assert not (await audited(world, pinned=2)).sound
        assert not (await audited(world, lost)).sound
        await adopts(world, [lost], lost=3)
        assert signer(world, await world.store.signed_head()) == 2
        kinds = [entry["kind"] for entry in await world.entries()][-2:]
        assert kinds == ["rotated", "adopted"]
        assert await verify_state(world.store, world.opened.secrets) == ()
        new = (await done(world, arguments={"to": "zoe"})).receipt
        assert new is not None
        for pinned in (1, 2):
            report = await audited(world, lost, new, pinned=pinned)
            assert {each.declared for each in report.findings} == {True}
        assert knows == key_of(world.store, world.opened.secrets, 2)
        await turn(world)
        report = await audited(world, lost, new, pinned=2)
        assert {each.declared for each in report.findings} == {True}


async def test_a_store_that_was_set_back_and_adopted_without_the_newer_heads_is_found_by_who_has_them(
    site: Site,
) -> None:
    async with site.process() as world:
        await publish(world)
        site.back_up()
        await turn(world)
        lost = [(await done(world, arguments={"n": n})).receipt for n in range(3)][-1]
        assert lost is not None
        knows = read([line async for line in exported(world.store, world.opened.secrets)])
    site.restore(over=True)
    async with site.process() as world:
        await adopts(world, [], nothing_newer=True)
        for n in range(4):
            await done(world, arguments={"n": n})
        head = await world.store.signed_head()
        assert signer(world, head) == 1  # over more entries than its range had on the lost line
        assert not (await audited(world, lost)).sound
        assert not (await audited(world, pinned=2)).sound
    # And by who holds the line that is lost: there it is an old key that signs what it may not.
    found = [each.what for each in audit(knows, heads=[head]).findings]
    assert found == ["a head that you kept " + BEYOND]


async def lost_with_its_line(site: Site) -> Receipt:
    """Set a store back over its last entries, and return the receipt of the last one."""
    async with site.process() as world:
        await publish(world)
        site.back_up()
        lost = [(await done(world, arguments={"n": n})).receipt for n in range(3)][-1]
        assert lost is not None
    site.restore(over=True)
    return lost


async def test_a_ledger_that_lacks_what_a_head_at_hand_is_over_is_adopted_before_its_key_is_rotated(site: Site) -> None:
    lost = await lost_with_its_line(site)
    async with site.process() as world:
        await adopts(world, [], nothing_newer=True)
        secrets = world.opened.secrets
        with pytest.raises(NotPermitted, match="4 entries are lost") as refused:
            await not_set_back(world.store, secrets, [lost.head])
        assert "`interlock ledger adopt`" in refused.value.fix
        await adopts(world, [lost], lost=4)
        kept = (await done(world)).receipt
        assert kept is not None
        await not_set_back(world.store, secrets, [lost.head, kept.head])
        await turn(world)
        await not_set_back(world.store, secrets, [lost.head, kept.head])
        report = await audited(world, lost, kept)
        assert {each.declared for each in report.findings} == {True}


async def test_a_head_of_a_lost_line_that_turns_up_after_a_rotation_cannot_be_told_from_a_thiefs(site: Site) -> None:
    lost = await lost_with_its_line(site)
    async with site.process() as world:
        await adopts(world, [], nothing_newer=True)
        await turn(world)
        with pytest.raises(LedgerBroken, match="with the key of generation 1"):
            await adopts(world, [lost], lost=6)
        assert not (await audited(world, lost)).sound


async def test_a_head_that_a_stolen_old_key_signed_is_not_adopted(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        await turn(world)
        secrets = world.opened.secrets
        key = key_of(world.store, secrets, 1)
        forged = signed(key, Head(size=50, root=bytes(32)), lambda text: secrets.sign(world.tenant, text, generation=1))
        kept = Receipt(leaf="", index=0, head=forged)
        with pytest.raises(LedgerBroken, match="with the key of generation 1") as refused:
            await adopts(world, [kept], lost=48)
        assert "find out who has that key" in refused.value.fix


async def test_a_rotated_store_is_backed_up_and_restored_with_its_generation(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        await turn(world)
        kept = (await done(world)).receipt
        assert kept is not None
        anchor = await anchored(world)
        site.back_up()
    assert [part.entries for part in site.restore(over=True).restored.replaced] == [4]
    async with site.process() as world:
        assert (await world.store.read(Needs())).door.generation == 2
        await adopts(world, [anchor])
        assert (await audited(world, kept, heads=[anchor.head])).findings == ()
        assert await verify_state(world.store, world.opened.secrets) == ()


async def test_another_installation_has_another_key_in_every_generation(world: World, tmp_path: Path) -> None:
    elsewhere = open_store(str(tmp_path / "other.db"), tmp_path / "other", clock=world.clock, durable=False)
    try:
        theirs = {elsewhere.secrets.public_key(world.tenant, generation=n) for n in range(1, 4)}
        ours = {world.opened.secrets.public_key(world.tenant, generation=n) for n in range(1, 4)}
        others = {world.opened.secrets.public_key(TenantId("globex"), generation=n) for n in range(1, 4)}
        assert len(theirs | ours | others) == 9
    finally:
        elsewhere.close()
