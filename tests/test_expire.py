"""What is older than the days of its contract is unreadable, and nothing else is; what is needed waits."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from backups import Site, says_yes
from interlock.app import Opened
from interlock.contract.ir import Approvals, Undo
from interlock.core.effect import EffectClass
from interlock.core.errors import NotPermitted, PayloadErased, UpstreamSilent
from interlock.core.ids import ActionId, ContractHash, Instant, Micros, PayloadId, SubjectId, TenantId
from interlock.core.outcome import Done, Parked, Uncertain
from interlock.gateway.compare import verify_state
from interlock.gateway.erase import erase, hold_for_law, payloads_of, release
from interlock.gateway.expire import HELD, Ends, ends_of, expire, would_expire
from interlock.gateway.history import exported, signer_of
from interlock.gateway.lot import Lot, lot_at, months
from interlock.gateway.recover import attend
from interlock.gateway.resolve import resolve
from interlock.gateway.resume import resume
from interlock.ledger.audit import audit
from interlock.ledger.export import read
from interlock.ports import Changes, Needs, Payload
from postgres import Server
from test_consent import LEAD, PEOPLE
from test_erase import ZOE, bring_back, readable
from world import ALLOW, KIM, HandClock, World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget")]

DAY = 86_400_000_000
AT_ONCE = Micros(0)
JANUARY = Lot(month="2026-01", days=30)
"""The lot of what tests ask for at first: it is due on the fourth of March."""


async def publish(world: World, days: int | None = 30, **fields: Any) -> None:
    tools = [a_tool(subject="$.args.to", **fields)]
    await world.publish(tools=tools, payload_days=days)


async def called(world: World, to: str = "zoe") -> frozenset[PayloadId]:
    outcome = await world.call({"to": to})
    assert isinstance(outcome, Done)
    return payloads_of(await world.row(outcome.action))


async def can_read(world: World, ids: frozenset[PayloadId]) -> set[bool]:
    return {await readable(world, id) for id in ids}


def to_due(world: World, lot: Lot = JANUARY, *, less: int = 0) -> None:
    """Move the clock to the moment in which a lot is due."""
    assert lot.due is not None
    world.clock.forward(seconds=(lot.due - less - world.clock.now()) / 1_000_000)


async def sound(world: World) -> None:
    assert await verify_state(world.store, world.opened.secrets) == ()
    export = read([line async for line in exported(world.store, world.opened.secrets)])
    assert audit(export, pinned=await signer_of(world.store, world.opened.secrets)).sound


@pytest.mark.parametrize(
    ("month", "days", "due"),
    [
        # the month, its days, and one
        ("2026-11", 30, "2027-01-01"),
        ("2026-12", 1, "2027-01-03"),
        ("2024-02", 365, "2025-03-02"),
        ("2026-11", 7 * 365, "2033-11-30"),
    ],
)
def test_a_lot_is_due_so_many_days_after_its_month(month: str, days: int, due: str) -> None:
    at = Lot(month=month, days=days).due
    assert at is not None
    assert datetime.fromtimestamp(at / 1_000_000, UTC).isoformat() == f"{due}T00:00:00+00:00"


def test_without_days_nothing_is_due() -> None:
    assert Lot(month="2026-01").due is None
    assert lot_at(Instant(0), None) == Lot(month="1970-01")


def test_months_go_over_the_end_of_a_year() -> None:
    assert months(Instant(0), Instant(63 * DAY)) == ("1970-01", "1970-02", "1970-03")
    assert months(Instant(330 * DAY), Instant(370 * DAY)) == ("1970-11", "1970-12", "1971-01")


async def test_a_payload_is_readable_until_its_lot_is_due_and_never_again(world: World) -> None:
    await publish(world)
    ids = await called(world)
    to_due(world, less=1)
    assert await expire(world.store, world.opened.secrets, world.clock, KIM) == ()
    assert await can_read(world, ids) == {True}
    to_due(world)
    (ended,) = await expire(world.store, world.opened.secrets, world.clock, KIM)
    assert (ended.lot, ended.payloads, dict(ended.kept)) == ("2026-01/30", len(ids), {})
    assert await can_read(world, ids) == {False}
    *_, begun, last = (json.loads(line) for line in await world.store.entries())
    assert (begun["kind"], begun["detail"]) == ("expiring", {"lot": "2026-01/30", "key": ended.key})
    assert (last["kind"], last["by"]) == ("expired", "kim")
    assert last["detail"] == {"lot": "2026-01/30", "key": ended.key, "payloads": len(ids), "kept": 0}
    assert await expire(world.store, world.opened.secrets, world.clock, KIM) == ()
    await sound(world)


async def test_what_may_be_kept_longer_and_what_is_another_tenants_is_not_touched(
    world: World, opens: Callable[..., Opened]
) -> None:
    other = World.on(opens(world.clock), world.clock, TenantId(f"other-{world.tenant}"))
    await publish(other)
    theirs = await called(other)
    await publish(world, None)
    for_ever = await called(world)
    await publish(world, 365)
    for_a_year = await called(world)
    await publish(world)
    gone = await called(world)
    to_due(world)
    later = await called(world)
    await expire(world.store, world.opened.secrets, world.clock, KIM)
    kept = (for_ever, for_a_year, later, theirs)
    assert [await can_read(world, ids) for ids in kept[:3]] == [{True}] * 3
    assert await can_read(other, theirs) == {True}
    assert await can_read(world, gone) == {False}
    ends = await ends_of(world.store, world.opened.secrets, frozenset[PayloadId]().union(*kept[:3], gone))
    year, march = Lot(month="2026-01", days=365), Lot(month="2026-03", days=30)
    count = len(gone)
    assert ends == Ends(lots={Lot(month="2026-01"): count, year: count, march: count}, kept=0, gone=count)


async def test_what_is_held_for_law_is_kept_until_it_is_released(world: World) -> None:
    await publish(world)
    zoes, eves = await called(world), await called(world, "eve")
    secrets = world.opened.secrets
    await hold_for_law(world.store, secrets, ZOE, KIM, why="CASE-1")
    to_due(world)
    (would,) = await would_expire(world.store, secrets, world.clock)
    (ended,) = await expire(world.store, secrets, world.clock, KIM)
    assert would == ended
    assert (ended.payloads, dict(ended.kept)) == (len(eves), {HELD: len(zoes)})
    assert (await can_read(world, zoes), await can_read(world, eves)) == ({True}, {False})
    assert (await ends_of(world.store, secrets, zoes)).kept == len(zoes)
    await sound(world)
    assert await expire(world.store, secrets, world.clock, KIM) == ()
    await release(world.store, secrets, ZOE, KIM)
    (ended,) = await expire(world.store, secrets, world.clock, KIM)
    assert (ended.lot, ended.payloads) == ("kept", len(zoes))
    assert await can_read(world, zoes) == {False}
    assert await expire(world.store, secrets, world.clock, KIM) == ()
    await sound(world)


async def test_whoever_is_erased_takes_along_what_was_kept_longer(world: World) -> None:
    await publish(world)
    zoes = await called(world)
    secrets = world.opened.secrets
    await hold_for_law(world.store, secrets, ZOE, KIM, why="CASE-1")
    to_due(world)
    await expire(world.store, secrets, world.clock, KIM)
    await release(world.store, secrets, ZOE, KIM)
    await erase(world.store, secrets, ZOE, KIM)
    assert await can_read(world, zoes) == {False}
    await sound(world)


async def test_what_nobody_knows_the_end_of_is_kept_until_somebody_does(world: World) -> None:
    await publish(world)
    world.tool.breaks.append(UpstreamSilent("no answer", fix=""))
    outcome = await world.call({"to": "zoe"})
    assert isinstance(outcome, Uncertain)
    await kept_until(world, outcome.action, "nobody knows how it ended", lambda: resolved(world, outcome.action))


async def resolved(world: World, id: ActionId) -> None:
    await resolve(world.gateway, world.store, id, "abandon", KIM)


async def kept_until(world: World, id: ActionId, why: str, over: Callable[[], object]) -> None:
    """Its payloads are readable although their lot is gone, until something is over."""
    ids = payloads_of(await world.row(id))
    to_due(world)
    (ended,) = await expire(world.store, world.opened.secrets, world.clock, KIM)
    assert (ended.payloads, dict(ended.kept)) == (0, {why: len(ids)})
    assert await can_read(world, ids) == {True}
    assert await expire(world.store, world.opened.secrets, world.clock, KIM) == ()
    waited = over()
    if hasattr(waited, "__await__"):
        await waited  # pyright: ignore[reportGeneralTypeIssues]
    (ended,) = await expire(world.store, world.opened.secrets, world.clock, KIM)
    assert (ended.lot, ended.payloads) == ("kept", len(ids))
    assert await can_read(world, ids) == {False}
    await sound(world)


async def test_what_waits_for_a_person_is_kept_as_long_as_it_waits(world: World) -> None:
    approvals = Approvals(people={LEAD: PEOPLE[LEAD]})
    ask = a_rule("ask.mail", "ask", expires=Micros(90 * DAY))
    await world.publish(ALLOW, ask, tools=[a_tool(subject="$.args.to")], approvals=approvals, payload_days=30)
    parked = await world.call({"to": "zoe"})
    assert isinstance(parked, Parked)
    await kept_until(world, parked.action, "waits for a person", lambda: world.clock.forward(days=90))


async def test_what_can_be_undone_is_kept_as_long_as_it_can(world: World) -> None:
    undo = Undo(tool=a_tool("mail.unsend").name, args={"to": "$.args.to"}, within=Micros(90 * DAY))
    tools = [
        a_tool(subject="$.args.to", undo=undo),
        a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True),
    ]
    await world.publish(tools=tools, payload_days=30)
    outcome = await world.call({"to": "zoe"})
    assert isinstance(outcome, Done)
    await kept_until(world, outcome.action, "can be undone", lambda: world.clock.forward(days=90))


async def test_what_is_sealed_later_goes_with_a_later_lot(world: World) -> None:
    approvals = Approvals(people={LEAD: PEOPLE[LEAD]})
    ask = a_rule("ask.mail", "ask", expires=Micros(90 * DAY))
    await world.publish(ALLOW, ask, tools=[a_tool(subject="$.args.to")], approvals=approvals, payload_days=30)
    parked = await world.call({"to": "zoe"})
    assert isinstance(parked, Parked)
    world.clock.forward(days=40)
    assert await says_yes(world, parked.action)
    assert isinstance(await resume(world.gateway, world.store, parked.action), Done)
    row = await world.row(parked.action)
    assert row.result is not None
    for id, month in ((row.action.arguments, "2026-01"), (row.result, "2026-02")):
        ends = await ends_of(world.store, world.opened.secrets, frozenset({id}))
        assert ends.lots == {Lot(month=month, days=30): 1}


async def test_nothing_is_said_to_be_kept_whose_own_key_was_destroyed(world: World) -> None:
    await publish(world)
    (id, *_) = sorted(await called(world))
    secrets, sealed = world.opened.secrets, await world.store.payload(id)
    assert sealed is not None
    lot = secrets.subject_name(world.tenant, JANUARY.subject)
    secrets.keep(world.tenant, id, sealed, without=lot, why="")
    secrets.let_go(world.tenant, [id])
    with pytest.raises(PayloadErased):
        secrets.keep(world.tenant, id, sealed, without=lot, why="")


async def test_whoever_attends_does_it_and_looks_once_an_hour(world: World) -> None:
    await publish(world)
    ids = await called(world)
    to_due(world, less=1)
    await attend(world.gateway, world.store)
    to_due(world)
    await attend(world.gateway, world.store)
    assert await can_read(world, ids) == {True}
    world.clock.forward(minutes=60)
    await attend(world.gateway, world.store)
    assert await can_read(world, ids) == {False}
    last = json.loads((await world.store.entries())[-1])
    assert (last["kind"], last["by"], last["known_by"]) == ("expired", "interlock", "attend")


async def test_under_a_clock_that_jumped_nothing_expires(world: World) -> None:
    await publish(world)
    ids = await called(world)
    world.clock.jump(seconds=400 * 86_400)
    with pytest.raises(NotPermitted, match="clock jumped"):
        await expire(world.store, world.opened.secrets, world.clock, KIM)
    await attend(world.gateway, world.store)
    assert await can_read(world, ids) == {True}


async def test_a_key_that_outlived_its_lot_is_found_and_expiring_again_destroys_it(world: World) -> None:
    await publish(world)
    ids = await called(world)
    secrets = world.opened.secrets
    name = secrets.subject_name(world.tenant, JANUARY.subject)
    key = secrets.keys.find(name)
    assert key is not None
    to_due(world)
    await expire(world.store, secrets, world.clock, KIM)
    bring_back(world, name, key)
    assert await can_read(world, ids) == {True}
    assert any("the key is there" in found.what for found in await verify_state(world.store, secrets))
    await expire(world.store, secrets, world.clock, KIM)
    assert await can_read(world, ids) == {False}
    await sound(world)


async def test_the_run_of_a_call_may_be_held_as_a_person_may(world: World) -> None:
    await world.publish(payload_days=30)
    assert isinstance(await world.call(run="r1"), Done)
    assert isinstance(await world.call({"to": "eve"}), Done)
    secrets = world.opened.secrets
    await hold_for_law(world.store, secrets, SubjectId("run:r1"), KIM, why="CASE-1")
    to_due(world)
    (ended,) = await expire(world.store, secrets, world.clock, KIM)
    assert ended.payloads == ended.kept[HELD] > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_what_was_kept_for_law_can_be_read_in_a_backup_from_before_its_lot_went(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where = str(tmp_path / "interlock.db")
    if kind == "postgres":
        server: Server = request.getfixturevalue("postgres_server")
        where = server.a_database(f"site{token_hex(4)}")
    site = Site(where, tmp_path)
    async with site.process() as world:
        await publish(world)
        zoes, eves = await called(world), await called(world, "eve")
        await hold_for_law(world.store, world.opened.secrets, ZOE, KIM, why="CASE-1")
        site.back_up()
        to_due(world)
        await expire(world.store, world.opened.secrets, world.clock, KIM)
    site.restore(over=True)
    async with site.process() as world:
        assert (await can_read(world, zoes), await can_read(world, eves)) == ({True}, {False})
        with pytest.raises(NotPermitted, match="came out of a backup"):
            await expire(world.store, world.opened.secrets, world.clock, KIM)


async def test_of_what_was_edited_nobody_knows_whose_it_is_and_it_stays(world: World) -> None:
    await publish(world)
    ids = await called(world)
    secrets = world.opened.secrets
    await hold_for_law(world.store, secrets, ZOE, KIM, why="CASE-1")
    to_due(world)
    await expire(world.store, secrets, world.clock, KIM)
    id = min(ids)
    sealed = await world.store.payload(id)
    assert sealed is not None
    for stands in (b"no envelope", sealed):
        changes = Changes(payloads=(Payload(id=id, sealed=stands),))
        await world.store.write(Needs(), lambda rows, changes=changes: (changes, None))
        assert (await ends_of(world.store, secrets, ids)).kept == len(ids) - (stands != sealed)
        assert await expire(world.store, secrets, world.clock, KIM) == ()
    assert await can_read(world, ids) == {True}


async def test_a_contract_of_another_version_keeps_nothing_from_expiring(world: World) -> None:
    body = b'{"payload_days":30,"tools":"were written otherwise then"}'
    changes = Changes(contracts={ContractHash(sha256(body).hexdigest()): body})
    await world.store.write(Needs(), lambda rows: (changes, None))
    await publish(world)
    ids = await called(world)
    to_due(world)
    await attend(world.gateway, world.store)
    assert await can_read(world, ids) == {False}


async def test_a_clock_that_was_ahead_and_was_set_right_makes_nothing_expire(
    world: World, opens: Callable[..., Opened]
) -> None:
    await publish(world)
    ids = await called(world)
    ahead = HandClock(at=Instant(world.clock.at + 400 * DAY))
    other = World.on(opens(ahead), ahead, world.tenant)
    await called(other, "eve")
    assert (await world.store.read(Needs())).now == ahead.at
    assert await expire(world.store, world.opened.secrets, world.clock, KIM) == ()
    await attend(world.gateway, world.store)
    assert await can_read(world, ids) == {True}
