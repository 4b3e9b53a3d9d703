"""Functions of this process as tools: what they get, how they end, and what one that hangs cannot do."""

import asyncio
import json
import os
import subprocess
import sys

import anyio
import pytest
from inline_snapshot import snapshot

from interlock.app import gateway_on
from interlock.budget.hold import Balance
from interlock.core.action import ActionState
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass
from interlock.core.errand import Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import Instant
from interlock.core.outcome import Done, Failed, Outcome, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.gateway.compare import verify_state
from interlock.gateway.doors import throw
from interlock.ports import Changes, Needs, Performer, Rows
from interlock.tool.python import PythonTools
from tools import sample_tools as sample
from tools.functions import ROOT, a_function, an_errand, in_state, manifest_of, publish, row, until
from world import KIM, World, a_budget

pytestmark = pytest.mark.anyio

SHORT = 50_000  # a timeout that a test waits for, in microseconds


async def test_a_function_gets_what_its_types_say_and_its_answer_becomes_json(here: World) -> None:
    await publish(here, a_function("sell", check=("result.total == 49.89",)))
    text = '{"customer":"C1","lines":[{"sku":"a","price":49.99}],"at":"2026-01-01T12:00:00"}'
    outcome = await here.call(text, tool="sell")
    ((_, lines, at, discount),) = sample.CALLS["sell"]
    assert [lines, at, discount] == [
        [sample.Line("a", sample.Decimal("49.99"))],
        sample.datetime(2026, 1, 1, 12),
        sample.Decimal("0.1"),
    ]
    assert isinstance(outcome, Done)
    assert (outcome.result, outcome.check) == snapshot(
        (
            {"id": "R1", "total": 49.89, "at": "2026-01-01T12:00:00", "lines": [{"sku": "a", "price": 49.99}]},
            "passed",
        )
    )


async def test_an_async_function_runs_on_the_loop_that_tools_share(here: World) -> None:
    await publish(here, a_function("greet"))
    outcome = await here.call({"name": "kim"}, tool="greet")
    assert isinstance(outcome, Done)
    assert outcome.result == "hello kim"


async def test_arguments_that_the_function_does_not_take_are_refused_before_it_is_called(here: World) -> None:
    await publish(here, a_function("sell"))
    outcome = await here.call({"customer": "C1", "lines": [{"sku": "a", "price": "1", "x": 1}], "at": "?"}, tool="sell")
    assert isinstance(outcome, Refused)
    assert sorted((wrong.path, wrong.kind) for wrong in outcome.wrong) == snapshot(
        [("$.lines[0]", "AdditionalProperties"), ("$.lines[0].price", "Type")]
    )


async def test_what_the_schema_lets_through_and_the_types_do_not_is_failed_and_never_called(here: World) -> None:
    await publish(here, a_function("sell"))
    outcome = await here.call({"customer": "C1", "lines": [], "at": "yesterday"}, tool="sell")
    assert isinstance(outcome, Failed)
    assert sample.CALLS["sell"] == []


@pytest.mark.promise("once")
async def test_a_timeout_ends_the_waiting_and_what_comes_late_closes_the_action(here: World) -> None:
    await publish(here, a_function("hang", timeout=SHORT, slots=1, price=10), budgets=[a_budget(100)])
    outcome = await here.call({"gate": "g"}, tool="hang", key="k")
    assert isinstance(outcome, Uncertain)
    assert await here.balance() == Balance(limit=100, held=10)
    crowded = await here.call({"gate": "g"}, tool="hang")
    assert isinstance(crowded, Refused)
    assert crowded.reason is Reason.OVERLOADED
    sample.MAY_END["g"].set()
    await in_state(here, outcome, ActionState.DONE)
    again = await here.call({"gate": "g"}, tool="hang", key="k")
    assert isinstance(again, Done)
    assert (again.result, again.recalled) == ("done", True)
    assert await here.balance() == Balance(limit=100, spent=10)
    assert await here.history() == snapshot(
        [
            "started started: allow.hang",
            "ended uncertain: 0",
            "refused refused: overloaded",
            "evidence done: 10",
        ]
    )
    with anyio.fail_after(5):
        while here.gateway.settling:
            await asyncio.sleep(0.001)
    assert not isinstance(await here.call({"gate": "g"}, tool="hang"), Refused), "its slot is free again"


