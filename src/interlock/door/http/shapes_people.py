"""What goes over the wire about consent, budgets and switches, as types."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

from interlock.door.http.shapes import Action, Cursor, Decimal, Limit, Moment, Name, Requirement, RunName

Seen = Annotated[str, Meta(min_length=1, max_length=128, description="the hash of what was shown, as it was told")]


class Waiting(Action, frozen=True, kw_only=True, omit_defaults=True):
    """An action that waits for people, and whose consent is wanted."""

    requirements: list[Requirement]
    expires_at: Moment
    expired: bool
    seen: Seen
    edited_by: list[str]
    may_have_been_done: bool
    """It was asked for before the ledger was adopted, so it may have been done in what is lost."""


class WaitingList(Struct, frozen=True, kw_only=True):
    """A page of what waits for people."""

    approvals: list[Waiting]
    next: str | None


class ListWaiting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page is wanted."""

    limit: Limit = 50
    cursor: Cursor | None = None


class Question(Waiting, frozen=True, kw_only=True, omit_defaults=True):
    """All that a yes would be about: `seen` is the hash of what stands here."""

    preview: Any
    facts: dict[str, Any]


class Vote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said about: exactly what was shown."""

    seen: Seen


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other arguments for what waits, by somebody who saw the old ones."""

    seen: Seen
    arguments: Annotated[Raw, Meta(extra_json_schema={"type": "object"})]


class Voted(Struct, frozen=True, kw_only=True):
    """What a yes came to. Once nothing is missing, the action goes on by itself."""

    action: str
    grant: str
    by: str
    known_by: str
    rules: list[str]
    complete: bool


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who said so."""

    action: str
    by: str
    known_by: str
    reason: str = ""


class Budget(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a budget allows in a period, and where it went. Amounts are exact decimals in the unit."""

    budget: str
    unit: str
    limit: Decimal
    raised: Decimal
    spent: Decimal
    held: Decimal
    left: Decimal
    closed: bool
    raised_by: Decimal = ""
    by: str = ""
    known_by: str = ""


class Budgets(Struct, frozen=True, kw_only=True):
    """The budgets of the periods that are running."""

    budgets: list[Budget]


class ListBudgets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which budgets are wanted."""

    run: RunName | None = None
    """With it, those of this run as well."""


class Raise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Room in a budget for the rest of its period."""

    budget: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
    by: Annotated[str, Meta(max_length=24, pattern=r"^[0-9]+(\.[0-9]{1,6})?$(?!\n)")] = "0"
    """How much more, in the unit of the budget."""
    reopen: bool = False
    """Whether a budget that an overrun had closed admits again."""


ScopeName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f]+$(?!\n)")]
Effect = Literal["read", "idempotent", "idempotent_key", "queryable", "opaque"]


class Throw(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A switch to throw. What its scope does not name, it covers: nothing named is the whole tenant."""

    kind: Literal["stop", "suggest", "read_only"]
    workflow: ScopeName | None = None
    environment: ScopeName | None = None
    agent: ScopeName | None = None
    tool: ScopeName | None = None
    effect: Effect | None = None
    undo_too: bool = False
    """Whether it holds back an operator's undo as well."""


class Switch(Struct, frozen=True, kw_only=True):
    """A person's stop."""

    id: str
    kind: Literal["stop", "suggest", "read_only"]
    scope: str
    by: str
    at: Moment
    undo_too: bool


class InFlight(Struct, frozen=True, kw_only=True):
    """An action that has started and not ended."""

    id: str
    tool: Name
    agent: str
    since: Moment


class Thrown(Switch, frozen=True, kw_only=True):
    """A switch that was thrown, and what goes on all the same because it had started."""

    epoch: int
    in_flight: list[InFlight]


class Switches(Struct, frozen=True, kw_only=True):
    """What is thrown, what is let act in spite of it, and what goes on."""

    switches: list[Switch]
    glass: list[dict[str, Any]]
    restored: bool
    in_flight: list[InFlight] = field(default_factory=list[InFlight])


class TakenBack(Struct, frozen=True, kw_only=True):
    """A switch that was taken back, and those that are still thrown."""

    taken_back: Switch
    still_thrown: list[Switch]
