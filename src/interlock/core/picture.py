"""What a page looked like as an action was carried out: evidence for people. It never goes to an agent."""

from typing import Literal

from msgspec import Struct

Moment = Literal["before", "after"]


class Picture(Struct, frozen=True, kw_only=True):
    """A page, as it was seen."""

    moment: Moment
    """Before the one button was pressed, or after it; of a page that is only read, as it was read: after."""
    png: bytes
