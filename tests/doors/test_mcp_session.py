"""MCP over HTTP with a handshake: a session in its id, tools of the contract, and what is no result says so."""

import json
from typing import Any

import pytest
from asked_over import Over

from cards import another_tenant, ends_otherwise, issued
from interlock.contract.ir import Loop, Undo
from interlock.core.effect import EffectClass
from interlock.core.ids import ActionId, Instant, Micros, ToolName
from interlock.door.entrance import name_of
from interlock.gateway import access
from world import ALLOW, KIM, MAIL, NOON, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

MAIL_TO_SAM: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}}


async def test_a_client_agrees_on_a_version_and_gets_a_session(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    heard = await over.begin()
    assert heard.result["protocolVersion"] == "2025-11-25"
    assert heard.result["capabilities"].keys() == {"tools", "tasks"}
    assert (await over.begin("2099-01-01")).result["protocolVersion"] == "2025-11-25"
    assert (await over.begin("2025-03-26")).result["protocolVersion"] == "2025-03-26"
    assert (await over.post({"jsonrpc": "2.0", "method": "notifications/initialized"})).status == 202
    assert (await over.ask("ping")).result == {}


async def test_a_client_that_prefers_a_stream_gets_its_session_as_well(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    over.headers["accept"] = "text/event-stream, application/json"
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    heard = await over.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    assert (heard.headers["content-type"], heard.events[0]["id"]) == ("text/event-stream", 0)
    over.headers["mcp-session-id"] = heard.headers["mcp-session-id"]
    assert (await over.ask("ping")).events[0]["result"] == {}


async def test_a_client_sees_the_tools_that_a_rule_lets_it_call_and_no_others(world: World) -> None:
    undo = Undo(tool=ToolName("take_back"), args={"id": "$.result.id"}, within=Micros(1_000_000))
    tools = (
        a_tool(undo=undo, description="Send a mail"),
        a_tool("take_back", only_as_undo=True),
        a_tool("look_up", effect=EffectClass.READ, only_for_facts=True),
        a_tool("hidden"),
    )
    await world.publish(ALLOW, a_rule("allow.take_back", "permit", "take_back"), tools=tools)
    over = await Over.to(world)
    await over.begin()
    (shown,) = (await over.ask("tools/list")).result["tools"]
    assert shown["name"] == MAIL
    assert shown["description"] == "Send a mail"
    assert shown["inputSchema"]["type"] == "object"
    assert shown["annotations"]["readOnlyHint"] is False


async def test_a_call_goes_from_the_door_to_the_ledger(world: World) -> None:
    await world.publish()
    world.tool.result = {"id": 7}
    over = await Over.to(world)
    await over.begin()
    result = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    assert result["structuredContent"] == {"id": 7}
    assert json.loads(result["content"][0]["text"]) == {"id": 7}
    about = result["_meta"]["interlock/outcome"]
    row = await world.row(ActionId(about["action"]))
    assert row.action.caller.known_by.startswith("token:")
    assert about["receipt"]["index"] < len(await world.entries())
    assert world.tool.sent == [b'{"to":"sam"}']


async def test_calls_of_one_session_are_one_run_and_count_as_such(world: World) -> None:
    await world.publish(loop=Loop(equal_calls=3), tools=(a_tool(effect=EffectClass.READ),))
    over = await Over.to(world)
    for _ in range(2):
        await over.begin()
        said = [(await over.ask("tools/call", **MAIL_TO_SAM)).result for _ in range(3)]
        assert [each["isError"] for each in said] == [False, False, True]
        assert said[-1]["structuredContent"]["reason"] == "loop"


async def test_a_refusal_tells_a_reason_and_no_rule(world: World) -> None:
    await world.publish(ALLOW, a_rule("deny.mail.secret-rule", "deny"))
    over = await Over.to(world)
    await over.begin()
    heard = await over.ask("tools/call", **MAIL_TO_SAM)
    assert heard.result["structuredContent"]["reason"] == "policy"
    assert b"secret-rule" not in heard.body


async def test_wrong_arguments_are_told_by_kind_and_path_and_never_by_value(world: World) -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string", "maxLength": 4}}, "required": ["to"]}
    await world.publish(tools=(a_tool(schema=schema),))
    over = await Over.to(world)
    await over.begin()
    heard = await over.ask("tools/call", name=MAIL, arguments={"to": "eavesdropper"})
    assert heard.result["structuredContent"]["wrong"] == [{"path": "$.to", "kind": "MaxLength"}]
    assert b"eavesdropper" not in heard.body
    twice = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":{"to":"a","to":"b"}}}'
    heard = await over.post(twice % MAIL.encode())
    assert heard.result["structuredContent"]["reason"] == "invalid_arguments"
    assert world.tool.performed == []


async def test_a_tool_that_is_not_shown_is_not_there_and_the_attempt_is_recorded(world: World) -> None:
    await world.publish(ALLOW, tools=(a_tool(), a_tool("hidden")))
    over = await Over.to(world)
    await over.begin()
    for name in ("hidden", "no.such.tool"):
        error = (await over.ask("tools/call", name=name, arguments={})).error
        assert error["code"] == -32602
        assert error["message"] == "there is no such tool"
    assert [line for line in await world.history() if line.startswith("refused")] != []


WRONG: list[tuple[bytes, int, int]] = [
    (b"", 400, -32700),
    (b"{", 400, -32700),
    (b"\xff\xfe", 400, -32700),
    (b"[" * 100_000, 400, -32600),
    (b"[]", 400, -32600),
    (b"null", 400, -32600),
    (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
    (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', 400, -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":[]}}', 400, -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{}}}', 200, -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"no"}}', 200, -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"server/exec","params":{}}', 200, -32601),
]


@pytest.mark.parametrize(("body", "status", "code"), WRONG)
async def test_what_is_no_message_is_answered_with_an_error(world: World, body: bytes, status: int, code: int) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    heard = await over.post(body)
    assert (heard.status, heard.error["code"]) == (status, code)
    assert world.tool.performed == []


async def test_a_message_that_is_too_long_is_not_read(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    assert (await over.post(b" " * 600_000)).status == 413


async def test_nobody_comes_in_without_a_token_that_is_known_here(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    drawn, card = await issued(world)
    await access.revoke(world.store, card.id, KIM)
    late, _ = await issued(world, expires_at=Instant(NOON + 1_000_000))
    world.clock.forward(seconds=2)
    forged = another_tenant(drawn, "globex").text
    bodies: set[bytes] = set()
    for text in ("", "nonsense", drawn.text, late.text, forged, ends_otherwise(over.token)):
        heard = await over.by(text).post({"jsonrpc": "2.0", "id": 0, "method": "initialize"})
        assert heard.status == 401, text
        assert "Bearer" in heard.headers["www-authenticate"]
        assert not text or text.encode() not in heard.body
        bodies.add(heard.body)
    assert world.tool.performed == []


async def test_a_token_that_is_revoked_hears_nothing_of_what_it_asked_for_before(world: World) -> None:
    await world.publish()
    world.tool.result = {"said": "in confidence"}
    drawn, card = await issued(world, principal="sam")
    over = (await Over.to(world)).by(drawn)
    await over.begin()
    task = (await over.ask("tools/call", **MAIL_TO_SAM, task={})).result["task"]["taskId"]
    assert (await over.ask("tasks/result", taskId=task)).result["structuredContent"] == {"said": "in confidence"}
    await access.revoke(world.store, card.id, KIM)
    for method in ("tasks/result", "tasks/get", "tasks/list", "tools/list", "ping", "initialize"):
        heard = await over.ask(method, taskId=task)
        assert (heard.status, b"confidence" in heard.body) == (401, False), method
    for method in ("tools/list", "server/discover"):
        assert (await over.ask_stateless(method)).status == 401, method
    assert (await over.post({"jsonrpc": "2.0", "id": "interlock-0", "result": {}})).status == 401
    assert (await over.http("DELETE", "/mcp")).status == 401
    again = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    assert again["structuredContent"]["reason"] == "tool_not_allowed"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://localhost.evil.example"])
async def test_a_page_of_another_server_is_not_let_in_whatever_it_says_where_it_is_from(
    world: World, origin: str
) -> None:
    await world.publish()
    over = await Over.to(world)
    for method, path in (("POST", "/mcp"), ("GET", "/v1/actions")):
        assert (await over.http(method, path, headers={"origin": origin})).status == 403


async def test_a_session_belongs_to_whoever_began_it(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    same, _ = await issued(world, principal="sam")
    other, _ = await issued(world, principal="eve")
    assert (await over.by(same).ask("tools/list")).status == 200, "a rotated token goes on with it"
    assert (await over.by(other).ask("tools/list")).status == 404
    tampered = ends_otherwise(over.headers["mcp-session-id"])
    assert (await over.ask("tools/list", {"mcp-session-id": tampered})).status == 404
    assert (await over.ask("tools/list", {"mcp-session-id": ""})).status == 400
    assert (await over.http("DELETE", "/mcp")).status == 204
    assert (await over.ask("tools/list")).status == 404


async def test_a_session_ends_by_itself_after_a_week(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    world.clock.forward(days=8)
    assert (await over.ask("tools/list")).status == 404


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Interlock.Acme.Example", "interlock.acme.example"),
        ("interlock.acme.example:8443", "interlock.acme.example"),
        ("FD00::1", "[fd00::1]"),
        ("[fd00::1]:7400", "[fd00::1]"),
        ("127.0.0.1:7400", "127.0.0.1"),
    ],
)
def test_a_name_of_this_server_is_the_same_however_it_is_written(written: str, compared: str) -> None:
    assert name_of(written) == compared


async def test_a_page_elsewhere_reaches_nothing(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    begin = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
    for headers in (
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"host": ""},
    ):
        assert (await over.post(begin, headers)).status == 403, headers
    assert (await over.post(begin, {"origin": "http://localhost:3000"})).status == 400, "it lacks a session alone"


async def test_more_calls_a_minute_than_a_token_lets_in_are_told_to_wait(world: World) -> None:
    await world.publish()
    over = await Over.to(world, rate=2)
    await over.begin()
    assert (await over.ask("ping")).status == 200
    heard = await over.ask("ping")
    assert heard.status == 429
    assert heard.headers["retry-after"] == "31"
    world.clock.forward(seconds=31)
    assert (await over.ask("ping")).status == 200


async def test_a_version_that_is_not_spoken_is_refused(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    assert (await over.ask("ping", {"mcp-protocol-version": "1999-01-01"})).status == 400


async def test_other_methods_of_http_are_refused(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    for method in ("PUT", "PATCH"):
        heard = await over.http(method, "/mcp")
        assert (heard.status, heard.headers["allow"]) == (405, "GET, POST, DELETE")


@pytest.mark.parametrize("result", [None, 3, "plain", [1, 2], {"a": [1]}, [{"type": "text", "text": "block"}], True])
async def test_every_json_result_is_a_valid_tool_result(world: World, result: Any) -> None:
    await world.publish()
    world.tool.result = result
    over = await Over.to(world)
    await over.begin()
    said = (await over.ask("tools/call", **MAIL_TO_SAM)).result
    assert all(block["type"] == "text" and isinstance(block["text"], str) for block in said["content"])
    assert ("structuredContent" in said) == isinstance(result, dict)
    assert said["isError"] is False


async def test_whom_a_header_names_is_the_same_name_as_in_the_api(world: World) -> None:
    await world.publish()
    open_to_all, _ = await issued(world)
    over = (await Over.to(world)).by(open_to_all)
    over.headers["interlock-for"] = "zo\u00eb".encode().decode("latin-1")
    await over.begin()
    action = (await over.ask("tools/call", **MAIL_TO_SAM)).result["_meta"]["interlock/outcome"]["action"]
    assert (await world.row(ActionId(action))).action.caller.principal == "zo\u00eb"
    for name in ("x" * 201, "\x7f"):
        over.headers["interlock-for"] = name
        assert (await over.ask("ping")).status == 403
        proposed = {"tool": MAIL, "principal": name}
        kind = {"content-type": "application/json", "mcp-session-id": "", "interlock-for": ""}
        assert (await over.http("POST", "/v1/actions", json.dumps(proposed).encode(), kind)).status == 400


@pytest.mark.parametrize("written", ["{}=", "!{}", "{}\n", " {}"])
async def test_a_session_that_was_ended_is_ended_however_its_id_is_written(world: World, written: str) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    assert (await over.http("DELETE", "/mcp")).status == 204
    over.headers["mcp-session-id"] = written.format(over.headers["mcp-session-id"])
    assert (await over.ask("ping")).status == 404


async def test_a_token_does_not_open_the_door_of_another_tenant_that_is_named(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    for tenant, status in ((world.tenant, 200), ("another", 403)):
        assert (await over.ask("ping", headers={"interlock-tenant": tenant})).status == status
