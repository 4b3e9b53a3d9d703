"""Pages of actions. A cursor says where the next one goes on, to us alone, and is good for the same list.

A page may end at an action that is not for whoever asks, so what a cursor says is nothing for them to read.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from interlock.core.action import Action
from interlock.core.value import replace
from interlock.door.http.problem import invalid
from interlock.door.http.visit import Visit
from interlock.door.sealed import hidden, unhidden
from interlock.gateway.listing import Place, page_of
from interlock.ports import ActionRow, Wanted

_LOOKED_AT_MAX = 2_000  # rows for one page, where most belong to others
_PURPOSE = "api page"


async def page(
    visit: Visit[Any, Any], wanted: Wanted, fits: Callable[[Action], bool], *, about: object, cursor: str | None
) -> tuple[list[ActionRow], str | None]:
    """Return the next actions that fit, the one that changed last first, and the cursor of the page behind them.

    Args:
        visit: whoever asks.
        wanted: which ones, and how many at most.
        fits: whether one belongs on the page.
        about: all that the list was asked for with.
        cursor: where it goes on; nothing is its beginning.

    Raises:
        Problem: the cursor is none of ours, or of another list.
    """
    before = _place_of(visit, about, cursor) if cursor is not None else None
    rows, place = await page_of(visit.store, replace(wanted, before=before), fits, looks_at=_LOOKED_AT_MAX)
    return rows, _cursor_at(visit, about, place) if place is not None else None


def _cursor_at(visit: Visit[Any, Any], about: object, place: Place) -> str:
    return hidden(visit.gateway.secrets, visit.bearer.tenant, _PURPOSE, msgspec.json.encode([_name(about), place]))


def _name(about: object) -> str:
    """Name a list in few characters, however long its filters are."""
    return sha256(msgspec.json.encode(about)).hexdigest()[:32]


def _place_of(visit: Visit[Any, Any], about: object, cursor: str) -> Place:
    text = unhidden(visit.gateway.secrets, visit.bearer.tenant, _PURPOSE, cursor)
    if text is not None:
        known, place = msgspec.json.decode(text, type=tuple[str, Place])
        if known == _name(about):
            return place
    fix = "send `next` of the page before as it came, with the same filters; or none, to begin anew"
    raise invalid("this cursor leads nowhere", "$query.cursor", "cursor", fix=fix)
