"""The age of the last anchor, as it stands wherever something is proved: how much could be rewritten unnoticed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.app import anchor_file
from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant
from interlock.core.value import replace
from interlock.door.cli.render import Time, age, clean, count
from interlock.ledger.anchor import Anchor, Standing, standing
from interlock.ledger.note import Verifier
from interlock.ports import Needs, TenantStore

_NEVER = "never anchored: whoever takes this machine over can rewrite all of it"
_NONE_AT_HAND = "none at hand: whoever made this file could have rewritten all of it"
_IN_THE_BOOK = "beside the keys alone: whoever takes this machine over can rewrite it all the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnchor:
    """When a head was last kept outside, in words and as data."""

    standing: Standing | None
    in_file: bool = False
    """Whether it is about a file, whose time nobody knows: then the age is left out."""
    unreadable: str = ""
    """Why nobody can say."""

    def __str__(self) -> str:
        """Say it on one line."""
        if self.unreadable:
            return f"unknown: {self.unreadable}"
        if self.standing is None:
            return _NONE_AT_HAND if self.in_file else _NEVER
        last = self.standing
        when = Time(last.at).short() if self.in_file else f"{age(last.age)} ago"
        where = f"in {clean(last.to.partition('#')[0])}" if last.to else _IN_THE_BOOK
        text = f"{when}, {count(last.since, 'entry', 'entries')} since, {where}"
        if last.missing:
            text += f"; an anchor is over {last.missing:,} more than there are: run `interlock ledger verify`"
        return text

    def as_json(self) -> Mapping[str, Any] | None:
        """Say it for programs; nothing where there is none."""
        if self.unreadable:
            return {"unreadable": self.unreadable}
        if self.standing is None:
            return None
        last = self.standing
        return {
            "at": Time(last.at),
            "age_seconds": None if self.in_file else last.age / 1_000_000,
            "entries": last.size,
            "entries_since": last.since,
            "entries_missing": last.missing,
            "to": last.to or None,
        }


def book(keys: Path) -> Path:
    """Name the book of anchors: a line for each anchor that was made with these keys, wherever it was put."""
    return keys / "anchors.jsonl"


async def last_anchor(store: TenantStore, keys: Path, more: Iterable[Anchor] = ()) -> LastAnchor:
    """Say when the ledger of a store was last anchored, by the book beside the keys and by what else is at hand."""
    try:
        known = (*anchor_file(book(keys)).read(), *more)
    except (LedgerBroken, OSError) as error:
        return LastAnchor(standing=None, unreadable=f"`{book(keys)}` cannot be read: {error}")
    rows = await store.read(Needs())
    return LastAnchor(standing=standing(known, Verifier.of(store.tenant, b"").origin, rows.entries, rows.now))


def last_in_file(anchors: Iterable[Anchor], origin: str, entries: int) -> LastAnchor:
    """Say how far the anchors at hand reach into a file."""
    return LastAnchor(standing=standing(anchors, origin, entries, Instant(0)), in_file=True)


def placed(anchors: Iterable[Anchor], file: Path) -> tuple[Anchor, ...]:
    """Say of anchors that were read from a file of their own where they are."""
    return tuple(each if each.to else replace(each, to=str(file)) for each in anchors)
