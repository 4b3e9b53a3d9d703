"""What the API says of runs, as types."""

from typing import Annotated

from msgspec import Meta, Struct, field

from interlock.door.http.shapes import Action, Cursor, Decimal, Limit, Moment, Name, Outcome, StateName
from interlock.door.http.shapes_people import Budget


class ListRuns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs are wanted."""

    workflow: Name | None = None
    environment: Name | None = None
    agent: Name | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class Last(Struct, frozen=True, kw_only=True):
    """The action of a run that changed last."""

    action: str
    tool: str
    state: StateName


class RunLine(Struct, frozen=True, kw_only=True):
    """A run in a list."""

    id: str
    workflow: str
    environment: str
    agent: str
    by: list[str]
    """People, if all of it is what they did, such as an undo of what was in no run."""
    calls: int
    changed_at: Moment
    last: Last


class Runs(Struct, frozen=True, kw_only=True):
    """A page of runs, the one that changed last first. It may have fewer than `limit` and not be the last one."""

    runs: list[RunLine]
    next: str | None
    """The cursor of the next page; nothing at the end."""


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run. What comes from `told_of` on is for roles alone."""

    id: str
    calls: int
    actions: list[Action]
    """Its newest 200; `/v1/actions?run=ID` has all of them."""
    told_of: int = 0
    """What follows is of so many actions, the newest ones."""
    older: bool = False
    """Whether there are more."""
    workflow: str = ""
    environment: str = ""
    agent: str = ""
    principal: str = ""
    by: list[str] = field(default_factory=list[str])
    """People, if all of it is what they did, such as an undo of what was in no run."""
    undos: int = 0
    """How many of its actions are there to undo others."""
    states: dict[StateName, Annotated[int, Meta(ge=1)]] = field(default_factory=dict[StateName, int])
    """How many actions are in which state."""
    cost_usd: Decimal = ""
    began_at: Moment = ""
    changed_at: Moment = ""
    waits: list[str] = field(default_factory=list[str])
    """The actions that wait for a person."""
    stands: list[str] = field(default_factory=list[str])
    """The actions whose effects stand: done, or maybe done, and not undone."""
    budgets: list[Budget] = field(default_factory=list[Budget])
    """Those of the run itself."""


class Reversal(Struct, frozen=True, kw_only=True):
    """One effect: how it would be undone, or why it cannot be."""

    effect: str
    """The action that had it."""
    tool: str
    undo_tool: str | None
    arguments: str | None
    """What the undo would be called with, as JSON."""
    until: Moment | None
    why_not: str | None


class Plan(Struct, frozen=True, kw_only=True):
    """What the undo of a run would do: its effects, the last one first."""

    effects: list[Reversal]


class Undone(Struct, frozen=True, kw_only=True):
    """An undo that was tried, and how it ended."""

    effect: str
    undo: Outcome


class Stopped(Struct, frozen=True, kw_only=True):
    """Why the first of those that were not tried could not be."""

    why: str
    fix: str


class RunUndone(Struct, frozen=True, kw_only=True):
    """How far the undo of a run has come."""

    whole: bool
    """Whether nothing of the run stands any more."""
    undone: list[Undone]
    cannot_be_undone: list[Reversal]
    not_tried: list[Reversal]
    """Effects from before one that still stands."""
    waits: list[str]
    """Actions that still wait for a person: with a yes they would happen."""
    stopped: Stopped | None
