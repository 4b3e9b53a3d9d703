"""MCP without sessions (2026-07-28): everything stands in the request, and headers that mirror it must agree."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from asked_over import VERSION, Heard, Over
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cards import issued
from interlock.app import gateway_on
from interlock.contract.ir import Approvals, Tool
from interlock.core.canonical import Json
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Question, Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.ids import ActionId, AgentId, PersonId, Role
from interlock.core.value import replace
from interlock.gateway import access
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from interlock.ledger.proposal import commitment, private_text, signed_text
from interlock.ports import Performer
from world import ALLOW, KIM, MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
ELICIT = "mcp:desk/elicitation/*"
ASKER = "mcp:desk/asker"
EVENTS_FIRST = "text/event-stream, application/json"
ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
FORM: dict[str, Any] = {"message": "how much?", "requestedSchema": {"type": "object", "properties": {}}}


async def test_a_client_is_told_what_is_here(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    found = (await over.ask_stateless("server/discover")).result
    assert found["supportedVersions"] == [VERSION]
    assert found["resultType"] == "complete"
    assert found["cacheScope"] == "private"
    listed = (await over.ask_stateless("tools/list")).result
    assert [tool["name"] for tool in listed["tools"]] == [MAIL]
    assert listed["ttlMs"] >= 0


async def test_an_envelope_that_lacks_something_is_refused(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    whole: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    right = {"mcp-protocol-version": VERSION, "mcp-method": "tools/list"}

    async def ask(meta: Any, headers: dict[str, str], **more: Any) -> Heard:
        params = {"_meta": meta} if meta is not None else {}
        return await over.post({"jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": params}, headers, **more)

    table: list[tuple[Any, dict[str, str], int, int]] = [
        (whole, right, 200, 0),
        (None, right, 400, -32602),
        ({name: value for name, value in whole.items() if "Version" in name}, right, 400, -32602),
        (whole, {**right, "mcp-method": ""}, 400, -32020),
        (whole, {**right, "mcp-method": "tools/call"}, 400, -32020),
        (whole, {**right, "mcp-protocol-version": "2025-11-25"}, 400, -32020),
        ({**whole, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}, right, 400, -32020),
        (
            {**whole, "io.modelcontextprotocol/protocolVersion": "v9"},
            {**right, "mcp-protocol-version": "v9"},
            400,
            -32022,
        ),
        ({**whole, "io.modelcontextprotocol/protocolVersion": 7}, right, 400, -32020),
    ]
    for meta, headers, status, code in table:
        heard = await ask(meta, headers)
        assert (heard.status, heard.json.get("error", {}).get("code", 0)) == (status, code), (meta, headers)
        assert heard.json["id"] == 9
    heard = await ask(whole, right, twice=[("mcp-method", "tools/list")])
    assert heard.error["code"] == -32020


async def test_a_name_in_a_header_must_be_that_of_the_body(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    envelope: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": MAIL, "arguments": {"to": "sam"}, "_meta": envelope},
    }
    headers = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call"}
    for name, status in (("", 400), ("another", 400), ("=?base64?!?=", 400), ("=?base64?bWFpbC5zZW5k?=", 200)):
        heard = await over.post(message, {**headers, "mcp-name": name})
        assert heard.status == status, name
        assert (await over.post(message, {**headers, "mcp-name": name, "accept": EVENTS_FIRST})).status == status, name
    assert len(world.tool.performed) == 1


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"])
async def test_what_the_stateless_era_does_not_have_is_not_there(world: World, method: str) -> None:
    await world.publish()
    heard = await (await Over.to(world)).ask_stateless(method)
    assert (heard.status, heard.error["code"]) == (404, -32601)


async def test_the_same_call_within_a_day_is_the_same_action(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    first = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam", "n": 1})).result
    again = (await over.ask_stateless("tools/call", name=MAIL, arguments={"n": 1, "to": "sam"})).result
    assert again["_meta"]["interlock/outcome"]["action"] == first["_meta"]["interlock/outcome"]["action"]
    other = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "ann", "n": 1})).result
    assert "recalled" not in other["_meta"]["interlock/outcome"]
    world.clock.forward(days=1.01)
    later = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam", "n": 1})).result
    assert "recalled" not in later["_meta"]["interlock/outcome"]
    assert len(world.tool.performed) == 3


async def test_a_run_or_a_key_says_which_calls_are_the_same(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    metas: list[dict[str, Any]] = [
        {},
        {"interlock/run": "r1"},
        {"interlock/run": "r2"},
        {"interlock/key": "k"},
        {"interlock/occurrence": 2},
    ]
    for meta in [*metas, *metas]:
        await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"}, meta=meta)
    assert len(world.tool.performed) == len(metas)
    for said in ({"interlock/run": 7}, {"interlock/occurrence": "2"}, {"interlock/occurrence": True}):
        heard = await over.ask_stateless("tools/call", name=MAIL, arguments={}, meta=said)
        assert heard.error["code"] == -32602, said


async def test_what_waits_for_days_is_still_found_by_the_same_call(world: World) -> None:
    await world.publish(ALLOW, a_rule("ask.mail", "ask", expires=6 * 86_400 * 1_000_000), approvals=PEOPLE)
    over = await Over.to(world)
    parked = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"})).result["structuredContent"]
    world.clock.forward(days=3)
    again = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"})).result["structuredContent"]
    assert again == parked
    id = ActionId(parked["action"])
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    done = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "sam"})).result
    assert done["_meta"]["interlock/outcome"] == {"outcome": "done", "action": id, "recalled": True}


@dataclass
class Asker:
    """An upstream server that asks the client before it answers, and one that passes such questions on."""

    rounds: int = 1
    heard: list[Any] = field(default_factory=list[Any])
    relayed: int = 0

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


async def with_questions(world: World, *, may_ask: bool = True) -> Over:
    ask = a_tool("ask", effect=EffectClass.READ)
    elicit = a_tool("elicit", effect=EffectClass.READ)
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
    frames = b""
    while b"elicitation/create" not in frames:
        frames += await asked.get()
    question = next(line for line in Heard(body=frames).events if line.get("method") == "elicitation/create")
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


async def test_an_agent_that_has_a_key_signs_what_it_proposes(world: World) -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    public = f"ed25519:{key.public_key().public_bytes_raw().hex()}"
    await world.publish(agents={AgentId("bot"): public})
    over = await Over.to(world)
    asked: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}
    unsigned = (await over.ask_stateless("tools/call", **asked)).result
    assert unsigned["structuredContent"]["reason"] == "tool_not_allowed"
    at, salt = world.clock.now() // 1_000_000, "ab" * 16
    what = commitment(private_text(salt=salt, run="", key="", occurrence=1, arguments={"to": "sam"}))
    caller = replace(world.caller(), tenant=world.tenant)
    signature = key.sign(signed_text(caller, MAIL, at, what)).hex()
    meta = {"interlock/signature": f"{salt}.{signature}", "interlock/signed-at": at}
    wrong = (await over.ask_stateless("tools/call", name=MAIL, arguments={"to": "eve"}, meta=meta)).result
    assert wrong["structuredContent"]["reason"] == "tool_not_allowed"
    assert (await over.ask_stateless("tools/call", **asked, meta=meta)).result["isError"] is False
    await over.begin()
    assert (await over.ask("tools/call", **asked, _meta=meta)).result["isError"] is False, "in a session too"
    assert set(world.tool.sent) == {b'{"to":"sam"}'}
