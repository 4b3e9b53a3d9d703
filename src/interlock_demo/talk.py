"""What stands between an agent and its tools: a door that it calls, and what it hears."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from interlock_demo.ticket import Status

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an agent hears of a call, and nothing more."""

    status: Status
    action: str
    """The id under which a person finds it again."""
    result: Json = None
    reason: str = ""
    """Of a refusal, from the closed list."""
    recalled: bool = False
    """It was answered from memory: the call is one that was made before."""


class Door(Protocol):
    """The one way out that an agent has."""

    async def call(self, run: str, tool: str, arguments: Mapping[str, Json], *, key: str | None = None) -> Reply:
        """Ask for one thing. A refusal is an answer, never an exception."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One call of a run."""

    tool: str
    arguments: Mapping[str, Json]
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How an agent left a ticket, and every call it made on the way."""

    ticket: str
    run: str
    end: Literal["resolved", "waiting", "escalated"]
    calls: tuple[Called, ...]

    @property
    def parked(self) -> tuple[str, ...]:
        """The actions that wait for a person."""
        return tuple(call.reply.action for call in self.calls if call.reply.status == "parked")
