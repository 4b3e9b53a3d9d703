"""Tools of a contract for LangChain and LangGraph: what waits for a person interrupts the graph. Extra `langgraph`."""

from collections.abc import Iterable
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime
from langgraph.types import interrupt

from interlock_sdk.adapters.governed import asked_of, awaited, called, key_of, named, run_of, text_of
from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.client import Interlock
from interlock_sdk.outcome import Parked, Tool


def governed_tools(client: Interlock | AsyncInterlock, tools: Iterable[Tool]) -> list[BaseTool]:
    """Make tools for an agent or a `ToolNode` out of `client.tools()`.

    A call that waits for people interrupts the graph with its action id. Resume it with anything, at any time: the call
    goes on when people have agreed to its own action, and interrupts again as long as they have not.

    Args:
        client: one that blocks for a graph that is invoked, one that awaits for a graph that is awaited.
        tools: those of the contract that this agent is to have.

    Raises:
        ValueError: two tools would have the same name for a model.
    """
    return [_governed(client, name, tool) for name, tool in named(tools).items()]


class _Tool(StructuredTool):
    """Passes on every argument: `StructuredTool` keeps for itself what is called `config` or `run_manager`."""

    def _run(self, /, **arguments: Any) -> str:  # noqa: ANN401  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.func is None:
            raise NotImplementedError("this client awaits: await the graph, or make the tools with `Interlock`")
        return self.func(**arguments)

    async def _arun(self, /, **arguments: Any) -> str:  # noqa: ANN401  # pyright: ignore[reportIncompatibleMethodOverride]
        assert self.coroutine is not None, "where there is none, `ainvoke` invokes in a thread"
        return await self.coroutine(**arguments)


def _governed(client: Interlock | AsyncInterlock, name: str, tool: Tool) -> BaseTool:
    def blocking(interlock_runtime: ToolRuntime | None = None, **arguments: Any) -> str:  # noqa: ANN401  JSON
        assert isinstance(client, Interlock)
        run, key = _place(interlock_runtime)
        while isinstance(ending := called(client, tool.name, arguments, run, key), Parked) and key:
            interrupt({"tool": tool.name, **asked_of(ending)})
        return text_of(ending)

    async def awaiting(interlock_runtime: ToolRuntime | None = None, **arguments: Any) -> str:  # noqa: ANN401  JSON
        assert isinstance(client, AsyncInterlock)
        run, key = _place(interlock_runtime)
        while isinstance(ending := await awaited(client, tool.name, arguments, run, key), Parked) and key:
            interrupt({"tool": tool.name, **asked_of(ending)})
        return text_of(ending)

    return _Tool.from_function(
        func=blocking if isinstance(client, Interlock) else None,
        coroutine=awaiting if isinstance(client, AsyncInterlock) else None,
        name=name,
        description=tool.description or tool.name,
        args_schema=tool.takes,
        infer_schema=False,
    )


def _place(runtime: object) -> tuple[str | None, str | None]:
    """Name a call by its thread, its task in the graph and its id; by nothing where no graph could be resumed."""
    if not isinstance(runtime, ToolRuntime) or runtime.tool_call_id is None:
        return None, None
    place = runtime.config.get("configurable", {})
    thread, task = place.get("thread_id"), place.get("checkpoint_ns")
    if thread is None or not task:
        return None, None
    return run_of(str(thread)), key_of("langgraph", str(thread), str(task), runtime.tool_call_id)
