"""Tools of a server over HTTP, in JSON and as streams of events, and what a server that misbehaves makes of a call."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock.core.canonical import Json
from interlock.core.errand import Performed, Question
from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.secret import Secret
from interlock.tool.mcp import http as mcp_http
from interlock.tool.mcp.sse import Events
from interlock.tool.mcp.tools import McpTools
from loopback import http
from mcp_server import Server
from tools.http_peer import Answers, Peer, serving
from upstream.lines import ALine
from upstream.stdio_world import Place, asked

pytestmark = pytest.mark.anyio
CALL = b'"tools/call"'


class Web:
    """A server over HTTP: `answer` may be replaced for calls, everything before them is in order."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self.peer = peer
        self.folder = folder
        self.words: list[str] = []
        self.stream = False
        self.session = "s1"
        self.said: list[bytes] = []
        self.misbehave: Answers | None = None
        """What a call is answered with instead."""
        peer.answer = self.answer

    def answer(self, question: bytes) -> Any:
        head, _, body = question.partition(b"\r\n\r\n")
        if CALL in body and self.misbehave is not None:
            return self.misbehave(question)
        if head.startswith(b"GET"):
            return http("405 No")
        if self.session and b"new" not in [each.encode() for each in self.words] and b"initialize" not in body:
            if f"mcp-session-id: {self.session}".encode() not in head.lower() and b"discover" not in body:
                return http("404 Not Found")
        return self.written(json.loads(body))

    def written(self, message: Any) -> bytes:
        self.said.clear()
        Server(self.folder, self.words, self.said.append).hear(message)
        if not self.said:
            return http("202 Accepted")
        more = [f"Mcp-Session-Id: {self.session}"] if message["method"] == "initialize" and self.session else []
        if not self.stream:
            return http("200 OK", self.said[-1], "application/json", *more)
        events = b": hello\n\n" + b"".join(b"event: message\r\ndata: " + line + b"\r\n\r\n" for line in self.said)
        return http("200 OK", events, "text/event-stream; charset=utf-8", *more)

    def headers(self, method: str) -> dict[str, str]:
        """The headers of the last question with a method."""
        question = [each for each in self.peer.questions if f'"{method}"'.encode() in each][-1]
        lines = question.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def always(say: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    return say


@pytest.fixture
async def web(tmp_path: Path, place: Place) -> AsyncGenerator[Web]:
    async with serving(Peer()) as peer:
        found = Web(peer, tmp_path)
        place.more = {"command": (), "url": peer.url("/mcp"), "private": True, "sandbox": None}
        yield found
        (tmp_path / "started").unlink(missing_ok=True)  # it is this process


async def wrong(place: Place, name: str = "pay", **given: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        await place.call(name, **given)
    return raised.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("words", [[], ["new"], ["version=2025-03-26"]])
async def test_both_eras_are_spoken_over_one_connection(place: Place, web: Web, words: list[str], stream: bool) -> None:
    web.words, web.stream = words, stream
    for each in range(3):
        assert await place.call("echo", {"text": f"hello {each}"}) == Performed(result=f"hello {each}")
    assert web.peer.connections == 1
    headers = web.headers("tools/call")
    assert headers["accept"] == "application/json, text/event-stream"
    version = "2026-07-28" if "new" in words else "2025-03-26" if words else "2025-11-25"
    assert headers["mcp-protocol-version"] == version
    new = {name: headers.get(name) for name in ("mcp-method", "mcp-name", "mcp-session-id")}
    assert new == (
        {"mcp-method": "tools/call", "mcp-name": "echo", "mcp-session-id": None}
        if "new" in words
        else {"mcp-method": None, "mcp-name": None, "mcp-session-id": "s1"}
    )


async def test_arguments_that_a_tool_wants_in_headers_are_mirrored(place: Place, web: Web) -> None:
    web.words = ["new"]
    properties = {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
        "list": {"type": "array", "items": {"type": "string"}},
    }
    place.lists({"name": "pay", "inputSchema": {"type": "object", "properties": properties}})
    await place.call("pay", {"region": " é", "deep": {"on": True}, "list": ["a"]})
    headers = {name: value for name, value in web.headers("tools/call").items() if name.startswith("mcp-param")}
    assert headers == {"mcp-param-region": "=?base64?IMOp?=", "mcp-param-on": "true"}
    await place.call("pay", {})
    assert not any(name.startswith("mcp-param") for name in web.headers("tools/call"))


async def test_a_secret_is_sent_as_a_bearer_and_comes_back_to_nobody(place: Place, web: Web) -> None:
    class Kept:
        async def secret(self, tenant: str, workflow: str, environment: str, name: str) -> Secret:
            return Secret(name, f"{name}-hunter2hunter2")

        def refused(self, tenant: str, workflow: str, environment: str, name: str) -> None:
            pass

    place.tools = McpTools(Kept())
    place.more |= {"secret": "desk", "headers": {"X-Key": "secret:key", "X-Team": "a"}}
    web.misbehave = always(lambda question: http("403 No", question))
    error = await wrong(place)
    headers = web.headers("tools/call")
    assert (headers["authorization"], headers["x-key"], headers["x-team"]) == (
        "Bearer desk-hunter2hunter2",
        "key-hunter2hunter2",
        "a",
    )
    assert type(error) is UpstreamFailed
    assert "hunter2" not in error.said
    assert "[secret desk]" in error.said
    place.tools.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 429])
