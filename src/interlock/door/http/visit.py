"""One request that was let in: who asks, for which tenant, and what they said, read and checked."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from orjson import Fragment

from interlock.core.action import Action
from interlock.core.credential import ANYBODY, AccessRole
from interlock.core.ids import PersonId, WorkflowId
from interlock.door.asgi import Scope, header
from interlock.door.entrance import Entrance
from interlock.door.http.problem import Problem, not_let_in
from interlock.door.http.watch import Watches
from interlock.gateway.call import Gateway
from interlock.gateway.doors import Operator
from interlock.identity.bearer import GONE, Bearer, BearerKind, still_good
from interlock.ports import Needs, Rows, TenantStore

Query = TypeVar("Query")
Body = TypeVar("Body")

DETAIL = frozenset({AccessRole.OPERATOR, AccessRole.APPROVER, AccessRole.AUDITOR, AccessRole.ADMIN})
"""Who reads what agents sent and what came back, and not only that something did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Generic[Query, Body]):
    """What a route is given."""

    gateway: Gateway
    entrance: Entrance
    watches: Watches
    known: Bearer | None
    roles: frozenset[AccessRole]
    """Those that open the route."""
    scope: Scope
    path: Mapping[str, str]
    query: Query
    body: Body
    document: Callable[[], Fragment]
    """Describes the whole API."""

    @property
    def bearer(self) -> Bearer:
        """Whoever was let in."""
        assert self.known is not None, "a route that looks at who asks lets nobody in who is not known"
        return self.known

    @property
    def store(self) -> TenantStore:
        """The part of the store that belongs to the tenant of whoever asks. They write as long as they are let in."""
        return self.gateway.store.for_tenant(self.bearer.tenant).held(self._let_in)

    def header(self, name: str) -> str | None:
        return header(self.scope, name.lower().encode())

    @property
    def by(self) -> Operator:
        """Whoever asks, as the ledger names them. Who is no person is named by how they are known."""
        bearer = self.bearer
        person = bearer.person if bearer.person is not None else PersonId(bearer.known_by)
        process = self.gateway.process
        return Operator(person=person, known_by=bearer.known_by, process=process, roles=bearer.roles)

    @property
    def is_agent(self) -> bool:
        return self.bearer.kind is BearerKind.AGENT

    async def still_let_in(self) -> None:
        """Look again at whoever has waited for an answer.

        Raises:
            Problem: what let them in was revoked meanwhile, or has ended.
        """
        self._let_in(await self.store.read(Needs()))

    def _let_in(self, rows: Rows) -> None:
        if not still_good(rows.door, rows.now, self.bearer):
            raise not_let_in(GONE)

    def may_here(self, workflow: WorkflowId | None) -> bool:
        """Whether whoever asks holds a role that opens this route, in a workflow or in all of the tenant."""
        return any(self.bearer.may(role, workflow) for role in self.roles)

    def not_here(self, what: str) -> Problem:
        """Say that a role is missing in this place, though it is there in another."""
        fix = f"ask for a token with one of the roles {names_of(self.roles)}, of that workflow or of the whole tenant"
        return Problem("not-permitted", f"this token is not for that place: {what} takes a role there", fix=fix)

    def may_detail(self, workflow: WorkflowId) -> bool:
        """Whether they may read arguments and results."""
        return any(self.bearer.may(role, workflow) for role in DETAIL)

    def may_see(self, action: Action) -> bool:
        """Whether an action is theirs to look at: for agents their own, for others those of their workflows."""
        bearer, caller = self.bearer, action.caller
        if not self.is_agent:
            return self.may_here(caller.workflow)
        return (
            action.by is None
            and (caller.workflow, caller.environment) == (bearer.workflow, bearer.environment)
            and (not bearer.agents or caller.agent in bearer.agents)
            and bearer.principal in (ANYBODY, caller.principal)
        )


def names_of(roles: Collection[AccessRole]) -> str:
    """Name roles, as a person would."""
    return ", ".join(sorted(role.value for role in roles))
