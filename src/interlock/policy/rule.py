"""A rule as a value, before it becomes Cedar. A contract makes them from its YAML, and says where each came from."""

from enum import Enum
from typing import Literal

import msgspec
from msgspec import Struct

from interlock.core.decision import OnChange
from interlock.core.ids import Instant, Micros, Role, RuleId, ToolName

Group = Literal["any", "read", "write"]


class RuleEffect(Enum):
    """What a rule does where it matches. Only `PERMIT` opens; everything else can only tighten."""

    PERMIT = "permit"
    ASK = "ask"
    SUGGEST = "suggest"
    DENY = "deny"


class Always(msgspec.Struct, frozen=True, kw_only=True, tag="always"):
    """It matches every call."""


class Above(msgspec.Struct, frozen=True, kw_only=True, tag="above"):
    """The quantity at `path` is more than `micros`, or is not there."""

    path: str
    micros: int


class Outside(msgspec.Struct, frozen=True, kw_only=True, tag="outside"):
    """The quantity at `path` is below `low` or above `high` (millionths), or is not there."""

    path: str
    low: int
    high: int


class OneOf(msgspec.Struct, frozen=True, kw_only=True, tag="one_of"):
    """The text at `path` is one of `values`, or is not there."""

    path: str
    values: tuple[str, ...]


class FactIsNot(msgspec.Struct, frozen=True, kw_only=True, tag="fact_is_not"):
    """The fact `name` is unknown, or is not `value`."""

    name: str
    value: bool | int | str


class Before(msgspec.Struct, frozen=True, kw_only=True, tag="before"):
    """The moment is before `instant`."""

    instant: Instant


class AsUndo(msgspec.Struct, frozen=True, kw_only=True, tag="as_undo"):
    """The call reverses an earlier one. It lets a tool be permitted as an undo and as nothing else."""


class Uncorroborated(msgspec.Struct, frozen=True, kw_only=True, tag="uncorroborated"):
    """The run has read text from outside, and not every argument that matters has a trusted source."""


Condition = Always | Above | Outside | OneOf | FactIsNot | Before | AsUndo | Uncorroborated
"""When a rule matches. In a rule that permits, what is not there never matches: missing opens nothing."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a rule was written, so that it can be found and changed."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Rule(Struct, frozen=True, kw_only=True):
    """`effect` for calls of `tool`, of every tool of `kind`, or of every tool of `group`, when the condition holds."""

    id: RuleId
    effect: RuleEffect
    place: Place
    tool: ToolName | None = None
    kind: str = ""
    group: Group = "any"
    when: Condition = Always()
    # Only an asking rule has a use for the following.
    approvers: frozenset[Role] = frozenset()
    quorum: int = 1
    each: bool = False
    expires: Micros = Micros(48 * 3600 * 1_000_000)
    on_change: OnChange = "ask"
    step_up: bool = False
