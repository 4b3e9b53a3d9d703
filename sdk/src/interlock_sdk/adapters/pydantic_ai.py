"""Tools of a contract for Pydantic AI: what waits for a person is a deferred call. Extra `pydantic-ai`."""

from typing import Any

from pydantic_ai import ApprovalRequired, RunContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from interlock_sdk.adapters.governed import asked_of, awaited, key_of, named, run_of, told
from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.outcome import Parked, Tool

_ANY = SchemaValidator(core_schema.any_schema())
"""What arguments have to be like is judged where they are recorded."""


class GovernedToolset(AbstractToolset[Any]):
    """The tools that the contract allows, as they are at each run.

    A call that waits for people is among `DeferredToolRequests.approvals`, with its action id in the metadata. Go on
    with `build_results(approve_all=True)`, at any time: each call asks anew what became of its own action, and goes on
    when people have agreed to that; otherwise it is deferred again. Calls are known by the conversation and their id.

    Args:
        client: asks for the actions.
        only: the names of the tools that this agent is to have; without it, all that the contract allows.
        id: what this toolset is called in Pydantic AI.
    """

    def __init__(self, client: AsyncInterlock, *, only: frozenset[str] | None = None, id: str = "interlock") -> None:
        self._client = client
        self._only = only
        self._id = id
        self._tools: dict[str, Tool] = {}

    @property
    def id(self) -> str:
        """What this set is called."""
        return self._id

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """Ask which tools there are.

        Raises:
            InterlockError: nobody can tell now.
            ValueError: two tools would have the same name for a model.
        """
        there = await self._client.tools()
        self._tools = named(each for each in there if self._only is None or each.name in self._only)
        return {
            name: ToolsetTool(
                toolset=self,
                tool_def=ToolDefinition(
                    name=name, description=tool.description or tool.name, parameters_json_schema=tool.takes
                ),
                max_retries=1,  # of a call that the model wrote in no JSON: it was not made
                args_validator=_ANY,
            )
            for name, tool in self._tools.items()
        }

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:  # noqa: ANN401  whatever the tool gave
        """Ask for an action.

        Raises:
            ApprovalRequired: people have to agree first.
            InterlockError: it could not be asked, or no answer came; the same run asks for the same action again.
        """
        conversation, call = ctx.conversation_id, ctx.tool_call_id
        run = run_of(conversation) if conversation is not None else None
        key = key_of("pydantic-ai", conversation, call) if conversation is not None and call is not None else None
        ending = await awaited(self._client, self._tools[name].name, tool_args, run, key)
        if isinstance(ending, Parked) and key is not None:
            raise ApprovalRequired(metadata={"tool": name, **asked_of(ending)})
        return told(ending)
