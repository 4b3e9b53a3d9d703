"""What ended longer ago than its contract wants to know is taken out, and every proof still holds."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from backups import Site
from interlock.contract.ir import Approvals, Undo
from interlock.core.action import ActionState
from interlock.core.errors import LedgerBroken, NotPermitted, UpstreamSilent
from interlock.core.ids import ActionId, Instant, Micros, Role, SubjectId, ToolName
from interlock.core.limits import PRUNED_LOOKED_MICROS
from interlock.core.outcome import Done, Parked, Receipt, Refused, Uncertain
from interlock.gateway.adopt import adopt
from interlock.gateway.backtest import Reader, Wish
from interlock.gateway.backtest import audited as replayed
from interlock.gateway.compare import verify_state
from interlock.gateway.consent import deny
from interlock.gateway.doors import accept_clock
from interlock.gateway.erase import hold_for_law, payloads_of, release
from interlock.gateway.expire import HELD, lots
from interlock.gateway.history import audited, exported, proved, signer_of
from interlock.gateway.prune import Taken, prune, would_prune
from interlock.gateway.recover import attend
from interlock.gateway.reverse import plan
from interlock.ledger import export
from interlock.ledger.audit import Report, audit
from interlock.ledger.export import Older, read
from interlock.ledger.pruned import is_pruned, leaf_of, spans_text
from interlock.ledger.tree import leaf_hash
from interlock.ports import TenantStore, Wanted
from interlock.store.tenant import SqlStore
from postgres import Server
from tamper import Intruder
from world import ALLOW, KIM, PROD, World, a_budget, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("forget")]


async def publish(world: World, days: int | None = 30, **fields: Any) -> None:
    await world.publish(*fields.pop("rules", ()), tools=[a_tool(subject="$.args.to")], ledger_days=days, **fields)


async def called(world: World, to: str = "zoe", **fields: Any) -> Done:
    outcome = await world.call({"to": to}, **fields)
    assert isinstance(outcome, Done)
    return outcome


async def pruned(world: World, **fields: Any) -> Taken:
    return await prune(world.store, world.opened.secrets, world.clock, KIM, **fields)


async def report(world: World, **fields: Any) -> Report:
    return await audited(world.store, world.opened.secrets, **fields)


async def sound(world: World, **fields: Any) -> Report:
    assert await verify_state(world.store, world.opened.secrets) == ()
    found = await report(world, **fields)
    assert found.findings == ()
    lines = [line async for line in exported(world.store, world.opened.secrets)]
    again = audit(read(lines), pinned=await signer_of(world.store, world.opened.secrets), **fields)
    assert (again.findings, again.pruned, again.root) == ((), found.pruned, found.root)
    return found


async def lines_of(world: World) -> tuple[bytes, ...]:
    return await world.store.entries(limit=100_000)


async def entries_left(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in await lines_of(world) if not is_pruned(line)]


def receipts(*outcomes: Done) -> list[Receipt]:
    found = [outcome.receipt for outcome in outcomes]
    assert all(found)
    return [receipt for receipt in found if receipt is not None]


async def test_every_proof_of_before_holds_after_it(world: World) -> None:
    await publish(world)
    old = [await called(world, to=f"zoe{n}", run="r") for n in range(4)]
    head, before = await world.store.signed_head(), await lines_of(world)
    world.clock.forward(days=31)
    young = await called(world)
    taken = await pruned(world)
    assert (taken.actions, taken.entries, taken.payloads, dict(taken.kept)) == (4, 8, 12, {})
    found = await sound(world, heads=[head], receipts=receipts(*old, young))
    assert (found.pruned, found.receipts, found.heads) == (8, 5, 5)
    after = await lines_of(world)
    for index, (was, stands) in enumerate(zip(before, after, strict=False)):
        assert leaf_of(stands) == leaf_hash(was)
        assert export.proves(await proved(world.store, index, older=Older([before])), await signer_of(*on(world)))
    with pytest.raises(LedgerBroken, match="entry 1 was pruned"):
        await proved(world.store, 1)
    *_, last = await entries_left(world)
    assert (last["kind"], last["by"]) == ("pruned", "kim")
    assert (last["detail"]["entries"], last["detail"]["actions"]) == ("1-8", 4)


def on(world: World) -> tuple[TenantStore, Any]:
    return world.store, world.opened.secrets


async def test_nothing_is_left_of_who_and_what(world: World, where: str) -> None:
    await publish(world)
    outcome = await called(world, to="zoe-the-customer")
    row = await world.row(outcome.action)
    world.clock.forward(days=31)
    await pruned(world)
    left = await world.row(outcome.action)
    assert left.pruned is not None
    assert (left.action.caller.principal, left.action.caller.agent, left.action.what) == ("", "", "")
    assert (left.state, left.action.key, left.changed_at) == (ActionState.DONE, row.action.key, row.changed_at)
    assert await world.store.payloads(sorted(payloads_of(row))) == {}
    assert payloads_of(left) == frozenset()
    intruder = Intruder(where, world.tenant)
    stored = b"".join(
        value if isinstance(value, bytes) else str(value).encode()
        for table in intruder.tables
        for row in intruder.rows(table)
        for value in row
    )
    intruder.close()
    assert b'"principal":"sam"' not in stored


async def test_a_call_is_answered_for_ever_under_its_key(world: World) -> None:
    await publish(world)
    first = await called(world, key="order-17")
    world.clock.forward(days=400)
    assert (await pruned(world)).actions == 1
    again = await called(world, key="order-17")
    assert (again.action, again.result, again.recalled) == (first.action, None, True)
    assert len(world.tool.performed) == 1
    other = await world.call({"to": "somebody else"}, key="order-17")
    assert isinstance(other, Refused)
    await sound(world)


async def test_a_no_of_a_person_stays_a_no(world: World) -> None:
    rules = [ALLOW, a_rule("ask.mail", "ask")]
    await publish(world, rules=rules, approvals=Approvals(people={Role("lead"): frozenset({KIM.person})}))
    parked = await world.call({"to": "zoe"}, key="order-18")
    assert isinstance(parked, Parked)
    await deny(world.gateway, world.store, parked.action, KIM)
    world.clock.forward(days=31)
    assert (await pruned(world)).actions == 1
    again = await world.call({"to": "zoe"}, key="order-18")
    assert isinstance(again, Refused)
    assert (again.action, again.recalled) == (parked.action, True)
    assert world.tool.performed == []
    await sound(world)


async def test_budgets_and_runs_go_on_where_they_stood(world: World) -> None:
    budgets = (a_budget(100), a_budget(100, period="month"), a_budget(100, period="run"))
    tools = [a_tool(subject="$.args.to", price=7)]
    await world.publish(tools=tools, ledger_days=1, budgets=budgets)
    for n in range(3):
        await called(world, to=f"zoe{n}", run="long")
    before = await world.store.budgets()
    world.clock.forward(days=2)
    assert (await pruned(world)).actions == 3
    assert await world.store.budgets() == before
    await sound(world)
    await called(world, to="ann", run="long")
    spent = {id: each.spent for id, each in (await world.store.budgets()).items()}
    assert sorted(spent.values()) == [7, 21, 28, 28]
    await sound(world)


async def test_what_is_younger_or_has_no_days_stays(world: World) -> None:
    await publish(world, days=None)
    await called(world)
    world.clock.forward(days=4_000)
    assert await pruned(world) == Taken()
    await publish(world, days=90)
    await called(world)
    await publish(world, days=30)
    await called(world)
    world.clock.forward(days=29)
    assert (await pruned(world)).actions == 0
    world.clock.forward(days=1)
    assert (await would_prune(world.store, world.clock)).actions == 1
    assert (await pruned(world)).actions == 1
    world.clock.forward(days=60)
    assert (await pruned(world)).actions == 1
    assert (await pruned(world)).actions == 0
    assert (await sound(world)).pruned == 4


async def test_what_somebody_needs_stays(world: World) -> None:
    undo = Undo(tool=ToolName("mail.unsend"), within=Micros(400 * 86_400_000_000), args={})
    tools = [a_tool(subject="$.args.to"), a_tool("mail.unsend"), a_tool("mail.keep", undo=undo, subject="$.args.to")]
    rules = [ALLOW, a_rule("allow.keep", "permit", "mail.keep"), a_rule("allow.un", "permit", "mail.unsend")]
    await world.publish(*rules, tools=tools, ledger_days=30)
    world.others["mail.keep"] = type(world.tool)()
    undoable = await called(world, to="ann", tool="mail.keep")
    held = await called(world, to="zoe")
    world.tool.breaks.append(UpstreamSilent("nobody knows", fix="ask"))
    silent = await world.call({"to": "ben"})
    assert isinstance(silent, Uncertain)
    await hold_for_law(world.store, world.opened.secrets, SubjectId("subject:zoe"), KIM, why="case-1")
    free = await called(world, to="eve")
    world.clock.forward(days=31)
    taken = await pruned(world)
    assert dict(taken.kept) == {"can be undone": 1, HELD: 1, "has not ended": 1}
    assert [await is_left(world, each) for each in (undoable.action, held.action, silent.action)] == [False] * 3
    assert await is_left(world, free.action)
    await release(world.store, world.opened.secrets, SubjectId("subject:zoe"), KIM)
    assert (await pruned(world)).actions == 1
    assert await is_left(world, held.action)
    await sound(world)


async def is_left(world: World, id: ActionId) -> bool:
    return (await world.row(id)).pruned is not None


async def test_what_was_pruned_cannot_be_undone_and_says_why(world: World) -> None:
    await publish(world)
    outcome = await called(world)
    world.clock.forward(days=31)
    await pruned(world)
    (step,) = await plan(world.gateway, world.store, [await world.row(outcome.action)])
    assert step.why_not == "it ended long ago, and what its undo needs was pruned"


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A store of its own: a restore takes the place of every tenant."""
    if request.param == "sqlite":
        return Site(str(tmp_path / "interlock.db"), tmp_path)
    server: Server = request.getfixturevalue("postgres_server")
    return Site(server.a_database(f"site{token_hex(4)}"), tmp_path)


