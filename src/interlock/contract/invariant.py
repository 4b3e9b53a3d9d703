"""What may never become of some calls of agents, as a value."""

from dataclasses import dataclass
from typing import get_args

from interlock.contract.expr import Expr
from interlock.core.effect import Mode
from interlock.core.ids import ToolName
from interlock.policy.cases import Verdict
from interlock.policy.rule import Place

EVERY_VERDICT: frozenset[Verdict] = frozenset(get_args(Verdict))


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """What may never become of some calls of agents."""

    name: str
    says: str
    """The same in one line, for a review."""
    place: Place
    tool: ToolName | None
    """Nothing said is every tool."""
    modes: frozenset[Mode] = frozenset(Mode)
    bad: frozenset[Verdict]
    when: Expr | None = None
    """Which calls are meant; nothing said is all of them."""
