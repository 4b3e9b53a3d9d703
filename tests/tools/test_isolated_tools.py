"""Functions in processes of their own: killed at the timeout with all that they started, and heard by one line."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from interlock.core.effect import EffectClass
from interlock.core.errand import Terms
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.outcome import Done, Failed, Outcome, Refused, Uncertain
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.tool.python import PythonTools
from tools.functions import ROOT, a_function, an_errand, publish, row
from world import World, a_budget

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SECOND = 1_000_000


def isolated(name: str, **fields: Any) -> Any:
    return a_function(name, isolate=True, **fields)


async def is_gone(pid: int) -> None:
    """Wait until a process has ended. One that nobody has waited for yet has ended, too."""
    with anyio.fail_after(5):
        while True:
            try:
                state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                return
            if state == "Z":
                return
            await asyncio.sleep(0.005)


async def said_in(file: Path) -> list[int]:
    with anyio.fail_after(20):
        while not file.exists():
            await asyncio.sleep(0.005)
    return [int(pid) for pid in file.read_text(encoding="utf-8").split()]


@pytest.mark.promise("secret")
async def test_it_runs_in_a_process_of_its_own_that_sees_no_credentials(
    here: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BILLING_KEY", "hunter2")
    await publish(here, isolated("look"))
    outcome = await here.call({"file": str(tmp_path / "pid")}, tool="look")
    assert isinstance(outcome, Done)
    assert isinstance(outcome.result, dict)
    pid = outcome.result["pid"]
    assert pid != os.getpid()
    assert outcome.result["group"] == pid
    seen = set(outcome.result["environment"])  # pyright: ignore[reportArgumentType, reportUnknownVariableType]
    assert seen <= {"PATH", "HOME", "PYTHONPATH", "LC_CTYPE"}
    await is_gone(int(str(pid)))


async def test_types_and_async_functions_are_the_same_as_in_this_process(here: World) -> None:
    await publish(here, isolated("sell"), isolated("greet"), isolated("keyed"))
    text = '{"customer":"C1","lines":[{"sku":"a","price":49.99}],"at":"2026-01-01T12:00:00"}'
    sold, greeted = await here.call(text, tool="sell"), await here.call({"name": "kim"}, tool="greet")
    keyed = await here.call({"to": "sam"}, tool="keyed")
    assert isinstance(sold, Done)
    assert isinstance(greeted, Done)
    assert isinstance(keyed, Done)
    assert sold.result == snapshot(
        {"id": "R1", "total": 49.89, "at": "2026-01-01T12:00:00", "lines": [{"sku": "a", "price": 49.99}]}
    )
    assert (greeted.result, keyed.result) == ("hello kim", f"{here.tenant}.{keyed.action}")


@pytest.mark.promise("once")
async def test_at_the_timeout_it_is_uncertain_and_its_slot_is_free(here: World, tmp_path: Path) -> None:
    linger = isolated("linger", timeout=SECOND, slots=1, price=10)
    await publish(here, linger, budgets=[a_budget(100)])
    outcome = await here.call({"file": str(tmp_path / "pids")}, tool="linger")
    assert isinstance(outcome, Uncertain)
    performer = here.gateway.performers.find(linger.source, Terms(owner=f"{here.tenant}/support", isolate=True))
    assert performer is not None
    assert performer.free()


async def test_given_up_it_is_killed_with_all_that_it_started(tools: PythonTools, tmp_path: Path) -> None:
    tool = tools.find("python:tools.sample_tools:linger", Terms(isolate=True))
    assert tool is not None
    late = list[object]()
    waiting = asyncio.create_task(
        tool.perform(replace(an_errand(json.dumps({"file": str(tmp_path / "pids")})), late=late.append))
    )
    pids = await said_in(tmp_path / "pids")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for pid in pids:
        await is_gone(pid)
    assert [type(each) for each in late] == [UpstreamSilent]


async def test_given_up_before_it_began_it_says_that_nothing_happened(tools: PythonTools, tmp_path: Path) -> None:
    tool = tools.find("python:tools.sample_tools:linger", Terms(isolate=True))
    assert tool is not None
    late = list[object]()
    waiting = asyncio.create_task(
        tool.perform(replace(an_errand(json.dumps({"file": str(tmp_path / "pids")})), late=late.append))
    )
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [type(each) for each in late] == [UpstreamFailed]
    assert not (tmp_path / "pids").exists()


async def test_a_process_that_left_the_group_keeps_nobody_waiting(tools: PythonTools, tmp_path: Path) -> None:
    tool = tools.find("python:tools.sample_tools:escape", Terms(isolate=True, slots=1))
    assert tool is not None
    waiting = asyncio.create_task(tool.perform(an_errand(json.dumps({"file": str(tmp_path / "pid")}))))
    (pid,) = await said_in(tmp_path / "pid")
    waiting.cancel()
    with anyio.fail_after(10), pytest.raises(asyncio.CancelledError):
        await waiting
    assert tool.free()
    os.kill(pid, 9)
    await is_gone(pid)


async def test_a_plain_read_that_is_killed_has_failed(here: World, tmp_path: Path) -> None:
    await publish(here, isolated("linger", timeout=SECOND, effect=EffectClass.READ))
    assert isinstance(await here.call({"file": str(tmp_path / "pids")}, tool="linger"), Failed)


@pytest.mark.promise("once")
@pytest.mark.parametrize(
    ("tool", "arguments", "want", "why"),
    [
        ("end", {"ends": "failed"}, Failed, "`end` says that nothing happened"),
        ("end", {"ends": "silent"}, Uncertain, "`end` does not know whether it happened (attempt 1)"),
        ("end", {"ends": "bug"}, Uncertain, "`end` raised KeyError (attempt 1)"),
        ("end", {"ends": "exit"}, Uncertain, "`end` raised SystemExit (attempt 1)"),
        ("end_async", {"ends": "interrupt"}, Uncertain, "`end_async` raised KeyboardInterrupt (attempt 1)"),
        ("die", {"how": "kill"}, Uncertain, "the process of `die` ended without a word (attempt 1)"),
        ("die", {"how": "exit"}, Uncertain, "the process of `die` ended without a word (attempt 1)"),
        ("die", {"how": "memory"}, Uncertain, "`die` raised MemoryError (attempt 1)"),
    ],
)
async def test_however_the_process_ends_only_what_it_says_itself_is_sure(
    here: World,
    tool: str,
    arguments: dict[str, str],
    want: type[Outcome],
    why: str,
) -> None:
    await publish(here, isolated(tool))
    outcome = await here.call(arguments, tool=tool)
    assert type(outcome) is want
    assert (await row(here, outcome)).why == why


@pytest.mark.parametrize("kind", ["object", "nan", "big", "long"])
async def test_what_json_cannot_carry_is_unreadable_here_too(here: World, kind: str) -> None:
    await publish(here, isolated("strange"))
    outcome = await here.call({"kind": kind}, tool="strange")
    assert isinstance(outcome, Done)
    assert (outcome.result, outcome.check) == (None, "failed")


async def test_a_process_that_cannot_start_has_done_nothing(
    here: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await publish(here, isolated("greet"))
    assert isinstance(await here.call({"name": "kim"}, tool="greet"), Done)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    outcome = await here.call({"name": "kim"}, tool="greet")
    assert isinstance(outcome, Failed)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert isinstance(await here.call({"name": "eve"}, tool="greet"), Failed)


async def test_without_a_free_slot_nothing_starts(here: World, tmp_path: Path) -> None:
    await publish(here, isolated("linger", slots=1))
    first = asyncio.create_task(here.call({"file": str(tmp_path / "a")}, tool="linger"))
    pid, _ = await said_in(tmp_path / "a")
    second = await here.call({"file": str(tmp_path / "b")}, tool="linger")
    assert isinstance(second, Refused)
    assert second.reason is Reason.OVERLOADED
    os.kill(pid, 9)
    assert isinstance(await first, Uncertain)


OWNER = """
import asyncio, sys
from interlock.core.errand import Terms
from interlock.tool.python import PythonTools
from tools.functions import an_errand

tool = PythonTools().find("python:tools.sample_tools:linger", Terms(isolate=True))
asyncio.run(tool.perform(an_errand('{"file":"' + sys.argv[1] + '"}')))
"""


async def test_when_the_gateway_is_killed_its_children_die_with_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path / "pids")], env=environment) as owner:
        pids = await said_in(tmp_path / "pids")
        owner.kill()
    for pid in pids:
        await is_gone(pid)
