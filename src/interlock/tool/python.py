"""Typed Python functions as tools: `@tool`, the schema of their arguments, and the pool of threads they run in.

A sync function runs in its tool's own bounded pool; an async one on a loop that only tools share. A timeout ends
the waiting, not the work: the slot stays taken until the function returns.
"""

import asyncio
import importlib
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from threading import Lock, Thread
from typing import Any, cast

import msgspec

from interlock.core.canonical import Json, JsonObject, canonical
from interlock.core.errors import ContractInvalid, UpstreamFailed
from interlock.ports import Errand, Performed, Performer

PREFIX = "python:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What publishing finds out about a tool and pins."""

    description: str
    schema: JsonObject
    pin: str


@dataclass(slots=True, kw_only=True)
class PythonTool:
    """Carries out one function of this process."""

    function: Callable[..., Any]
    arguments: type[msgspec.Struct]
    slots: int
    loop: "ToolLoop"
    _taken: int = 0
    _lock: Lock = field(default_factory=Lock)
    _pool: ThreadPoolExecutor | None = None

    def free(self) -> bool:
        return self._taken < self.slots

    async def perform(self, errand: Errand) -> Performed:
        """Call the function with the arguments as its types want them.

        Raises:
            UpstreamFailed: it said so itself, or it was never begun.
        """
        values = msgspec.json.decode(errand.arguments, type=self.arguments)
        named = {name: getattr(values, name) for name in self.arguments.__struct_fields__}
        if "idempotency_key" in inspect.signature(self.function).parameters:
            named["idempotency_key"] = errand.key
        result = await asyncio.wrap_future(self._begin(errand, named))
        return Performed(result=cast("Json", msgspec.to_builtins(result, enc_hook=str)))

    def _begin(self, errand: Errand, named: dict[str, Any]) -> "Future[Any]":
        with self._lock:
            if self._taken >= self.slots:
                raise UpstreamFailed("all slots are taken", fix="call again later")
            self._taken += 1

        def run() -> Any:  # noqa: ANN401  what the function returns
            errand.check_lease()
            return self.function(**named)

        async def run_async() -> Any:  # noqa: ANN401  what the function returns
            errand.check_lease()
            return await cast("Awaitable[Any]", self.function(**named))

        if inspect.iscoroutinefunction(self.function):
            future = self.loop.submit(run_async())
        else:
            self._pool = self._pool or ThreadPoolExecutor(self.slots, f"tool-{self.function.__name__}")
            future = self._pool.submit(run)
        future.add_done_callback(self._ended)
        # Whoever stops waiting cancels what they hold, so they get a copy: the work goes on and keeps its slot.
        return _copy_of(future)

    def _ended(self, _: "Future[Any]") -> None:
        with self._lock:
            self._taken -= 1

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _copy_of(future: "Future[Any]") -> "Future[Any]":
    copy: Future[Any] = Future()

    def tell(done: "Future[Any]") -> None:
        if not copy.set_running_or_notify_cancel():
            return
        error = (
            done.exception() if not done.cancelled() else UpstreamFailed("the process is stopping", fix="call again")
        )
        if error is not None:
            copy.set_exception(error)
        else:
            copy.set_result(done.result())

    future.add_done_callback(tell)
    return copy


class ToolLoop:
    """The loop that async tools share. One that blocks it stalls other tools, and nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="interlock-tools", daemon=True)
        self._thread.start()

    def submit(self, work: Any) -> "Future[Any]":  # noqa: ANN401  any coroutine
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PythonTools:
    """Finds functions by the name a contract gives them: `python:module:function`."""

    def __init__(self, slots: Callable[[str], int] = lambda source: 8) -> None:
        self._slots = slots
        self._found: dict[str, PythonTool] = {}
        self._loop: ToolLoop | None = None

    def find(self, source: str) -> Performer | None:
        known = self._found.get(source)
        if known is None and source.startswith(PREFIX):
            function = function_of(source)
            self._loop = self._loop or ToolLoop()
            known = PythonTool(
                function=function,
                arguments=arguments_of(function),
                slots=self._slots(source),
                loop=self._loop,
            )
            self._found[source] = known
        return known

    def close(self) -> None:
        for tool in self._found.values():
            tool.close()
        if self._loop is not None:
            self._loop.close()


def function_of(source: str) -> Callable[..., Any]:
    """Import what `python:module:function` names.

    Raises:
        ContractInvalid: there is no such module or function.
    """
    module, _, name = source.removeprefix(PREFIX).partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ContractInvalid(
            f"`{source}` cannot be imported", fix="write `python:module:function`, and put the module on the path"
        ) from error
    if not callable(function):
        raise ContractInvalid(f"`{source}` is not a function", fix="name a function with annotated parameters")
    return function


def arguments_of(function: Callable[..., Any]) -> type[msgspec.Struct]:
    """Turn the parameters of a function into one type.

    Raises:
        ContractInvalid: a parameter has no annotation, or one that JSON cannot carry.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if name == "idempotency_key":
            continue
        if parameter.annotation is parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
            parameter.POSITIONAL_ONLY,
        ):
            raise ContractInvalid(
                f"parameter `{name}` of `{function.__name__}` has no type", fix="annotate every parameter by name"
            )
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((name, parameter.annotation, *default))
    return msgspec.defstruct(function.__name__, fields, kw_only=True, forbid_unknown_fields=True)


def manifest_of(source: str) -> Manifest:
    """Find out what a function takes.

    Raises:
        ContractInvalid: it cannot be imported, or its parameters cannot be described.
    """
    function = function_of(source)
    try:
        (schema,), parts = msgspec.json.schema_components([arguments_of(function)], ref_template="#/$defs/{name}")
    except TypeError as error:
        raise ContractInvalid(f"a parameter of `{source}` is of no JSON type", fix=str(error)) from error
    own = _numbers(parts.pop(function.__name__))
    full = {**own, **({"$defs": _numbers(parts)} if parts else {})}
    assert schema, "a type has a schema"
    description = inspect.getdoc(function) or ""
    pin = sha256(canonical({"description": description, "schema": full})).hexdigest()
    return Manifest(description=description, schema=full, pin=pin)


def _numbers(schema: Any) -> Any:  # noqa: ANN401  a JSON Schema
    # A Decimal comes as a JSON number, which is read exactly; as a text it could hide one from the judges.
    if isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        if known.get("format") == "decimal":
            return {**{k: v for k, v in known.items() if k != "format"}, "type": "number"}
        return {name: _numbers(value) for name, value in known.items()}
    if isinstance(schema, list):
        return [_numbers(value) for value in cast("list[Any]", schema)]
    return schema


MONEY = Decimal
"""The type to annotate amounts with: exact, and a number in JSON."""
