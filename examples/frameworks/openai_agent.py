"""An agent of the OpenAI Agents SDK whose refunds wait for a lead. The model is scripted, without key or network."""

import asyncio
import os

from agents import Agent, RunConfig, Runner
from agents.testing import ScriptedModel, assistant_message, function_call

from interlock_sdk import AsyncInterlock
from interlock_sdk.adapters.governed import any_ended
from interlock_sdk.adapters.openai_agents import GovernedTools

MODEL = ScriptedModel(
    [
        [
            function_call("refund", {"order": "O-1", "amount_usd": 11}, call_id="c1"),
            function_call("refund", {"order": "O-2", "amount_usd": 12}, call_id="c2"),
        ],
        [assistant_message("both are on their way")],
    ]
)
QUIET = RunConfig(tracing_disabled=True)


async def main() -> None:
    """Let an agent give money back."""
    url, token = os.environ["INTERLOCK_URL"], os.environ["INTERLOCK_TOKEN"]
    async with AsyncInterlock(url, token, principal="sam") as interlock:
        governed = GovernedTools(interlock, await interlock.tools(), run="ticket-8")
        agent = Agent(name="shop", model=MODEL, tools=[*governed.functions])
        result = await Runner.run(agent, "give O-1 and O-2 their money back", run_config=QUIET)
        while result.interruptions:
            actions = [each.action for each in await governed.waiting(result)]
            print("waiting", *actions, flush=True)
            await any_ended(interlock, actions)
            result = await Runner.run(agent, await governed.resumed(result), run_config=QUIET)
        print("said", result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
