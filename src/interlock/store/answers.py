"""Answers for those who wait on a loop, given from another thread."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

Pair = tuple["Future[Any]", object]
"""Who waits, and the answer; an exception is raised where somebody waits for it."""


def tell(pairs: Sequence[Pair]) -> None:
    """Give each its answer. A loop is woken once, however many wait on it."""
    by_loop: dict[AbstractEventLoop, list[Pair]] = {}
    for pair in pairs:
        by_loop.setdefault(pair[0].get_loop(), []).append(pair)
    for loop, told in by_loop.items():
        with suppress(RuntimeError):  # a loop that was closed has nobody left to tell
            loop.call_soon_threadsafe(_tell, told)


def _tell(pairs: Sequence[Pair]) -> None:
    for waiting, answer in pairs:
        if waiting.done():
            continue  # whoever waited has left
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)
