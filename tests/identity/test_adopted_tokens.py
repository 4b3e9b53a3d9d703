"""After a restore, what was revoked or taken back meanwhile is not good again by itself."""

from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from backups import WAITING, Site, adopts, anchored, done, publish, says_yes
from cards import issued, shown, with_token
from interlock.core.credential import Held, Right
from interlock.core.ids import Instant, PersonId, Role
from interlock.core.outcome import Done, Parked
from interlock.gateway import access
from interlock.gateway.compare import verify_state
from interlock.gateway.resume import resume
from interlock.identity.bearer import NotKnown, Wrong, bearer_of
from interlock.ports import Needs
from postgres import Server
from world import KIM, NOON, World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("stop"), pytest.mark.slow]
HOUR = 3_600 * 1_000_000


@pytest.fixture(params=("sqlite", "postgres"))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A store of its own: a restore takes the place of every tenant."""
    if request.param == "sqlite":
        return Site(str(tmp_path / "interlock.db"), tmp_path)
    server: Server = request.getfixturevalue("postgres_server")
    return Site(server.a_database(f"tokens{token_hex(4)}"), tmp_path)


async def wrong(world: World, drawn: Any) -> Wrong | None:
    rows = await world.store.read(Needs())
    found = bearer_of(rows.door, rows.now, drawn.text)
    return found.wrong if isinstance(found, NotKnown) else None


async def lent(world: World) -> None:
    until = Instant(world.clock.now() + HOUR)
    right = Right(id="h1", person=PersonId("ann"), held=Held(Role("lead")), by=KIM.person, at=NOON, until=until)
    await access.give(world.store, right, KIM)


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ({"nothing_newer": True}, Wrong.EXPIRED),
        ({"nothing_newer": True, "keep_tokens": True}, None),
    ],
)
async def test_a_token_that_was_revoked_after_the_backup_is_not_good_again_unless_a_person_says_so(
    site: Site, said: dict[str, Any], want: Wrong | None
) -> None:
    async with site.process() as world:
        await publish(world)
        drawn, card = await issued(world)
        await lent(world)
        site.back_up()
        await access.revoke(world.store, card.id, KIM)
        assert await access.take(world.store, "h1", KIM)
        assert await wrong(world, drawn) is Wrong.REVOKED
    site.restore(over=True)
    async with site.process() as world:
        adopted = await adopts(world, (), **said)
        assert await wrong(world, drawn) is want
        ended = want is not None
        assert (adopted.out.tokens, adopted.out.rights) == ((1, 1) if ended else (0, 0))
        assert len((await world.store.read(Needs())).door.rights) == (0 if ended else 1)
        another, _ = await issued(world)
        await shown(world, another)
        assert await verify_state(world.store, world.opened.secrets) == ()


async def test_a_head_of_the_backup_itself_does_not_show_that_nothing_was_revoked_after_it(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        drawn, _ = await issued(world)
        kept = await anchored(world)
        site.back_up()
    site.restore(over=True)
    async with site.process() as world:
        await adopts(world, (kept,))
        assert await wrong(world, drawn) is Wrong.EXPIRED
        assert await verify_state(world.store, world.opened.secrets) == ()


async def test_what_waited_goes_on_with_a_new_yes_though_the_token_has_ended(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        drawn, _ = await issued(world)
        outcome = await world.call({"to": "wait"}, tool=WAITING, caller=await with_token(world, drawn))
        assert isinstance(outcome, Parked)
        waits = outcome.action
        site.back_up()
        await done(world)
    site.restore(over=True)
    async with site.process() as world:
        await adopts(world, (), nothing_newer=True)
        assert await says_yes(world, waits)
        assert isinstance(await resume(world.gateway, world.store, waits), Done)
