"""Tools of a contract for the OpenAI Agents SDK: what waits for a person interrupts the run. Extra `openai-agents`."""

import json
from collections.abc import Iterable
from typing import Any

from agents import Agent, FunctionTool, RunContextWrapper, RunResult, RunResultStreaming, RunState, ToolApprovalItem
from agents.exceptions import UserError
from agents.tool_context import ToolContext

from interlock_sdk.adapters.governed import Ending, awaited, key_of, named, run_of, text_of
from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.errors import InterlockError, Refused, Wrong
from interlock_sdk.outcome import Parked, Tool

Interrupted = RunResult | RunResultStreaming | RunState[Any, Agent[Any]]
"""Where a run stands, as it came or as it was kept."""


class GovernedTools:
    """The tools of a contract for an agent: `Agent(tools=[*governed.functions])`.

    A call that waits for people is an interruption. `waiting(result)` lists what is waited for, and `resumed(result)`
    is the state to go on with: in it those calls are approved whose own action has ended. Approving another one in the
    state opens nothing: the call asks anew, and hears that it still waits. A call without an answer is an interruption
    as well: `waiting` and `resumed` ask again as the same action, and raise while there is none.

    Args:
        client: asks for the actions.
        tools: those of the contract that this agent is to have.
        run: what this run and all that resume it are called, such as a ticket: within it the ids of calls are unique.

    Raises:
        ValueError: two tools would have the same name for a model.
    """

    def __init__(self, client: AsyncInterlock, tools: Iterable[Tool], *, run: str) -> None:
        self._client = client
        self._tools = named(tools)
        self._run = run
        self._heard: dict[str, Ending] = {}  # kept until the call is made
        self.functions = [self._function(name, tool) for name, tool in self._tools.items()]

    async def waiting(self, at: Interrupted) -> list[Parked]:
        """List what the interruptions of a run wait for.

        Raises:
            InterlockError: one could not be asked, or no answer came. Ask again: each is the same action.
        """
        endings = [await self._again(each) for each in _state_of(at).get_interruptions()]
        return [ending for ending in endings if isinstance(ending, Parked)]

    async def resumed(self, at: Interrupted) -> RunState[Any, Agent[Any]]:
        """Return the state to run next.

        Raises:
            InterlockError: one could not be asked, or no answer came. Ask again: each is the same action.
        """
        state = _state_of(at)
        for each in state.get_interruptions():
            ending = await self._again(each)
            if ending is not None and not isinstance(ending, Parked):
                state.approve(each)
        return state

    async def _again(self, item: ToolApprovalItem) -> Ending | None:
        if item.name not in self._tools or item.call_id is None:
            return None
        return await self._ask(self._tools[item.name], item.call_id, item.arguments)

    async def _ask(self, tool: Tool, call: str, said: str | None) -> Ending:
        arguments = _object(said)
        if arguments is None:
            return Refused(
                "what the model wrote is no JSON object; nothing was sent",
                fix="let the model write it again",
                reason="invalid_arguments",
                wrong=(Wrong(path="$", kind="json"),),
            )
        key = key_of("openai-agents", self._run, call)
        return await awaited(self._client, tool.name, arguments, run_of(self._run), key)

    def _function(self, name: str, tool: Tool) -> FunctionTool:
        async def waits(context: RunContextWrapper[Any], arguments: dict[str, Any], call: str) -> bool:
            if function.tool_input_guardrails:
                raise UserError(
                    f"the guardrails of `{name}` would run after the call: say them in the contract instead"
                )
            try:
                ending = await self._ask(tool, call, json.dumps(arguments))
            except InterlockError:
                return True  # a run that fails asks the model anew, which makes another call; an interruption is kept
            if not isinstance(ending, Parked):
                self._heard[call] = ending
            return isinstance(ending, Parked)

        async def invoke(context: ToolContext[Any], said: str) -> str:
            ending = self._heard.pop(context.tool_call_id, None)
            return text_of(ending or await self._ask(tool, context.tool_call_id, said))

        function = FunctionTool(
            name=name,
            description=tool.description or tool.name,
            params_json_schema=tool.takes,
            on_invoke_tool=invoke,
            strict_json_schema=False,
            needs_approval=waits,
        )
        return function


def _object(said: str | None) -> dict[str, Any] | None:
    """Read the arguments that a model wrote; nothing if they are no object."""
    try:
        read = json.loads(said or "{}")
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _state_of(at: Interrupted) -> RunState[Any, Agent[Any]]:
    return at if isinstance(at, RunState) else at.to_state()
