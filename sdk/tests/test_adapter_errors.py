"""An error in the middle of an agent: what runs again is the same action, and no model hears that it was not done."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest
from agents import Agent, RunConfig, Runner, ToolGuardrailFunctionOutput, ToolInputGuardrail, UserError
from agents.testing import ScriptedModel, assistant_message, function_call
from desk import Desk
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import capture_run_messages
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai import FunctionChoiceBehavior, PromptExecutionSettings
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.contents import AuthorRole, ChatHistory, ChatMessageContent, FunctionCallContent
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from interlock_sdk import AsyncInterlock, Done, Interlock, NotLetIn, Outcome, Refused, Unanswered
from interlock_sdk.adapters import llama_index
from interlock_sdk.adapters.governed import any_ended, awaited, called, told
from interlock_sdk.adapters.langgraph import governed_tools
from interlock_sdk.adapters.openai_agents import GovernedTools
from interlock_sdk.adapters.pydantic_ai import GovernedToolset
from interlock_sdk.adapters.semantic_kernel import GovernedPlugin
from interlock_sdk.adapters.temporal import GovernedCall, InterlockActivities

pytestmark = pytest.mark.anyio
QUIET = RunConfig(tracing_disabled=True)
Call = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def loses(client: AsyncInterlock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the answer to the next call lost, though it is carried out."""
    answered: Call = client.call

    async def lost(*said: Any, **more: Any) -> Outcome:
        await answered(*said, **more)
        monkeypatch.setattr(client, "call", answered)
        raise Unanswered("no answer came, it may have happened", fix="call again", key=None, run=None)

    monkeypatch.setattr(client, "call", lost)


def notes(shop: Desk, text: str) -> int:
    return sum(each.get("text") == text for each in shop.done())


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools: object, **more: object) -> "Scripted":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self


@pytest.mark.usefixtures("loses")
async def test_a_graph_that_lost_an_answer_goes_on_as_the_same_action(shop: Desk, client: AsyncInterlock) -> None:
    call = ToolCall(name="add_note", args={"order": "O-1", "text": "graph"}, id="c1")
    model = Scripted(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("end")]))
    agent = create_agent(model, governed_tools(client, await client.tools()), checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "lost"}}
    with pytest.raises(Unanswered):
        await agent.ainvoke({"messages": [HumanMessage("go")]}, thread)
    result = await agent.ainvoke(None, thread)
    assert [each.content for each in result["messages"] if isinstance(each, ToolMessage)] == ["note written"]
    assert notes(shop, "graph") == 1


@pytest.mark.usefixtures("loses")
async def test_a_run_that_lost_an_answer_is_interrupted_and_goes_on_as_the_same_action(
    shop: Desk, client: AsyncInterlock
) -> None:
    call = function_call("add_note", {"order": "O-1", "text": "run"}, call_id="c1")
    governed = GovernedTools(client, await client.tools(), run="lost-run")
    agent = Agent(name="a", model=ScriptedModel([[call], [assistant_message("end")]]), tools=[*governed.functions])
    result = await Runner.run(agent, "go", run_config=QUIET)
    assert len(result.interruptions) == 1
    actions = [each.action for each in await governed.waiting(result)]
    await any_ended(client, actions)
    result = await Runner.run(agent, await governed.resumed(result), run_config=QUIET)
    assert (result.final_output, notes(shop, "run")) == ("end", 1)


@pytest.mark.usefixtures("loses")
async def test_a_conversation_that_lost_an_answer_goes_on_as_the_same_action(
    shop: Desk, client: AsyncInterlock
) -> None:
    def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            return ModelResponse(parts=[TextPart("end")])
        return ModelResponse(parts=[ToolCallPart("add_note", {"order": "O-1", "text": "talk"}, tool_call_id="c1")])

    agent = PydanticAgent(FunctionModel(script), toolsets=[GovernedToolset(client)])
    with capture_run_messages() as messages, pytest.raises(Unanswered):
        await agent.run("go", conversation_id="lost-talk")
    result = await agent.run(message_history=messages, conversation_id="lost-talk")
    assert (result.output, notes(shop, "talk")) == ("end", 1)


@pytest.mark.usefixtures("loses")
async def test_a_model_of_llama_index_is_not_told_to_call_again_when_an_answer_is_lost(
    shop: Desk, client: AsyncInterlock
) -> None:
    def script(messages: Sequence[ChatMessage], **more: object) -> ChatMessage:
        if any(each.role == MessageRole.TOOL for each in messages):
            return ChatMessage(role=MessageRole.ASSISTANT, content=str(messages[-1].content))
        call = ToolCallBlock(tool_call_id="c1", tool_name="add_note", tool_kwargs={"order": "O-1", "text": "llama"})
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[call])

    tools = llama_index.governed_tools(client, await client.tools(), run="lost-llama")
    llm = MockFunctionCallingLLM(response_generator=script, is_chat_model=True)
    handler = FunctionAgent(tools=[*tools], llm=llm).run("go")
    seen = [each.tool_output.exception async for each in handler.stream_events() if isinstance(each, ToolCallResult)]
    assert str(await handler) == "no answer came: nobody knows whether this has happened: do not ask for it again"
    assert [type(each and each.__cause__) for each in seen] == [Unanswered]
    assert notes(shop, "llama") == 1


class ScriptedChat(ChatCompletionClientBase):
    SUPPORTS_FUNCTION_CALLING: ClassVar[bool] = True

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        if any(message.role == AuthorRole.TOOL for message in chat_history.messages):
            return [ChatMessageContent(role=AuthorRole.ASSISTANT, content="end")]
        arguments = json.dumps({"order": "O-1", "text": "chat"})
        items: list[Any] = [FunctionCallContent(id="c1", name="interlock-add_note", arguments=arguments)]
        return [ChatMessageContent(role=AuthorRole.ASSISTANT, items=items)]


