"""How a call ends, and where an action stands, as values. What says no is raised instead: see `errors`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interlock_sdk.errors import Failed, Receipt, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsFor:
    """Whose consent is wanted: so many people of these roles."""

    roles: Sequence[str]
    people: int

    @property
    def in_words(self) -> str:
        """Say it to a person or a model."""
        people = "one person" if self.people == 1 else f"{self.people} people"
        return f"{people} with the role {' or '.join(self.roles)}" if self.roles else people


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The effect happened."""

    action: str
    result: Any
    check_failed: bool = False
    """It happened, and is not as the contract wants it."""
    undone_by: str | None = None
    """The action that has taken it back since, told with the outcome of an earlier call."""
    recalled: bool = False
    """The record answered: nothing was done again."""
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Nothing has happened: people have to agree first. The same call, or `wait`, tells what has become of it."""

    action: str
    waits_for: Sequence[WaitsFor]
    until: str
    """When it ends by itself, as RFC 3339 writes it."""
    recalled: bool = False
    receipt: Receipt | None = None

    @property
    def in_words(self) -> str:
        """Say it to a person or a model."""
        whose = " and ".join(each.in_words for each in self.waits_for)
        until = re.sub(r"\.\d+", "", self.until)  # nobody reads microseconds
        return f"nothing has happened yet: action {self.action} waits until {until} for the consent of {whose}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """Nothing has happened: this is what would be done. A `draft` may be started by a person."""

    action: str
    preview: Any
    draft: bool
    recalled: bool = False
    receipt: Receipt | None = None

    @property
    def in_words(self) -> str:
        """Say it to a person or a model."""
        then = "a person may start it" if self.draft else "it is only shown"
        return f"nothing has happened: action {self.action} is a suggestion, {then}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """It was started, and nobody knows how it ended. It is not started again by itself; people find out."""

    action: str
    recalled: bool = False
    receipt: Receipt | None = None

    @property
    def in_words(self) -> str:
        """Say it to a person or a model."""
        return f"nobody knows whether action {self.action} has happened: do not ask for it again, people find out"


Outcome = Done | Parked | Suggested | Uncertain
"""What a call returns. Only `Done` has a `result`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Where an action stands."""

    id: str
    state: str
    tool: str
    workflow: str
    environment: str
    agent: str
    principal: str
    run: str
    asked_at: str
    changed_at: str
    outcome: Outcome | Refused | Failed | None
    """How it ended, or what it waits for; nothing while it is under way. A refusal stands here and is not raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that the contract lets this token call."""

    name: str
    description: str
    takes: dict[str, Any]
    """The JSON Schema of its arguments."""
    gives: dict[str, Any] | None
    """The JSON Schema of its result, if it has one."""
    read_only: bool
