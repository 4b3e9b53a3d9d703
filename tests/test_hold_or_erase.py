"""Of a hold for law and a key that is being destroyed one comes first, whoever dies in between and whenever."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from backups import TENANT, Site, adopts
from command_line import child
from interlock.contract.ir import Approvals
from interlock.core.errors import NotPermitted, StoreBusy
from interlock.core.ids import Micros
from interlock.core.outcome import Done, Parked
from interlock.gateway.compare import verify_state
from interlock.gateway.erase import about, erase, hold_for_law, payloads_of
from interlock.gateway.expire import HELD, expire
from interlock.gateway.recover import attend
from interlock.ports import Change, Needs, TenantStore
from postgres import Server
from test_consent import LEAD, PEOPLE
from test_erase import ZOE
from test_expire import DAY, JANUARY, called, can_read, publish, to_due
from world import ALLOW, KIM, World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget"), pytest.mark.slow]


@dataclass
class Interrupted:
    """A store in which something else happens just before the next write."""

    store: TenantStore
    first: Callable[[], Awaitable[object]] | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, needs: Needs, change: Change[Any], *, durable: bool = True) -> Any:
        first, self.first = self.first, None
        if first is not None:
            await first()
        return await self.store.write(needs, change, durable=durable)


def before_the_next_write(world: World, first: Callable[[], Awaitable[object]]) -> TenantStore:
    return Interrupted(world.store, first)  # pyright: ignore[reportReturnType]


async def hold(world: World, store: TenantStore | None = None) -> None:
    await hold_for_law(store or world.store, world.opened.secrets, ZOE, KIM, why="CASE-1")


async def kinds(world: World) -> list[str]:
    told = ("erasing", "erased", "expiring", "expired", "legal_hold")
    return [kind for kind in (entry["kind"] for entry in await world.entries()) if kind in told]


async def test_a_hold_that_comes_while_somebody_looks_comes_first(world: World) -> None:
    await publish(world)
    ids = await called(world)
    with pytest.raises(NotPermitted, match="holds it for law"):
        await erase(before_the_next_write(world, lambda: hold(world)), world.opened.secrets, ZOE, KIM)
    assert await can_read(world, ids) == {True}
    assert await kinds(world) == ["legal_hold"]


async def test_a_hold_that_comes_while_its_subject_is_erased_is_none(world: World) -> None:
    await publish(world)
    await called(world)

    async def erased() -> None:
        await erase(world.store, world.opened.secrets, ZOE, KIM)

    with pytest.raises(NotPermitted, match="nothing that can be read"):
        await hold(world, before_the_next_write(world, erased))
    assert (await about(world.store, world.opened.secrets, ZOE)).legal_hold is None
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_whoever_erases_what_is_being_erased_ends_it_once(world: World) -> None:
    await publish(world)
    await called(world)

    async def again() -> None:
        await erase(world.store, world.opened.secrets, ZOE, KIM)

    await erase(before_the_next_write(world, again), world.opened.secrets, ZOE, KIM)
    first, *rest = await kinds(world)
    assert (first, rest.count("erased")) == ("erasing", rest.count("erasing") + 1)
    assert (await about(world.store, world.opened.secrets, ZOE)).being_erased is False


async def test_a_hold_that_comes_before_a_lot_is_marked_is_looked_at(world: World) -> None:
    await publish(world)
    ids = await called(world)
    to_due(world)
    (ended,) = await expire(before_the_next_write(world, lambda: hold(world)), world.opened.secrets, world.clock, KIM)
    assert dict(ended.kept) == {HELD: len(ids)}
    assert await can_read(world, ids) == {True}


async def test_two_that_expire_at_once_agree(world: World) -> None:
    await publish(world)
    ids = await called(world)
    to_due(world)

    async def other() -> None:
        await expire(world.store, world.opened.secrets, world.clock, KIM, after=Micros(0))

    found = await expire(before_the_next_write(world, other), world.opened.secrets, world.clock, KIM, after=Micros(0))
    assert [one.payloads for one in found] == [len(ids)]
    assert await can_read(world, ids) == {False}
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_a_process_that_is_at_it_is_left_alone_until_it_counts_as_dead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(world)
    ids = await called(world)
    to_due(world)
    secrets = world.opened.secrets
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "destroy", dead)
        with pytest.raises(KeyboardInterrupt):
            await expire(world.store, secrets, world.clock, KIM)
    assert await expire(world.store, secrets, world.clock, KIM) == ()
    with pytest.raises(NotPermitted, match="older than its days"):
        await hold(world)
    world.clock.forward(minutes=11)
    await attend(world.gateway, world.store)
    assert await can_read(world, ids) == {False}
    await hold(world)
    assert await verify_state(world.store, secrets) == ()


def dead(*args: Any) -> None:
    raise KeyboardInterrupt


async def test_what_a_dead_process_kept_and_nobody_needs_any_more_goes_with_its_lot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    approvals = Approvals(people={LEAD: PEOPLE[LEAD]})
    ask = a_rule("ask.mail", "ask", expires=Micros(90 * DAY))
    await world.publish(ALLOW, ask, tools=[a_tool(subject="$.args.to")], approvals=approvals, payload_days=30)
    parked = await world.call({"to": "zoe"})
    assert isinstance(parked, Parked)
    ids = payloads_of(await world.row(parked.action))
    to_due(world)
    secrets = world.opened.secrets
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "destroy", dead)
        with pytest.raises(KeyboardInterrupt):
            await expire(world.store, secrets, world.clock, KIM)
    assert secrets.kept(world.tenant).keys() == ids
    world.clock.forward(days=90)
    (ended,) = await expire(world.store, secrets, world.clock, KIM)
    assert (ended.lot, ended.payloads, dict(ended.kept)) == (JANUARY.name, len(ids), {})
    assert await can_read(world, ids) == {False}
    assert secrets.kept(world.tenant) == {}
    assert await verify_state(world.store, secrets) == ()


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "sqlite":
        return Site(str(tmp_path / "interlock.db"), tmp_path)
    server: Server = request.getfixturevalue("postgres_server")
    return Site(server.a_database(f"site{token_hex(4)}"), tmp_path)


@pytest.mark.parametrize(
    ("what", "moment", "left"),
    [
        ("erase", "entered", ["erasing"]),
        ("erase", "gone", ["erasing"]),
        ("expire", "entered", ["expiring"]),
        ("expire", "kept", ["expiring"]),
        ("expire", "gone", ["expiring"]),
    ],
)
async def test_what_a_killed_process_began_is_ended_and_nothing_is_held_meanwhile(
    site: Site, what: str, moment: str, left: list[str]
) -> None:
    async with site.process() as world:
        await publish(world)
        ids = await called(world)
        name = world.opened.secrets.subject_name(TENANT, ZOE if what == "erase" else JANUARY.subject)
    days = 0 if what == "erase" else 70
    command = [sys.executable, str(Path(__file__).parent / "killed_expiry.py"), site.where, str(site.folder)]
    command += [what, moment, str(days)]
    ended = await asyncio.to_thread(subprocess.run, command, env=child(), capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    site.clock.forward(days=days)
    async with site.process() as world:
        secrets = world.opened.secrets
        assert await kinds(world) == left
        assert secrets.has_key(name) == (moment != "gone")
        differs = await verify_state(world.store, secrets)
        assert [difference.where for difference in differs] == ([f"key `{name}`"] if moment != "gone" else [])
        with pytest.raises(NotPermitted):
            await hold(world)
        world.clock.forward(minutes=11)
        await attend(world.gateway, world.store)
        assert await can_read(world, ids) == {False}
        assert json.loads((await world.store.entries())[-1])["kind"] == f"{what}d"
        assert await verify_state(world.store, secrets) == ()
        assert isinstance(await world.call({"to": "eve"}), Done)


async def test_a_store_that_was_restored_in_the_middle_of_an_expiry_says_how_to_get_to_a_hold(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(_key: str) -> bool:
        raise StoreBusy("the keys are busy", fix="try again")

    async with site.process() as world:
        await publish(world)
        await called(world)
        to_due(world)
        with monkeypatch.context() as patch, pytest.raises(StoreBusy):
            patch.setattr(world.opened.secrets, "destroy", dies)
            await expire(world.store, world.opened.secrets, world.clock, KIM)
        await publish(world)
        ids = await called(world)
        site.back_up()
    site.restore(over=True)
    async with site.process() as world:
        with pytest.raises(NotPermitted, match="came out of a backup") as refused:
            await hold(world)
        assert "`interlock ledger adopt`; then run `interlock data expire`" in refused.value.fix
        await adopts(world, [], nothing_newer=True)
        with pytest.raises(NotPermitted, match="at this moment"):
            await hold(world)
        await expire(world.store, world.opened.secrets, world.clock, KIM, after=Micros(0))
        await hold(world)
        assert await can_read(world, ids) == {True}
        assert await verify_state(world.store, world.opened.secrets) == ()
