"""A route: what is asked for where, who may, what goes in and what comes out. Everything else is made of the table."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from interlock.core.credential import AccessRole
from interlock.door.asgi import TEXT
from interlock.door.http.visit import Visit
from interlock.identity.bearer import Bearer, BearerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Who may take a route. What they see beyond it is narrowed by workflow, and for agents to what is their own."""

    says: str
    roles: frozenset[AccessRole] = frozenset()
    """One of these is enough."""
    agents: bool = False
    """Whether the token of an agent is enough, for what is its own."""
    person: bool = False
    """Whether a role counts only where a person holds it."""
    tenant: bool = False
    """Whether a role counts only where it is one of the whole tenant."""
    anybody: bool = False
    """Whether no token is wanted at all."""

    def lets_in(self, bearer: Bearer) -> bool:
        """Whether somebody may take the route at all."""
        if self.agents and bearer.kind is BearerKind.AGENT:
            return True
        if self.person and bearer.person is None:
            return False
        names = {role.value for role in self.roles}
        return any(held.role in names and not (self.tenant and held.workflow) for held in bearer.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    data: Any
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An answer that is text, all of it or a part at a time."""

    parts: AsyncIterator[bytes]
    kind: bytes = TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """An answer that goes on until somebody ends it: by id, each event as one line of JSON."""

    parts: AsyncGenerator[tuple[str, str, bytes] | None]
    """Id, name and data of an event; nothing while there is none, so that the line is not taken for dead."""


Does = Callable[[Visit[Any, Any]], Awaitable[Answer | Text | Events]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the table."""

    method: str
    path: str
    """With what varies in braces: `/v1/actions/{id}`."""
    name: str
    """As programs that are made from the document call it."""
    needs: Permission
    says: str
    """What it does, in one sentence; what else there is to know stands behind it."""
    does: Does
    answers: Mapping[int, Any]
    """By status, the type of what comes back; a type of content where it is no JSON."""
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers that it reads, each with what it is for."""
    problems: tuple[str, ...] = ()
    """Kinds of problems beside those that every route has."""
