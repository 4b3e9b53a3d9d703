"""Tools of a contract for Semantic Kernel: what waits for a person ends automatic calling. Extra `semantic-kernel`."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from semantic_kernel import Kernel
from semantic_kernel.contents import AuthorRole, ChatHistory, FunctionCallContent, FunctionResultContent
from semantic_kernel.filters import FilterTypes
from semantic_kernel.filters.auto_function_invocation.auto_function_invocation_context import (
    AutoFunctionInvocationContext,
)
from semantic_kernel.functions import FunctionResult, KernelFunctionFromMethod, KernelPlugin, kernel_function
from semantic_kernel.functions.kernel_parameter_metadata import KernelParameterMetadata

from interlock_sdk.adapters.governed import Ending, awaited, key_of, named, run_of, text_of
from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.outcome import Parked, Tool

Next = Callable[[AutoFunctionInvocationContext], Awaitable[None]]


class GovernedPlugin:
    """The tools of a contract as the plugin of a kernel.

    A call that waits for people ends the automatic calling: its result in the history says so. `resume(history)` puts
    what became of each in its place, and returns those that still wait; when there are none, ask the model again. It
    also makes the calls that have no result, because an error came between.

    Args:
        client: asks for the actions.
        tools: those of the contract that this kernel is to have.
        run: what this chat and all that resume it are called, such as a ticket: within it the ids of calls are unique.
        name: what the plugin is called.

    Raises:
        ValueError: two tools would have the same name for a model.
    """

    def __init__(self, client: AsyncInterlock, tools: Iterable[Tool], *, run: str, name: str = "interlock") -> None:
        self._client = client
        self._tools = named(tools)
        self._run = run
        self._name = name

    def add_to(self, kernel: Kernel) -> None:
        """Let a kernel call these tools."""
        functions = [self._function(name, tool) for name, tool in self._tools.items()]
        kernel.add_plugin(KernelPlugin(name=self._name, functions=functions))
        kernel.add_filter(FilterTypes.AUTO_FUNCTION_INVOCATION, self._called)

    async def resume(self, history: ChatHistory) -> list[Parked]:
        """Look what became of each call that waited or has no result, and write it into the history.

        Raises:
            InterlockError: one could not be asked, or no answer came. Resume again: each is the same action.
        """
        items = [item for message in history.messages for item in message.items]
        calls = {item.id: item for item in items if isinstance(item, FunctionCallContent)}
        results = {item.id: item for item in items if isinstance(item, FunctionResultContent)}
        waiting: list[Parked] = []
        for id, call in calls.items():
            known = results.get(id)
            # Every result is looked up that could be one of these; whatever it says, the record answers for its call.
            if call.plugin_name != self._name or not id or call.function_name not in self._tools:
                continue
            if known is not None and not str(known.result).startswith("nothing has happened yet"):
                continue
            ending = await self._ask(call)
            waiting += [ending] if isinstance(ending, Parked) else []
            if known is not None:
                known.result = text_of(ending)
            else:
                _add(history, call, text_of(ending))
        return waiting

    async def _called(self, context: AutoFunctionInvocationContext, next: Next) -> None:
        call = context.function_call_content
        if call is None or context.function.plugin_name != self._name:
            return await next(context)
        ending = await self._ask(call)
        context.function_result = FunctionResult(function=context.function.metadata, value=text_of(ending))
        context.terminate = isinstance(ending, Parked)

    async def _ask(self, call: FunctionCallContent) -> Ending:
        tool = self._tools[call.function_name]
        key = key_of("semantic-kernel", self._run, call.id) if call.id else None
        return await awaited(self._client, tool.name, call.parse_arguments() or {}, run_of(self._run), key)

    def _function(self, name: str, tool: Tool) -> KernelFunctionFromMethod:
        @kernel_function(name=name, description=tool.description or tool.name)
        async def ask(**arguments: Any) -> str:  # noqa: ANN401  JSON
            return text_of(await awaited(self._client, tool.name, arguments, run_of(self._run), None))

        return KernelFunctionFromMethod(method=ask, plugin_name=self._name, parameters=_parameters(tool.takes))


def _add(history: ChatHistory, call: FunctionCallContent, said: str) -> None:
    """Write a result behind its call and the results that already follow that: models want them together."""
    result = FunctionResultContent.from_function_call_content_and_result(call, said)
    at = next(at for at, message in enumerate(history.messages) if call in message.items) + 1
    while at < len(history.messages) and history.messages[at].role == AuthorRole.TOOL:
        at += 1
    history.messages.insert(at, result.to_chat_message_content())


def _parameters(takes: Mapping[str, Any]) -> list[KernelParameterMetadata]:
    wanted, defined = takes.get("required", ()), {name: takes[name] for name in ("$defs",) if name in takes}
    return [
        KernelParameterMetadata(
            name=name,
            description=schema.get("description", ""),
            is_required=name in wanted,
            type=str(schema.get("type", "object")),
            schema_data={**schema, **defined},
        )
        for name, schema in takes.get("properties", {}).items()
    ]
