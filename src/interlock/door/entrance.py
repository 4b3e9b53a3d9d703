"""Who comes in: the token of a request, held against the door of its tenant; and by which name of this server.

A page in a browser can have its own name point at this machine (DNS rebinding), so a request says a name that is
served here, and one with an `Origin` comes from here.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from interlock.core.action import Caller
from interlock.core.ids import AgentId, Environment, Instant, PrincipalId, TenantId, WorkflowId
from interlock.door.asgi import Scope, header
from interlock.door.offered import force_of
from interlock.door.rates import Rates
from interlock.gateway.call import Gateway
from interlock.identity.bearer import Bearer, NotKnown, Wrong, bearer_of, caller_of, tenant_of
from interlock.identity.oidc import Issuers, is_of_an_issuer
from interlock.ports import Needs

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TooOften:
    """More calls a minute than a token lets in. In so many seconds there is room for one more."""

    WHY: ClassVar[str] = "more calls a minute than this token lets in"
    seconds: float

    @property
    def retry_after(self) -> tuple[bytes, bytes]:
        """The header that says so, in whole seconds."""
        return (b"retry-after", str(int(self.seconds) + 1).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Lets in whom the door of a tenant knows."""

    gateway: Gateway
    names: Collection[str] = LOOPBACK_NAMES
    """The names that this server is reached by, as `name_of` returns them."""
    rates: Rates = field(default_factory=Rates)
    issuers: Issuers = field(default_factory=Issuers)
    behind_tls: bool = False
    """Whether a proxy in front of this server speaks TLS to the world."""

    def from_here(self, scope: Scope) -> bool:
        """Whether a request names this server, and comes from no page of another one."""
        host = header(scope, b"host")
        if host is None or name_of(host) not in self.names:
            return False
        origin = header(scope, b"origin")
        if origin is None:
            return not any(name == b"origin" for name, _ in scope["headers"])
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and name_of(parts.netloc) in self.names

    async def bearer(self, scope: Scope, *, fresh: bool) -> Bearer | NotKnown | TooOften:
        """Say who sends a request.

        Args:
            scope: the request.
            fresh: whether to read the door anew. Whoever only proposes is looked at again in the transaction that
                starts the action, so there the door that was read last will do.
        """
        found, _ = await self._found(scope, fresh=fresh)
        return found if isinstance(found, NotKnown) else await self._within_rate(found)

    async def still(self, scope: Scope) -> bool:
        """Whether whoever sent a request would be let in now. It counts as no call."""
        found, _ = await self._found(scope, fresh=True)
        return not isinstance(found, NotKnown)

    async def _found(self, scope: Scope, *, fresh: bool) -> tuple[Bearer | NotKnown, Instant]:
        text = _token(scope)
        if text is None:
            return NO_TOKEN, Instant(0)
        if is_of_an_issuer(text):
            return await self._by_an_issuer(scope, text)
        tenant = tenant_of(text)
        if isinstance(tenant, NotKnown):
            return tenant, Instant(0)
        door = None if fresh else self.gateway.doors.get(tenant)
        now = self.gateway.clock.now()
        if door is None:
            rows = await self.gateway.store.for_tenant(tenant).read(Needs())
            door, now = rows.door, rows.now
        named = header(scope, TENANT)
        found = bearer_of(door, now, text, tenant=TenantId(named) if named is not None else None)
        if isinstance(found, NotKnown) and not fresh:
            return await self._found(scope, fresh=True)  # it may have been issued since
        return found, now

    async def caller(
        self,
        bearer: Bearer,
        *,
        agent: AgentId | None,
        principal: PrincipalId | None,
        unnamed: AgentId,
        workflow: WorkflowId | None = None,
        environment: Environment | None = None,
    ) -> Caller | NotKnown:
        """Say as whom a bearer proposes.

        Args:
            bearer: whoever shows the token.
            agent: the agent that they name, if any. One that the contract has alone need not be named.
            principal: on whose behalf.
            unnamed: who asks where neither the token nor the contract names an agent.
            workflow: the workflow that they name, if any.
            environment: the environment that they name, if any.
        """
        agents: tuple[AgentId, ...] = ()
        if agent is None and len(bearer.agents) != 1 and bearer.workflow is not None and bearer.environment is not None:
            force = await force_of(self.gateway, bearer.tenant, bearer.workflow, bearer.environment, fresh=True)
            agents = (tuple(force.contract.agents) or (unnamed,)) if force is not None else ()
        return caller_of(
            bearer, agents=agents, agent=agent, principal=principal, workflow=workflow, environment=environment
        )

    async def _by_an_issuer(self, scope: Scope, text: str) -> tuple[Bearer | NotKnown, Instant]:
        """Say whom an issuer vouches for. Its word names no tenant, so the request does."""
        tenant = header(scope, TENANT) or "default"
        if not TENANT_NAME.fullmatch(tenant):
            return NO_TENANT, Instant(0)
        rows = await self.gateway.store.for_tenant(TenantId(tenant)).read(Needs())
        boot = self.gateway.clock.boot()
        return await self.issuers.bearer(TenantId(tenant), rows.door, text, now=rows.now, boot=boot), rows.now

    async def _within_rate(self, bearer: Bearer) -> Bearer | TooOften:
        wait = await self.rates.take(self.gateway, bearer.tenant, bearer.known_by, bearer.rate)
        return bearer if wait is None else TooOften(seconds=wait)


def is_for_others(why: NotKnown) -> bool:
    """Whether a token is good and not for this; anybody else is to show a token that is."""
    return why.wrong in (Wrong.OUT_OF_SCOPE, Wrong.FOREIGN)


CHALLENGE = (b"www-authenticate", b'Bearer realm="interlock", error="invalid_token"')
"""The header that asks for a token."""

TENANT = b"interlock-tenant"
"""The header that says whose door the word of an issuer is held against. A token of ours says it itself."""

TENANT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)

NO_TENANT = NotKnown(
    wrong=Wrong.MALFORMED, why="what is named is no tenant", fix="send the name of one: `Interlock-Tenant: NAME`"
)

NO_TOKEN = NotKnown(
    wrong=Wrong.MALFORMED,
    why="there is no token",
    fix="send `Authorization: Bearer ilk_...`; make it: `interlock token new NAME --workflow W --env E --expires 90d`",
)


def _token(scope: Scope) -> str | None:
    said = header(scope, b"authorization")
    scheme, _, text = (said or "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text.strip() else None


def name_of(authority: str) -> str:
    """Return the name in `name:port` as names are compared: in lower case, an address of IPv6 in brackets."""
    if authority.startswith("["):
        return authority.partition("]")[0].lower() + "]"
    if authority.count(":") > 1:
        return f"[{authority.lower()}]"
    return authority.partition(":")[0].lower()
