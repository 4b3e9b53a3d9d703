"""Typed Python functions as tools of this process, each with its own slots. What they take and return: `function`.

A sync function runs in a thread, an async one on a loop that only tools share. A timeout ends the waiting, not the
work: the slot stays taken until the function returns, and what it returns then is handed over late.
"""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

from interlock.core.canonical import Unreadable
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import ContractInvalid
from interlock.ports import Performer
from interlock.tool.child import IsolatedTool
from interlock.tool.function import PREFIX, Function, broken, function_of, plain
from interlock.tool.manifest import described
from interlock.tool.slots import Slots, ToolLoop, ending_of, in_thread, on_loop


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonTool:
    """Carries out one function of this process."""

    function: Function
    slots: Slots
    loop: Callable[[], ToolLoop]

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Call the function with the arguments as its types want them.

        Raises:
            UpstreamFailed: it said so itself, or it was never begun.
            UpstreamSilent: it raised something else.
        """
        work = self._begin(errand)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            # A function cannot be stopped. It keeps its slot, and says later what it has done.
            work.add_done_callback(lambda ended: errand.late(ending_of(ended)))
            raise

    def _begin(self, errand: Errand) -> "Future[Performed]":
        named = self.function.named(errand.arguments, errand.key, errand.secret)

        def run() -> Performed:
            errand.check_lease()
            try:
                result = self.function.call(**named)
            except BaseException as error:
                raise broken(self.function.name, error) from error
            if inspect.iscoroutine(result):
                result.close()
                raise broken(self.function.name, TypeError())
            return performed(result)

        async def run_async() -> Performed:
            errand.check_lease()
            try:
                result = await self.function.call(**named)
            except BaseException as error:
                raise broken(self.function.name, error) from error
            return performed(result)

        if self.function.is_async:
            return on_loop(self.loop(), self.slots, run_async)
        return in_thread(self.function.name, self.slots, run)


def performed(result: object) -> Performed:
    """Say what a function returned, in JSON if that can carry it."""
    try:
        return Performed(result=plain(result))
    except ValueError:
        return Performed(result=Unreadable())


@dataclass(slots=True)
class PythonTools:
    """Finds functions by the name a contract gives them: `python:module:function`."""

    _found: dict[tuple[str, str, bool], tuple[Performer, Slots]] = field(
        default_factory=dict[tuple[str, str, bool], tuple[Performer, Slots]]
    )
    _functions: dict[str, tuple[Function, str]] = field(default_factory=dict[str, tuple[Function, str]])
    """Each with its pin, as it was when this process imported it."""
    _loop: ToolLoop | None = None
    _lock: Lock = field(default_factory=Lock)

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this function for this owner. The first look imports it.

        Raises:
            ContractInvalid: it cannot be imported, or is not the function that was published.
        """
        if not source.startswith(PREFIX):
            return None
        name = (terms.owner, source, terms.isolate)
        if name not in self._found:
            # Importing may take seconds, and the spine must not wait for the import of another tool.
            with self._lock:
                self._found[name] = self._found.get(name) or self._made(source, terms)
        if terms.pin and terms.pin != self._functions[source][1]:
            raise ContractInvalid(
                f"`{source}` is another function than the one that was published",
                fix="look at what changed, then publish it again: `interlock contract publish FILE --env ENV`",
            )
        self._functions[source][0].check_secret(terms.secret)
        performer, slots = self._found[name]
        # A contract that was published again may say another number; what is under way still counts.
        slots.most = terms.slots
        return performer

    def _made(self, source: str, terms: Terms) -> tuple[Performer, Slots]:
        if source not in self._functions:
            function = function_of(source)
            self._functions[source] = function, described(source, function).pin
        function, _ = self._functions[source]
        slots = Slots(most=terms.slots)
        if terms.isolate:
            return IsolatedTool(source=source, name=function.name, slots=slots), slots
        return PythonTool(function=function, slots=slots, loop=self._shared_loop), slots

    def _shared_loop(self) -> ToolLoop:
        with self._lock:
            self._loop = self._loop or ToolLoop()
            return self._loop

    def close(self) -> None:
        """Stop the shared loop. Functions that hang in threads are left to the end of the process."""
        if self._loop is not None:
            self._loop.close()