async def test_a_refusal_by_http_is_surely_no_effect(place: Place, web: Web, status: int) -> None:
    web.misbehave = always(lambda _: http(f"{status} No", b"no"))
    error = await wrong(place)
    assert (type(error), error.said) == (UpstreamFailed, "no")
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (http("500 Broken"), "status 500"),
        (http("502 Gateway"), "status 502"),
        (http("408 Slow"), "status 408"),
        (http("302 Found", b"", "text/plain", "Location: http://127.0.0.1/"), "sends elsewhere"),
        (http("200 OK", b"not json", "application/json"), "no message"),
        (http("200 OK", b"[]", "application/json"), "no message"),
        (http("200 OK", b'{"id":"other","result":{}}', "application/json"), "was not asked"),
        (http("202 Accepted"), "no message"),
        (http("200 OK", b"data: \xff\xfe\n\n", "text/event-stream"), "no message"),
        (http("200 OK", b"data: {}\n\n", "text/event-stream"), "ended before it answered"),
        (http("200 OK", b'data: {"method":"notifications/message"}\n\n' * 110_000, "text/event-stream"), "more than"),
        (http("200 OK", b"x" * 4_194_305, "application/json"), "more than"),
        (http("200 OK", b'data: {"id":1,"method":"ping"}\n\n' * 150, "text/event-stream"), "asks instead"),
        (None, "broke off"),
    ],
)
async def test_whatever_else_it_does_is_silence_and_is_sent_once(place: Place, web: Web, raw: Any, says: str) -> None:
    web.misbehave = always(lambda _: raw)
    error = await wrong(place)
    assert type(error) is not UpstreamFailed, error
    assert says in str(error)
    assert sum(CALL in question for question in web.peer.questions) == 1
    web.misbehave = None
    assert (await place.call("echo", {"text": "again"})).result == "again"


async def test_a_session_that_was_forgotten_is_begun_anew_by_the_next_call(place: Place, web: Web) -> None:
    await place.call("echo", {"text": "a"})
    web.session = "s2"
    assert "status 404" in str(await wrong(place))
    assert place.effects() == []
    assert (await place.call("echo", {"text": "b"})).result == "b"


async def test_a_stream_that_was_closed_before_the_answer_is_gone_back_to(place: Place, web: Web) -> None:
    ids: list[bytes] = []

    def cut(question: bytes) -> bytes:
        ids.append(json.loads(question.partition(b"\r\n\r\n")[2])["id"])
        return http("200 OK", b"id: e1\nretry: 10\ndata: \n\n", "text/event-stream")

    inner = web.peer.answer

    def answer(question: bytes) -> Any:
        if question.startswith(b"GET") and ids:
            assert b"Last-Event-ID: e1" in question
            result = {"content": [{"type": "text", "text": "after all"}]}
            line = json.dumps({"jsonrpc": "2.0", "id": ids[0], "result": result}).encode()
            return http("200 OK", b"data: " + line + b"\n\n", "text/event-stream")
        return inner(question)

    web.misbehave = cut
    web.peer.answer = answer
    assert (await place.call("pay")).result == "after all"
    assert len(ids) == 1


