"""A LangGraph agent whose refunds wait for a lead. The model is scripted: it needs no key and no network."""

import asyncio
import os

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from interlock_sdk import AsyncInterlock
from interlock_sdk.adapters.governed import any_ended
from interlock_sdk.adapters.langgraph import governed_tools


class Scripted(GenericFakeChatModel):
    """Says what it was given, one message after the other."""

    def bind_tools(self, tools: object, **more: object) -> "Scripted":  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take note of no tool: what it calls is in the script."""
        return self


def script() -> Scripted:
    """Ask for two refunds at once, and end."""
    calls = [
        ToolCall(name="refund", args={"order": "O-1", "amount_usd": 11}, id="c1"),
        ToolCall(name="refund", args={"order": "O-2", "amount_usd": 12}, id="c2"),
    ]
    return Scripted(messages=iter([AIMessage("", tool_calls=calls), AIMessage("both are on their way")]))


async def main() -> None:
    """Let an agent give money back."""
    url, token = os.environ["INTERLOCK_URL"], os.environ["INTERLOCK_TOKEN"]
    async with AsyncInterlock(url, token, principal="sam") as interlock:
        tools = governed_tools(interlock, await interlock.tools())
        agent = create_agent(script(), tools, checkpointer=InMemorySaver())
        thread: RunnableConfig = {"configurable": {"thread_id": "ticket-7"}}
        result = await agent.ainvoke({"messages": [HumanMessage("give O-1 and O-2 their money back")]}, thread)
        while asked := result.get("__interrupt__"):
            actions = [each.value["action"] for each in asked]
            print("waiting", *actions, flush=True)
            await any_ended(interlock, actions)
            result = await agent.ainvoke(Command(resume={each.id: "look again" for each in asked}), thread)
        print("said", result["messages"][-1].content)


if __name__ == "__main__":
    asyncio.run(main())