@dataclass
class HeldMeanwhile:
    """A store in which somebody is held for law between the look and the write."""

    inner: Any
    world: World
    held: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def write(self, *args: Any, **fields: Any) -> Any:
        if not self.held:
            self.held = True
            await hold_for_law(self.inner, self.world.opened.secrets, SubjectId("subject:zoe"), KIM, why="case-2")
        return await self.inner.write(*args, **fields)


async def test_a_hold_that_comes_between_the_look_and_the_write_is_obeyed(world: World) -> None:
    await publish(world)
    outcome = await called(world)
    world.clock.forward(days=31)
    store: Any = HeldMeanwhile(world.store, world)
    taken = await prune(store, world.opened.secrets, world.clock, KIM)
    assert (taken.actions, dict(taken.kept)) == (0, {"changed meanwhile": 1})
    assert not await is_left(world, outcome.action)
    assert dict((await pruned(world)).kept) == {HELD: 1}
    await sound(world)


async def test_a_pruned_store_is_backed_up_and_restored(site: Site) -> None:
    async with site.process() as world:
        await publish(world)
        old = await called(world, key="k")
        site.clock.forward(days=31)
        await pruned(world)
        young = await called(world)
    site.back_up()
    site.restore(over=True)
    async with site.process() as world:
        await adopt(*on(world), KIM, [young.receipt.head if young.receipt else ""], nothing_newer=True)
        await sound(world, receipts=receipts(old, young))
        assert (await called(world, key="k")).recalled


