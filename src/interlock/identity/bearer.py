"""Who shows a token, and as whom they may ask. Pure: a door, a time and a text in, a bearer out."""

import hmac
from collections.abc import Collection
from enum import Enum

from msgspec import Struct

from interlock.core.action import Caller
from interlock.core.credential import ANYBODY, AccessRole, Credential, CredentialKind, Held, Issuer, Right
from interlock.core.door import Door
from interlock.core.ids import (
    AgentId,
    CredentialId,
    Environment,
    Instant,
    PersonId,
    PrincipalId,
    TenantId,
    WorkflowId,
)
from interlock.core.limits import JWT_SKEW_SECONDS
from interlock.identity.token import read


class BearerKind(Enum):
    """Who stands at the door."""

    AGENT = "agent"
    SERVICE = "service"
    PERSON = "person"


class Bearer(Struct, frozen=True, kw_only=True):
    """Whoever was let in: who they are, how they are known, and what they may do."""

    tenant: TenantId
    kind: BearerKind
    known_by: str
    """`token:ID` or `oidc:ISSUER`, as it stands in the ledger."""
    credential: CredentialId | None = None
    workflow: WorkflowId | None = None
    environment: Environment | None = None
    agents: tuple[AgentId, ...] = ()
    """As whom they may propose; nothing said is any agent of the contract."""
    principal: PrincipalId = ANYBODY
    """On whose behalf; `*` is whomever they name."""
    roles: tuple[Held, ...] = ()
    person: PersonId | None = None
    """The person, where it is one."""
    issuer: Issuer | None = None
    """Who vouches for them, if somebody does, as it was believed when they were let in."""
    rights: tuple[Right, ...] = ()
    """The roles for a while that are among theirs."""
    rate: int = 0
    """How many calls a minute; 0 is as many as the door lets everybody make."""
    key: str = ""
    """The public key that must have signed every proposal."""
    ends_at: Instant

    def may(self, role: AccessRole, workflow: WorkflowId | None = None) -> bool:
        """Whether they hold a role in a workflow, or, with none named, in all of the tenant."""
        return any(held.covers(role.value, workflow) for held in self.roles)


class Wrong(Enum):
    """Why somebody is not let in."""

    MALFORMED = "malformed"  # no token, or one that is mistyped or cut off
    UNKNOWN = "unknown"  # nothing that was issued here: forged, or gone long ago
    EXPIRED = "expired"
    REVOKED = "revoked"
    FOREIGN = "foreign"  # of another tenant
    OUT_OF_SCOPE = "out_of_scope"  # known, and not for this


class NotKnown(Struct, frozen=True, kw_only=True):
    """Why somebody is not let in. The text may be shown: it says nothing that whoever shows a token did not know."""

    wrong: Wrong
    why: str
    fix: str


_ANOTHER = "ask whoever runs this for another one: `interlock token new NAME --workflow W --env E --expires 90d`"
_MALFORMED = NotKnown(
    wrong=Wrong.MALFORMED,
    why="this is no token: it is mistyped, cut off, or something else",
    fix="send all of it as it was printed: `Authorization: Bearer ilk_...`",
)
_UNKNOWN = NotKnown(wrong=Wrong.UNKNOWN, why="this token is not known here", fix=_ANOTHER)
GONE = NotKnown(
    wrong=Wrong.REVOKED, why="this token opens nothing any more", fix="ask whoever runs this for another one"
)
"""Whoever was let in, and would not be any more."""
FOREIGN = NotKnown(
    wrong=Wrong.FOREIGN, why="this token is of another tenant", fix="name the tenant that it was issued for, or none"
)


_NAME_CHARS_MAX = 200
_NAMES = f"use 1 to {_NAME_CHARS_MAX} characters that can be seen, or spaces"


def tenant_of(text: str) -> TenantId | NotKnown:
    """Say whose door a token is to be held against, before any store is asked."""
    presented = read(text)
    return presented.tenant if presented is not None else _MALFORMED


def bearer_of(door: Door, now: Instant, text: str, *, tenant: TenantId | None = None) -> Bearer | NotKnown:
    """Say who shows a token.

    Args:
        door: that of the tenant that `tenant_of` named.
        now: what ended by then opens nothing.
        text: the token as it was sent.
        tenant: the tenant that the question is about, where it names one.
    """
    presented = read(text)
    if presented is None:
        return _MALFORMED
    if tenant is not None and presented.tenant != tenant:
        return FOREIGN
    known = door.credentials.get(presented.id)
    # Whoever lacks the secret hears the same of every id, whether or not there is such a token.
    if not hmac.compare_digest(known.hash if known is not None else _NO_HASH, presented.hash) or known is None:
        return _UNKNOWN
    if known.revoked_at:
        return NotKnown(wrong=Wrong.REVOKED, why="this token was revoked", fix=_ANOTHER)
    if now >= known.expires_at:
        return NotKnown(wrong=Wrong.EXPIRED, why="this token has expired", fix=_ANOTHER)
    return _bearer(presented.tenant, known)


