"""What a tenant keeps of who may come in: tokens, issuers of identities, rights for a while. No secret is among it."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct, field

from interlock.core.ids import AgentId, CredentialId, Environment, Instant, PersonId, PrincipalId, Role, WorkflowId
from interlock.core.limits import CREDENTIAL_KEPT_MICROS

ANYBODY = PrincipalId("*")
"""The principal of a credential whose holder says with each call on whose behalf it is."""


class CredentialKind(Enum):
    """What holds a credential."""

    AGENT = "agent"  # proposes actions of one workflow in one environment
    SERVICE = "service"  # reads, or does what its roles let people do


class AccessRole(Enum):
    """What somebody may do in Interlock itself. Every other role is one that contracts name."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Held(Struct, frozen=True, order=True, array_like=True):
    """A role, in one workflow or in all of the tenant."""

    role: Role
    workflow: WorkflowId | None = None

    def covers(self, role: str, workflow: WorkflowId | None) -> bool:
        """Whether it is this role, there. Of the whole tenant only a role of the whole tenant is one."""
        return self.role == role and self.workflow in (None, workflow)

    def __str__(self) -> str:
        return self.role if self.workflow is None else f"{self.role}@{self.workflow}"

    @classmethod
    def read(cls, text: str) -> "Held":
        """Read what `str` wrote."""
        role, _, workflow = text.partition("@")
        return cls(Role(role), WorkflowId(workflow) if workflow else None)


class Credential(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token as it is kept: what its holder may do, and a hash of it."""

    id: CredentialId
    name: str
    """What people call it."""
    kind: CredentialKind
    hash: str
    """SHA-256 of the text of the token, which has 256 random bits."""
    workflow: WorkflowId | None = None
    environment: Environment | None = None
    agents: tuple[AgentId, ...] = ()
    """As whom its holder may propose; nothing said is any agent of the contract."""
    principal: PrincipalId = ANYBODY
    """On whose behalf; `*` lets its holder say so."""
    roles: tuple[Held, ...] = ()
    created_at: Instant = Instant(0)
    by: PersonId
    expires_at: Instant
    rate: int = 0
    """How many calls a minute; 0 is as many as the door lets everybody make."""
    key: str = ""
    """A public key, `ed25519:` and 64 hex digits, that must have signed every proposal."""
    revoked_at: Instant = Instant(0)

    @property
    def ends_at(self) -> Instant:
        """From when on it opens nothing."""
        return min(self.revoked_at, self.expires_at) if self.revoked_at else self.expires_at

    @property
    def known_by(self) -> str:
        """How the ledger says that its holder was known."""
        return f"{BY_TOKEN}{self.id}"


class Client(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a service of an issuer may do, by the `sub` or the client id in what the issuer signs."""

    kind: CredentialKind
    workflow: WorkflowId | None = None
    environment: Environment | None = None
    agents: tuple[AgentId, ...] = ()
    roles: tuple[Held, ...] = ()


class Issuer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who vouches for people and services: an OpenID provider."""

    name: str
    url: str
    audience: str
    groups_claim: str = "groups"
    groups: Mapping[str, tuple[Held, ...]] = field(default_factory=dict[str, tuple[Held, ...]])
    """By group, the roles of whoever is in it."""
    clients: Mapping[str, Client] = field(default_factory=dict[str, Client])
    by: PersonId
    at: Instant = Instant(0)

    @property
    def known_by(self) -> str:
        """How the ledger says that somebody was known by its word."""
        return f"{BY_ISSUER}{self.name}"


class Right(Struct, frozen=True, kw_only=True):
    """A role that a person holds until a time."""

    id: str
    person: PersonId
    held: Held
    by: PersonId
    at: Instant
    until: Instant


BY_TOKEN = "token:"  # noqa: S105  how the word for whoever is known by a token begins
BY_ISSUER = "oidc:"


def with_issued(
    known: Mapping[CredentialId, Credential], new: Credential, at: Instant
) -> dict[CredentialId, Credential]:
    """Add a credential. Those that ended long ago go: until then their holders hear that it ended."""
    kept = {id: one for id, one in known.items() if at < one.ends_at + CREDENTIAL_KEPT_MICROS}
    return {**kept, new.id: new}


def with_rights(known: tuple[Right, ...], new: Right, at: Instant) -> tuple[Right, ...]:
    """Add a right. Those that are over go."""
    return (*(one for one in known if at < one.until), new)