async def test_nothing_is_pruned_while_the_clock_has_jumped(world: World) -> None:
    await publish(world)
    await called(world)
    world.clock.jump(seconds=40 * 86_400)
    with pytest.raises(NotPermitted, match="nothing is pruned meanwhile"):
        await pruned(world)
    await accept_clock(world.store, KIM)
    assert (await pruned(world)).actions == 1


async def test_whoever_attends_prunes_once_a_day(world: World) -> None:
    await publish(world)
    await called(world)
    await attend(world.gateway, world.store)
    world.clock.forward(days=31)
    await attend(world.gateway, world.store)
    assert (await report(world)).pruned == 2
    (last,) = [entry for entry in await entries_left(world) if entry["kind"] == "pruned"]
    assert (last["by"], last["known_by"]) == ("interlock", "attend")
    await publish(world, days=1)
    await called(world)
    world.clock.forward(days=1, seconds=-1)
    await attend(world.gateway, world.store)
    assert (await report(world)).pruned == 2
    world.clock.forward(seconds=PRUNED_LOOKED_MICROS / 1_000_000)
    await attend(world.gateway, world.store)
    assert (await report(world)).pruned == 4


async def test_it_ends_after_as_many_as_it_may_and_goes_on_from_there(world: World) -> None:
    await publish(world)
    for _ in range(45):
        await called(world)
    world.clock.forward(days=31)
    assert (await pruned(world, most=1)).actions == 40
    assert (await pruned(world, most=1)).actions == 5
    assert (await sound(world)).pruned == 90


