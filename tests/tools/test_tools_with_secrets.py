"""A tool gets its secret as it is called, and nothing of it comes back, whatever the tool does."""

import copy
import json
import pickle
import threading
from collections.abc import AsyncGenerator

import msgspec
import pytest
from inline_snapshot import snapshot

from interlock.app import gateway_on
from interlock.contract.ir import Tool
from interlock.core.action import ActionState
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errand import Question
from interlock.core.errors import ContractInvalid, SecretUnknown, UpstreamFailed
from interlock.core.outcome import Done, Failed, Refused, Uncertain
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.redact.scrub import Scrubber
from interlock.tool.function import function_of
from interlock.tool.manifest import described
from interlock.tool.python import PythonTools
from interlock.tool.with_secret import LineWithout, ToolsWithSecrets
from spelled import SPELLED
from tools import secret_tools as sample
from tools.drawer import CANARY, Drawer
from tools.functions import in_state, manifest_of, publish
from upstream.lines import ALine
from world import World, a_tool

pytestmark = pytest.mark.anyio


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


@pytest.fixture
async def here(world: World, drawer: Drawer) -> AsyncGenerator[World]:
    sample.GOT.clear()
    sample.MAY_END.clear()
    tools = PythonTools()
    world.gateway = gateway_on(world.opened, ToolsWithSecrets(tools, drawer))
    yield world
    sample.MAY_END.set()
    tools.close()


def a_secret_tool(name: str, secret: str = "pay", **fields: object) -> Tool:
    source = f"python:tools.secret_tools:{name}"
    manifest = manifest_of(source)
    tool = a_tool(name, schema=manifest.schema, pin=manifest.pin, secret=secret, **fields)
    return replace(tool, source=source)


async def test_the_function_gets_the_secret_of_its_workflow_and_environment(here: World, drawer: Drawer) -> None:
    await publish(here, a_secret_tool("pay"))
    outcome = await here.call({"usd": 7}, tool="pay")
    assert isinstance(outcome, Done)
    assert outcome.result == {"usd": 7}
    assert sample.GOT == [CANARY]
    assert drawer.asked == [(here.tenant, "support", "prod", "pay")]


async def test_a_secret_that_was_changed_is_the_next_one_that_is_sent(here: World, drawer: Drawer) -> None:
    await publish(here, a_secret_tool("pay"))
    await here.call({"usd": 1}, tool="pay")
    drawer.text = "another-secret"
    await here.call({"usd": 2}, tool="pay")
    assert sample.GOT == [CANARY, "another-secret"]


def test_the_secret_is_no_argument_and_no_part_of_the_pin() -> None:
    manifest = manifest_of("python:tools.secret_tools:pay")
    assert sorted(manifest.schema["properties"]) == ["usd"]
    without = described("python:tools.secret_tools:pay", function_of("python:tools.secret_tools:pay"))
    assert without.pin == manifest.pin


@pytest.mark.promise("secret")
async def test_without_its_secret_a_tool_has_failed_and_was_never_called(here: World, drawer: Drawer) -> None:
    await publish(here, a_secret_tool("pay"))
    drawer.wrong = SecretUnknown("support in prod has no secret `pay`", fix="set it")
    outcome = await here.call({"usd": 7}, tool="pay")
    assert isinstance(outcome, Failed)
    assert (sample.GOT, (await here.row(outcome.action)).why) == snapshot(
        ([], "support in prod has no secret `pay`, so nothing was sent")
    )


async def test_a_secret_that_does_not_come_before_the_timeout_is_no_uncertain_effect(
    here: World, drawer: Drawer
) -> None:
    await publish(here, a_secret_tool("pay", timeout=50_000))
    drawer.stuck = True
    outcome = await here.call({"usd": 7}, tool="pay")
    assert isinstance(outcome, Failed)
    assert (await here.row(outcome.action)).why == snapshot(
        "the secret `pay` did not come in time, so nothing was sent"
    )


async def test_a_read_without_its_secret_is_an_unknown_fact_and_no_crash(here: World, drawer: Drawer) -> None:
    await publish(here, a_secret_tool("pay", effect=EffectClass.READ, only_for_facts=False))
    drawer.wrong = SecretUnknown("none", fix="set it")
    assert isinstance(await here.call({"usd": 7}, tool="pay"), Failed)


@pytest.mark.promise("secret")
@pytest.mark.parametrize("how", SPELLED)
async def test_what_a_tool_says_of_its_secret_reaches_neither_caller_nor_record(here: World, how: str) -> None:
    names = ("echo", "echo_async", "fail", "fall_silent", "crash")
    await publish(here, *(a_secret_tool(name) for name in names))
    told = [await here.call({"how": how}, tool=name) for name in names]
    assert [type(each) for each in told] == [Done, Done, Failed, Uncertain, Uncertain]
    whys = [(await here.row(each.action)).why for each in told]
    spelled = SPELLED[how](CANARY)
    kept = repr([msgspec.json.encode(each) for each in told]) + repr(whys) + repr(await here.entries())
    assert "C4narY" not in kept
    assert spelled not in kept
    assert isinstance(told[1], Done)
    assert str(told[1].result).startswith("the secret is ")
    assert isinstance(told[2], Failed)
    assert told[2].said.startswith("401 for Bearer ")
    assert "[secret pay]" in told[2].said