@pytest.mark.usefixtures("loses")
async def test_a_chat_that_lost_an_answer_goes_on_as_the_same_action(shop: Desk, client: AsyncInterlock) -> None:
    kernel, model, history = Kernel(), ScriptedChat(ai_model_id="scripted"), ChatHistory()
    plugin = GovernedPlugin(client, await client.tools(), run="lost-chat")
    plugin.add_to(kernel)
    history.add_user_message("go")
    settings = PromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    with pytest.raises(Unanswered):
        await model.get_chat_message_content(history, settings, kernel=kernel)
    assert await plugin.resume(history) == []
    assert [each.role for each in history.messages] == [AuthorRole.USER, AuthorRole.ASSISTANT, AuthorRole.TOOL]
    assert str(await model.get_chat_message_content(history, settings, kernel=kernel)) == "end"
    assert notes(shop, "chat") == 1


async def test_an_argument_is_passed_on_whatever_it_is_called(client: AsyncInterlock) -> None:
    given: list[Any] = []

    async def call(tool: str, arguments: Any, **more: Any) -> Outcome:
        given.append(arguments)
        raise Refused("refused: policy", fix="", reason="policy")

    client.call = call
    (tool,) = [each for each in governed_tools(client, await client.tools()) if each.name == "add_note"]
    odd = {"config": "c", "run_manager": "r", "callbacks": "b", "self": "s", "kwargs": {"a": 1}, "args": [2]}
    assert await tool.ainvoke({**odd, "interlock_runtime": {"forged": True}}) == "nothing has happened: refused, policy"
    assert given == [odd]


async def test_what_a_model_wrote_in_no_json_is_told_to_it_and_ends_no_run(client: AsyncInterlock) -> None:
    script = [[function_call("refund", said, call_id=said)] for said in ("{cut off", "[1]")]
    governed = GovernedTools(client, await client.tools(), run="no-json")
    agent = Agent(name="a", model=ScriptedModel([*script, [assistant_message("end")]]), tools=[*governed.functions])
    result = await Runner.run(agent, "go", run_config=QUIET)
    while result.interruptions:
        await any_ended(client, [each.action for each in await governed.waiting(result)])
        result = await Runner.run(agent, await governed.resumed(result), run_config=QUIET)
    told = [each.output for each in result.new_items if each.type == "tool_call_output_item"]
    assert told == ["nothing has happened: refused, invalid_arguments; `$`: json"] * 2


async def test_a_guardrail_that_would_look_after_the_call_stops_it(shop: Desk, client: AsyncInterlock) -> None:
    async def never(said: object) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.reject_content("no")

    call = function_call("add_note", {"order": "O-1", "text": "guarded"}, call_id="c1")
    governed = GovernedTools(client, await client.tools(), run="guarded")
    for each in governed.functions:
        each.tool_input_guardrails = [ToolInputGuardrail(guardrail_function=never)]
    agent = Agent(name="a", model=ScriptedModel([[call], [assistant_message("end")]]), tools=[*governed.functions])
    with pytest.raises(UserError, match="after the call"):
        await Runner.run(agent, "go", run_config=QUIET)
    assert notes(shop, "guarded") == 0


@pytest.mark.parametrize("reason", ["internal", "overloaded"])
async def test_what_may_be_asked_again_is_retried_and_no_end_of_an_activity(
    client: AsyncInterlock, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    async def call(*said: Any, **more: Any) -> Outcome:
        raise Refused(f"refused: {reason}", fix="later", reason=reason)

    monkeypatch.setattr(client, "call", call)
    with pytest.raises(Refused):
        await ActivityEnvironment().run(InterlockActivities(client).governed_call, GovernedCall("add_note"))


async def test_a_token_that_was_revoked_says_nothing_of_what_was_done_with_it(shop: Desk) -> None:
    token = shop.type("token", "new", "late", "--workflow", "shop", "--env", "dev", "--expires", "1d").strip()
    async with AsyncInterlock(shop.url, token, principal="sam") as client:
        said = {"order": "O-1", "text": "late"}
        assert isinstance(await awaited(client, "add_note", said, None, "late"), Done)
        refused = await awaited(client, "delete_order", {"order": "O-1"}, None, "late-2")
        assert told(refused) == "nothing has happened: refused, tool_not_allowed"
        shop.type("token", "revoke", token.split("_")[2])
        with pytest.raises(NotLetIn):
            await awaited(client, "add_note", said, None, "late")
    with Interlock(shop.url, token, principal="sam") as blocking, pytest.raises(NotLetIn):
        called(blocking, "add_note", said, None, "late")
    assert notes(shop, "late") == 1


async def test_a_store_that_is_away_says_nothing_to_a_model(
    client: AsyncInterlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    no = Refused("refused: internal", fix="later", reason="internal")

    async def call(*said: Any, **more: Any) -> Outcome:
        raise no

    monkeypatch.setattr(client, "call", call)
    with pytest.raises(Refused):
        await awaited(client, "add_note", {}, None, "k")
    for reason in ("duplicate", "uncertain"):
        assert "nothing has happened" not in told(Refused("", fix="", reason=reason))


async def test_an_activity_whose_arguments_no_attempt_can_send_is_not_retried(client: AsyncInterlock) -> None:
    call = GovernedCall("add_note", {"order": float("nan")})
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(InterlockActivities(client).governed_call, call)
    assert (caught.value.type, caught.value.non_retryable) == ("NotWanted", True)