_NO_HASH = "-" * 64


def _bearer(tenant: TenantId, known: Credential) -> Bearer:
    kinds = {CredentialKind.AGENT: BearerKind.AGENT, CredentialKind.SERVICE: BearerKind.SERVICE}
    return Bearer(
        tenant=tenant,
        kind=kinds[known.kind],
        known_by=known.known_by,
        credential=known.id,
        workflow=known.workflow,
        environment=known.environment,
        agents=known.agents,
        principal=known.principal,
        roles=known.roles,
        rate=known.rate,
        key=known.key,
        ends_at=known.ends_at,
    )


def still_good(door: Door, now: Instant, bearer: Bearer) -> bool:
    """Whether somebody who was let in would still be, with all that they were let in with."""
    known = door.credentials.get(bearer.credential) if bearer.credential is not None else None
    revoked = bearer.credential is not None and (known is None or known.revoked_at != 0)
    believed = bearer.issuer is None or door.issuers.get(bearer.issuer.name) == bearer.issuer
    holds = all(right in door.rights and now < right.until for right in bearer.rights)
    spare = 0 if bearer.issuer is None else JWT_SKEW_SECONDS * 1_000_000
    return not revoked and believed and holds and now < bearer.ends_at + spare


def caller_of(
    bearer: Bearer,
    *,
    agents: Collection[AgentId] = (),
    agent: AgentId | None = None,
    principal: PrincipalId | None = None,
    workflow: WorkflowId | None = None,
    environment: Environment | None = None,
) -> Caller | NotKnown:
    """Say as whom a bearer proposes. What they name can only be what they are let in for.

    Args:
        bearer: whoever shows the token.
        agents: those of the contract in force; one need not be named where there is only one.
        agent: the agent that they name,
        principal: on whose behalf,
        workflow: in which workflow,
        environment: and where. Nothing said is what the token is for.
    """
    if bearer.kind is not BearerKind.AGENT or bearer.workflow is None or bearer.environment is None:
        return _not_for(
            "to propose actions",
            "ask for a token of an agent: `interlock token new NAME --workflow W --env E --expires 90d`",
        )
    if not all(_is_name(name) for name in (agent, principal) if name is not None):
        return NotKnown(wrong=Wrong.OUT_OF_SCOPE, why="what names agent or principal is no name", fix=_NAMES)
    if workflow not in (None, bearer.workflow):
        return _not_for("for that workflow", f"it is for `{bearer.workflow}`: name that one, or none")
    if environment not in (None, bearer.environment):
        return _not_for("for that environment", f"it is for `{bearer.environment}`: name that one, or none")
    chosen = _agent_of(bearer, agents, agent)
    if isinstance(chosen, NotKnown):
        return chosen
    behalf = _principal_of(bearer, principal)
    if isinstance(behalf, NotKnown):
        return behalf
    return Caller(
        tenant=bearer.tenant,
        workflow=bearer.workflow,
        environment=bearer.environment,
        agent=chosen,
        principal=behalf,
        known_by=bearer.known_by,
    )


def _agent_of(bearer: Bearer, agents: Collection[AgentId], named: AgentId | None) -> AgentId | NotKnown:
    """Say which agent asks: the one that is named, or the only one that it can be."""
    allowed = bearer.agents or tuple(agents)
    if named is None and len(allowed) != 1:
        which = f"name one of {', '.join(f'`{each}`' for each in sorted(allowed))}" if allowed else "name it"
        how = f"{which}: `agent` in the body, or over MCP `Interlock-Agent`; or issue a token `--agent A`"
        return _unsaid("which agent asks", how)
    chosen = named if named is not None else allowed[0]
    if bearer.agents and chosen not in bearer.agents:
        return _not_for("for that agent", f"it is for {', '.join(bearer.agents)}")
    return chosen


def _principal_of(bearer: Bearer, named: PrincipalId | None) -> PrincipalId | NotKnown:
    """Say on whose behalf somebody asks: whom they name, as far as that is open, or whom the token is for."""
    fixed = bearer.principal if bearer.principal != ANYBODY else None
    behalf = named if named is not None else fixed
    if behalf is None or behalf == ANYBODY:
        how = "name them: `principal` in the body, or over MCP `Interlock-For`; or issue a token `--for P`"
        return _unsaid("on whose behalf it asks", how)
    if fixed is not None and behalf != fixed:
        return _not_for("for that principal", f"it is for `{fixed}`: name that one, or none")
    return behalf


def _is_name(text: str) -> bool:
    """Whether people who read a text see all of it."""
    return 1 <= len(text) <= _NAME_CHARS_MAX and text.isprintable()


def _unsaid(what: str, fix: str) -> NotKnown:
    return NotKnown(wrong=Wrong.OUT_OF_SCOPE, why=f"nobody says {what}", fix=fix)


def _not_for(what: str, fix: str) -> NotKnown:
    return NotKnown(wrong=Wrong.OUT_OF_SCOPE, why=f"this token is not {what}", fix=fix)
