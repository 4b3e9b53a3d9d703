"""`data expire`: what is older than the days of its contract becomes unreadable."""

from collections.abc import Sequence

from interlock.core.ids import Micros
from interlock.door.cli.person import operator
from interlock.door.cli.render import Time, count, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.door.cli.subjects import BACKUPS
from interlock.gateway.expire import KEPT, Expired, expire, next_due, would_expire


@awaited
async def expired(typed: Typed) -> int:
    """Destroy the keys of what is due, or say which would be."""
    with session(typed) as here:
        if typed.given.dry_run:
            found = await would_expire(here.store, here.gateway.secrets, here.gateway.clock)
        else:
            by = await operator(here)
            found = await expire(here.store, here.gateway.secrets, here.gateway.clock, by, after=Micros(0))
        ahead = await next_due(here.store, here.gateway.secrets, here.gateway.clock)
    data = {"expired": list(map(expired_data, found)), "dry_run": bool(typed.given.dry_run), "backups": BACKUPS}
    next_one = Time(ahead.due) if ahead is not None and ahead.due is not None else None
    typed.screen.show({**data, "next_due": next_one}, _text(typed, found) or "nothing is due")
    if ahead is not None and next_one is not None:
        typed.screen.note(f"note: {_lot(ahead.name)}: due {next_one.short()}")
    if found:
        typed.screen.note(f"note: {BACKUPS}")
    return 0


def expired_data(one: Expired) -> dict[str, object]:
    """Say what became of a lot, for programs."""
    return {"lot": one.lot, "key": one.key, "payloads": one.payloads, "kept": dict(one.kept)}


def expired_line(one: Expired) -> str:
    """Say what became of a lot, on one line."""
    kept = f"; kept longer: {_kept(one)}" if one.kept else ""
    return f"{_lot(one.lot)}: {count(one.payloads, 'payload', 'payloads')} unreadable{kept}"


def _text(typed: Typed, found: Sequence[Expired]) -> str:
    if not found:
        return ""
    headers = ("lot", "would be unreadable" if typed.given.dry_run else "unreadable", "kept longer")
    rows = [(_lot(one.lot), f"{one.payloads:,}", _kept(one)) for one in found]
    return table(headers, rows, typed.screen.width, right=(1,))


def _lot(name: str) -> str:
    month, _, days = name.partition("/")
    return "kept past its days" if name == KEPT else f"{month}, {count(int(days), 'day', 'days')}"


def _kept(one: Expired) -> str:
    whys = [f"{number:,} {why}" for why, number in sorted(one.kept.items())]
    return "; ".join(whys) or ("" if one.lot == KEPT else "none")
