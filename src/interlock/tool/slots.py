"""Where the functions of this process run: a bounded number of threads a tool, and one loop that async tools share.

All threads are daemons: a function that hangs keeps its slot, and nobody from leaving.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, TypeVar

from interlock.core.errand import Terms
from interlock.core.errors import UpstreamFailed
from interlock.core.limits import TOOL_LOOP_STOP_SECONDS_MAX

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Slots:
    """How many errands a tool carries at once, and how many of them are under way.

    A slot is given back before the end is told, so that who hears of the end finds it free.
    """

    most: int
    taken: int = 0
    _lock: Lock = field(default_factory=Lock)

    def free(self) -> bool:
        return self.taken < self.most

    def take(self) -> None:
        """Take one.

        Raises:
            UpstreamFailed: none is free. Whoever asked `free` before may have been overtaken.
        """
        with self._lock:
            if self.taken >= self.most:
                raise UpstreamFailed("all slots are taken, so nothing was begun", fix="call again later")
            self.taken += 1

    def give_back(self) -> None:
        with self._lock:
            assert self.taken > 0, "only what was taken is given back"
            self.taken -= 1


@dataclass(slots=True)
class SlotsOf:
    """The slots of each tool, by who owns it and what it is. What is under way counts, whoever asks for it."""

    _known: dict[tuple[str, str], Slots] = field(default_factory=dict[tuple[str, str], Slots])

    def find(self, terms: Terms, what: str) -> Slots:
        slots = self._known.setdefault((terms.owner, what), Slots(most=terms.slots))
        # A contract that was published again may say another number; what is under way still counts.
        slots.most = terms.slots
        return slots


def in_thread(name: str, slots: Slots, work: Callable[[], T]) -> "Future[T]":
    """Begin `work` in a thread of its own; its slot is free again when it returns.

    Raises:
        UpstreamFailed: it was not begun.
    """
    future = _begun(slots)

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  not even a SystemExit takes more than its own thread
            slots.give_back()
            future.set_exception(error)
        else:
            slots.give_back()
            future.set_result(result)

    try:
        # A thread costs some 50 us. One that waits for the next errand would have to be told when to leave.
        Thread(target=run, name=f"interlock-tool-{name}", daemon=True).start()
    except RuntimeError as error:
        slots.give_back()
        raise UpstreamFailed("no thread can be started, so nothing was begun", fix="call again later") from error
    return future


def on_loop(loop: "ToolLoop", slots: Slots, work: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
    """Begin `work` on the loop that tools share; its slot is free again when it returns.

    Raises:
        UpstreamFailed: it was not begun.
    """
    future = _begun(slots)

    async def run() -> None:
        try:
            result = await work()
        except BaseException as error:  # noqa: BLE001  not even a SystemExit takes the loop of the others
            slots.give_back()
            future.set_exception(error)
        else:
            slots.give_back()
            future.set_result(result)

    loop.submit(run)
    return future


def _begun(slots: Slots) -> "Future[Any]":
    slots.take()
    future: Future[Any] = Future()
    # From here on it cannot be cancelled: whoever stops waiting for it stops nothing.
    future.set_running_or_notify_cancel()
    return future


def ending_of(ended: "Future[T] | asyncio.Future[T]") -> T | Exception:
    """Return what work that has ended returned or raised."""
    error = ended.exception()
    if error is None:
        return ended.result()
    assert isinstance(error, Exception), "a function's own exits were turned into exceptions"
    return error


class ToolLoop:
    """The loop that async tools share. One that blocks it stalls other async tools, and nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = Thread(target=self._loop.run_forever, name="interlock-tools", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._loop.call_soon_threadsafe(self._start, work)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End what waits. What blocks the loop is left behind: its thread is a daemon."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        self._thread.join(TOOL_LOOP_STOP_SECONDS_MAX)
        if not self._thread.is_alive():
            self._loop.close()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._loop.stop()
