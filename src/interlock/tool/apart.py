"""Running something that waits where nobody can: on a loop of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run something on a loop of its own, whether or not this thread has one."""
    ended: list[T | BaseException] = []

    def run() -> None:
        try:
            ended.append(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001  it is raised again where it was asked for
            ended.append(error)

    thread = Thread(target=run, name="interlock-apart")
    thread.start()
    thread.join()
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]
