"""`ledger anchor`: keep the signed head outside, in one place or several, and write into the book what they said."""

from base64 import b64decode
from pathlib import Path
from typing import Any

from interlock.anchor.places import place_of
from interlock.app import anchor_file
from interlock.core.errors import InterlockError
from interlock.door.cli.anchored import book
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, session
from interlock.gateway.anchoring import Place
from interlock.gateway.anchoring import anchored as anchored_in
from interlock.gateway.history import to_anchor
from interlock.ledger.anchor import Anchor


@awaited
async def anchored(typed: Typed) -> int:
    """Keep the signed head in every place that is named. One that fails keeps no other from having it."""
    own = anchor_file(book(typed.settings.keys))
    said = dict.fromkeys(typed.given.to or ())
    places = [place_of(each, push=typed.given.push) for each in said if Path(each).resolve() != own.path.resolve()]
    kept: list[Anchor] = []
    failed: list[tuple[Place, InterlockError]] = []
    with session(typed) as here:
        if not places:
            kept.append(await _in_the_book(here))
        for place in places:
            try:
                kept.append(await anchored_in(here.store, place, own.read(), (await here.rows()).now))
                own.append(kept[-1])
            except InterlockError as error:
                failed.append((place, error))
    _show(typed, kept, failed)
    for _, error in failed:
        typed.screen.error(error)
    return 1 if failed else 0


async def _in_the_book(here: Session) -> Anchor:
    new = await to_anchor(here.store, (await here.rows()).now)
    own = anchor_file(book(here.typed.settings.keys))
    own.read()
    own.append(new)
    here.typed.screen.note("this is beside the keys: name a place on another machine with `--to PLACE`")
    return new


def _show(typed: Typed, kept: list[Anchor], failed: list[tuple[Place, InterlockError]]) -> None:
    """Print what is kept. Where nothing is, nothing stands among the data."""
    if not kept:
        return
    heads = [(each, b64decode(each.head.split("\n")[2]).hex()) for each in kept]
    last, root = heads[-1]
    where = [each.to or str(book(typed.settings.keys)) for each in kept]
    pairs = [("ledger", last.origin), ("entries", last.size), ("root", root), *(("kept", each) for each in where)]
    data: dict[str, Any] = {
        "ledger": last.origin,
        "entries": last.size,
        "root": root,
        "kept": [{"to": to, "entries": each.size, "root": one} for to, (each, one) in zip(where, heads, strict=True)],
        "failed": [{"to": place.name, "error": str(error), "fix": error.fix} for place, error in failed],
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
