"""The rows are what the entries lead to, whatever happened; a row that is not is listed."""

import asyncio
from typing import Any

import pytest

from interlock.budget.hold import Balance
from interlock.contract.ir import Undo
from interlock.core.action import ActionState
from interlock.core.charge import Unit
from interlock.core.door import BreakGlass, Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass, Mode
from interlock.core.errors import LedgerBroken, UpstreamFailed, UpstreamSilent
from interlock.core.ids import ActionId, BudgetId, Environment, Instant, Micros, PersonId, ToolName, WorkflowId
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.budgets import raise_budget
from interlock.gateway.compare import verify_state
from interlock.gateway.doors import accept_clock, break_glass, resume_switch, set_mode, throw
from interlock.gateway.recover import reap
from interlock.gateway.resolve import resolve
from interlock.gateway.reverse import undo
from interlock.ledger.rebuild import rebuild
from interlock.ports import ActionRow, Changes, Needs, Rows, Wanted
from world import ALLOW, KIM, PROD, World, a_budget, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.promise("ledger")]

WHOLE = Scope()
NARROW = Scope(workflow=WorkflowId("support"), environment=PROD, tool=ToolName("mail.send"), effect=EffectClass.OPAQUE)


def a_switch(id: str, scope: Scope = WHOLE) -> Switch:
    return Switch(id=id, kind=SwitchKind.STOP, scope=scope, by=PersonId("kim"), at=Instant(0), undo_too=True)


async def differences(world: World) -> list[str]:
    return [f"{d.where}: {d.what}" for d in await verify_state(world.store, world.opened.secrets)]


async def test_every_ending_leaves_rows_that_the_entries_lead_to(world: World) -> None:
    rules = (ALLOW, a_rule("ask.pay", "ask", "pay"), a_rule("permit.pay", "permit", "pay"))
    tools = (a_tool(price=7), a_tool("pay", price=7), a_tool("pray"))
    budgets = (a_budget(1_000), a_budget(9, Unit.TOOL_CALLS), a_budget(50, Unit.RETRIES, "month"))
    await world.publish(*rules, tools=tools, budgets=budgets)
    await world.call(key="done")
    world.tool.breaks = [UpstreamFailed("no", fix=""), UpstreamSilent("", fix=""), UpstreamSilent("", fix="")]
    await asyncio.gather(*(world.call({"n": n}) for n in range(3)))
    await world.call(tool="pay")
    await world.call(tool="pray")
    await world.call("[]", tool="unheard of")
    world.tool.costs = {"usd": 900}
    overrun = await world.call({"dear": True})
    assert isinstance(overrun, Done)
    assert overrun.overrun
    await world.call({"after": "the overrun"})
    assert await differences(world) == []
    state = rebuild(await world.store.entries())
    assert {standing.state for standing in state.actions.values()} == {
        ActionState.DONE,
        ActionState.FAILED,
        ActionState.UNCERTAIN,
        ActionState.PARKED,
        ActionState.REFUSED,
    }


async def test_a_refused_proposal_says_in_its_entry_what_it_was_charged(world: World) -> None:
    tools = (a_tool(), a_tool("pay"))
    await world.publish(
        a_rule("permit.pay", "permit", "pay"), tools=tools, budgets=[a_budget(2, Unit.TOOL_CALLS, "run")]
    )
    for n in range(4):
        await world.call({"n": n}, run="r1")
    assert await differences(world) == []
    (account,) = rebuild(await world.store.entries()).budgets.values()
    assert (account.limit, account.held, account.spent) == (2, 0, 2)


async def test_what_was_given_up_and_answered_late_adds_up(world: World) -> None:
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(100)])
    world.tool.may_answer = asyncio.Event()
    call = asyncio.create_task(world.call())
    await world.tool.begun.wait()
    assert await differences(world) == []
    world.clock.forward(minutes=10)
    await reap(world.store, KIM.process)
    assert await differences(world) == []
    world.tool.may_answer.set()
    await call
    assert await differences(world) == []


async def test_the_whole_door_is_in_the_entries(world: World) -> None:
    await world.publish()
    await world.publish(budgets=[a_budget(1)])
    await set_mode(world.store, WorkflowId("support"), PROD, Mode.ASK, KIM)
    await throw(world.store, a_switch("s1"), KIM)
    await throw(world.store, a_switch("s2", NARROW), KIM)
    await throw(world.store, a_switch("s3", Scope(environment=Environment("dev"))), KIM)
    await resume_switch(world.store, "s1", KIM)
    glass = BreakGlass(id="g1", scope=NARROW, by=PersonId("kim"), at=Instant(0), until=Instant(world.clock.at + 60))
    await break_glass(world.store, glass, KIM)
    await accept_clock(world.store, KIM)
    assert rebuild(await world.store.entries()).door == (await world.store.read(Needs())).door
    assert await differences(world) == []