@pytest.mark.promise("once")
async def test_a_late_no_closes_the_action_and_gives_the_money_back(here: World) -> None:
    await publish(here, a_function("hang", timeout=SHORT, price=10), budgets=[a_budget(100)])
    outcome = await here.call({"gate": "g", "ends": "failed"}, tool="hang")
    sample.MAY_END["g"].set()
    assert (await in_state(here, outcome, ActionState.FAILED)).why == "`hang` says that nothing happened"
    assert await here.balance() == Balance(limit=100)


async def test_a_late_exception_says_nothing_and_frees_the_slot(here: World, tools: PythonTools) -> None:
    hang = a_function("hang", timeout=SHORT, slots=1)
    await publish(here, hang)
    outcome = await here.call({"gate": "g", "ends": "bug"}, tool="hang")
    performer = tools.find(hang.source, Terms(owner=f"{here.tenant}/support", slots=1))
    assert performer is not None
    assert not performer.free()
    sample.MAY_END["g"].set()
    with anyio.fail_after(5):
        while not performer.free():
            await asyncio.sleep(0.001)
    assert (await row(here, outcome)).state is ActionState.UNCERTAIN


@pytest.mark.promise("once")
async def test_a_late_result_is_believed_though_somebody_else_has_taken_the_action_over(here: World) -> None:
    await publish(here, a_function("hang", timeout=SHORT))
    outcome = await here.call({"gate": "g"}, tool="hang")

    def given_to_another(rows: Rows) -> tuple[Changes, None]:
        known = rows.actions[outcome.action]
        assert known is not None
        return Changes(actions=(replace(known, fence=known.fence + 1),)), None

    await here.store.write(Needs(actions=frozenset({outcome.action})), given_to_another)
    sample.MAY_END["g"].set()
    await in_state(here, outcome, ActionState.DONE)
    assert (await here.history())[-1] == "evidence done: 0"


async def test_of_several_attempts_a_late_success_counts_and_a_late_no_does_not(here: World) -> None:
    await publish(here, a_function("hang", timeout=SHORT, effect=EffectClass.IDEMPOTENT, retries=1, backoff=0))
    no = await here.call({"gate": "no", "ends": "failed"}, tool="hang")
    yes = await here.call({"gate": "yes"}, tool="hang")
    sample.MAY_END["no"].set()
    sample.MAY_END["yes"].set()
    await in_state(here, yes, ActionState.DONE)
    with anyio.fail_after(5):
        while sample.CALLS["no"] != ["failed", "failed"]:
            await asyncio.sleep(0.001)
    assert (await row(here, no)).state is ActionState.UNCERTAIN


async def test_a_slot_that_somebody_else_took_meanwhile_is_failed_and_never_uncertain(
    here: World, tools: PythonTools
) -> None:
    class Eager:
        """Says that it is free when it is not, as it may be the moment after."""

        def __init__(self, inner: Performer) -> None:
            self.perform = inner.perform

        def free(self) -> bool:
            return True

    class Found:
        def find(self, source: str, terms: Terms) -> Performer | None:
            inner = tools.find(source, terms)
            return Eager(inner) if inner else None

    here.gateway = gateway_on(here.opened, Found())
    await publish(here, a_function("hang", slots=1))
    first = asyncio.create_task(here.call({"gate": "g"}, tool="hang"))
    await until(sample.BEGUN["g"])
    second = await here.call({"gate": "g"}, tool="hang")
    assert isinstance(second, Failed)
    assert second.why == snapshot("all slots are taken, so nothing was begun")
    sample.MAY_END["g"].set()
    assert isinstance(await first, Done)
    assert sample.CALLS["g"] == ["done"]


