"""A way to one server, whatever it is made of: a question in, an answer out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from interlock.core.canonical import Json
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.limits import PERFORM_SECONDS_MAX
from interlock.core.mcp import PROMPTS_CHANGED, RESOURCE_UPDATED, RESOURCES_CHANGED, TOOLS_CHANGED
from interlock.tool.mcp import wire
from interlock.tool.mcp.wire import RpcError

Answer = msgspec.Raw | RpcError

LISTEN_SECONDS = 3_600.0  # of one stream; then it is opened anew
LOOK = "look whether the server runs, and what it writes about itself"


class Way(Protocol):
    """The way back to whoever made a call, while it is under way."""

    @property
    def token(self) -> str:
        """What progress of the call carries."""
        ...

    def hear(self, method: str, params: Mapping[str, Any]) -> None:
        """Take what the server says without being asked."""
        ...

    async def answer(self, method: str, params: Mapping[str, Any]) -> Json:
        """Answer what the server asks.

        Raises:
            UpstreamFailed: it gets no answer.
        """
        ...


class Deaf:
    """The way back where nobody is at the other end."""

    token = ""

    def hear(self, method: str, params: Mapping[str, Any]) -> None:
        pass

    async def answer(self, method: str, params: Mapping[str, Any]) -> Json:
        raise UpstreamFailed("nobody is there to be asked", fix=LOOK)


DEAF = Deaf()


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a server is asked something."""

    name: str = ""
    """Which tool, where it is about one."""
    mirrored: Mapping[str, str] = field(default_factory=dict[str, str])
    """Arguments that stand in a header as well, where there are headers."""
    before: Callable[[], None] = lambda: None
    """Called just before the first byte leaves; what it raises goes through."""
    way: Way = DEAF
    """Takes what is said, and answers what is asked, in the meantime."""
    seconds: float = PERFORM_SECONDS_MAX
    """How long an answer over HTTP may take."""


PLAINLY = How()


async def answer_to(asked: wire.Incoming, way: Way) -> bytes:
    """Answer what a server asks of us. It may know that we are there; anything else is asked of whoever calls."""
    method = asked.method or ""
    if method == "ping":
        return wire.answer(asked.id, {})
    try:
        return wire.answer(asked.id, await way.answer(method, wire.params_of(asked)))
    except UpstreamFailed:
        return wire.refusal(asked.id)


CHANGES = frozenset({TOOLS_CHANGED, PROMPTS_CHANGED, RESOURCES_CHANGED, RESOURCE_UPDATED})
"""What a server says of itself rather than of a call."""

Noticed = Callable[[str, Mapping[str, Any]], None]
"""Takes one of `CHANGES`."""


def nobody_noticed(method: str, params: Mapping[str, Any]) -> None:
    """Let it pass."""


class Link(Protocol):
    """A way to one server. What was lost stays lost; whoever needs it makes a new one."""

    tools_changed: bool
    """Whether the server said that its tools are not what they were."""
    noticed: Noticed
    """Takes what the server says has changed."""

    @property
    def alive(self) -> bool: ...

    def speak(self, version: str) -> None:
        """Take on a version of the protocol, once that is known."""
        ...

    async def ask(self, method: str, params: Mapping[str, Any], how: How = PLAINLY) -> Answer:
        """Ask and wait for the answer.

        Raises:
            UpstreamFailed: nothing was sent, or it was surely not begun.
            UpstreamSilent: it was sent, and nobody knows more.
        """
        ...

    async def listen(self) -> None:
        """Hear what the server says by itself in a session, until it ends that.

        Raises:
            UpstreamFailed: that takes no stream of its own, or there is none.
            UpstreamSilent: it broke off.
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


class LoginWanted(UpstreamFailed):
    """The server does not take what was shown, or wants it to be good for more."""

    def __init__(self, message: str, *, fix: str, said: str = "", taken: bool = False) -> None:
        super().__init__(message, fix=fix, said=said)
        self.taken = taken
        """Whether it knows what was shown."""


def unsent(server: str, why: str) -> UpstreamFailed:
    """Say that nothing left."""
    return UpstreamFailed(f"`{server}` {why}, so nothing was sent", fix=LOOK)
