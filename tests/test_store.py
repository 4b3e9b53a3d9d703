"""What the store promises to whoever writes."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psycopg
import pytest

from interlock.app import Opened
from interlock.budget.hold import Balance
from interlock.core.action import ActionState
from interlock.core.errors import StoreClosed, StoreTampered
from interlock.core.ids import ActionId, BudgetId, ContractHash, Key, PersonId, TenantId
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.doors import changed, publish
from interlock.ledger.note import opened as opened_note
from interlock.ledger.seal import Kind
from interlock.ledger.tree import leaf_hash, verify
from interlock.ports import Change, Changes, Needs, Rows, Wanted, Written
from interlock.store.batch import Batcher, Told, Write, verifier_of
from interlock.store.database import Database
from interlock.store.tenant import SqlStore
from world import KIM, PROD, HandClock, World, a_budget, a_tool

pytestmark = pytest.mark.anyio

TEAM = BudgetId("team")
NEEDS = Needs(budgets=frozenset({TEAM}))


@dataclass(slots=True, kw_only=True)
class Counting(Batcher):
    """Counts its batches, each of which is one commit."""

    batches: int = 0

    def run(self, db: Database, writes: Sequence[Write]) -> list[Told]:
        self.batches += 1
        return Batcher.run(self, db, writes)


def counted(world: World) -> Counting:
    assert isinstance(world.opened.store, SqlStore)
    writer = world.opened.store.writer
    counting = Counting(**{field.name: getattr(writer.batcher, field.name) for field in fields(Batcher)})
    writer.batcher = counting
    return counting


def execute(where: str, sql: str, *values: Any) -> None:
    """Edit the database as someone without the keys would."""
    if where.endswith(".db"):
        with sqlite3.connect(where) as db:
            db.execute(sql, values)
        db.close()
    else:
        with psycopg.connect(where) as postgres:
            postgres.execute(sql.replace("?", "%s"), values)  # pyright: ignore[reportArgumentType]  our own text


def one(where: str, sql: str, *values: Any) -> Any:
    """Look one value up."""
    if where.endswith(".db"):
        with sqlite3.connect(where) as db:
            found = db.execute(sql, values).fetchone()[0]
        db.close()
        return found
    with psycopg.connect(where) as postgres:
        row = postgres.execute(sql.replace("?", "%s"), values).fetchone()  # pyright: ignore[reportArgumentType]
        assert row is not None
        return row[0]


def raise_by_one(rows: Rows) -> tuple[Changes, int]:
    limit = (rows.budgets[TEAM] or Balance(limit=0)).limit + 1
    return Changes(budgets={TEAM: Balance(limit=limit)}), limit


async def test_fifty_calls_at_once_need_far_fewer_than_a_hundred_commits(world: World) -> None:
    await world.publish()
    counting = counted(world)
    outcomes = await asyncio.gather(*(world.call({"n": n}) for n in range(50)))
    assert {type(outcome) for outcome in outcomes} == {Done}
    assert len(await world.store.entries()) == 101
    assert counting.batches < 60


async def test_each_write_sees_the_one_before_it_also_within_a_batch(world: World) -> None:
    counting = counted(world)
    seen = await asyncio.gather(*(world.store.write(NEEDS, raise_by_one) for _ in range(30)))
    assert [written.answer for written in seen] == list(range(1, 31))
    assert counting.batches < 30


async def test_a_key_that_is_freed_can_be_taken_in_the_same_batch(world: World) -> None:
    await world.publish()
    old = await world.row((await world.call(key="k")).action)
    freed = replace(old, state=ActionState.REFUSED, reason=Reason.POLICY)
    rows = [replace(old, action=replace(old.action, id=ActionId(f"a{n}"), key=Key(f"k{n}"))) for n in range(5)]
    rows.append(replace(old, action=replace(old.action, id=ActionId("next"))))
    named = Needs(actions=frozenset({old.action.id}), keys=frozenset({old.action.key}))
    await world.store.write(named, lambda _: (Changes(actions=(freed, *rows)), None))
    held = (await world.store.read(named)).keys[old.action.key]
    assert held is not None
    assert (held.action.id, (await world.row(old.action.id)).state) == ("next", ActionState.REFUSED)
    assert {row.action.id for row in await world.store.actions(Wanted())} == {
        old.action.id,
        *(r.action.id for r in rows),
    }


async def test_more_rows_can_be_named_than_any_call_names(world: World) -> None:
    named = frozenset(BudgetId(f"b{n}") for n in range(40_000))
    await world.store.write(Needs(), lambda _: (Changes(budgets={id: Balance(limit=1) for id in named}), None))
    found = await world.store.read(Needs(budgets=named | {BudgetId("none")}))
    assert {id for id, balance in found.budgets.items() if balance == Balance(limit=1)} == named


async def test_a_row_that_was_not_named_is_a_bug_of_that_write_alone(world: World) -> None:
    await world.store.write(NEEDS, raise_by_one)
    named = world.store.write(NEEDS, lambda rows: (Changes(), rows.budgets[TEAM]))
    unnamed = world.store.write(Needs(), lambda rows: (Changes(), rows.budgets[TEAM]))
    good, bad = await asyncio.gather(named, unnamed, return_exceptions=True)
    assert not isinstance(good, BaseException)
    assert good.answer == Balance(limit=1)
    assert isinstance(bad, KeyError)


@pytest.mark.promise("tenant")
async def test_tenants_share_a_batch_and_nothing_else(world: World) -> None:
    other = world.opened.store.for_tenant(TenantId(world.tenant + "-other"))
    mine, theirs = await asyncio.gather(world.store.write(NEEDS, raise_by_one), other.write(NEEDS, raise_by_one))
    assert (mine.answer, theirs.answer) == (1, 1)
    await world.publish()
    assert await other.entries() == ()
    assert (await other.read(Needs())).door.epoch == 0


@pytest.mark.promise("ledger")
async def test_a_receipt_names_its_leaf_its_place_and_a_head_that_covers_it(world: World) -> None:
    await world.publish()
    outcome = await world.call()
    assert outcome.receipt is not None
    lines = await world.store.entries()
    assert leaf_hash(lines[outcome.receipt.index]).hex() == outcome.receipt.leaf
    secrets = world.opened.secrets
    verifier = verifier_of(secrets, world.tenant, 1)
    head = opened_note(outcome.receipt.head, verifier, lambda s, t: secrets.sign(world.tenant, t, generation=1) == s)
    assert head.size > outcome.receipt.index
    assert verify(lines, older=head).size == len(lines)


async def test_a_start_that_did_not_wait_for_the_disk_gives_no_receipt(world: World) -> None:
    written = await world.store.write(NEEDS, raise_by_one, durable=False)
    assert written.receipt is None


@pytest.mark.promise("ledger", "door")
@pytest.mark.parametrize(
    ("table", "old", "new"),
    [("budget", b'"limit":100', b'"limit":999'), ("door", b'"act"', b'"ask"'), ("action", b'"done"', b'"failed"')],
)
async def test_a_row_that_was_edited_without_the_keys_is_a_no(
    world: World, where: str, table: str, old: bytes, new: bytes
) -> None:
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(100)])
    await world.call(key="k")
    body = one(where, f"select body from {table} where tenant = ?", world.tenant)
    assert old in body
    execute(where, f"update {table} set body = ? where tenant = ?", body.replace(old, new), world.tenant)
    outcome = await world.call(key="k" if table == "action" else "other")
    assert isinstance(outcome, Refused)
    assert (outcome.reason, len(world.tool.performed)) == (Reason.INTERNAL, 1)


@pytest.mark.promise("ledger", "door")
@pytest.mark.parametrize(
    "edit",
    ["update head set size = 0, peaks = ?", "update head set peaks = ?", "update head set size = size - 1, peaks = ?"],
)
async def test_a_head_that_was_edited_without_the_keys_is_a_no(world: World, where: str, edit: str) -> None:
    await world.publish()
    await world.call()
    execute(where, edit + " where tenant = ?", bytes(32 * ("size - 1" in edit)), world.tenant)
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    assert (outcome.reason, len(world.tool.performed)) == (Reason.INTERNAL, 1)


@pytest.mark.promise("ledger")
async def test_a_contract_that_was_edited_is_a_no(world: World, where: str) -> None:
    await world.publish()
    execute(where, "update contract set body = ? where tenant = ?", b"{}", world.tenant)
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.INTERNAL
    with pytest.raises(StoreTampered):
        await world.store.contract(ContractHash("0" * 64))


@pytest.mark.promise("ledger")
async def test_a_head_that_went_back_is_noticed_by_who_saw_the_later_one(
    world: World, where: str, opens: Callable[[HandClock], Opened]
) -> None:
    await world.publish()
    columns = ("size", "peaks", "at", "note", "mac")
    old = [one(where, f"select {column} from head where tenant = ?", world.tenant) for column in columns]
    await world.call()
    put_back = ", ".join(f"{column} = ?" for column in columns)
    execute(where, f"update head set {put_back} where tenant = ?", *old, world.tenant)
    with pytest.raises(StoreTampered, match="had 3 before"):
        await world.store.write(NEEDS, raise_by_one)


@pytest.mark.promise("secret", "forget")
async def test_neither_arguments_nor_results_can_be_read_in_the_database(world: World, where: str) -> None:
    world.tool.result = {"note": "the result in plain words"}
    await world.publish()
    await world.call({"to": "somebody@example.org"})
    for canary in (b"somebody@example.org", b"the result in plain words"):
        assert canary not in b"".join(await world.store.entries())
        rows = await world.store.actions(Wanted())
        assert canary not in repr(rows).encode()
        if where.endswith(".db"):
            files = Path(where).parent.glob("interlock.db*")
            assert all(canary not in file.read_bytes() for file in files)


@pytest.mark.promise("forget")
async def test_who_destroys_the_key_of_a_run_erases_what_it_said_and_the_ledger_still_stands(world: World) -> None:
    await world.publish()
    outcome = await world.call({"to": "sam"}, run="r1", key="k")
    assert isinstance(outcome, Done)
    from interlock.core.ids import SubjectId

    assert world.opened.secrets.destroy(world.opened.secrets.subject_name(world.tenant, SubjectId("run:r1")))
    again = await world.call({"to": "sam"}, run="r1", key="k")
    assert isinstance(again, Done)
    assert again.result is None
    assert outcome.receipt is not None
    assert leaf_hash((await world.store.entries())[outcome.receipt.index]).hex() == outcome.receipt.leaf


async def test_a_second_gateway_sees_what_the_first_one_did(world: World, opens: Callable[[HandClock], Opened]) -> None:
    await world.publish()
    first = await world.call(key="k")
    other = World.on(opens(world.clock), world.clock, world.tenant)
    again = await other.call(key="k")
    assert isinstance(again, Done)
    assert (again.action, again.recalled) == (first.action, True)
    await publish(other.store, other.contract(tools=[a_tool(price=None)]), PROD, KIM)
    assert isinstance(await world.call(), Refused)


async def test_actions_are_found_by_state_run_and_the_beginning_of_their_id(world: World) -> None:
    await world.publish()
    done = await world.call(run="r1")
    world.clock.forward(seconds=1)
    refused = await world.call("[]", run="r2")
    store = world.store
    assert [row.action.id for row in await store.actions(Wanted())] == [refused.action, done.action]
    wanted = Wanted(states=frozenset({ActionState.DONE}))
    assert [row.action.id for row in await store.actions(wanted)] == [done.action]
    assert [row.action.run for row in await store.actions_like(done.action[:14])] == ["r1"]
    assert len(await store.actions_like("a")) == 2
    told = [json.loads(line)["kind"] for _, line in await store.entries_of(done.action)]
    assert told == ["started", "ended"]


async def test_a_closed_store_says_so(world: World) -> None:
    world.opened.store.close()
    with pytest.raises(StoreClosed):
        await world.store.write(NEEDS, raise_by_one)


async def test_a_store_whose_readers_have_left_says_so_to_everyone(world: World, where: str) -> None:
    if where.endswith(".db"):
        return  # it reads where it is asked
    world.opened.store.close()
    for _ in range(2):
        with pytest.raises(StoreClosed):
            await world.store.read(NEEDS)


async def test_reads_that_wait_together_see_what_each_of_them_named(world: World) -> None:
    named = [BudgetId(f"b{n}") for n in range(30)]
    budgets = {id: Balance(limit=n) for n, id in enumerate(named)}
    await world.store.write(Needs(), lambda _: (Changes(budgets=budgets), None))
    found = await asyncio.gather(*(world.store.read(Needs(budgets=frozenset({id}))) for id in named))
    assert [dict(rows.budgets) for rows in found] == [{id: budgets[id]} for id in named]


@pytest.mark.promise("ledger")
async def test_a_row_that_was_edited_is_a_no_for_those_alone_who_named_it(world: World, where: str) -> None:
    good, bad = BudgetId("good"), BudgetId("bad")
    both = {good: Balance(limit=1), bad: Balance(limit=1)}
    await world.store.write(Needs(), lambda _: (Changes(budgets=both), None))
    execute(where, "update budget set body = ? where id = ? and tenant = ?", b"{}", bad, world.tenant)
    reads = [world.store.read(Needs(budgets=frozenset({id}))) for id in (good, bad, good)]
    first, second, third = await asyncio.gather(*reads, return_exceptions=True)
    assert not isinstance(first, BaseException) and not isinstance(third, BaseException)
    assert first.budgets == third.budgets == {good: Balance(limit=1)}
    assert isinstance(second, StoreTampered)


async def test_who_leaves_before_the_turn_is_not_served_and_keeps_nobody_from_an_answer(world: World) -> None:
    left = [asyncio.create_task(world.store.write(NEEDS, raise_by_one)) for _ in range(5)]
    stayed = asyncio.create_task(world.store.write(NEEDS, raise_by_one))
    reads = [asyncio.create_task(world.store.read(NEEDS)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in (*left, *reads[:4]):
        task.cancel()
    assert 1 <= (await stayed).answer <= 6
    assert TEAM in (await reads[4]).budgets


async def test_a_stop_file_beside_the_database_stops_every_start(world: World, where: str) -> None:
    if not where.endswith(".db"):
        return
    await world.publish()
    stop = Path(where + ".stop")
    stop.touch()
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.STOPPED
    stop.unlink()
    assert isinstance(await world.call(), Done)


@pytest.mark.slow
async def test_a_database_that_another_process_holds_refuses_and_starts_nothing(world: World, where: str) -> None:
    await world.publish()
    assert isinstance(world.opened.store, SqlStore)
    world.opened.store.writer.tries = 1
    if where.endswith(".db"):
        holder: Any = sqlite3.connect(where, isolation_level=None)
        holder.execute("begin immediate")
    else:
        holder = psycopg.connect(where)
        holder.execute("select 1 from head where tenant = %s for update", [world.tenant])
    outcome = await world.call()
    assert isinstance(outcome, Refused)
    assert (outcome.reason, world.tool.performed) == (Reason.OVERLOADED, [])
    holder.rollback()
    holder.close()
    assert isinstance(await world.call(), Done)


async def test_a_function_that_may_run_again_is_run_again_after_a_lost_connection(world: World, where: str) -> None:
    if where.endswith(".db"):
        return
    await world.publish()
    with psycopg.connect(where, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    # Reading connections are found out as they are used.
    outcomes = [await world.call({"n": n}) for n in range(6)]
    assert isinstance(outcomes[-1], Done)
    assert all(isinstance(o, Done) or o.reason is Reason.OVERLOADED for o in outcomes if isinstance(o, Done | Refused))
    assert len(world.tool.performed) == sum(isinstance(o, Done) for o in outcomes)


async def test_an_entry_that_cannot_be_written_fails_its_own_write_and_no_other(world: World) -> None:
    def by(person: str) -> Change[str]:
        def turn(rows: Rows) -> tuple[Changes, str]:
            door = replace(rows.door, epoch=rows.door.epoch + 1)
            who = replace(KIM, person=PersonId(person))
            return changed(rows, door, who, Kind.CLOCK, {"accepted": 1}), person

        return turn

    # The first is a batch of its own; the others share the next one.
    people = ["ann", "ben", "\ud800", "cem"]
    told = await asyncio.gather(*(world.store.write(Needs(), by(each)) for each in people), return_exceptions=True)
    assert [each.answer if isinstance(each, Written) else type(each).__name__ for each in told] == [
        "ann",
        "ben",
        "TypeError",
        "cem",
    ]
