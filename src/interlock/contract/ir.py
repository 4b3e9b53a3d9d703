"""A contract as typed values: what an agent may do, at what cost, with whose consent. YAML is read elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from interlock.budget.period import Period
from interlock.core.canonical import JsonObject
from interlock.core.charge import Unit
from interlock.core.decision import OnChange
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import (
    AgentId,
    Environment,
    Micros,
    PersonId,
    Role,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.policy.rule import Place, Rule

ArgumentRole = Literal["id", "target", "quantity", "payload", "const"]
OnRepeat = Literal["return", "ask", "new"]
ToolErrors = Literal["", "no_effect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What an argument means: which object, whom it reaches, how much, or mere content."""

    role: ArgumentRole
    unit: str = ""
    """Of a quantity: `usd` makes it money that the agent moves."""
    domains: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a place in a result may be trusted with, and the shape it must have for that."""

    path: str
    trusted: bool
    shape: str = ""
    is_id: bool = False
    pii: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A read that the gateway makes itself. An argument is a path (`$.args.x`, `$.result.y`) or a literal."""

    tool: ToolName
    """A tool of the contract. A source that was written in place of one is a tool of that name."""
    args: Mapping[str, str] = field(default_factory=dict[str, str])
    """Nothing said: a fact is looked up without arguments, any other hook gets the arguments of the action."""
    within: Micros = Micros(0)
    """Of a fact: how old it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How an effect is reversed, and until when."""

    tool: ToolName
    args: Mapping[str, str]
    within: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """The same effect on the same business key, from any run, is refused."""

    on: tuple[str, ...]
    within: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where the operations of a document are reached."""

    url: str = ""
    """In every environment; nothing said is what the document names."""
    urls: Mapping[Environment, str] = field(default_factory=dict[Environment, str])
    """In some environments. One that is not named has none."""
    private: bool = False
    """Whether it may be in a private network, or on this machine, and be reached without TLS: in every environment."""
    private_in: frozenset[Environment] = frozenset()
    """In some environments."""

    def url_in(self, environment: Environment) -> str:
        return self.url or self.urls.get(environment, "")

    def is_private_in(self, environment: Environment) -> bool:
        return self.private or environment in self.private_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where the statements of a file are carried out: a SQLite file, or Postgres."""

    sqlite: str = ""
    """The file, in every environment."""
    sqlite_in: Mapping[Environment, str] = field(default_factory=dict[Environment, str])
    address: str = ""
    """Of Postgres, without a password, in every environment; nothing said is the secret of each tool."""
    address_in: Mapping[Environment, str] = field(default_factory=dict[Environment, str])
    role: str = ""
    """Of Postgres: in whose rights statements are carried out."""
    tenant_setting: str = "app.tenant"
    """Of Postgres: the setting that policies of row-level security look at."""

    @property
    def is_sqlite(self) -> bool:
        return bool(self.sqlite or self.sqlite_in)

    def place_in(self, environment: Environment) -> str:
        """Return the file or the address."""
        if self.is_sqlite:
            return self.sqlite or self.sqlite_in.get(environment, "")
        return self.address or self.address_in.get(environment, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One thing an agent may be able to do. Whatever is not said is read in the strict direction."""

    name: ToolName
    source: str
    """Where it comes from: `python:module:function`, `mcp:server/tool`, `openapi:FILE#operationId`, `sql:FILE#name`,
    `browser:FILE#name`."""
    place: Place
    effect: EffectClass = EffectClass.OPAQUE
    effect_unsaid: bool = False
    """The contract leaves it to the source: publishing takes what that can tell, such as the method of a request."""
    tier: Tier = Tier.RED
    kind: str = ""
    """The class of tools that a rule may name, such as `refund`."""
    price: int | None = None
    """Micro-dollars a call; nothing said is unknown, and unknown is refused."""
    timeout: Micros = Micros(30_000_000)
    retries: int = 0
    backoff: Micros = Micros(200_000)
    resend_within: Micros | None = None
    """How long after the start a request may be sent again whose process is gone; nothing said is never."""
    slots: int = 8
    """How many errands it carries at once."""
    isolate: bool = False
    """Whether it runs in a child process that can be killed."""
    outside: bool = False
    """Whether a call leaves for a host that outsiders can reach."""
    secret: str = ""
    """The credential that it gets; it belongs to this workflow, in each environment another one."""
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of an operation that needs several at once: their names, by the security schemes that they go into."""
    idempotency_header: str = ""
    urls: tuple[str, ...] = ()
    """Of a page: the addresses that may be read; one that ends with `*` is the beginning of them."""
    arguments: Mapping[str, Argument] = field(default_factory=dict[str, Argument])
    labels: tuple[Label, ...] = ()
    keep: tuple[str, ...] = ()
    cache_ttl: Micros = Micros(0)
    unique: Unique | None = None
    serialize: str = ""
    subject: str = ""
    """The path of the argument that names the person whose data this is; nothing said is the run."""
    preview: Hook | None = None
    reconcile: Hook | None = None
    before: Hook | None = None
    after: Hook | None = None
    expect: tuple[str, ...] = ()
    """Fields of the preview that must still be the same as the effect starts."""
    undo: Undo | None = None
    check: tuple[str, ...] = ()
    """Post-conditions, as expressions over `args` and `result`."""
    on_repeat: OnRepeat = "return"
    only_for_facts: bool = False
    only_as_undo: bool = False
    errors: ToolErrors = ""
    """What it means that a tool says that it failed: `no_effect`, or that nobody knows."""
    # What publishing finds out and pins.
    description: str = ""
    schema: JsonObject | None = None
    """JSON Schema (2020-12) of the arguments."""
    result_schema: JsonObject | None = None
    how: JsonObject | None = None
    """What performing needs to know beside it: the operation, the statement, the server."""
    pin: str = ""
    """The hash of all that publishing found out; another one is another tool."""

    @property
    def every_secret(self) -> frozenset[str]:
        """The names of all credentials that it gets."""
        return frozenset((*([self.secret] if self.secret else ()), *self.secrets.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server whose tools may be tools of the contract: a command that is started here, or an address."""

    place: Place
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """All that it sees of an environment beside where programs are; `secret:NAME` stands for a secret."""
    sandbox: bool | None = None
    """Whether it must run in a sandbox, or must not; nothing said is where there is one."""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    secret: str = ""
    """The credential that is sent as `Authorization: Bearer`."""
    private: bool = False
    """Whether it may be in a private network, or on this machine."""
    protocol: str = ""
    """The version of MCP that it speaks; nothing said is found out."""
    apart: "Mapping[Environment, Server]" = field(default_factory=dict[Environment, "Server"])
    """Where it is another one, each as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit on what is spent in a period, by the workflow or by one of its tools."""

    unit: Unit
    period: Period
    limit: int
    place: Place
    tool: ToolName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Who agrees to what a tier asks for."""

    approvers: frozenset[Role]
    quorum: int = 1
    each: bool = False
    expires: Micros = Micros(48 * 3600 * 1_000_000)
    step_up: bool = False
    on_change: OnChange = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAsk:
    """Calls of every tool of a class ask, above an amount or always. Rules come from it once such tools are there."""

    kind: str
    place: Place
    over: int | None = None
    """In micro-dollars; nothing said is always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """How consent is given in this workflow."""

    yellow: Consent | None = None
    red: Consent | None = None
    separation_of_duties: bool = True
    remind: tuple[int, ...] = ()
    """When to remind, in percent of the time until the approval expires."""
    on_expiry: Literal["refuse", "handoff"] = "refuse"
    people: Mapping[Role, frozenset[PersonId]] = field(default_factory=dict[Role, frozenset[PersonId]])
    """Who holds a role, until a login says so."""
    keys: Mapping[PersonId, frozenset[str]] = field(default_factory=dict[PersonId, frozenset[str]])
    """Whose a key file is, and whose a login at an issuer, so that one person with several of them is one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unenforced:
    """A section that is checked and kept, and whose judge this version lacks."""

    section: str
    place: Place
    honoured_by: str
    """The part that will honour it, in the words of the documentation."""
    protects: bool
    """Whether mode `act` in production relies on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """Something that the file does not say and that was read in the strict direction."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """How many equal calls in a run are a loop."""

    equal_calls: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a workflow may do."""

    workflow: WorkflowId
    tenant: TenantId
    place: Place
    owner: str = ""
    cost_center: str = ""
    runbook: str = ""
    modes: Mapping[Environment, Mode] = field(default_factory=dict[Environment, Mode])
    agents: Mapping[AgentId, str] = field(default_factory=dict[AgentId, str])
    tools: Mapping[ToolName, Tool] = field(default_factory=dict[ToolName, Tool])
    tool_timeout: Micros = Micros(30_000_000)
    """Of a tool that says none."""
    hosts: Mapping[str, Host] = field(default_factory=dict[str, Host])
    """By document, as `from` names it."""
    databases: Mapping[str, Database] = field(default_factory=dict[str, Database])
    """By file of statements, as `from` names it."""
    servers: Mapping[str, Server] = field(default_factory=dict[str, Server])
    rules: tuple[Rule, ...] = ()
    class_asks: tuple[ClassAsk, ...] = ()
    """Where the rules that ask for a class of tools come from."""
    cedar: Mapping[str, str] = field(default_factory=dict[str, str])
    """The organisation's own policy files, by name, as text."""
    policy_files: tuple[str, ...] = ()
    facts: Mapping[str, Hook] = field(default_factory=dict[str, Hook])
    unknown_facts: frozenset[str] = frozenset()
    """Facts that the contract says nobody can look up. They are always unknown, which is a no."""
    approvals: Approvals = Approvals()
    budgets: tuple[Budget, ...] = ()
    loop: Loop = Loop()
    fallback: Mapping[str, str] = field(default_factory=dict[str, str])
    handoff_queue: str = ""
    purpose: str = ""
    """What data about people is kept for, in words for people."""
    payload_days: int | None = None
    """For how many days payloads may be kept after the month in which they came; nothing said is until erased."""
    ledger_days: int | None = None
    """For how many days the ledger tells of an action after its last change; nothing said is for ever."""
    unsafe_durability: bool = False
    accept_unenforced: frozenset[str] = frozenset()
    unenforced: tuple[Unenforced, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    kept: JsonObject = field(default_factory=dict[str, object])
    """Sections as they were written whose judge this version lacks."""
