"""A store that was set back repeats nothing by itself: restored from a backup, or a standby that lagged behind."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import anyio
import pytest

from backups import (
    ANN,
    FLYING,
    UNDONE,
    WAITING,
    Site,
    adopts,
    anchored,
    done,
    in_flight,
    parked,
    publish,
    says_yes,
)
from interlock.core.action import ActionState
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import Mode
from interlock.core.errors import LedgerBroken, NotPermitted, StoreTampered
from interlock.core.ids import ActionId, BudgetId, Instant, PersonId, WorkflowId
from interlock.core.outcome import Done, Parked, Receipt, Refused
from interlock.core.reason import Reason
from interlock.gateway.budgets import raise_budget
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import agree, deny
from interlock.gateway.doors import resume_switch, set_mode, throw
from interlock.gateway.history import exported, signer_of
from interlock.gateway.recover import attend, reap
from interlock.gateway.resume import resume
from interlock.gateway.reverse import ask_for
from interlock.ledger.audit import Report, audit
from interlock.ledger.export import read
from interlock.ports import Halt, Needs
from postgres import Server
from test_store import execute, one
from world import KIM, PROD, World

pytestmark = [pytest.mark.anyio, pytest.mark.promise("once", "ledger"), pytest.mark.slow]

NOTHING_LEFT = {UNDONE: 1, "mail.unsend": 1, WAITING: 1, FLYING: 1}


@pytest.fixture(params=("sqlite", "postgres"))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A store of its own: a restore takes the place of every tenant."""
    if request.param == "sqlite":
        return Site(str(tmp_path / "interlock.db"), tmp_path)
    server: Server = request.getfixturevalue("postgres_server")
    return Site(server.a_database(f"site{token_hex(4)}"), tmp_path)


@pytest.fixture
def lagging(tmp_path: Path) -> Iterator[tuple[Site, Server]]:
    """A Postgres server of its own, whose files can be set back."""
    with tempfile.TemporaryDirectory(prefix="interlock-postgres-") as folder:
        server = Server.start(Path(folder) / "data")
        yield Site(server.url, tmp_path, durable=True), server
        server.stop()


async def audited(world: World, *receipts: Receipt, heads: tuple[str, ...] = ()) -> Report:
    export = read([line async for line in exported(world.store, world.opened.secrets)])
    pinned = await signer_of(world.store, world.opened.secrets)
    return audit(export, pinned=pinned, heads=heads, receipts=receipts)


async def before(site: Site, world: World) -> tuple[ActionId, ActionId, Any]:
    """Leave one of each that could go on by itself: agreed to, in flight, asked to be undone."""
    await publish(world)
    mail = await done(world)
    await ask_for(world.gateway, world.store, mail.action, KIM)
    waits = await parked(world)
    assert await says_yes(world, waits)
    flying = await in_flight(site, world)
    return waits, mail.action, flying


async def after(world: World, flying: Any) -> list[Receipt]:
    """Let all of it happen, and return the receipts."""
    task, may_answer = flying
    may_answer.set()
    outcome = await task
    assert isinstance(outcome, Done)
    for _ in range(2):  # a connection that was lost is noticed by the first look
        await attend(world.gateway, world.store)  # the payment and the undo
    last = await done(world, arguments={"to": "later"})
    assert outcome.receipt is not None
    assert last.receipt is not None
    return [outcome.receipt, last.receipt]


async def nothing_is_repeated(site: Site, world: World, waits: ActionId, mail: ActionId) -> None:
    """Try everything that goes on by itself, with leases long past, and what agents and doors would try."""
    effects = site.effects()
    site.clock.forward(minutes=5)
    for _ in range(2):
        await attend(world.gateway, world.store)
        await reap(world.store, world.gateway.process)
    assert isinstance(await resume(world.gateway, world.store, waits), Parked)
    again = await world.call({"to": "on"}, tool=FLYING, run="r1")
    assert not isinstance(again, Done)
    assert site.effects() == effects
    states = {id: (await world.row(id)).state for id in (waits, mail, again.action)}
    assert states == {waits: ActionState.PARKED, mail: ActionState.DONE, again.action: ActionState.UNCERTAIN}
    assert await verify_state(world.store, world.opened.secrets) == ()


