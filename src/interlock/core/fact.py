"""A fact is looked up by the gateway, never told by the agent. What could not be looked up is unknown: a no."""

from dataclasses import dataclass

from interlock.core.canonical import Json
from interlock.core.ids import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the source said, and when."""

    value: Json
    as_of: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The source did not answer, or not in a form that can be trusted."""

    why: str


Fact = Known | Unknown