@pytest.mark.promise("secret")
async def test_what_comes_back_late_has_lost_the_secret_too(here: World) -> None:
    await publish(here, a_secret_tool("linger", timeout=50_000))
    outcome = await here.call({"how": "plain"}, tool="linger")
    assert isinstance(outcome, Uncertain)
    sample.MAY_END.set()
    row = await in_state(here, outcome, ActionState.DONE)
    assert row.result is not None
    sealed = await here.store.payload(row.result)
    assert sealed is not None
    assert json.loads(here.gateway.secrets.open(here.tenant, row.result, sealed)) == {"shown": "[secret pay]"}


@pytest.mark.slow
@pytest.mark.promise("secret")
async def test_an_isolated_function_gets_its_secret_over_the_socket_and_nowhere_else(here: World) -> None:
    await publish(here, a_secret_tool("echo", isolate=True), a_secret_tool("fail", isolate=True))
    done = await here.call({"how": "plain"}, tool="echo")
    failed = await here.call({"how": "plain"}, tool="fail")
    assert isinstance(done, Done)
    assert done.result == {"echo": "[secret pay]", "[secret pay]": [{"deep": ["x[secret pay]", "[secret pay]y"]}]}
    assert isinstance(failed, Failed)
    assert failed.said == "401 for Bearer [secret pay]"


async def test_a_tool_takes_a_secret_if_and_only_if_its_contract_names_one(here: World) -> None:
    await publish(here, a_secret_tool("pay", secret=""))
    outcome = await here.call({"usd": 7}, tool="pay")
    assert isinstance(outcome, Refused)
    assert outcome.why == snapshot("`pay` takes a secret, and the contract names none")
    with pytest.raises(ContractInvalid, match="takes none"):
        function_of("python:tools.sample_tools:greet").check_secret("pay")


@pytest.mark.promise("secret")
def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("pay", CANARY)
    assert secret.reveal() == CANARY
    assert [repr(secret), str(secret), f"{secret}", f"{[secret]}"] == snapshot(
        ["<secret pay>", "<secret pay>", "<secret pay>", "[<secret pay>]"]
    )
    for write in (pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode, json.dumps):
        with pytest.raises(TypeError):
            write(secret)
    assert not hasattr(secret, "__dict__")


@pytest.mark.promise("secret")
async def test_a_long_answer_is_looked_through_beside_the_loop(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []
    real = Scrubber.json

    def looks(self: Scrubber, value: Json) -> Json:
        looked.append(threading.current_thread() is threading.main_thread())
        return real(self, value)

    monkeypatch.setattr(Scrubber, "json", looks)
    await publish(here, a_secret_tool("flood"), a_secret_tool("pay"))
    long, short = await here.call("{}", tool="flood"), await here.call({"usd": 1}, tool="pay")
    assert isinstance(long, Done)
    assert isinstance(short, Done)
    assert long.result == ["%41" * 40_000 + "[secret pay]", "left"]
    assert looked == [False, True]


@pytest.mark.promise("secret")
async def test_a_long_answer_that_comes_late_is_looked_through_beside_the_loop(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []
    real = Scrubber.json

    def looks(self: Scrubber, value: Json) -> Json:
        looked.append(threading.current_thread() is threading.main_thread())
        return real(self, value)

    monkeypatch.setattr(Scrubber, "json", looks)
    await publish(here, a_secret_tool("linger_and_flood", timeout=50_000))
    outcome = await here.call("{}", tool="linger_and_flood")
    assert isinstance(outcome, Uncertain)
    sample.MAY_END.set()
    row = await in_state(here, outcome, ActionState.DONE)
    assert looked == [False]
    sealed = await here.store.payload(row.result) if row.result is not None else None
    assert sealed is not None and row.result is not None
    shown = json.loads(here.gateway.secrets.open(here.tenant, row.result, sealed))
    assert shown == {"shown": ["%41" * 40_000 + "[secret pay]", "left"]}


@pytest.mark.promise("secret")
async def test_what_is_too_deep_or_too_long_to_be_looked_through_is_not_passed_on_in_the_middle_of_a_call() -> None:
    deep: Json = CANARY
    for _ in range(2_000):
        deep = [deep]
    line = ALine(able=frozenset({"elicitation"}))
    hidden = LineWithout(line, Scrubber("pay", (CANARY,)))
    for data in (deep, CANARY * 10_000, [CANARY]):
        hidden.tell("notifications/message", {"level": "error", "data": data})
    assert [params["data"] for _, params in line.told] == [["[secret pay]"]]
    with pytest.raises(UpstreamFailed, match="cannot be looked through"):
        await hidden.relay(Question(source="mcp:x/elicitation/*", method="elicitation/create", params={"m": deep}))
