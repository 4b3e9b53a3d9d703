"""What policy may say about an action. The union is closed: match it fully.

Strictness: deny > suggest > ask > allow. No grant opens a suggestion.
"""

from typing import Literal

from msgspec import Struct

from interlock.core.ids import Micros, Role, RuleId
from interlock.core.reason import Reason

OnChange = Literal["ask", "go_on"]
"""What a resume does when something that the person saw has changed meanwhile."""


class Requirement(Struct, frozen=True, kw_only=True):
    """`quorum` different people, each holding one of `approvers`, agree."""

    rule: RuleId
    approvers: frozenset[Role]
    quorum: int = 1
    each: bool = False
    """Every role in `approvers` must be held by at least one of those who agree."""
    expires: Micros = Micros(48 * 3600 * 1_000_000)
    on_change: OnChange = "ask"
    step_up: bool = False
    """Whoever agrees proves again who they are, just for this."""


class Allow(Struct, frozen=True, kw_only=True):
    """Go on."""

    rules: tuple[RuleId, ...]


class Ask(Struct, frozen=True, kw_only=True):
    """Go on only when every requirement has a yes of its own; they are never merged."""

    requirements: tuple[Requirement, ...]


class Suggest(Struct, frozen=True, kw_only=True):
    """Show what would be done; do nothing. `draft` is one that a person may start."""

    rules: tuple[RuleId, ...]
    draft: bool = False


class Deny(Struct, frozen=True, kw_only=True):
    """Stop here. `why` is for operators; an agent sees only the reason code."""

    rules: tuple[RuleId, ...]
    why: str
    reason: Reason = Reason.POLICY


Decision = Allow | Ask | Suggest | Deny


def rules_of(decision: Decision) -> tuple[RuleId, ...]:
    """Name the rules that decided, for the entry."""
    if isinstance(decision, Ask):
        return tuple(requirement.rule for requirement in decision.requirements)
    return decision.rules
