"""A chat of Semantic Kernel whose refunds wait for a lead. The model is scripted: it needs no key and no network."""

import asyncio
import os
from typing import Any, ClassVar

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai import FunctionChoiceBehavior, PromptExecutionSettings
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.contents import AuthorRole, ChatHistory, ChatMessageContent, FunctionCallContent

from interlock_sdk import AsyncInterlock
from interlock_sdk.adapters.governed import any_ended
from interlock_sdk.adapters.semantic_kernel import GovernedPlugin


class Scripted(ChatCompletionClientBase):
    """Asks for two refunds at once, and ends."""

    SUPPORTS_FUNCTION_CALLING: ClassVar[bool] = True

    async def _inner_get_chat_message_contents(
        self, chat_history: ChatHistory, settings: PromptExecutionSettings
    ) -> list[ChatMessageContent]:
        if any(message.role == AuthorRole.TOOL for message in chat_history.messages):
            return [ChatMessageContent(role=AuthorRole.ASSISTANT, content="both are on their way")]
        items: list[Any] = [
            FunctionCallContent(id="c1", name="interlock-refund", arguments='{"order": "O-1", "amount_usd": 11}'),
            FunctionCallContent(id="c2", name="interlock-refund", arguments='{"order": "O-2", "amount_usd": 12}'),
        ]
        return [ChatMessageContent(role=AuthorRole.ASSISTANT, items=items)]


async def main() -> None:
    """Let a chat give money back."""
    url, token = os.environ["INTERLOCK_URL"], os.environ["INTERLOCK_TOKEN"]
    async with AsyncInterlock(url, token, principal="sam") as interlock:
        kernel, model = Kernel(), Scripted(ai_model_id="scripted")
        plugin = GovernedPlugin(interlock, await interlock.tools(), run="ticket-11")
        plugin.add_to(kernel)
        history = ChatHistory()
        history.add_user_message("give O-1 and O-2 their money back")
        settings = PromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
        said = await model.get_chat_message_content(history, settings, kernel=kernel)
        while waiting := [each.action for each in await plugin.resume(history)]:
            print("waiting", *waiting, flush=True)
            await any_ended(interlock, waiting)
            if not await plugin.resume(history):
                said = await model.get_chat_message_content(history, settings, kernel=kernel)
        print("said", said)


if __name__ == "__main__":
    asyncio.run(main())
