"""Questions to the browser itself, in its own protocol: what it answers, no page has a say in."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

from playwright.async_api import CDPSession


async def asked(session: CDPSession, method: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Ask for something, and return the answer."""
    said = dict(params) if params is not None else None
    return cast("Mapping[str, Any]", await session.send(method, said))  # pyright: ignore[reportUnknownMemberType]


def hears(session: CDPSession, event: str, then: Callable[[Mapping[str, Any]], Coroutine[Any, Any, None]]) -> None:
    """Do something whenever the browser says something."""
    under_way = set[asyncio.Task[None]]()

    def heard(said: Mapping[str, Any]) -> None:
        task = asyncio.ensure_future(then(said))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    session.on(event, heard)