async def test_it_asks_the_store_as_often_for_many_actions_as_for_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, look = list[object](), SqlStore.look

    def counted(store: SqlStore, question: Any, **more: Any) -> object:
        asked.append(question)
        return look(store, question, **more)

    await publish(world)
    monkeypatch.setattr(SqlStore, "look", counted)
    often = list[int]()
    for actions in (1, 9):
        for _ in range(actions):
            await called(world)
        world.clock.forward(days=31)
        asked.clear()
        assert (await pruned(world)).actions == actions
        often.append(len(asked))
    assert often[0] == often[1]


async def test_whoever_reads_for_long_keeps_nothing_from_being_pruned(world: World, where: str) -> None:
    await publish(world)
    await called(world)
    world.clock.forward(days=31)
    with closing(Intruder(where, world.store.tenant)) as reader:
        reader.run("begin isolation level repeatable read" if "postgres" in where else "begin")
        reader.run("select count(*) from entry")
        assert (await pruned(world)).actions == 1


async def test_replay_and_lots_pass_over_what_is_gone(world: World) -> None:
    assert isinstance(await world.call(), Refused)  # no contract yet: the first entry is about an action
    await publish(world)
    await called(world)
    world.clock.forward(days=31)
    assert (await pruned(world)).actions == 2
    await called(world)
    reader = Reader(
        store=world.store, secrets=world.opened.secrets, wish=Wish(workflow=world.caller().workflow, environment=PROD)
    )
    assert await replayed(reader) == 1
    assert (reader.record.pruned, reader.record.wrong) == (3, [])
    assert await lots(*on(world), Instant(world.clock.now()))
    assert len(await world.store.actions(Wanted())) == 3
    await sound(world)


async def test_heads_and_tiles_of_many_entries_hold_after_it(world: World) -> None:
    await publish(world)
    heads = list[str]()
    for _ in range(280):
        heads.append(receipts(await called(world))[0].head)
    world.clock.forward(days=31)
    assert (await pruned(world)).entries == 560
    found = await sound(world, heads=heads[::10])
    assert found.heads == 28


def test_spans_are_written_short() -> None:
    assert spans_text([3, 1, 2, 9, 11, 10, 20]) == "1-3,9-11,20"
    assert not is_pruned(b'{"a":1}')
