"""Pages of what may be long. A cursor says where the next one goes on: sealed by us, and good for the same list."""

from typing import TypeVar

import msgspec

from interlock.core.ids import TenantId
from interlock.door.http.problem import Problem
from interlock.door.sealed import opened, sealed
from interlock.ports import Secrets

CURSOR_CHARS_MAX = 1_024
_PURPOSE = "api page"

Place = TypeVar("Place")


def cursor_at(secrets: Secrets, tenant: TenantId, about: object, place: object) -> str:
    """Write down where a list goes on. `about` is all that the list was asked for with."""
    return sealed(secrets, tenant, _PURPOSE, msgspec.json.encode([about, place]))


def place_of(secrets: Secrets, tenant: TenantId, about: object, cursor: str, type: type[Place]) -> Place:
    """Read where a list goes on.

    Raises:
        Problem: the cursor is none of ours, or of another list.
    """
    text = opened(secrets, tenant, _PURPOSE, cursor) if len(cursor) <= CURSOR_CHARS_MAX else None
    if text is not None:
        known, place = msgspec.json.decode(text, type=tuple[msgspec.Raw, type])
        if bytes(known) == msgspec.json.encode(about):
            return place
    wrong = [{"path": "$query.cursor", "kind": "cursor"}]
    fix = "send `next` of the page before as it came, with the same filters; or none, to begin anew"
    raise Problem("invalid", "this cursor leads nowhere", fix=fix, more={"wrong": wrong})
