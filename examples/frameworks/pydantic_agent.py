"""A Pydantic AI agent whose refunds wait for a lead. The model is a function: it needs no key and no network."""

import asyncio
import os

from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from interlock_sdk import AsyncInterlock
from interlock_sdk.adapters.governed import any_ended
from interlock_sdk.adapters.pydantic_ai import GovernedToolset


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Ask for two refunds at once, and end."""
    if len(messages) > 1:
        return ModelResponse(parts=[TextPart("both are on their way")])
    return ModelResponse(
        parts=[
            ToolCallPart("refund", {"order": "O-1", "amount_usd": 11}, tool_call_id="c1"),
            ToolCallPart("refund", {"order": "O-2", "amount_usd": 12}, tool_call_id="c2"),
        ]
    )


async def main() -> None:
    """Let an agent give money back."""
    url, token = os.environ["INTERLOCK_URL"], os.environ["INTERLOCK_TOKEN"]
    async with AsyncInterlock(url, token, principal="sam") as interlock:
        toolset = GovernedToolset(interlock)
        agent = Agent(FunctionModel(script), toolsets=[toolset], output_type=[str, DeferredToolRequests])
        result = await agent.run("give O-1 and O-2 their money back", conversation_id="ticket-9")
        while isinstance(asked := result.output, DeferredToolRequests):
            actions = [said["action"] for said in asked.metadata.values()]
            print("waiting", *actions, flush=True)
            await any_ended(interlock, actions)
            again = asked.build_results(approve_all=True)
            result = await agent.run(message_history=result.all_messages(), deferred_tool_results=again)
        print("said", result.output)


if __name__ == "__main__":
    asyncio.run(main())