async def test_after_a_restore_over_a_later_ledger_nothing_is_repeated(site: Site) -> None:
    async with site.process() as world:
        waits, mail, flying = await before(site, world)
        site.back_up()
        receipts = await after(world, flying)
        assert site.effects() == {**NOTHING_LEFT, UNDONE: 2}
    (replaced,) = site.restore(over=True).restored.replaced
    async with site.process() as world:
        assert not (await audited(world, *receipts)).sound
        assert await attend(world.gateway, world.store) == ()
        with pytest.raises(NotPermitted, match="entries are lost") as refused:
            await adopts(world, receipts)
        lost = int(refused.value.fix.rpartition("--lost ")[2].rstrip("`"))
        adopted = await adopts(world, receipts, lost=lost)
        assert (adopted.known.size, adopted.compared.lost) == (replaced.entries, lost)
        await nothing_is_repeated(site, world, waits, mail)
        report = await audited(world, *receipts)
        assert report.findings
        assert all(finding.declared for finding in report.findings)
        assert sum(gap.lost for gap in report.gaps) == lost


async def test_a_new_yes_opens_what_an_old_one_does_not_open_any_more(site: Site) -> None:
    async with site.process() as world:
        waits, _, (task, may_answer) = await before(site, world)
        site.back_up()
        may_answer.set()
        await task
    site.restore(over=True)
    async with site.process() as world:
        seen = (await world.row(waits)).seen
        with pytest.raises(NotPermitted, match="of before a restored store is adopted"):
            await agree(world.gateway, world.store, waits, ANN, seen=seen)
        await adopts(world, [], nothing_newer=True)
        assert isinstance(await resume(world.gateway, world.store, waits), Parked)
        assert await says_yes(world, waits)
        assert isinstance(await resume(world.gateway, world.store, waits), Done)
        assert await verify_state(world.store, world.opened.secrets) == ()


