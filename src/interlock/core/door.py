"""The doors of a tenant: all that opens or closes, under one number that only grows."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct, field

from interlock.core.action import Caller
from interlock.core.credential import Credential, Issuer, Right
from interlock.core.effect import EffectClass, Mode
from interlock.core.ids import (
    AgentId,
    ContractHash,
    CredentialId,
    Environment,
    Instant,
    PersonId,
    ProcessId,
    SubjectName,
    ToolName,
    WorkflowId,
)


class SwitchKind(Enum):
    """What a thrown switch leaves possible."""

    STOP = "stop"  # nothing starts
    READ_ONLY = "read_only"  # reads start
    SUGGEST = "suggest"  # reads start, writes end as previews


class Scope(Struct, frozen=True, kw_only=True):
    """What a switch covers: every field that is set must match; nothing set is the whole tenant."""

    workflow: WorkflowId | None = None
    environment: Environment | None = None
    agent: AgentId | None = None
    tool: ToolName | None = None
    effect: EffectClass | None = None

    def covers(self, caller: Caller, tool: ToolName, effect: EffectClass) -> bool:
        wanted = (self.workflow, self.environment, self.agent, self.tool, self.effect)
        found = (caller.workflow, caller.environment, caller.agent, tool, effect)
        return all(want is None or want == is_ for want, is_ in zip(wanted, found, strict=True))

    def __str__(self) -> str:
        named = (
            ("workflow", self.workflow),
            ("environment", self.environment),
            ("agent", self.agent),
            ("tool", self.tool),
            ("class", self.effect.value if self.effect else None),
        )
        return " ".join(f"{name}={value}" for name, value in named if value is not None) or "tenant"


class Switch(Struct, frozen=True, kw_only=True):
    """A person's stop. It holds until a person takes it back."""

    id: str
    kind: SwitchKind
    scope: Scope
    by: PersonId
    at: Instant
    undo_too: bool = False
    """Whether it holds back an operator's undo as well."""


class BreakGlass(Struct, frozen=True, kw_only=True):
    """A recorded, expiring right of one person to let a scope act in spite of a mode or a read-only switch."""

    id: str
    scope: Scope
    by: PersonId
    at: Instant
    until: Instant


class LegalHold(Struct, frozen=True, kw_only=True):
    """A person's word that the data of a subject must not be erased. It holds until a person takes it back."""

    subject: SubjectName
    by: PersonId
    at: Instant
    why: str
    """A code, such as the number of a case; never what is in it."""


class Erasing(Struct, frozen=True, kw_only=True):
    """A key of a subject that is being destroyed. From here on nobody can hold its data for law."""

    subject: SubjectName
    by: PersonId
    at: Instant
    payloads: int


class Expiring(Struct, frozen=True, kw_only=True):
    """The lot whose key a process is destroying because its days are over. Meanwhile nothing can be held for law."""

    lot: str
    """Month and days, `2026-08/90`; `kept` for what was kept longer than its lot."""
    key: SubjectName
    process: ProcessId
    at: Instant


class Published(Struct, frozen=True, kw_only=True):
    """The contract that a workflow runs under in one environment, and how far it may go today."""

    contract: ContractHash
    mode: Mode


class Door(Struct, frozen=True, kw_only=True):
    """One row a tenant, read in each batch. It carries a MAC: edited, everything is refused."""

    epoch: int = 0
    published: Mapping[str, Published] = field(default_factory=dict[str, Published])
    """By `workflow/environment`."""
    switches: tuple[Switch, ...] = ()
    glass: tuple[BreakGlass, ...] = ()
    clock_accepted: Instant = Instant(0)
    """When an operator last vouched for a clock that had jumped."""
    restored: bool = False
    """Whether this came out of a backup and nobody has adopted it yet: nothing starts."""
    adopted: Instant = Instant(0)
    """When a person last took on a ledger that may lack its last entries. What was agreed to, started or asked for
    before may have been carried out in what is lost, so it opens nothing by itself."""
    legal_holds: tuple[LegalHold, ...] = ()
    erasing: tuple[Erasing, ...] = ()
    """What was decided to be erased, until its key is gone."""
    expiring: Expiring | None = None
    generation: int = 1
    """Which generation of the signing key signs every head from here on."""
    credentials: Mapping[CredentialId, Credential] = field(default_factory=dict[CredentialId, Credential])
    """The tokens that agents and services are known by."""
    issuers: Mapping[str, Issuer] = field(default_factory=dict[str, Issuer])
    """Who vouches for people, by name."""
    rights: tuple[Right, ...] = ()
    """Roles that people hold for a while."""

    def of(self, workflow: WorkflowId, environment: Environment) -> Published | None:
        return self.published.get(f"{workflow}/{environment}")
