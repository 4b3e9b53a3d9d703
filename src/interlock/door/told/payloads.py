"""What is kept encrypted about an action, opened for an operator; what cannot be opened says why."""

import json
from dataclasses import dataclass
from typing import cast

from interlock.core.canonical import Json
from interlock.core.errors import PayloadErased, StoreTampered
from interlock.core.ids import PayloadId
from interlock.door.told.here import Here


@dataclass(frozen=True, slots=True)
class Missing:
    """A payload that nobody can read."""

    why: str

    def __str__(self) -> str:
        return f"[{self.why}]"

    def as_json(self) -> dict[str, str]:
        return {"unreadable": self.why}


async def opened_bytes(here: Here, id: PayloadId | None) -> bytes | Missing | None:
    """Read a payload; nothing if there never was one."""
    if not id:
        return None
    sealed = await here.store.payload(id)
    if sealed is None:
        return Missing("gone from the database")
    try:
        return here.gateway.secrets.open(here.store.tenant, id, sealed)
    except PayloadErased:
        return Missing("erased")
    except StoreTampered:
        return Missing("not as it was written")


async def opened(here: Here, id: PayloadId | None) -> Json | Missing:
    """Read a payload that is JSON; nothing if there never was one."""
    text = await opened_bytes(here, id)
    return cast("Json", json.loads(text)) if isinstance(text, bytes) else text


async def arguments_of(here: Here, id: PayloadId | None) -> Json | Missing:
    """Read the arguments of an action as they were judged."""
    kept = await opened(here, id)
    if isinstance(kept, dict):
        return cast("Json", json.loads(str(kept["arguments"])))
    return kept


def member(kept: Json | Missing, name: str) -> Json | Missing:
    """Return a part of a payload; a payload that cannot be read has parts that cannot."""
    return kept.get(name) if isinstance(kept, dict) else kept if isinstance(kept, Missing) else None