async def test_what_waited_and_would_need_nobody_any_more_is_refused_after_an_adoption(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        waits = await parked(world)
        site.back_up()
    site.restore(over=True)
    async with site.process() as world:
        await adopts(world, [], nothing_newer=True)
        await publish(world, asks=False)
        outcome = await resume(world.gateway, world.store, waits)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.UNCERTAIN
        assert site.effects()[WAITING] == 0


@pytest.mark.promise("stop")
async def test_until_it_is_adopted_nothing_starts_and_controls_work(site: Site) -> None:
    async with site.process() as world:
        waits, mail, (task, may_answer) = await before(site, world)
        site.back_up()
        may_answer.set()
        await task
    site.restore(over=True)
    effects = site.effects()
    site.clock.forward(minutes=5)
    async with site.process() as world:
        assert (await world.store.read(Needs())).halt is Halt.RESTORED
        for tool in (UNDONE, FLYING, WAITING):
            outcome = await world.call({"to": "anew"}, tool=tool)
            assert isinstance(outcome, Refused)
            assert (outcome.reason, outcome.fix.rpartition(": ")[2]) == (Reason.STOPPED, "`interlock ledger adopt`")
        assert isinstance(await resume(world.gateway, world.store, waits), Refused)
        assert await attend(world.gateway, world.store) == ()
        assert await reap(world.store, world.gateway.process) == ()
        switch = Switch(id="s1", kind=SwitchKind.STOP, scope=Scope(), by=PersonId("kim"), at=Instant(0))
        await throw(world.store, switch, KIM)
        assert await resume_switch(world.store, "s1", KIM)
        await set_mode(world.store, WorkflowId("support"), PROD, Mode.ASK, KIM)
        await raise_budget(world.store, BudgetId("support:prod/usd/day"), 5, KIM)
        await deny(world.gateway, world.store, waits, ANN)
        assert (await world.row(mail)).state is ActionState.DONE
        assert site.effects() == effects


@pytest.mark.parametrize("edit", ["deleted", "changed"])
async def test_the_mark_is_not_lifted_by_hand(site: Site, edit: str) -> None:
    async with site.process() as world:
        await publish(world)
        site.back_up()
    site.restore(over=True)
    if edit == "deleted":
        execute(site.where, "delete from door")
    else:
        body = bytes(one(site.where, "select body from door"))
        assert b'"restored":true' in body
        execute(site.where, "update door set body = ?", body.replace(b'"restored":true', b'"restored":false'))
    async with site.process() as world:
        outcome = await world.call()
        assert isinstance(outcome, Refused)
        with pytest.raises(StoreTampered):
            await world.store.read(Needs())
    assert site.effects()[UNDONE] == 0


async def test_what_an_operator_has_to_say_before_a_store_is_adopted(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        old = await anchored(world)
        await done(world)
        with pytest.raises(NotPermitted, match="there is nothing to adopt"):
            await adopts(world, [old], nothing_newer=True)
        exactly = await anchored(world)
        site.back_up()
        new = (await done(world, arguments={"to": "eve"})).receipt
        assert new is not None
    for kept, said, wrong in (
        ([], {}, "none is at hand"),
        ([old], {}, "the newest one at hand is over 1"),
        ([old, None], {}, "the newest one at hand is over 1"),  # one of after the restore
        ([], {"lost": 2}, "no head at hand says that 2 entries are lost"),
        ([new], {}, "2 entries are lost"),
        ([new], {"nothing_newer": True}, "2 entries are lost"),
        ([new, old], {"lost": 1}, "2 entries are lost"),
        ([exactly], {}, ""),
        ([old], {"nothing_newer": True}, ""),
        ([old, new], {"lost": 2}, ""),
    ):
        site.restore(over=True)
        async with site.process() as world:
            at_hand = [each or await anchored(world) for each in kept]
            if wrong:
                with pytest.raises(NotPermitted, match=wrong):
                    await adopts(world, at_hand, **said)
                assert (await world.store.read(Needs())).halt is Halt.RESTORED
            else:
                await adopts(world, at_hand, **said)
                await done(world, arguments={"to": "zoe"})


async def test_a_head_of_another_history_is_never_adopted(site: Site, tmp_path: Path) -> None:
    async with site.process() as world:
        await publish(world)
        site.back_up()
    (tmp_path / "other").mkdir()
    shutil.copytree(site.keys, tmp_path / "other" / "keys")
    other = Site(str(tmp_path / "other.db"), tmp_path / "other", clock=site.clock)
    async with other.process() as world:
        await publish(world, modes={PROD: Mode.ASK})
        strange = await anchored(world)
    site.restore(over=True)
    async with site.process() as world:
        with pytest.raises(LedgerBroken, match="is of another ledger"):
            await adopts(world, [strange], nothing_newer=True)


async def test_restored_twice_before_it_is_adopted_it_parted_where_it_was_restored_first(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        site.back_up()
        lost = [(await done(world, arguments={"n": n})).receipt for n in range(2)]
    site.restore(over=True)
    async with site.process() as world:
        for mode in (Mode.ASK, Mode.ACT, Mode.ASK, Mode.ACT):
            await set_mode(world.store, WorkflowId("support"), PROD, mode, KIM)
    site.file.unlink()
    site.back_up()
    site.restore(over=True)
    async with site.process() as world:
        adopted = await adopts(world, [each for each in lost if each], lost=4)
        assert (adopted.compared.shared, adopted.known.size) == (1, 5)
        assert {each.declared for each in (await audited(world, *filter(None, lost))).findings} == {True}


async def test_a_receipt_that_turns_up_later_can_be_declared_as_well(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        await done(world)
        site.back_up()
        first, later = (await done(world, arguments={"n": 1})).receipt, (await done(world, arguments={"n": 2})).receipt
        assert first is not None
        assert later is not None
    site.restore(over=True)
    async with site.process() as world:
        await adopts(world, [first], lost=2)
        for n in range(3):
            await done(world, arguments={"new": n})
        report = await audited(world, first, later)
        assert {finding.declared for finding in report.findings} == {True, False}
        with pytest.raises(NotPermitted, match="entries are lost"):
            await adopts(world, [first, later])
        lost = (await adopts(world, [await anchored(world), first, later], lost=4)).compared.lost
        assert lost == 4
        report = await audited(world, first, later)
        assert {finding.declared for finding in report.findings} == {True}


@pytest.mark.parametrize("knows", ["receipts", "nothing"])
async def test_a_primary_that_is_lost_with_its_last_entries_repeats_nothing(
    lagging: tuple[Site, Server], knows: str
) -> None:
    site, server = lagging
    with anyio.fail_after(20):
        running = site.world(site.open())
        waits, mail, flying = await before(site, running)
        base = server.folder.with_name("base")
        server.lose_power()
        subprocess.run(["cp", "-a", server.folder, base], check=True)  # what a standby has that lags behind
        server.start_again()
        receipts = await after(running, flying)
        server.lose_power()
        shutil.rmtree(server.folder)
        base.rename(server.folder)
        server.start_again()
        refused = await running.call({"to": "ever"})  # who has seen more refuses
        assert isinstance(refused, Refused)
        assert "is not as this installation left it" in refused.why
        running.opened.close()
        async with site.process() as world:
            report = await audited(world, *receipts)
            assert {finding.declared for finding in report.findings} == {False}
            if knows == "nothing":
                with pytest.raises(NotPermitted, match="nothing to adopt"):
                    await adopts(world, [], nothing_newer=True)
                return
            with pytest.raises(NotPermitted) as wanted:
                await adopts(world, receipts)
            lost = int(wanted.value.fix.rpartition("--lost ")[2].rstrip("`"))
            await adopts(world, receipts, lost=lost)
            assert site.effects() == {**NOTHING_LEFT, UNDONE: 2}
            await nothing_is_repeated(site, world, waits, mail)
            report = await audited(world, *receipts)
            assert {finding.declared for finding in report.findings} == {True}