async def test_what_answers_late_closes_what_was_given_up(place: Place, web: Web) -> None:
    late: list[Any] = []
    go = asyncio.Event()

    async def slow(question: bytes) -> bytes:
        await go.wait()
        return web.written(json.loads(question.partition(b"\r\n\r\n")[2]))

    await place.call("echo", {"text": "a"})
    web.misbehave = slow
    with anyio.move_on_after(0.2):
        await place.find("pay").perform(asked({"usd": 1}, late=late.append))
    go.set()
    with anyio.fail_after(5):
        while not late:
            await anyio.sleep(0)
    assert late == [Performed(result={"paid": 1, "cents": 49.99})]


async def test_a_private_address_is_refused_unless_the_contract_allows_it(place: Place, web: Web) -> None:
    place.more |= {"private": False}
    error = await wrong(place)
    assert type(error) is UpstreamFailed
    assert web.peer.connections == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_events_are_put_together_from_any_pieces(end: bytes, size: int) -> None:
    lines = [
        b": note",
        b"id: 7",
        b"event: message",
        b"data: {",
        b"data:}",
        b"",
        b"retry: 5",
        b"data: x",
        b"",
        b"data: y",
    ]
    text = end.join(lines) + end
    events = Events()
    found = [event for at in range(0, len(text), size) for event in events.feed(text[at : at + size])]
    assert [(event.data, event.id, event.retry_millis) for event in found] == [(b"{\n}", "7", None), (b"x", "", 5)]


@pytest.mark.parametrize("event", [b"e1", b"\xe9"])
async def test_who_breaks_off_and_is_gone_when_gone_back_to_may_have_done_it(
    place: Place, web: Web, event: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_http, "_RETURN_SECONDS", (0.0, 0.0))

    def cut(question: bytes) -> bytes:
        web.peer.answer = always(lambda _: http("307 Elsewhere", b"", "text/plain", "Location: /there"))
        return http("200 OK", b"id: " + event + b"\ndata: \n\n", "text/event-stream")

    web.misbehave = cut
    error = await wrong(place)
    assert (type(error), "ended before it answered" in str(error)) == (UpstreamSilent, True)
    assert sum(CALL in question for question in web.peer.questions) == 1


async def test_a_question_is_answered_though_its_stream_was_closed_meanwhile(
    place: Place, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_http, "_RETURN_SECONDS", (0.0, 0.01))
    answered, answers, asked_as = asyncio.Event(), list[Any](), list[int]()

    class Slow(ALine):
        async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
            await asyncio.sleep(0.05)
            return await super().ask(questions)

    async def answer(question: bytes) -> bytes:
        said: Any = json.loads(question.partition(b"\r\n\r\n")[2] or b"{}")
        if question.startswith(b"GET"):
            await answered.wait()
            result = {"content": [{"type": "text", "text": "paid"}]}
            line = json.dumps({"jsonrpc": "2.0", "id": asked_as[0], "result": result}).encode()
            return http("200 OK", b"id: e2\ndata: " + line + b"\n\n", "text/event-stream")
        if "result" in said:
            answers.append(said["result"])
            answered.set()
            return http("202 Accepted")
        asked_as.append(said["id"])
        asks = {"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": {"message": "How much?"}}
        return http("200 OK", b"id: e1\ndata: " + json.dumps(asks).encode() + b"\n\n", "text/event-stream")

    place.more |= {"asks": ("elicitation",)}
    await place.call("echo", {"text": "a"})
    web.peer.answer = answer
    yes = {"action": "accept", "content": {"amount": 7}}
    line = Slow(able=frozenset({"elicitation"}), answers={"answer": yes})
    async with asyncio.timeout(5):
        done = await place.find("pay").perform(asked({"usd": 1}, line=line))
    assert (done.result, answers) == ("paid", [yes])
