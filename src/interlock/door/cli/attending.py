"""`attend`: look after what waits, as a process that performs does."""

import asyncio
import signal
from contextlib import suppress

from interlock.core.errors import StoreBusy, UsageWrong
from interlock.door.cli.expiring import expired_data, expired_line
from interlock.door.cli.render import clean
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, performing
from interlock.gateway.expire import Expired
from interlock.gateway.recall import row_of
from interlock.gateway.recover import attend

_EVERY_MAX = 3_600.0


@awaited
async def attending(typed: Typed) -> int:
    """Carry on what is due, once or until it is told to stop."""
    if not 0 < typed.given.every <= _EVERY_MAX:
        raise UsageWrong(f"`{typed.given.every}` is no number of seconds to wait", fix="say `--every 1`")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with performing(typed) as here:
        typed.screen.note(f"note: this process performs on {typed.settings.shown}")
        while True:
            moved, gone = await _once(here)
            if moved or gone or typed.given.once:
                lines = [f"{line['action']}  {line['state']:9}  {clean(line['tool'])}" for line in moved]
                lines += map(expired_line, gone)
                typed.screen.show([*moved, *map(expired_data, gone)], "\n".join(lines) or "nothing was due")
            if typed.given.once or stop.is_set():
                return 0
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), typed.given.every)
            if stop.is_set():
                return 0


async def _once(here: Session) -> tuple[list[dict[str, str]], list[Expired]]:
    gone: list[Expired] = []
    try:
        rows = [await row_of(here.store, id) for id in await attend(here.gateway, here.store, expired=gone.append)]
    except StoreBusy as busy:
        here.typed.screen.note(f"note: {busy}; the next look is soon")
        return [], gone
    return [{"action": row.action.id, "tool": row.action.tool, "state": row.state.value} for row in rows if row], gone
