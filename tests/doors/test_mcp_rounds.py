"""A tool that asks its client in the middle of a call: rounds without sessions, a stream within one."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from asked_over import Heard, Over

from cards import issued
from interlock.app import gateway_on
from interlock.contract.ir import Tool
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Question, Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import RunId
from interlock.core.value import replace
from interlock.door.mcp import stdio
from interlock.door.mcp.stdio import Stdio
from interlock.door.mcp.talk import Talk
from interlock.gateway import access
from interlock.ports import Performer
from world import KIM, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

ELICIT = "mcp:desk/elicitation/*"
ASKER = "mcp:desk/asker"
FORM: dict[str, Any] = {"message": "how much?", "requestedSchema": {"type": "object", "properties": {}}}


@dataclass
class Asker:
    """An upstream server that asks the client before it answers, and one that passes such questions on."""

    rounds: int = 1
    heard: list[Any] = field(default_factory=list[Any])
    relayed: int = 0
    may_end: asyncio.Event | None = None

    def find(self, source: str, terms: Terms) -> Performer | None:
        return {ASKER: _Tool(self), ELICIT: _Client(self)}.get(source)


@dataclass
class _Tool:
    asker: Asker

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        assert errand.line is not None
        if "elicitation" not in errand.line.can("desk"):
            errand.line.lacks("elicitation")
            raise UpstreamFailed("the client cannot be asked", fix="-")
        errand.line.tell("notifications/progress", {"progress": 1, "progressToken": "ours"})
        answers: dict[str, Json] = {}
        for n in range(self.asker.rounds):
            questions = {f"amount{n}": Question(source=ELICIT, method="elicitation/create", params=FORM)}
            answers |= await errand.line.ask(questions)
        self.asker.heard.append(answers)
        if self.asker.may_end is not None:
            await self.asker.may_end.wait()
        return Performed(result={"answers": answers})


@dataclass
class _Client:
    asker: Asker

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        assert errand.line is not None
        self.asker.relayed += 1
        question = Question(source=ELICIT, method="elicitation/create", params=FORM)
        return Performed(result=await errand.line.relay(question))


@pytest.fixture
async def asker(world: World) -> AsyncGenerator[Asker]:
    asker = Asker()
    world.gateway = gateway_on(world.opened, asker)
    yield asker


async def with_questions(world: World, *, may_ask: bool = True, effect: EffectClass = EffectClass.READ) -> Over:
    ask = a_tool("ask", effect=EffectClass.READ)
    elicit = a_tool("elicit", effect=effect)
    tools = (_from(ask, ASKER), *([_from(elicit, ELICIT)] if may_ask else []))
    await world.publish(
        a_rule("allow.ask", "permit", "ask"),
        *([a_rule("allow.elicit", "permit", "elicit")] if may_ask else []),
        tools=tools,
    )
    return await Over.to(world)


def _from(tool: Tool, source: str) -> Tool:
    return replace(tool, source=source)


CAN: dict[str, Any] = {"elicitation": {}}
YES: dict[str, Any] = {"action": "accept", "content": {"amount": 7}}


async def test_a_tool_that_asks_in_the_middle_gets_its_answer_with_the_next_request(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    first = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN)).result
    assert first["resultType"] == "input_required"
    assert first["inputRequests"] == {"amount0": {"method": "elicitation/create", "params": FORM}}
    state = first["requestState"]
    done = (
        await over.ask_stateless(
            "tools/call", name="ask", arguments={}, can=CAN, requestState=state, inputResponses={"amount0": YES}
        )
    ).result
    assert done["structuredContent"] == {"answers": {"amount0": YES}}
    assert done["resultType"] == "complete"
    entries = [entry for entry in await world.entries() if entry.get("kind") == "ended"]
    assert [entry["tool"] for entry in entries] == ["elicit", "ask"], "the question is an action of its own"


async def test_each_round_has_its_own_state_and_a_wrong_answer_is_asked_for_again(world: World, asker: Asker) -> None:
    asker.rounds = 2
    over = await with_questions(world)
    states: list[str] = []
    said: dict[str, Any] = {}
    for n in range(2):
        found = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN, **said)).result
        assert list(found["inputRequests"]) == [f"amount{n}"]
        states.append(found["requestState"])
        wrong = {"requestState": states[-1], "inputResponses": {f"amount{n}": 12345, "other": YES}}
        again = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN, **wrong)).result
        assert list(again["inputRequests"]) == [f"amount{n}"]
        said = {"requestState": states[-1], "inputResponses": {f"amount{n}": YES}}
    done = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN, **said)).result
    assert list(done["structuredContent"]["answers"]) == ["amount0", "amount1"]
    assert states[0] != states[1]
    late = await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN, **said)
    assert late.error["code"] == -32602, "the call is over"


async def test_answers_may_come_before_they_are_asked_for(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    given = {"amount0": YES, "unasked": YES}
    done = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN, inputResponses=given)).result
    assert done["structuredContent"] == {"answers": {"amount0": YES}}


async def test_a_state_opens_nothing_for_others_nor_for_another_call(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    first = (await over.ask_stateless("tools/call", name="ask", arguments={"n": 1}, can=CAN)).result
    said: dict[str, Any] = {"can": CAN, "requestState": first["requestState"], "inputResponses": {"amount0": YES}}
    eve, _ = await issued(world, principal="eve")
    for heard in (
        await over.by(eve).ask_stateless("tools/call", name="ask", arguments={"n": 1}, **said),
        await over.ask_stateless("tools/call", name="ask", arguments={"n": 2}, **said),
        await over.ask_stateless(
            "tools/call", name="ask", arguments={"n": 1}, **{**said, "requestState": first["requestState"] + "AA"}
        ),
    ):
        assert heard.error["code"] == -32602
    assert asker.heard == []
    assert (await over.ask_stateless("tools/call", name="ask", arguments={"n": 1}, **said)).result["structuredContent"]


async def test_a_token_that_is_revoked_gives_no_answer_any_more(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    drawn, card = await issued(world, principal="sam")
    first = (await over.by(drawn).ask_stateless("tools/call", name="ask", arguments={}, can=CAN)).result
    said: dict[str, Any] = {"can": CAN, "requestState": first["requestState"], "inputResponses": {"amount0": YES}}
    await access.revoke(world.store, card.id, KIM)
    assert (await over.by(drawn).ask_stateless("tools/call", name="ask", arguments={}, **said)).status == 401
    assert asker.heard == []
    done = (await over.ask_stateless("tools/call", name="ask", arguments={}, **said)).result
    assert done["structuredContent"] == {"answers": {"amount0": YES}}, "another token of the same caller does"


async def test_whoever_leaves_many_calls_open_ends_those_of_nobody_else(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    drawn, _ = await issued(world, principal="eve")
    mine = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN)).result
    states: list[str] = []
    for n in range(52):
        heard = await over.by(drawn).ask_stateless("tools/call", name="ask", arguments={"n": n}, can=CAN)
        states.append(heard.result["requestState"])
    said: dict[str, Any] = {"can": CAN, "inputResponses": {"amount0": YES}}
    done = await over.ask_stateless("tools/call", name="ask", arguments={}, **said, requestState=mine["requestState"])
    assert done.result["structuredContent"] == {"answers": {"amount0": YES}}
    for n, over_now in ((0, True), (1, True), (51, False)):
        heard = await over.by(drawn).ask_stateless(
            "tools/call", name="ask", arguments={"n": n}, **said, requestState=states[n]
        )
        assert ("error" in heard.json) == over_now, n


async def test_whoever_waits_for_a_call_that_is_given_up_for_others_hears_of_it(world: World, asker: Asker) -> None:
    asker.may_end = asyncio.Event()
    over = await with_questions(world)
    mine = (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN)).result
    said: dict[str, Any] = {"can": CAN, "inputResponses": {"amount0": YES}, "requestState": mine["requestState"]}
    waits = asyncio.create_task(over.ask_stateless("tools/call", name="ask", arguments={}, **said))
    async with asyncio.timeout(10):
        while not asker.heard:
            await asyncio.sleep(0)
        for n in range(51):
            await over.ask_stateless("tools/call", name="ask", arguments={"n": n}, can=CAN)
        assert (await waits).error["code"] == -32602
    asker.may_end.set()


async def test_a_client_that_cannot_be_asked_is_told_what_it_lacks(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    heard = await over.ask_stateless("tools/call", name="ask", arguments={})
    assert (heard.status, heard.error["code"]) == (400, -32021)
    assert heard.error["data"] == {"requiredCapabilities": {"elicitation": {}}}


async def test_nobody_is_asked_unless_the_contract_names_the_question(world: World, asker: Asker) -> None:
    over = await with_questions(world, may_ask=False)
    heard = await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN)
    assert heard.error["code"] == -32021
    assert asker.relayed == 0


async def question_in(told: "asyncio.Queue[bytes]") -> Any:
    """Return the question that a call has streamed."""
    frames = b""
    while b"elicitation/create" not in frames:
        frames += await told.get()
    return next(line for line in Heard(body=frames).events if line.get("method") == "elicitation/create")


async def test_a_session_is_asked_on_the_stream_of_its_call(world: World, asker: Asker) -> None:
    over = await with_questions(world)
    await over.begin(elicitation={})
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    body: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "tools/call",
        "params": {"name": "ask", "arguments": {}, "_meta": {"progressToken": "mine"}},
    }
    call = asyncio.create_task(over.post(body, told=asked.put_nowait))
    question = await question_in(asked)
    assert question["params"] == FORM
    eve, _ = await issued(world, principal="eve")
    answer = {"jsonrpc": "2.0", "id": question["id"], "result": YES}
    assert (await over.by(eve).post(answer)).status == 404, "nobody answers for another"
    assert (await over.post({**answer, "id": "interlock-999"})).status == 202
    assert (await over.post(answer)).status == 202
    heard = await call
    progress, _, end = heard.events
    assert progress["params"] == {"progress": 1, "progressToken": "mine"}
    assert end["result"]["structuredContent"] == {"answers": {"amount0": YES}}


@pytest.mark.parametrize("effect", [EffectClass.READ, EffectClass.OPAQUE])
async def test_the_same_question_in_another_call_is_asked_again_and_no_loop_of_the_agent(
    world: World, asker: Asker, effect: EffectClass
) -> None:
    over = await with_questions(world, effect=effect)
    await over.begin(elicitation={})
    for n in range(5):
        asked: asyncio.Queue[bytes] = asyncio.Queue()
        params = {"name": "ask", "arguments": {"n": n}}
        message = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}
        call = asyncio.create_task(over.post(message, told=asked.put_nowait))
        async with asyncio.timeout(5):
            question = await question_in(asked)
            said = {"action": "accept", "content": {"amount": n}}
            await over.post({"jsonrpc": "2.0", "id": question["id"], "result": said})
            assert (await call).events[-1]["result"]["structuredContent"] == {"answers": {"amount0": said}}


@dataclass
class Pipe:
    """What a client over a pipe would read."""

    said: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def transport(self) -> "Pipe":
        return self

    def write(self, line: bytes) -> None:
        self.said.append(json.loads(line))

    def ended(self) -> dict[int, str]:
        calls = [each for each in self.said if isinstance(each.get("id"), int)]
        return {each["id"]: "done" if "result" in each else "too many" for each in calls}

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


async def test_answers_come_through_however_many_calls_wait_for_them(
    world: World, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "WAITING_MAX", 5)
    await with_questions(world)
    pipe, sent = Pipe(), asyncio.Queue[dict[str, Any] | None]()
    writer = cast("asyncio.StreamWriter", pipe)
    served = Stdio(talk=Talk.of(world.gateway), caller=world.caller(), run=RunId("r"), writer=writer)
    served.room = asyncio.Semaphore(2)

    async def lines() -> AsyncGenerator[bytes]:
        while (message := await sent.get()) is not None:
            yield json.dumps({"jsonrpc": "2.0", **message}).encode()

    begin = {"protocolVersion": "2025-11-25", "capabilities": CAN, "clientInfo": {"name": "t", "version": "1"}}
    sent.put_nowait({"id": "begin", "method": "initialize", "params": begin})
    serving = asyncio.create_task(served.serve(lines()))
    async with asyncio.timeout(10):
        while not pipe.said:
            await asyncio.sleep(0)
        for n in range(6):
            sent.put_nowait({"id": n, "method": "tools/call", "params": {"name": "ask", "arguments": {"n": n}}})
        answered = set[str]()
        while len(pipe.ended()) < 6:
            for each in [each for each in pipe.said if each.get("method") == "elicitation/create"]:
                if each["id"] not in answered:
                    answered.add(each["id"])
                    sent.put_nowait({"id": each["id"], "result": YES})
            await asyncio.sleep(0)
        sent.put_nowait(None)
        await serving
    assert pipe.ended() == {0: "done", 1: "done", 2: "done", 3: "done", 4: "done", 5: "too many"}
