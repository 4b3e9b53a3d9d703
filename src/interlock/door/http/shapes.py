"""What goes over the wire of the API, as types: the document that describes it is made of them."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
"""A name in words, without control characters."""
RunName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$(?!\n)")]
Moment = Annotated[
    str, Meta(description="RFC 3339, in UTC, to the microsecond", extra_json_schema={"format": "date-time"})
]
Decimal = Annotated[str, Meta(description="an exact decimal", pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
Limit = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[str, Meta(min_length=1, max_length=1_024)]
WaitSeconds = Annotated[float, Meta(ge=0, le=30)]
StateName = Literal["parked", "suggested", "refused", "started", "done", "failed", "uncertain", "abandoned"]
ReasonName = Annotated[str, Meta(description="one of the closed list of reasons", pattern=r"^[a-z_]+$")]


class Wrong(Struct, frozen=True, kw_only=True):
    """One thing that is wrong: where, and of which kind. Never what stood there."""

    path: str
    kind: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457), and what to do about it."""

    type: Annotated[str, Meta(pattern="^/v1/problems/[a-z-]+$")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    fix: str
    wrong: list[Wrong] = field(default_factory=list[Wrong])
    outcome: Literal["refused", "failed", ""] = ""
    """With a call that was not carried out: how it ended."""
    action: str = ""
    reason: str = ""
    said: str | None = None
    why: str = ""
    """For roles alone."""
    recalled: bool = False
    receipt: "Receipt | None" = None


class Receipt(Struct, frozen=True, kw_only=True):
    """What holds the ledger to its word: this leaf, at this index, under this signed head."""

    leaf: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    index: Annotated[int, Meta(ge=0)]
    head: str


class WaitsFor(Struct, frozen=True, kw_only=True):
    """Whose consent is wanted: so many people of these roles."""

    roles: list[str]
    people: int


class Requirement(Struct, frozen=True, kw_only=True):
    """Whose consent one rule wants, and who gave it."""

    rule: str
    approvers: list[str]
    quorum: int
    each: bool
    step_up: bool
    given_by: list[str]


class _Told(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="outcome"):
    action: str
    recalled: bool = False
    """Whether the record answered: nothing was done again."""
    receipt: Receipt | None = None


class Done(_Told, frozen=True, kw_only=True, tag="done"):
    """The effect happened."""

    result: Any
    check: Literal["", "passed", "failed"] = ""
    """`failed`: it happened, and is not as the contract wants it."""
    undone_by: str | None = None
    """The action that has taken it back since."""
    cost_usd: Decimal = "0"
    """For roles alone, as is `overrun`."""
    overrun: bool = False


class Parked(_Told, frozen=True, kw_only=True, tag="parked"):
    """Nothing has happened: people have to agree first."""

    waits_for: list[WaitsFor]
    until: Moment
    requirements: list[Requirement] = field(default_factory=list[Requirement])
    """For roles alone, as is `expires_at`."""
    expires_at: Moment = ""


class Suggested(_Told, frozen=True, kw_only=True, tag="suggested"):
    """Nothing has happened: this is what would be done. A draft may be started by a person."""

    preview: Any
    draft: bool


class Refused(_Told, frozen=True, kw_only=True, tag="refused"):
    """Nothing has happened, for this reason."""

    reason: ReasonName
    wrong: list[Wrong] = field(default_factory=list[Wrong])
    why: str = ""
    """For roles alone, as is `fix`."""
    fix: str = ""


class Failed(_Told, frozen=True, kw_only=True, tag="failed"):
    """It was started, and it is sure that nothing happened."""

    said: str | None = None
    """What the other side said about it."""
    why: str = ""
    """For roles alone."""


class Uncertain(_Told, frozen=True, kw_only=True, tag="uncertain"):
    """It was started and nobody knows how it ended; it is not started again by itself."""

    why: str = ""
    """For roles alone."""


Outcome = Done | Parked | Suggested | Refused | Failed | Uncertain


class Propose(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An action that is asked for."""

    tool: Name
    arguments: Annotated[Raw, Meta(extra_json_schema={"type": "object"})] | UnsetType = UNSET
    """A JSON object, as the schema of the tool wants it."""
    run: RunName | None = None
    """The run that it belongs to; without one it gets a run of its own."""
    occurrence: Annotated[int, Meta(ge=1, le=2**53 - 1)] = 1
    """Its number among the equal calls of the run, from 1, as its caller counts them in what it replays."""
    agent: Name | None = None
    """Who asks, where the token is for several agents."""
    principal: Name | None = None
    """On whose behalf, where the token leaves that open."""
    workflow: Name | None = None
    """In which workflow; it can only be that of the token, as can the environment."""
    environment: Name | None = None


class Action(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an action stands. What comes from `effect` on is for roles alone."""

    id: str
    state: StateName
    tool: str
    workflow: str
    environment: str
    agent: str
    principal: str
    run: str
    asked_at: Moment
    changed_at: Moment
    outcome: Outcome | None = None
    """How it ended, or what it waits for; nothing while it is under way, and in lists."""
    effect: str = ""
    tier: str = ""
    asked_by: str | None = None
    cost_usd: Decimal = "0"
    check: str = ""
    reason: str | None = None
    why: str | None = None
    undo_of: str | None = None
    retry_of: str | None = None
    draft_of: str | None = None
    undone_by: str | None = None
    undo_until: Moment | None = None
    pruned: bool = False
    arguments: Any = None


class Actions(Struct, frozen=True, kw_only=True):
    """A page of actions, the one that changed last first. It may have fewer than `limit` and not be the last one."""

    actions: list[Action]
    next: str | None
    """The cursor of the next page; nothing at the end."""


class ListActions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which actions are wanted."""

    state: tuple[StateName, ...] = ()
    run: RunName | None = None
    workflow: Name | None = None
    environment: Name | None = None
    agent: Name | None = None
    principal: Name | None = None
    tool: Name | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class GetAction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait for an action."""

    wait: WaitSeconds = 0
    """Answer once it neither waits nor is under way, at the latest after so many seconds."""


class Tool(Struct, frozen=True, kw_only=True):
    """A tool that agents may call."""

    name: str
    description: str
    effect: Literal["read", "idempotent", "idempotent_key", "queryable", "opaque"]
    """What doing it twice would do."""
    arguments: dict[str, Any]
    """The JSON Schema of its arguments."""
    result: dict[str, Any] | None
    """The JSON Schema of its result, if it has one."""


class Tools(Struct, frozen=True, kw_only=True):
    """The tools that agents may call, in the order of their names."""

    tools: list[Tool]


class Resolve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an action, by the word of whoever says so."""

    verdict: Literal["happened", "did_not_happen", "abandon", "retry"]
    result: Any = None
    """With `happened`: the fields of the result that an undo needs."""
    first_may_still_happen: bool = False
    """With `retry`: whether it is known that the first one may still happen."""


class Resolved(Struct, frozen=True, kw_only=True):
    """What became of the uncertain action, and of the new one if it was done again."""

    action: str
    state: StateName
    retried: Outcome | None


class Undo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an effect is to be reversed."""

    even_if_changed: bool = False
    """Whether to go on although the record has changed since."""


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


class Picture(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a page looked like. One that was erased says so, and has no content."""

    moment: Literal["before", "after"]
    entry: int
    """The index of the entry that names it."""
    commitment: str
    bytes: int | None = None
    sha256: str | None = None
    png_base64: str | None = None
    unreadable: str | None = None


class Story(Action, frozen=True, kw_only=True, omit_defaults=True):
    """The whole story of an action, as `interlock explain --json` prints it."""

    tenant: str
    pruned_by: int | None = None
    under: dict[str, Any]
    """The contract it was judged under, and the numbers of the doors at each step."""
    steps: list[dict[str, Any]]
    """Each entry about it, oldest first."""
    decision: dict[str, Any] | None = None
    """The rules that decided, the facts that they looked at, and why it came out so."""
    consent: dict[str, Any]
    budgets: list[dict[str, Any]]
    gathered_usd: Decimal = "0"
    preview: Any = None
    result: Any = None
    said: Any = None
    full_result: Any = None
    before: Any = None
    after: Any = None
    pictures: list[Picture] = []
    """Which pictures there are, without them."""
    undo: dict[str, Any]
    receipt: Receipt | None = None


class Pictures(Struct, frozen=True, kw_only=True):
    """The pictures of an action, the first one first."""

    pictures: list[Picture]


class ProblemKind(Struct, frozen=True, kw_only=True):
    """What a kind of problem means."""

    type: str
    title: str
    status: int
    means: str


class Document(Struct, frozen=True, kw_only=True):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]
