"""`ledger prune`: what ended longer ago than its contract wants to know is taken out, and every proof still holds."""

from pathlib import Path

from interlock.core.errors import NotPermitted
from interlock.core.wording import count, count_entries
from interlock.door.cli.ledger import write_export
from interlock.door.cli.person import operator
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.gateway.prune import Taken, prune, would_prune

_WITHOUT = "no `--archive FILE`: exports and backups from before have what goes, nothing else has"


@awaited
async def pruned(typed: Typed) -> int:
    """Take out what is past its days, or say what would be."""
    given, archive = typed.given, Path(typed.given.archive) if typed.given.archive else None
    if archive is not None and archive.exists():
        raise InputWrong(f"`{archive}` is there already", fix="name another file: an archive is never written over")
    with session(typed) as here:
        found = await would_prune(here.store, here.gateway.clock)
        if given.dry_run or not found.actions:
            return _told(typed, found, dry_run=given.dry_run)
        if not given.yes:
            typed.screen.note_block(_text(typed, found, dry_run=True))
            if archive is None:
                typed.screen.note(f"note: {_WITHOUT}")
            if not typed.screen.ask("Nothing can bring it back. Take it out?"):
                raise NotPermitted("nothing was taken out", fix="say yes, or `--yes` where nobody can be asked")
        if archive is not None:
            await write_export(here, archive)
            typed.screen.note(f"note: all entries of now are in {archive}")
        by = await operator(here)
        found = await prune(here.store, here.gateway.secrets, here.gateway.clock, by)
    return _told(typed, found, dry_run=False, archive=given.archive)


def _told(typed: Typed, found: Taken, *, dry_run: bool, archive: str | None = None) -> int:
    data = {
        "dry_run": dry_run,
        "actions": found.actions,
        "entries": found.entries,
        "payloads": found.payloads,
        "kept": dict(found.kept),
        "archive": archive,
    }
    nothing = not (found.actions or found.kept)
    typed.screen.show(data, "nothing is past its days" if nothing else _text(typed, found, dry_run=dry_run))
    return 0


def _text(typed: Typed, found: Taken, *, dry_run: bool) -> str:
    what = f"{count_entries(found.entries)} about {count(found.actions, 'action', 'actions')}"
    kept = [f"{count(number, 'action', 'actions')}: {why}" for why, number in sorted(found.kept.items())]
    pairs: list[tuple[str, object]] = [
        ("would go" if dry_run else "taken out", what),
        ("payloads", f"{found.payloads:,}"),
        ("past their days, and kept", "\n".join(kept) or "none"),
        ("stays", "the hash of each entry, and what answers a repetition of each call"),
    ]
    return block(pairs, typed.screen.width)
