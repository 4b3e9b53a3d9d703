"""A fact is looked up by the gateway, never told by the agent. What could not be looked up is unknown: a no."""

from msgspec import Struct

from interlock.core.canonical import Json
from interlock.core.ids import Instant


class Known(Struct, frozen=True, kw_only=True):
    """What the source said, and when."""

    value: Json
    as_of: Instant


class Unknown(Struct, frozen=True, kw_only=True):
    """The source did not answer, or not in a form that can be trusted."""

    why: str


Fact = Known | Unknown
