"""What no resume of a framework can do: open what people have not agreed to, or do a thing twice."""

import asyncio
import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from agents import Agent, RunConfig, Runner, RunState
from agents.testing import ScriptedModel, assistant_message, function_call
from desk import SHOP, Desk
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from interlock_sdk import AsyncInterlock, Interlock, Parked, Tool
from interlock_sdk.adapters import llama_index
from interlock_sdk.adapters.governed import key_of, named, run_of
from interlock_sdk.adapters.langgraph import governed_tools
from interlock_sdk.adapters.openai_agents import GovernedTools
from interlock_sdk.adapters.temporal import GovernedCall, InterlockActivities

pytestmark = pytest.mark.anyio


def refunds(shop: Desk, order: str) -> int:
    return sum(each.get("refund") == order for each in shop.done())


async def test_approving_in_the_state_of_a_run_opens_nothing(shop: Desk, client: AsyncInterlock) -> None:
    script = [[function_call("refund", {"order": "O-1", "amount_usd": 1}, call_id="c1")], [assistant_message("end")]]
    governed = GovernedTools(client, await client.tools(), run="forged")
    agent, quiet = (
        Agent(name="a", model=ScriptedModel(script), tools=[*governed.functions]),
        RunConfig(tracing_disabled=True),
    )
    result = await Runner.run(agent, "go", run_config=quiet)
    state = result.to_state()
    state.approve(result.interruptions[0], always_approve=True)
    result = await Runner.run(agent, state, run_config=quiet)
    told = [each.output for each in result.new_items if each.type == "tool_call_output_item"]
    assert "nothing has happened yet" in told[0]
    assert refunds(shop, "O-1") == 0


async def test_a_run_that_was_kept_goes_on_elsewhere_as_the_same_actions(shop: Desk, client: AsyncInterlock) -> None:
    call = function_call("refund", {"order": "O-2", "amount_usd": 6}, call_id="c1")
    model, quiet = ScriptedModel([[call], [assistant_message("end")]]), RunConfig(tracing_disabled=True)

    async def elsewhere() -> tuple[GovernedTools, Agent[Any]]:
        governed = GovernedTools(client, await client.tools(), run="kept")
        return governed, Agent(name="a", model=model, tools=[*governed.functions])

    before = refunds(shop, "O-2")
    governed, agent = await elsewhere()
    result = await Runner.run(agent, "go", run_config=quiet)
    (waiting,) = await governed.waiting(result)
    kept = result.to_state().to_json()
    governed, agent = await elsewhere()
    state = await RunState.from_json(agent, kept)
    assert [each.action for each in await governed.waiting(state)] == [waiting.action]
    await asyncio.to_thread(shop.approve, waiting.action)
    await client.wait(waiting, timeout=60)
    result = await Runner.run(agent, await governed.resumed(state), run_config=quiet)
    assert (result.final_output, refunds(shop, "O-2")) == ("end", before + 1)


async def test_a_refusal_is_told_to_the_model_and_the_run_goes_on(shop: Desk, client: AsyncInterlock) -> None:
    calls = [
        function_call("refund", {"order": "O-1", "amount_usd": 2}, call_id="c1"),
        function_call("refund", {"order": 7}, call_id="c2"),
    ]
    governed = GovernedTools(client, await client.tools(), run="denied")
    agent = Agent(name="a", model=ScriptedModel([calls, [assistant_message("end")]]), tools=[*governed.functions])
    result = await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))
    (waiting,) = await governed.waiting(result)
    shop.deny(waiting.action)
    result = await Runner.run(agent, await governed.resumed(result), run_config=RunConfig(tracing_disabled=True))
    told = [str(each.output) for each in result.new_items if each.type == "tool_call_output_item"]
    assert result.final_output == "end"
    assert any("refused, approval_denied" in each for each in told)
    assert refunds(shop, "O-1") == 0


def graph_of(shop: Desk, client: Interlock) -> Any:
    """A `ToolNode` that carries several calls in one task, where resume values are told apart by order alone."""
    calls = [
        {"name": "refund", "args": {"order": order, "amount_usd": 3}, "id": id}
        for order, id in (("O-1", "c1"), ("O-2", "c2"), ("O-3", "c3"))
    ]
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [AIMessage("", tool_calls=calls)]})
    graph.add_node("tools", ToolNode(governed_tools(client, client.tools())))
    graph.add_edge(START, "model")
    graph.add_edge("model", "tools")
    graph.add_edge("tools", END)
    return graph.compile(checkpointer=InMemorySaver())


