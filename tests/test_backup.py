"""A backup is one moment, whole, without a key; a restore is all of it or nothing, and brings no erased data back."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backups import TENANT, Site, adopts, done, parked, publish
from command_line import child
from interlock.app import right_to_perform
from interlock.core.errors import (
    BackupBroken,
    InterlockError,
    NotPermitted,
    Occupied,
    PayloadErased,
    StoreBusy,
    StoreClosed,
    StoreTampered,
)
from interlock.core.ids import Instant, MemoId, SubjectId
from interlock.core.outcome import Refused
from interlock.gateway.compare import verify_state
from interlock.ledger.note import Verifier, opened
from interlock.ports import Changes, Halt, Memo, Needs, Wanted
from interlock.store.backup import check
from postgres import Server
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger"), pytest.mark.slow]


@pytest.fixture(params=("sqlite", "postgres"))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A store of its own: a restore takes the place of every tenant."""
    if request.param == "sqlite":
        return Site(str(tmp_path / "interlock.db"), tmp_path)
    server: Server = request.getfixturevalue("postgres_server")
    return Site(server.a_database(f"site{token_hex(4)}"), tmp_path)


@pytest.fixture
def other(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> str:
    """An empty store of the other kind."""
    if not site.where.endswith(".db"):
        return str(tmp_path / "other.db")
    server: Server = request.getfixturevalue("postgres_server")
    return server.a_database(f"other{token_hex(4)}")


async def filled(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        for n in range(3):
            await done(world, arguments={"n": n})
        await parked(world)


async def stands(site: Site) -> tuple[str, Halt | None]:
    async with site.process() as world:
        return await world.store.signed_head(), (await world.store.read(Needs())).halt


async def test_a_backup_beside_a_running_gateway_is_one_moment(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        calls = asyncio.gather(*(done(world, arguments={"n": n}) for n in range(60)))
        backed_up = await asyncio.to_thread(site.back_up)
        await calls
        secrets = world.opened.secrets
        assert check(site.file, secrets) == backed_up.contents
        (part,) = backed_up.contents.tenants
        head = opened(part.head, Verifier.of(TENANT, secrets.public_key(TENANT, generation=1)))
        assert (head.size, head.root.hex()) == (part.entries, part.root)
        await world.store.consistency(head)
    site.restore(over=True)
    async with site.process() as world:
        assert await verify_state(world.store, world.opened.secrets) == ()


async def test_a_backup_has_no_memo_and_a_restore_leaves_none(site: Site) -> None:
    await filled(site)
    memo = Memo(id=MemoId("note:1"), until=Instant(2**53), says=b"in no backup")
    async with site.process() as world:
        await world.store.write(Needs(), lambda _: (Changes(memos=(memo,)), None))
    site.back_up()
    assert b"note:1" not in site.file.read_bytes()
    async with site.process() as world:
        assert await world.store.memos("note:", now=world.clock.now()) == (memo,)
    site.restore(over=True)
    async with site.process() as world:
        assert await world.store.memos("note:", now=world.clock.now()) == ()


@pytest.mark.promise("secret", "forget")
async def test_a_backup_holds_no_key_is_its_owners_alone_and_is_never_written_over(site: Site) -> None:
    await filled(site)
    site.back_up()
    held = site.file.read_bytes()
    opened_store = site.open()
    keys = opened_store.secrets.keys.all()
    opened_store.close()
    assert keys
    for secret in ((site.keys / "master.seed").read_bytes(), *filter(None, keys.values())):
        assert secret not in held
        assert msgspec.json.encode(secret)[1:-1] not in held
    assert b"sam" not in held.partition(b'["payload"')[2].partition(b'["action"')[0]
    assert site.file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreBusy, match="is there already"):
        site.back_up()
    assert site.file.read_bytes() == held
    assert [each.name for each in site.folder.iterdir() if each.name.endswith(".part")] == []


async def test_a_backup_of_one_kind_of_store_goes_into_the_other(site: Site, other: str) -> None:
    await filled(site)
    site.back_up()
    before, _ = await stands(site)
    rows = await everything(site)
    keys = site.folder / "kept.keys"
    site.file.unlink()
    site.back_up(keys_to=keys)
    site.restore(where=other, keys_from=keys)
    site.where = other
    async with site.process() as world:
        assert (await world.store.entries())[: int(before.split("\n")[1])] == rows
        assert await verify_state(world.store, world.opened.secrets) == ()
        await adopts(world, [], nothing_newer=True)
        await done(world, arguments={"n": "new"})


async def everything(site: Site) -> tuple[bytes, ...]:
    async with site.process() as world:
        return await world.store.entries()


def shortened(text: bytes) -> bytes:
    return b"".join(text.splitlines(keepends=True)[:-1])


def torn(text: bytes) -> bytes:
    return text[: len(text) // 2]


def lengthened(text: bytes) -> bytes:
    return text + text.splitlines(keepends=True)[1]


def doubled(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:2], *lines[1:]])


def of_another_schema(text: bytes) -> bytes:
    return text.replace(b'"schema":2', b'"schema":3', 1)


def of_another_format(text: bytes) -> bytes:
    return text.replace(b'"backup":1', b'"backup":2', 1)


def something_else(text: bytes) -> bytes:
    return b"PK\x03\x04" + text


def empty(text: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    "harm",
    [shortened, torn, lengthened, doubled, of_another_schema, of_another_format, something_else, empty],
)
async def test_a_backup_that_is_damaged_changes_nothing(site: Site, harm: Callable[[bytes], bytes]) -> None:
    await filled(site)
    site.back_up()
    site.file.write_bytes(harm(site.file.read_bytes()))
    before = await stands(site)
    with pytest.raises(BackupBroken):
        site.restore(over=True)
    assert await stands(site) == before


async def test_a_backup_of_other_keys_and_a_store_that_holds_something_change_nothing(site: Site) -> None:
    await filled(site)
    site.back_up()
    before = await stands(site)
    with pytest.raises(NotPermitted, match="the store holds `acme`"):
        site.restore()
    seed = site.keys / "master.seed"
    kept = seed.read_bytes()
    seed.write_bytes(bytes(32))
    with pytest.raises(InterlockError, match="cannot be trusted"):
        site.restore(over=True)
    seed.unlink()
    with pytest.raises(StoreClosed, match="the keys of this installation are not in"):
        site.restore(over=True)
    assert not seed.exists()
    seed.write_bytes(kept)
    seed.chmod(0o600)
    assert await stands(site) == before


def test_a_store_on_which_somebody_performs_is_not_restored(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    asyncio.run(filled(site))
    site.back_up()
    with right_to_perform(site.where), pytest.raises(Occupied):
        site.restore(over=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_backup_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text, seed = one_backup(tmp_path_factory)
    place, bit = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 7))
    folder = tmp_path_factory.mktemp("site")
    site = Site(str(folder / "interlock.db"), folder)
    site.keys.mkdir()
    (site.keys / "master.seed").write_bytes(seed)
    (site.keys / "master.seed").chmod(0o600)
    site.file.write_bytes(text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :])
    with pytest.raises(InterlockError):
        site.restore()