async def test_a_budget_that_an_overrun_closed_admits_again_once_a_person_reopens_it(world: World) -> None:
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(100)])
    world.tool.costs = {"usd": 60}
    await world.call({"n": 1})
    (id,) = await world.store.budgets()
    raised = await raise_budget(world.store, id, 5, KIM)
    assert raised == Balance(limit=100, raised=5, spent=60, closed=True)
    assert not isinstance(await world.call({"n": 2}), Done)
    assert (await raise_budget(world.store, id, 0, KIM, reopen=True)).closed is False
    assert isinstance(await world.call({"n": 3}), Done)
    await raise_budget(world.store, BudgetId("support:prod/usd/day:2026-01-02"), 8, KIM)
    assert await differences(world) == []


async def test_an_older_row_that_was_put_back_is_listed(world: World) -> None:
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(100)])
    await world.call({"n": 1})
    (row,) = await world.store.actions(Wanted())
    (id,) = await world.store.budgets()

    def forge(rows: Rows) -> tuple[Changes, None]:
        stray = replace(row.action, id=ActionId("astray"), key=row.action.digest)
        older = replace(row, state=ActionState.STARTED)
        forged = (older, ActionRow(action=stray, state=ActionState.PARKED))  # pyright: ignore[reportArgumentType]
        return Changes(actions=forged, budgets={id: Balance(limit=100)}), None

    await world.store.write(Needs(actions=frozenset({row.action.id}), budgets=frozenset({id})), forge)
    assert await differences(world) == [
        "`astray` of `action`: there is a row, and the ledger does not tell of it",
        f"action `{row.action.id}`: `state` must be ActionState.DONE and is ActionState.STARTED",
        f"budget `{id}`: `spent` must be 7 and is 0",
    ]


async def test_a_row_of_before_its_undo_that_was_put_back_is_listed_and_nothing_is_undone_twice(world: World) -> None:
    undoing = Undo(tool=ToolName("mail.unsend"), args={"to": "$.args.to"}, within=Micros(3_600_000_000))
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True)
    await world.publish(ALLOW, a_rule("undo", "permit", "mail.unsend"), tools=[a_tool(undo=undoing), back])
    outcome = await world.call({"to": "ann"})
    assert isinstance(outcome, Done)
    before = await world.row(outcome.action)
    undone = await undo(world.gateway, world.store, outcome.action, KIM)
    assert isinstance(undone, Done)
    assert await differences(world) == []

    def forge(rows: Rows) -> tuple[Changes, None]:
        return Changes(actions=(before,)), None

    await world.store.write(Needs(actions=frozenset({outcome.action})), forge)
    must = f"`undone_by` must be {undone.action} and is None"
    assert await differences(world) == [f"action `{outcome.action}`: {must}"]
    again = await undo(world.gateway, world.store, outcome.action, KIM)
    assert isinstance(again, Refused) and again.reason is Reason.DUPLICATE


def test_entries_that_do_not_say_what_they_must_are_named() -> None:
    line = b'{"at":1,"by":"kim","detail":{},"epoch":1,"format":1,"kind":"switch","known_by":"os:1","process":"p"}'
    with pytest.raises(LedgerBroken, match="entry 0: a change of kind `switch` does not say what changed"):
        rebuild([line])
    with pytest.raises(LedgerBroken, match="entry 0 does not say what it has to"):
        rebuild([line.replace(b"switch", b"budget")])
    with pytest.raises(LedgerBroken, match="entry 0: its bytes are not in canonical form"):
        rebuild([line + b" "])


@pytest.mark.promise("ledger")
async def test_a_result_of_nothing_and_one_that_nobody_can_read_are_what_the_ledger_commits_to(world: World) -> None:
    await world.publish(tools=[a_tool(keep=("id",)), a_tool("other")])
    results: list[Any] = [None, {"id": None}, float("nan"), "x" * 2_000_000, []]
    for n, result in enumerate(results):
        world.tool.result = result
        assert isinstance(await world.call({"n": n}), Done)
    world.tool.breaks = [UpstreamSilent("no answer", fix="")]
    doubtful = await world.call({"n": "?"})
    await resolve(world.another().gateway, world.store, doubtful.action, "happened", KIM)
    assert await differences(world) == []
