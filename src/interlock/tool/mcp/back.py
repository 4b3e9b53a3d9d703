"""The way back from a server, in the middle of a call, to whoever asked for it: what it wants to know, what it says.

What is asked of whoever asked is an action of its own, which the contract must name: the line of the errand sees to
that. Here it is only put into other words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import msgspec

from interlock.core.canonical import Json
from interlock.core.errand import Line, Performed, Question
from interlock.core.errors import UpstreamFailed
from interlock.core.mcp import CAPABILITIES_KEY, CAPABILITY_MISSING, LEVEL_KEY
from interlock.tool.mcp import wire
from interlock.tool.mcp.credentials import Secrets, answer_without, without_all
from interlock.tool.mcp.wire import RpcError
from interlock.tool.with_secret import takes_long

KINDS: Mapping[str, str] = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
"""What a server may want of a client, by the method that asks for it."""
_QUESTIONS_MAX = 16  # at once; no person reads more
_TOLD = frozenset({"notifications/progress", "notifications/message"})
_tokens = count(1)


class Unanswered(UpstreamFailed):
    """A server had begun, wanted something before it goes on, and did not get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """The way back of one call."""

    server: str
    line: Line | None = None
    secrets: Secrets = field(default_factory=dict[str, Any])
    """What the server was given: nothing of it is shown to whoever is asked."""
    token: str = ""
    """What the server's progress carries."""

    @classmethod
    def of(cls, server: str, line: Line | None, secrets: Secrets) -> "Back":
        """Begin a call."""
        return cls(server=server, line=line, secrets=secrets, token=f"interlock-{next(_tokens)}")

    def capabilities(self) -> dict[str, Json]:
        """Say what the other end of the line can be asked for, as a client announces it."""
        can = self.line.can(self.server) if self.line is not None else frozenset[str]()
        said: dict[str, Json] = {kind: {} for kind in KINDS.values() if kind in can}
        if "elicitation.url" in can:
            said["elicitation"] = {"form": {}, "url": {}}
        if "sampling.tools" in can:
            said["sampling"] = {"tools": {}}
        return said

    def meta(self, *, stateless: bool) -> dict[str, Json]:
        """Say what the other end wants to hear of in the meantime."""
        progress, level = self.line.hears() if self.line is not None else (False, None)
        said: dict[str, Json] = {"progressToken": self.token} if progress else {}
        if stateless:
            said |= {CAPABILITIES_KEY: self.capabilities(), **({LEVEL_KEY: level} if level is not None else {})}
        return said

    def hear(self, method: str, params: Mapping[str, Any]) -> None:
        """Pass on what a server says in the meantime. What takes long to look through for its secrets is dropped."""
        said = {name: value for name, value in params.items() if name != "_meta"}
        if self.line is not None and method in _TOLD and not (self.secrets and takes_long(said)):
            shown = without_all(self.secrets, Performed(result=said)).result
            if isinstance(shown, Mapping):
                self.line.tell(method, shown)

    async def ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Json]:
        """Have what a server wants to know answered, each question by its name.

        Raises:
            Unanswered: it wants too much, or something that it may not have, or nobody answers.
        """
        if self.line is None or not 0 < len(wanted) <= _QUESTIONS_MAX:
            raise self.unanswered("wants something that nobody offers it")
        questions = {name: await self._question(asked) for name, asked in wanted.items()}
        try:
            return await self.line.ask(questions)
        except UpstreamFailed as error:
            raise self.unanswered(f"wants an answer that it does not get ({error})", error.fix) from None

    async def answer(self, method: str, params: Mapping[str, Any]) -> Json:
        """Answer one question that a server asks as a request of its own.

        Raises:
            Unanswered: it may not have that, or nobody answers.
        """
        return (await self.ask({"answer": {"method": method, "params": params}}))["answer"]

    def note(self, error: RpcError) -> None:
        """Pass on which capability a server would have needed."""
        if error.code != CAPABILITY_MISSING or self.line is None:
            return
        try:
            needed = msgspec.json.decode(error.data, type=_Needed).required
        except wire.Unreadable:
            return
        for kind in KINDS.values():
            if kind in needed:
                self.line.lacks(kind)

    def unanswered(self, why: str, fix: str = "look at what it asks, and whether the contract names it") -> Unanswered:
        """Say that a server does not get what it wants before it goes on."""
        return Unanswered(f"`{self.server}` {why}", fix=fix)

    async def _question(self, asked: object) -> Question:
        said: Mapping[str, Any] = cast("Mapping[str, Any]", asked) if isinstance(asked, Mapping) else {}
        method, params = said.get("method"), said.get("params")
        kind = KINDS.get(method) if isinstance(method, str) else None
        if kind is None or not isinstance(params, Mapping | None) or kind not in self.capabilities():
            raise self.unanswered("wants something that nobody offers it")
        shown = {name: value for name, value in cast("Mapping[str, Any]", params or {}).items() if name != "_meta"}
        left = (await answer_without(self.secrets, Performed(result=shown))).result
        if not isinstance(left, Mapping):
            raise self.unanswered("asks what cannot be looked through")
        return Question(source=f"mcp:{self.server}/{kind}/*", method=cast("str", method), params=left)


class _Needed(msgspec.Struct, frozen=True):
    required: dict[str, Any] = msgspec.field(name="requiredCapabilities", default_factory=dict[str, Any])
