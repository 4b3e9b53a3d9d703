"""A LlamaIndex agent whose refunds wait for a lead. The model is LlamaIndex's own mock, without key or network."""

import asyncio
import os
from collections.abc import Sequence

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from workflows.handler import WorkflowHandler

from interlock_sdk import AsyncInterlock
from interlock_sdk.adapters.governed import any_ended
from interlock_sdk.adapters.llama_index import ActionEnded, ActionWaits, governed_tools


def script(messages: Sequence[ChatMessage], **more: object) -> ChatMessage:
    """Ask for two refunds at once, and end."""
    if any(each.role == MessageRole.TOOL for each in messages):
        return ChatMessage(role=MessageRole.ASSISTANT, content="both are on their way")
    calls = [
        ToolCallBlock(tool_call_id="c1", tool_name="refund", tool_kwargs={"order": "O-1", "amount_usd": 11}),
        ToolCallBlock(tool_call_id="c2", tool_name="refund", tool_kwargs={"order": "O-2", "amount_usd": 12}),
    ]
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=calls)


async def tell(interlock: AsyncInterlock, handler: WorkflowHandler) -> None:
    """Tell the workflow of each action that has ended, as they do."""
    waiting: list[str] = []

    async def ended(action: str) -> None:
        await any_ended(interlock, [action])
        waiting.remove(action)
        if waiting:
            print("waiting", *waiting, flush=True)
        handler.ctx.send_event(ActionEnded(action=action))

    async with asyncio.TaskGroup() as tasks:
        async for event in handler.stream_events():
            if isinstance(event, ActionWaits):
                waiting.append(event.action)
                tasks.create_task(ended(event.action))
                if len(waiting) == 2:
                    print("waiting", *waiting, flush=True)


async def main() -> None:
    """Let an agent give money back."""
    url, token = os.environ["INTERLOCK_URL"], os.environ["INTERLOCK_TOKEN"]
    async with AsyncInterlock(url, token, principal="sam") as interlock:
        tools = governed_tools(interlock, await interlock.tools(), run="ticket-10")
        llm = MockFunctionCallingLLM(response_generator=script, is_chat_model=True)
        handler = FunctionAgent(tools=[*tools], llm=llm).run(user_msg="give O-1 and O-2 their money back")
        await tell(interlock, handler)
        print("said", await handler)


if __name__ == "__main__":
    asyncio.run(main())