@pytest.mark.promise("stop")
async def test_an_async_tool_that_blocks_stalls_other_async_tools_and_nothing_else(here: World) -> None:
    await publish(here, a_function("block"), a_function("greet"), a_function("refund"))
    blocking = asyncio.create_task(here.call({"gate": "b"}, tool="block"))
    await until(sample.BEGUN["b"])
    stalled = asyncio.create_task(here.call({"name": "kim"}, tool="greet"))
    with anyio.fail_after(5):
        while sum(line.startswith("started") for line in await here.history()) < 2:
            await asyncio.sleep(0)
        assert isinstance(await here.call({"invoice_id": "I1", "amount_usd": 5}, tool="refund"), Done)
        stop = Switch(id="s1", kind=SwitchKind.STOP, scope=Scope(), by=KIM.person, at=Instant(0))
        await throw(here.store, stop, KIM)
        refused = await here.call({"invoice_id": "I2", "amount_usd": 5}, tool="refund")
    assert isinstance(refused, Refused)
    assert not stalled.done()
    sample.MAY_END["b"].set()
    with anyio.fail_after(5):
        assert isinstance(await blocking, Done)
        assert isinstance(await stalled, Done)


@pytest.mark.parametrize("name", ["hang", "wait"])
async def test_a_caller_that_leaves_takes_no_function_with_it(here: World, name: str) -> None:
    await publish(here, a_function(name))
    caller = asyncio.create_task(here.call({"gate": "g"}, tool=name))
    await until(sample.BEGUN["g"])
    caller.cancel()
    sample.MAY_END["g"].set()
    await asyncio.gather(*here.gateway.under_way.values())
    assert sample.CALLS["g"] == ["done"]
    assert (await here.history())[-1] == "ended done: 0"


async def test_an_async_function_that_was_given_up_still_ends(here: World) -> None:
    await publish(here, a_function("wait", timeout=SHORT))
    outcome = await here.call({"gate": "g"}, tool="wait")
    assert isinstance(outcome, Uncertain)
    sample.MAY_END["g"].set()
    await in_state(here, outcome, ActionState.DONE)


@pytest.mark.promise("once")
@pytest.mark.parametrize("name", ["end", "end_async"])
@pytest.mark.parametrize(
    ("ends", "want", "why"),
    [
        ("failed", Failed, "`{}` says that nothing happened"),
        ("silent", Uncertain, "`{}` does not know whether it happened (attempt 1)"),
        ("bug", Uncertain, "`{}` raised KeyError (attempt 1)"),
        ("exit", Uncertain, "`{}` raised SystemExit (attempt 1)"),
        ("interrupt", Uncertain, "`{}` raised KeyboardInterrupt (attempt 1)"),
        ("stop", Uncertain, None),  # Python makes a RuntimeError of it in an async function
        ("cancel", Uncertain, "`{}` raised CancelledError (attempt 1)"),
    ],
)
async def test_whatever_a_function_raises_ends_its_call_and_nothing_else(
    here: World, name: str, ends: str, want: type[Outcome], why: str | None
) -> None:
    await publish(here, a_function(name))
    outcome = await here.call({"ends": ends}, tool=name)
    assert type(outcome) is want
    assert why is None or (await row(here, outcome)).why == why.format(name)
    assert isinstance(await here.call({"ends": "done"}, tool=name), Done)


async def test_a_function_that_forgets_to_wait_for_another_is_uncertain(here: World) -> None:
    await publish(here, a_function("forgotten"))
    assert isinstance(await here.call({"ends": "done"}, tool="forgotten"), Uncertain)


@pytest.mark.parametrize("ends", ["silent", "bug", "exit"])
async def test_a_read_that_raises_had_no_effect_so_it_failed(here: World, ends: str) -> None:
    await publish(here, a_function("end", effect=EffectClass.READ))
    outcome = await here.call({"ends": ends}, tool="end")
    assert isinstance(outcome, Failed)
    assert (await row(here, outcome)).reason is Reason.TOOL_ERROR
    assert (await here.history())[-1] == "ended failed: tool_error"


async def test_a_read_that_hangs_failed_and_what_it_says_later_is_not_heard(here: World) -> None:
    await publish(here, a_function("hang", effect=EffectClass.READ, timeout=SHORT))
    outcome = await here.call({"gate": "g"}, tool="hang")
    assert isinstance(outcome, Failed)
    sample.MAY_END["g"].set()
    assert (await here.call({"gate": "g"}, tool="hang")) != outcome
    assert [line for line in await here.history() if line.startswith("evidence")] == []


async def test_a_read_that_raises_may_have_cost_its_price(here: World) -> None:
    await publish(here, a_function("end", effect=EffectClass.READ, price=10), budgets=[a_budget(100)])
    assert isinstance(await here.call({"ends": "bug"}, tool="end"), Failed)
    assert await here.balance() == Balance(limit=100, spent=10)


