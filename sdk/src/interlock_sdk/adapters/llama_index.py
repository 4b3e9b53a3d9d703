"""Tools of a contract for LlamaIndex: what waits for a person is an event of the workflow. Extra `llama-index`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.agent.workflow import ToolCall
from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent
from workflows.runtime.types.results import StepWorkerStateContextVar

from interlock_sdk.adapters.governed import Ending, asked_of, awaited, key_of, named, run_of, text_of
from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.errors import InterlockError
from interlock_sdk.outcome import Parked, Tool


class ActionWaits(InputRequiredEvent):
    """A call of a tool waits for people: for so many of which roles, and until when."""

    tool: str
    action: str
    waits_for: list[dict[str, Any]]
    until: str


class Unheard(Exception):
    """Nobody could be asked how a call ended: what stood in the way is its `__cause__`.

    Agents of LlamaIndex hand every error to the model, so this text is for the model. The stream has the error in the
    `tool_output.exception` of a `ToolCallResult`.
    """

    def __init__(self) -> None:
        super().__init__("no answer came: nobody knows whether this has happened: do not ask for it again")


class ActionEnded(HumanResponseEvent):
    """Whoever sends this thinks that an action has ended; the call looks, and waits on if it has not."""

    action: str


@dataclass
class _Metadata(ToolMetadata):
    takes: dict[str, Any] = field(default_factory=dict[str, Any])

    def get_parameters_dict(self) -> dict[str, Any]:
        """Return the schema of the contract."""
        return self.takes


def governed_tools(client: AsyncInterlock, tools: Iterable[Tool], *, run: str) -> list[FunctionTool]:
    """Make tools for a `FunctionAgent` or an `AgentWorkflow` out of `await client.tools()`.

    A call that waits for people writes `ActionWaits` to the stream of the workflow. Send `ActionEnded(action=...)` when
    that action has ended: the one call goes on that waits for it.

    Args:
        client: asks for the actions.
        tools: those of the contract that this agent is to have.
        run: what this run and all that resume it are called, such as a ticket: within it the ids of calls are unique.

    Raises:
        ValueError: two tools would have the same name for a model.
    """
    return [_governed(client, name, tool, run) for name, tool in named(tools).items()]


def _governed(client: AsyncInterlock, name: str, tool: Tool, run: str) -> FunctionTool:
    async def heard(arguments: dict[str, Any], key: str) -> Ending:
        try:
            return await awaited(client, tool.name, arguments, run_of(run), key)
        except InterlockError as lost:
            raise Unheard from lost

    async def ask(interlock_context: Context, **arguments: Any) -> str:  # noqa: ANN401  JSON
        call = StepWorkerStateContextVar.get().event
        assert isinstance(call, ToolCall), "an agent calls its tools in a step of their own"
        key, looks = key_of("llama-index", run, call.tool_id), 0
        while isinstance(ending := await heard(arguments, key), Parked):
            looks += 1
            await interlock_context.wait_for_event(
                ActionEnded,
                waiter_event=ActionWaits(tool=name, **asked_of(ending)),
                waiter_id=f"{ending.action} {looks}",
                requirements={"action": ending.action},
                timeout=None,
            )
        return text_of(ending)

    said = _Metadata(name=name, description=(tool.description or tool.name)[:1_024], fn_schema=None, takes=tool.takes)
    return FunctionTool(async_fn=ask, metadata=said)
