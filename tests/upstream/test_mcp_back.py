"""What a server wants in the middle of a call goes to whoever made it, if they can be asked, and to nobody else."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.hint import Hint
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.mcp import CAPABILITIES_KEY, CAPABILITY_MISSING, LEVEL_KEY, STATELESS
from interlock.tool.mcp.back import Back, Unanswered
from interlock.tool.mcp.link import PLAINLY, Answer, How, Noticed, Way, nobody_noticed
from interlock.tool.mcp.listening import Listening
from interlock.tool.mcp.session import Met, Session
from interlock.tool.mcp.wire import RpcError
from upstream.lines import ALine

pytestmark = pytest.mark.anyio

FORM: dict[str, Any] = {"method": "elicitation/create", "params": {"message": "How much?", "_meta": {"theirs": 1}}}
YES: dict[str, Any] = {"action": "accept", "content": {"amount": 95.5}}
Says = Callable[[Mapping[str, Any]], Any]
"""Given the parameters of a question: what the server answers."""


@dataclass
class ScriptedLink:
    """A server that answers each question with the next thing in its script."""

    script: list[Says]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    tools_changed: bool = False
    noticed: Noticed = nobody_noticed
    alive: bool = True
    ways: list[Way] = field(default_factory=list[Way])

    def speak(self, version: str) -> None:
        pass

    async def ask(self, method: str, params: Mapping[str, Any], how: How = PLAINLY) -> Answer:
        how.before()
        said = json.loads(msgspec.json.encode(params))
        self.asked.append((method, said))
        self.ways.append(how.way)
        answer = self.script.pop(0)(said)
        return answer if isinstance(answer, RpcError) else msgspec.Raw(json.dumps(await _of(answer)).encode())

    async def listen(self) -> None:
        pass

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        pass

    def retire(self) -> None:
        pass

    def close(self) -> None:
        self.alive = False


async def _of(answer: Any) -> Any:
    return await answer if asyncio.iscoroutine(answer) else answer


def wants(state: str | None = None, /, **questions: Any) -> dict[str, Any]:
    more = {} if state is None else {"requestState": state}
    return {"resultType": "input_required", "inputRequests": questions, **more}


DONE: dict[str, Any] = {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}


async def call(link: ScriptedLink, line: ALine | None, *, version: str = STATELESS) -> Answer:
    session = a_session(link, version)
    return await session.call("pay", b"{}", "key", back=Back.of("desk", line, {}), before=lambda: None)


async def test_a_question_is_asked_by_its_source_and_the_call_goes_on_with_the_answer() -> None:
    line = ALine(able=frozenset({"elicitation"}), answers={"amount": YES})
    link = ScriptedLink([lambda _: wants("s1", amount=FORM), lambda _: DONE])
    answer = await call(link, line)
    assert isinstance(answer, msgspec.Raw)
    (question,) = line.asked
    assert (question.source, question.method) == ("mcp:desk/elicitation/*", "elicitation/create")
    assert question.params == {"message": "How much?"}
    _, again = link.asked[1]
    assert (again["inputResponses"], again["requestState"]) == ({"amount": YES}, "s1")
    assert again["name"] == "pay"


async def test_each_round_carries_the_answers_and_the_state_of_that_round_alone() -> None:
    line = ALine(able=frozenset({"elicitation"}), answers={"one": YES, "two": YES})
    link = ScriptedLink([lambda _: wants("s1", one=FORM), lambda _: wants(two=FORM), lambda _: DONE])
    await call(link, line)
    _, last = link.asked[2]
    assert last["inputResponses"] == {"two": YES}
    assert "requestState" not in last


async def test_a_server_is_told_with_each_request_what_its_caller_can_be_asked() -> None:
    able = frozenset({"elicitation", "elicitation.url", "sampling", "sampling.tools", "roots"})
    link = ScriptedLink([lambda _: DONE, lambda _: DONE])
    await call(link, ALine(able=able, level="warning"))
    meta = link.asked[0][1]["_meta"]
    announced: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}}
    assert meta[CAPABILITIES_KEY] == announced
    assert meta[LEVEL_KEY] == "warning"
    await call(link, None)
    meta = link.asked[1][1]["_meta"]
    assert meta[CAPABILITIES_KEY] == {}
    assert "progressToken" not in meta


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "sampling/createMessage", "params": {}},
        {"method": "tools/call", "params": {}},
        {"method": 7},
        "a question",
        {"method": "elicitation/create", "params": [1]},
    ],
)
async def test_what_a_caller_cannot_be_asked_is_not_asked(asked: Any) -> None:
    line = ALine(able=frozenset({"elicitation"}))
    with pytest.raises(Unanswered):
        await call(ScriptedLink([lambda _: wants(it=asked)]), line)
    assert line.asked == []


async def test_nobody_is_asked_too_much_at_once_or_without_end() -> None:
    line = ALine(able=frozenset({"elicitation"}), answers={"it": YES})
    with pytest.raises(Unanswered):
        await call(ScriptedLink([lambda _: wants(None, **dict.fromkeys(map(str, range(17)), FORM))]), line)
    with pytest.raises(UpstreamSilent, match="for ever"):
        await call(ScriptedLink([lambda _: wants(it=FORM)] * 20), line)
    assert len(line.asked) == 8


async def test_an_answer_that_is_refused_ends_the_call() -> None:
    line = ALine(able=frozenset({"elicitation"}), refuses=True)
    with pytest.raises(Unanswered, match="tool_not_allowed"):
        await call(ScriptedLink([lambda _: wants(it=FORM)]), line)
    with pytest.raises(Unanswered):
        await call(ScriptedLink([lambda _: wants(it=FORM)]), None)


def gone(_: Mapping[str, Any]) -> Any:
    raise UpstreamFailed("`desk` cannot be reached, so nothing was sent", fix="-")


def refuses(_: Mapping[str, Any]) -> Any:
    return RpcError(code=-32602)


@pytest.mark.parametrize("last", [refuses, gone])
async def test_what_had_begun_and_cannot_go_on_is_not_told_as_if_it_had_not_begun(last: Says) -> None:
    line = ALine(able=frozenset({"elicitation"}), answers={"it": YES})
    with pytest.raises(Unanswered, match="had begun"):
        await call(ScriptedLink([lambda _: wants(it=FORM), last]), line)


async def test_a_capability_that_a_server_misses_is_noted() -> None:
    line = ALine()
    data = msgspec.Raw(b'{"requiredCapabilities":{"sampling":{},"theirs":{}}}')
    answer = await call(ScriptedLink([lambda _: RpcError(code=CAPABILITY_MISSING, data=data)]), line)
    assert isinstance(answer, RpcError)
    assert line.missing == ["sampling"]
    await call(ScriptedLink([lambda _: RpcError(code=CAPABILITY_MISSING, data=msgspec.Raw(b"[]"))]), line)


async def test_what_a_server_says_in_the_meantime_is_told_and_nothing_else_is() -> None:
    line = ALine(able=frozenset({"elicitation"}), answers={"answer": YES})
    link = ScriptedLink([lambda _: DONE])
    await call(link, line)
    (way,) = link.ways
    way.hear("notifications/progress", {"progressToken": way.token, "progress": 1, "_meta": {}})
    way.hear("notifications/message", {"level": "info", "data": "x"})
    way.hear("notifications/theirs", {"a": 1})
    assert line.told == [
        ("notifications/progress", {"progressToken": way.token, "progress": 1}),
        ("notifications/message", {"level": "info", "data": "x"}),
    ]
    assert await way.answer("elicitation/create", {"message": "How much?"}) == YES
    with pytest.raises(Unanswered):
        await way.answer("sampling/createMessage", {})


PLACE = (WorkflowId("w"), Environment("dev"))


def a_session(link: ScriptedLink, version: str = STATELESS) -> Session:
    return Session(link, "desk", Met(version=version, capabilities={"prompts": {"listChanged": True}}), lambda: 0.0)


async def never() -> Any:
    await asyncio.Event().wait()


async def test_what_changes_at_a_server_is_told_on_as_a_hint() -> None:
    told: list[Hint] = []
    listening = Listening("desk", TenantId("t"), told.append)
    link = ScriptedLink([lambda _: never()])
    listening.begin(a_session(link))
    link.noticed("notifications/prompts/list_changed", {})
    link.noticed("notifications/resources/updated", {"uri": "file:///a"})
    link.noticed("notifications/resources/updated", {"uri": 7})
    link.noticed("notifications/resources/updated", {"uri": "x" * 3_000})
    assert [(hint.server, hint.method, hint.uri) for hint in told] == [
        ("desk", "notifications/prompts/list_changed", ""),
        ("desk", "notifications/resources/updated", "file:///a"),
    ]
    listening.end()


async def test_the_resources_that_were_asked_for_last_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.tool.mcp.listening._WATCHED_MAX", 2)
    listening = Listening("desk", TenantId("t"), lambda _: None)
    link = ScriptedLink([lambda _: never()] * 9)
    session = a_session(link)
    listening.begin(session)

    async def watch(uri: str) -> None:
        work = asyncio.create_task(listening.watch(session, uri, PLACE))
        while not work.done():
            await asyncio.sleep(0)
            if link.ways:
                link.ways[-1].hear("notifications/subscriptions/acknowledged", {})
        await work

    for uri in ("file:///a", "file:///b", "file:///a", "file:///c"):
        await watch(uri)
    filters = [said["notifications"].get("resourceSubscriptions") for _, said in link.asked]
    assert filters[-3:] == [["file:///a"], ["file:///a", "file:///b"], ["file:///a", "file:///c"]]
    listening.end()


async def test_a_server_with_a_session_is_asked_to_tell_of_a_resource() -> None:
    listening = Listening("desk", TenantId("t"), lambda _: None)
    link = ScriptedLink([lambda _: {}, lambda _: RpcError(code=-32601)])
    session = a_session(link, "2025-11-25")
    await listening.watch(session, "file:///a", PLACE)
    assert link.asked == [("resources/subscribe", {"uri": "file:///a"})]
    with pytest.raises(UpstreamFailed):
        await listening.watch(session, "file:///b", PLACE)