@pytest.mark.parametrize("kind", ["object", "nan", "digits", "big", "loop", "surrogate", "long"])
async def test_an_answer_that_json_cannot_carry_is_unreadable_and_the_effect_is_done(here: World, kind: str) -> None:
    await publish(here, a_function("strange"))
    outcome = await here.call({"kind": kind}, tool="strange")
    assert isinstance(outcome, Done)
    assert (outcome.result, outcome.check) == (None, "failed")


async def test_a_function_that_asks_for_it_gets_the_same_key_for_every_attempt(here: World) -> None:
    await publish(here, a_function("keyed"))
    outcome = await here.call({"to": "sam"}, tool="keyed")
    assert sample.CALLS["keyed"] == [f"{here.tenant}.{outcome.action}"]
    assert "idempotency_key" not in json.dumps(manifest_of("python:tools.sample_tools:keyed").schema)


async def test_hung_calls_of_one_workflow_take_no_slot_of_another(tools: PythonTools) -> None:
    source = "python:tools.sample_tools:hang"
    first, second = (tools.find(source, Terms(owner=owner, slots=1)) for owner in ("a/x", "b/x"))
    assert first is not None
    assert second is not None
    hung = asyncio.create_task(first.perform(an_errand('{"gate":"g"}')))
    await until(sample.BEGUN["g"])
    assert (first.free(), second.free()) == (False, True)
    more = tools.find(source, Terms(owner="a/x", slots=2))
    assert more is first
    assert first.free()
    sample.MAY_END["g"].set()
    assert (await hung).result == "done"


async def test_nothing_is_begun_after_the_lease(tools: PythonTools) -> None:
    def passed() -> None:
        raise UpstreamFailed("the lease passed", fix="")

    for name in ("hang", "wait"):
        tool = tools.find(f"python:tools.sample_tools:{name}", Terms())
        assert tool is not None
        with pytest.raises(UpstreamFailed):
            await tool.perform(replace(an_errand('{"gate":"g"}'), check_lease=passed))
    assert not sample.BEGUN["g"].is_set()


@pytest.mark.promise("door")
async def test_a_function_that_is_not_the_one_that_was_published_is_refused(here: World) -> None:
    await publish(here, replace(a_function("refund"), pin="0" * 64))
    outcome = await here.call({"invoice_id": "I1", "amount_usd": 5}, tool="refund")
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.why, outcome.fix) == snapshot(
        (
            Reason.TOOL_NOT_ALLOWED,
            "`python:tools.sample_tools:refund` is another function than the one that was published",
            "look at what changed, then publish it again: `interlock contract publish FILE --env ENV`",
        )
    )
    assert await here.history() == ["refused refused: tool_not_allowed"]


HUNG = """
import asyncio, sys, threading
from interlock.core.errand import Terms
from interlock.tool.python import PythonTools
from tools.sample_tools import BEGUN
from tools.functions import an_errand

async def main() -> None:
    tools = PythonTools()
    for name in ("hang", "block"):
        tool = tools.find(f"python:tools.sample_tools:{name}", Terms())
        try:
            async with asyncio.timeout(0.1):
                await tool.perform(an_errand('{"gate":"' + name + '"}'))
        except TimeoutError:
            print(name, BEGUN[name].is_set())
    tools.close()

asyncio.run(main())
"""


def test_functions_that_hang_do_not_keep_the_process_from_leaving() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    ended = subprocess.run(
        [sys.executable, "-c", HUNG], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["hang", "True", "block", "True"], "")


@pytest.mark.promise("secret")
@pytest.mark.parametrize("isolate", [False, True])
async def test_what_a_function_says_of_its_failure_is_told_and_kept_encrypted(here: World, isolate: bool) -> None:
    await publish(here, a_function("end", isolate=isolate))
    outcome = await here.call({"ends": "failed"}, tool="end", key="k")
    again = await here.call({"ends": "failed"}, tool="end", key="k")
    assert isinstance(outcome, Failed)
    assert isinstance(again, Failed)
    assert (outcome.said, again.said, again.recalled) == ("the card was declined", "the card was declined", True)
    assert "card" not in repr(await row(here, outcome))
    assert b"card" not in b"".join(await here.store.entries())
    assert await verify_state(here.store, here.opened.secrets) == ()
