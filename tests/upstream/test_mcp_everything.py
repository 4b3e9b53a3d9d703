"""A server made with the official SDK, over pipes and over HTTP, in both eras: all that it has comes through."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace as replace_fields

from conformance import everything
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Terms
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.hint import Hint
from interlock.core.ids import WorkflowId
from interlock.core.value import replace
from interlock.tool.mcp import upstream
from interlock.tool.mcp.describe import offers_at
from interlock.tool.mcp.reach import Definition, Reach
from interlock.tool.mcp.tools import McpTools
from interlock.tool.plan import how_of
from tools.functions import an_errand
from upstream.lines import ALine
from upstream.stdio_world import gone

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TESTS = Path(__file__).parent.parent
PERSON: dict[str, Any] = {"action": "accept", "content": {"username": "ann", "email": "ann@example.com"}}
MODEL: dict[str, Any] = {"role": "assistant", "content": {"type": "text", "text": "Paris"}, "model": "m"}
CAN_ALL = ("elicitation", "roots", "sampling")


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with everything() as url:
        yield url


@dataclass
class Server:
    """The server, reached in one way."""

    reach: Reach
    told: list[Hint] = field(default_factory=list[Hint])
    came: asyncio.Event = field(default_factory=asyncio.Event)
    workflow: str = "w"
    pins: dict[str, str] = field(default_factory=dict[str, str])
    tools: McpTools = field(init=False)

    def __post_init__(self) -> None:
        self.tools = McpTools(tell=self._tell)

    def _tell(self, hint: Hint) -> None:
        self.told.append(hint)
        self.came.set()

    async def call(
        self, tool: str, line: ALine | None, effect: EffectClass = EffectClass.READ, **arguments: Any
    ) -> Any:
        if tool not in self.pins and not tool.endswith("/*"):
            self.pins |= await pins_of(self.reach)
        definition = Definition(reach=self.reach, tool=tool, pin=self.pins.get(tool, ""))
        performer = self.tools.find(f"mcp:everything/{tool}", Terms(how=how_of(definition), pin=tool))
        assert performer is not None
        with anyio.fail_after(20):
            return (await performer.perform(errand(arguments, effect, line, self.workflow))).result


def errand(arguments: dict[str, Any], effect: EffectClass, line: ALine | None, workflow: str) -> Errand:
    given = an_errand(json.dumps(arguments))
    caller = replace(given.action.caller, workflow=WorkflowId(workflow))
    return replace(given, action=replace(given.action, caller=caller, effect=effect), line=line)


def children() -> set[int]:
    """The processes that this one has started and that are there."""
    return {int(each) for file in Path("/proc/self/task").glob("*/children") for each in file.read_text().split()}


async def pins_of(reach: Reach) -> dict[str, str]:
    caller = an_errand("{}").action.caller
    whose = (caller.tenant, caller.workflow, caller.environment)
    offers = await asyncio.to_thread(offers_at, reach, None, whose)
    return {name: offer.pin for name, offer in offers.items()}


@pytest.fixture(params=["http 2025-11-25", "http 2026-07-28", "pipe 2025-11-25", "pipe 2026-07-28"])
async def server(request: pytest.FixtureRequest, url: str, anyio_backend: str) -> AsyncGenerator[Server]:
    way, _, protocol = request.param.partition(" ")
    if way == "http":
        reach = Reach(server="everything", url=url, private=True, protocol=protocol, asks=CAN_ALL)
    else:
        path = os.pathsep.join((str(TESTS), str(TESTS.parent / "src")))
        command = (sys.executable, "-m", "mcp_peer.everything")
        reach = Reach(
            server="everything",
            command=command,
            env={"PYTHONPATH": path},
            sandbox=False,
            protocol=protocol,
            asks=CAN_ALL,
        )
    found = Server(reach)
    yield found
    found.tools.close()


def a_line(*able: str, **fields: Any) -> ALine:
    answers: dict[str, Any] = {
        "elicitation/create": PERSON,
        "sampling/createMessage": MODEL,
        "roots/list": {"roots": []},
    }
    return ALine(able=frozenset(able), answers=answers, **fields)


async def test_a_tool_may_ask_the_person_and_the_model_at_the_client(server: Server) -> None:
    line = a_line("elicitation", "sampling", "roots")
    said = await server.call("test_elicitation", line, message="Who are you?")
    assert said == 'User response: action=accept, content={"username": "ann", "email": "ann@example.com"}'
    assert await server.call("test_sampling", line, prompt="The capital of France?") == "LLM response: Paris"
    sources = [(question.source, question.method) for question in line.asked]
    assert sources == [
        ("mcp:everything/elicitation/*", "elicitation/create"),
        ("mcp:everything/sampling/*", "sampling/createMessage"),
    ]
    assert line.asked[0].params["message"] == "Who are you?"


async def test_what_a_form_asks_comes_through_as_it_is(server: Server) -> None:
    line = a_line("elicitation")
    await server.call("test_elicitation_sep1034_defaults", line)
    properties = line.asked[0].params["requestedSchema"]["properties"]
    assert [each["default"] for each in properties.values()] == ["John Doe", 30, 95.5, "active", True]


async def test_whoever_cannot_be_asked_is_not(server: Server) -> None:
    line = a_line("sampling")
    with pytest.raises(UpstreamFailed):
        await server.call("test_elicitation", line, message="Who are you?")
    with pytest.raises(UpstreamFailed):
        await server.call("test_elicitation", None, message="Who are you?")
    assert line.asked == []


async def test_a_write_that_waits_for_an_answer_that_does_not_come_may_have_done_a_part(server: Server) -> None:
    line = a_line("elicitation", refuses=True)
    with pytest.raises(UpstreamSilent):
        await server.call("test_elicitation", line, effect=EffectClass.OPAQUE, message="Who are you?")
    assert len(line.asked) == 1


async def test_how_far_it_is_and_what_it_says_is_told(server: Server) -> None:
    line = a_line(level="info")
    await server.call("test_tool_with_progress", line)
    await server.call("test_tool_with_logging", line)
    progress = [said["progress"] for method, said in line.told if method == "notifications/progress"]
    logged = [said["data"] for method, said in line.told if method == "notifications/message"]
    assert progress == [0, 50, 100]
    assert logged == ["Tool execution started", "Tool processing data", "Tool execution completed"]


async def test_resources_and_prompts_are_looked_at(server: Server) -> None:
    line = a_line("elicitation")
    listed = await server.call("resources/*", line, method="resources/list")
    assert "test://static-text" in [resource["uri"] for resource in listed["resources"]]
    templates = await server.call("resources/*", line, method="resources/templates/list")
    assert templates["resourceTemplates"][0]["uriTemplate"] == "test://template/{id}/data"
    read = await server.call("resources/*", line, method="resources/read", uri="test://template/7/data")
    assert json.loads(read["contents"][0]["text"])["id"] == "7"
    with pytest.raises(UpstreamFailed):
        await server.call("resources/*", line, method="resources/read", uri="test://nowhere")
    got = await server.call(
        "prompts/*", line, method="prompts/get", name="test_prompt_with_arguments", arguments={"arg1": "a", "arg2": "b"}
    )
    assert got["messages"][0]["content"]["text"] == "Prompt with arguments: arg1='a', arg2='b'"
    reference = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
    completed = await server.call(
        "prompts/*", line, method="completion/complete", ref=reference, argument={"name": "arg1", "value": "par"}
    )
    assert completed["completion"]["values"] == ["paris", "park", "party"]
    line.answers["user_context"] = line.answers["answer"] = {"action": "accept", "content": {"context": "here"}}
    got = await server.call("prompts/*", line, method="prompts/get", name="test_input_required_result_prompt")
    assert got["messages"][0]["content"]["text"] == "In this context: here"


async def test_what_changes_there_is_heard(server: Server) -> None:
    await server.call("resources/*", None, method="resources/subscribe", uri="test://watched-resource")
    server.told.clear()
    server.came.clear()
    await server.call("test_trigger_resource_change", None)
    with anyio.fail_after(5):
        await server.came.wait()
    (hint,) = server.told
    assert (hint.server, hint.method, hint.uri) == (
        "everything",
        "notifications/resources/updated",
        "test://watched-resource",
    )


async def test_what_is_watched_is_watched_at_the_server_of_the_next_publication_and_the_one_of_before_ends(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "test://watched-resource"
    before = children()
    await server.call("resources/*", None, method="resources/subscribe", uri=uri)
    first = children() - before
    monkeypatch.setattr(upstream, "MCP_IDLE_SECONDS", 0)
    more = {"headers": {"X-N": "1"}} if server.reach.url else {"env": {**server.reach.env, "N": "1"}}
    server.reach = replace_fields(server.reach, **more)
    await server.call("resources/*", None, method="resources/list")
    assert [(hint.method, hint.uri) for hint in server.told] == [("notifications/resources/updated", uri)]
    await gone(*first)
    server.told.clear()
    with anyio.fail_after(10):
        while not server.told:
            await server.call("test_trigger_resource_change", None)
    assert {(hint.method, hint.uri) for hint in server.told} == {("notifications/resources/updated", uri)}


async def test_what_others_watch_stays_where_their_contract_reaches_it(server: Server) -> None:
    uri = "test://watched-resource"
    await server.call("resources/*", None, method="resources/subscribe", uri=uri)
    server.workflow = "other"
    more = {"headers": {"X-N": "1"}} if server.reach.url else {"env": {**server.reach.env, "N": "1"}}
    server.reach = replace_fields(server.reach, **more)
    await server.call("resources/*", None, method="resources/list")
    assert server.told == []


async def test_a_question_is_put_to_whoever_calls_and_to_no_server(server: Server) -> None:
    line = a_line("elicitation")
    assert await server.call("elicitation/*", line, message="Who are you?", requestedSchema={}) == PERSON
    with pytest.raises(UpstreamFailed):
        await server.call("elicitation/*", None, message="Who are you?", requestedSchema={})


async def test_a_server_that_needs_what_its_caller_lacks_says_so(server: Server) -> None:
    line = a_line()
    if server.reach.protocol != "2026-07-28":
        # A session says once what anybody can be asked.
        assert await server.call("test_missing_capability", line) == "the client has a model"
        return
    with pytest.raises(UpstreamFailed):
        await server.call("test_missing_capability", line)
    assert line.missing == ["sampling"]


async def test_of_two_calls_over_one_pipe_neither_is_asked_what_the_other_may_be(server: Server) -> None:
    lines = [a_line("elicitation"), a_line("elicitation")]
    calls = [server.call("test_elicitation", line, message=name) for line, name in zip(lines, "ab", strict=True)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    asked = [[question.params["message"] for question in line.asked] for line in lines]
    assert all(seen in ([], [name]) for seen, name in zip(asked, "ab", strict=True))
    assert all(isinstance(end, str | UpstreamFailed) for end in ended)
