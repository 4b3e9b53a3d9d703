"""What somebody without a key writes into a backup or a file of keys changes nothing, and what is erased is gone."""

import sqlite3
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from backups import Site, done, publish
from interlock.core.errors import BackupBroken, InterlockError, StoreBusy, StoreTampered
from interlock.core.ids import SubjectId
from interlock.core.outcome import Done
from interlock.gateway.compare import verify_state
from interlock.gateway.erase import about, erase, hold_for_law
from interlock.secret import key_backup
from interlock.store.sqlite import SqliteDatabase
from world import ALLOW, KIM, a_budget, a_tool

pytestmark = pytest.mark.anyio

ZOE = SubjectId("subject:zoe")


def footed(lines: list[bytes]) -> bytes:
    body = b"".join(lines)
    return body + msgspec.json.encode({"rows": len(lines) - 1, "sha256": sha256(body).hexdigest()}) + b"\n"


@pytest.mark.promise("once", "ledger")
async def test_a_backup_from_which_rows_were_taken_is_refused(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    async with site.process() as world:
        await publish(world, budgets=[a_budget(1_000)])
        await done(world, arguments={"n": 1}, key="k", run="r1")
    site.back_up()
    *lines, _ = site.file.read_bytes().splitlines(keepends=True)
    gone = (b'["action"', b'["budget"', b'["claim"', b'["run"')
    site.file.write_bytes(footed([line for line in lines if not line.startswith(gone)]))
    with pytest.raises(StoreTampered):
        site.restore(over=True)


@pytest.mark.promise("budget", "ledger")
async def test_a_backup_with_an_older_row_of_another_one_is_refused(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    async with site.process() as world:
        await world.publish(ALLOW, tools=[a_tool(price=10)], budgets=[a_budget(20)])
        await done(world, arguments={"n": 0})
        site.back_up()
        early = site.file.read_bytes().splitlines(keepends=True)
        site.file.unlink()
        await done(world, arguments={"n": 1})
    site.back_up()
    (old,) = [line for line in early if line.startswith(b'["budget"')]
    *lines, _ = site.file.read_bytes().splitlines(keepends=True)
    site.file.write_bytes(footed([old if line.startswith(b'["budget"') else line for line in lines]))
    with pytest.raises(StoreTampered):
        site.restore(over=True)


async def with_somebody_held_for_law(site: Site) -> str:
    async with site.process() as world:
        await world.publish(ALLOW, tools=[a_tool(subject="$.args.to")])
        await done(world, arguments={"to": "zoe"})
        await hold_for_law(world.store, world.opened.secrets, ZOE, KIM, why="CASE-1")
        return world.opened.secrets.subject_name(world.tenant, ZOE)


@pytest.mark.promise("forget")
async def test_a_file_of_keys_that_somebody_else_wrote_destroys_none(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    name = await with_somebody_held_for_law(site)
    site.back_up()
    forged = tmp_path / "forged.keys"
    key_backup.write(forged, {name: None}, lambda text: sha256(text).digest())
    with pytest.raises(BackupBroken):
        site.restore(over=True, keys_from=forged)
    async with site.process() as world:
        assert (await about(world.store, world.opened.secrets, ZOE)).readable


@pytest.mark.promise("forget")
async def test_a_restore_that_fails_leaves_the_keys_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    name = await with_somebody_held_for_law(site)
    site.back_up()
    file = tmp_path / "own.keys"
    async with site.process() as world:
        secrets = world.opened.secrets
        key_backup.write(file, {name: None}, lambda text: secrets.mac(key_backup.OWNER, text))

    def full(self: SqliteDatabase) -> None:
        raise InterlockError("the disk is full", fix="make room")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteDatabase, "commit", full)
        with pytest.raises(InterlockError, match="disk is full"):
            site.restore(over=True, keys_from=file)
    async with site.process() as world:
        assert (await about(world.store, world.opened.secrets, ZOE)).readable


@pytest.mark.promise("forget")
@pytest.mark.slow
async def test_while_somebody_reads_the_file_of_keys_nothing_is_said_to_be_erased(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    async with site.process() as world:
        await world.publish(ALLOW, tools=[a_tool(subject="$.args.to")])
        await done(world, arguments={"to": "zoe"})
        secrets = world.opened.secrets
        key = secrets.keys.find(secrets.subject_name(world.tenant, ZOE))
        assert key is not None
        reader = sqlite3.connect(site.keys / "keys.db", isolation_level=None)
        reader.execute("begin")
        reader.execute("select count(*) from key").fetchone()
        with pytest.raises(StoreBusy, match="still in the log"):
            await erase(world.store, secrets, ZOE, KIM)
        reader.close()
        await erase(world.store, secrets, ZOE, KIM)
        with pytest.raises(InterlockError, match="erased already"):
            await erase(world.store, secrets, ZOE, KIM)
        assert key not in b"".join(path.read_bytes() for path in site.keys.glob("keys.db*"))
        assert await verify_state(world.store, secrets) == ()


@pytest.mark.promise("forget")
async def test_a_subject_may_be_a_number(tmp_path: Path) -> None:
    site = Site(str(tmp_path / "interlock.db"), tmp_path)
    async with site.process() as world:
        await world.publish(ALLOW, tools=[a_tool(subject="$.args.customer_id")])
        assert isinstance(await world.call({"customer_id": 42}), Done)
        assert (await about(world.store, world.opened.secrets, SubjectId("subject:42"))).payloads