def test_whatever_a_graph_is_resumed_with_each_call_goes_on_by_its_own_action(shop: Desk) -> None:
    with Interlock(shop.url, shop.token, principal="sam") as client:
        graph, thread = graph_of(shop, client), {"configurable": {"thread_id": "t-1"}}
        before, orders = set(shop.parked()), ("O-1", "O-2", "O-3")
        at_first = [refunds(shop, order) for order in orders]
        graph.invoke({"messages": [("user", "go")]}, thread)
        shown = {action: shop.type("approvals", "show", action) for action in set(shop.parked()) - before}
        by_order = {order: action for action, said in shown.items() for order in orders if order in said}
        shop.approve(by_order["O-2"])
        client.wait(by_order["O-2"], timeout=60)
        done = [refunds(shop, order) for order in orders]
        assert done == [at_first[0], at_first[1] + 1, at_first[2]]
        for word in ("approved", {"action": by_order["O-1"]}, True):
            result = graph.invoke(Command(resume=word), thread)
            assert "__interrupt__" in result
        assert [refunds(shop, order) for order in orders] == done
        for order in ("O-1", "O-3"):
            shop.approve(by_order[order])
            client.wait(by_order[order], timeout=60)
        result = graph.invoke(Command(resume="now"), thread)
        told = [each.content for each in result["messages"] if isinstance(each, ToolMessage)]
        assert told == ["refund written"] * 3
        assert [refunds(shop, order) for order in orders] == [count + 1 for count in at_first]


async def test_an_activity_that_is_run_again_is_the_same_action(shop: Desk, client: AsyncInterlock) -> None:
    activities, call = InterlockActivities(client), GovernedCall("add_note", {"order": "O-1", "text": "again"})
    environment = ActivityEnvironment()
    first = await environment.run(activities.governed_call, call)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=2)
    assert await environment.run(activities.governed_call, call) == first
    assert sum(each.get("text") == "again" for each in shop.done()) == 1
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_id="another")
    await environment.run(activities.governed_call, call)
    assert sum(each.get("text") == "again" for each in shop.done()) == 2


async def test_an_activity_that_is_refused_or_denied_is_not_retried(shop: Desk, client: AsyncInterlock) -> None:
    activities, beats = InterlockActivities(client), asyncio.Queue[str]()
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_id="no")
    environment.on_heartbeat = lambda *said: beats.put_nowait(said[0]) if said else None
    with pytest.raises(ApplicationError) as refused:
        await environment.run(activities.governed_call, GovernedCall("delete_order", {"order": "O-1"}))
    assert (refused.value.type, refused.value.non_retryable, refused.value.details[1]) == (
        "Refused",
        True,
        "tool_not_allowed",
    )
    call = GovernedCall("refund", {"order": "O-1", "amount_usd": 4}, key="mine")
    task = asyncio.create_task(environment.run(activities.governed_call, call))
    action = await asyncio.wait_for(beats.get(), 60)
    await asyncio.to_thread(shop.deny, action)
    with pytest.raises(ApplicationError) as denied:
        await task
    assert list(denied.value.details) == [action, "approval_denied"]


async def test_the_workflow_of_the_example_is_one_that_a_worker_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHOP))
    example = importlib.import_module("temporal_activity")
    definition = workflow._Definition.must_from_class(example.GiveBack)  # pyright: ignore[reportPrivateUsage]
    SandboxedWorkflowRunner().prepare_workflow(definition)


async def test_an_event_that_says_too_early_that_an_action_has_ended_opens_nothing(
    shop: Desk, client: AsyncInterlock
) -> None:
    def script(messages: Sequence[ChatMessage], **more: object) -> ChatMessage:
        if any(each.role == MessageRole.TOOL for each in messages):
            return ChatMessage(role=MessageRole.ASSISTANT, content=str(messages[-1].content))
        arguments = {"order": "O-3", "amount_usd": 5}
        call = ToolCallBlock(tool_call_id="c1", tool_name="refund", tool_kwargs=arguments)
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[call])

    before = refunds(shop, "O-3")
    tools = llama_index.governed_tools(client, await client.tools(), run="forged-event")
    llm = MockFunctionCallingLLM(response_generator=script, is_chat_model=True)
    handler = FunctionAgent(tools=[*tools], llm=llm).run("go")
    looks = 0
    async for event in handler.stream_events():
        if isinstance(event, llama_index.ActionWaits):
            looks += 1
            if looks == 3:
                assert refunds(shop, "O-3") == before
                await asyncio.to_thread(shop.approve, event.action)
                await client.wait(event.action, timeout=60)
            handler.ctx.send_event(llama_index.ActionEnded(action=event.action))
    assert "refund written" in str(await handler)
    assert (looks, refunds(shop, "O-3")) == (3, before + 1)


async def test_the_names_that_frameworks_give_are_names_here(client: AsyncInterlock) -> None:
    assert run_of("ticket-7") == "ticket-7"
    strange = run_of("a thread with spaces / and ünïcode" * 9)
    assert strange == run_of("a thread with spaces / and ünïcode" * 9) != run_of("another thread")
    assert isinstance(await client.call("refund", {"order": "O-1", "amount_usd": 9}, run=strange), Parked)
    assert key_of("a", "bc") != key_of("ab", "c")
    tool = Tool(name="mail.send", description="", takes={}, gives=None, read_only=False)
    assert list(named([tool])) == ["mail_send"]
    with pytest.raises(ValueError, match="same name"):
        named([tool, replace(tool, name="mail_send")])