def one_backup(folders: pytest.TempPathFactory, known: dict[str, tuple[bytes, bytes]] = {}) -> tuple[bytes, bytes]:  # noqa: B006
    """A backup and its seed, the same each time."""
    if not known:
        folder = folders.mktemp("origin")
        site = Site(str(folder / "interlock.db"), folder)
        asyncio.run(filled(site))
        site.back_up()
        known["it"] = site.file.read_bytes(), (site.keys / "master.seed").read_bytes()
    return known["it"]


async def test_a_row_that_was_edited_with_its_checksum_is_refused(site: Site) -> None:
    await filled(site)
    site.back_up()
    *lines, foot = site.file.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if line.startswith(b'["action"') and b'"parked"' in line)
    lines[at] = lines[at].replace(b'"parked"', b'"done"')
    rows = msgspec.json.decode(foot)["rows"]
    text = b"".join(lines)
    foot = msgspec.json.encode({"rows": rows, "sha256": sha256(text).hexdigest()})
    site.file.write_bytes(text + foot + b"\n")
    before = await stands(site)
    with pytest.raises(StoreTampered, match="column `state` says something else"):
        site.restore(over=True)
    assert await stands(site) == before


MOMENTS = ("checked", "cleared", "filled", "looked at", "marked", "committed")


