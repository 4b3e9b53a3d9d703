"""The pictures that are kept of an action: for people who may see its arguments, and for no agent."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from interlock.core.ids import PayloadId
from interlock.door.told.here import Here
from interlock.door.told.payloads import Missing, opened_bytes
from interlock.ledger.pruned import is_pruned
from interlock.ports import ActionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A picture, as an entry names it."""

    moment: str
    entry: int
    payload: PayloadId
    commitment: str

    def as_data(self) -> dict[str, Any]:
        return {"moment": self.moment, "entry": self.entry, "commitment": self.commitment}


def named_in(entries: Sequence[tuple[int, Any]]) -> Iterator[Named]:
    """Yield the pictures that entries about one action name, by index and content, in the order of their moments."""
    for index, entry in entries:
        for moment in ("before", "after"):
            if said := entry["detail"].get(f"picture_{moment}"):
                payload, _, commitment = said.partition(" ")
                yield Named(moment=moment, entry=index, payload=PayloadId(payload), commitment=commitment)


async def pictures_of(here: Here, row: ActionRow) -> Sequence[Named]:
    """Name the pictures of an action, the first one first."""
    written = await here.store.entries_of(row.action.id)
    return list(named_in([(index, json.loads(line)) for index, line in written if not is_pruned(line)]))


async def png_of(here: Here, picture: Named) -> bytes | Missing:
    """Open a picture."""
    png = await opened_bytes(here, picture.payload)
    return png if png is not None else Missing("gone from the database")


def picture_data(picture: Named, png: bytes | Missing) -> dict[str, Any]:
    """Say what a picture is, without it."""
    what = (
        {"unreadable": png.why} if isinstance(png, Missing) else {"bytes": len(png), "sha256": sha256(png).hexdigest()}
    )
    return {**picture.as_data(), **what}


async def whole_picture(here: Here, picture: Named) -> dict[str, Any]:
    """Return a picture with all that is known of it, for whoever is handed out what is kept."""
    png = await png_of(here, picture)
    content = {} if isinstance(png, Missing) else {"png_base64": b64encode(png).decode()}
    return {**picture_data(picture, png), **content}
