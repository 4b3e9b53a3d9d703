"""A way to one server, whatever it is made of: a question in, an answer out."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from interlock.core.canonical import Json
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.tool.mcp.wire import RpcError

Answer = msgspec.Raw | RpcError

NOTHING: Mapping[str, Json] = {}
LOOK = "look whether the server runs, and what it writes about itself"


class Link(Protocol):
    """A way to one server. What was lost stays lost; whoever needs it makes a new one."""

    tools_changed: bool
    """Whether the server said that its tools are not what they were."""

    @property
    def alive(self) -> bool: ...

    def speak(self, version: str) -> None:
        """Take on a version of the protocol, once that is known."""
        ...

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        name: str = "",
        mirrored: Mapping[str, Json] = NOTHING,
        before: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Ask and wait for the answer.

        Args:
            method: what is asked.
            params: with what.
            name: which tool, where it is about one.
            mirrored: arguments that stand in a header as well, where there are headers.
            before: called just before the first byte leaves; what it raises goes through.

        Raises:
            UpstreamFailed: nothing was sent, or it was surely not begun.
            UpstreamSilent: it was sent, and nobody knows more.
        """
        ...

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Say something that wants no answer. Whether it arrives, nobody knows."""
        ...

    def retire(self) -> None:
        """Close it once nothing is waited for any more."""
        ...

    def close(self) -> None: ...


class LinkLost(UpstreamSilent):
    """The link broke while an answer was waited for."""


def unsent(server: str, why: str) -> UpstreamFailed:
    """Say that nothing left."""
    return UpstreamFailed(f"`{server}` {why}, so nothing was sent", fix=LOOK)