@pytest.mark.slow
@pytest.mark.promise("once")
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_restore_that_is_killed_leaves_the_old_store_or_one_that_starts_nothing(
    site: Site, moment: str
) -> None:
    await filled(site)
    site.back_up()
    async with site.process() as world:
        await done(world, arguments={"n": "later"})
    before = await stands(site)
    script = str(Path(__file__).parent / "killed_restore.py")
    command = [sys.executable, script, site.where, str(site.folder), str(MOMENTS.index(moment))]
    ended = await asyncio.to_thread(subprocess.run, command, env=child(), capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    head, halt = await stands(site)
    assert (head, halt) == before or halt is Halt.RESTORED
    assert (halt is Halt.RESTORED) == (moment == "committed")
    site.restore(over=True)
    async with site.process() as world:
        assert await verify_state(world.store, world.opened.secrets) == ()
        assert isinstance(await world.call({"n": "more"}), Refused)


async def readable(world: World) -> int:
    """How many actions have arguments that can still be read."""
    count = 0
    for row in await world.store.actions(Wanted()):
        sealed = await world.store.payload(row.action.arguments)
        assert sealed is not None
        try:
            world.opened.secrets.open(world.store.tenant, row.action.arguments, sealed)
            count += 1
        except PayloadErased:
            pass
    return count


@pytest.mark.promise("forget")
async def test_what_was_destroyed_since_the_backup_stays_destroyed(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        for run in ("r1", "r2", "r3"):
            await done(world, run=run)
        assert world.opened.secrets.destroy(world.opened.secrets.subject_name(TENANT, SubjectId("run:r1")))
        assert await readable(world) == 2
        keys = site.folder / "monday.keys"
        backed_up = site.back_up(keys_to=keys)
        assert (backed_up.keys, keys.stat().st_mode & 0o777) == (4, 0o600)  # a month, and a run each
        assert world.opened.secrets.destroy(world.opened.secrets.subject_name(TENANT, SubjectId("run:r2")))
    brought = site.restore(over=True, keys_from=keys).keys
    assert brought is not None
    assert (brought.added, brought.destroyed, brought.stayed, brought.other) == (0, 0, 1, 0)
    async with site.process() as world:
        assert await readable(world) == 1


@pytest.mark.promise("forget")
async def test_what_a_backup_of_keys_knows_as_destroyed_is_destroyed_again(site: Site, other: str) -> None:
    async with site.process() as world:
        await publish(world)
        for run in ("r1", "r2"):
            await done(world, run=run)
        early, late = site.folder / "early.keys", site.folder / "late.keys"
        site.back_up(keys_to=early)
        world.opened.secrets.destroy(world.opened.secrets.subject_name(TENANT, SubjectId("run:r1")))
        site.file.unlink()
        site.back_up(keys_to=late)
    if site.where.endswith(".db"):
        os.rename(site.keys / "keys.db", site.folder / "gone.db")
    site.restore(where=other, keys_from=early)
    site.where = other
    async with site.process() as world:
        assert await readable(world) == 2  # nobody here knows yet
    assert site.restore(over=True, keys_from=late).keys is not None
    async with site.process() as world:
        assert await readable(world) == 1


def test_a_backup_of_keys_that_was_touched_is_refused(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    asyncio.run(filled(site))
    keys = tmp_path / "monday.keys"
    site.back_up(keys_to=keys)
    keys.write_bytes(keys.read_bytes()[:-20])
    with pytest.raises(BackupBroken, match="is no backup of keys"):
        site.restore(over=True, keys_from=keys)
