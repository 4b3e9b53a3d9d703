"""What the doctor looks at of keys that should be gone: lots that are due, and what was begun and not ended."""

from collections.abc import Sequence

from interlock.core.ids import Micros
from interlock.core.limits import EXPIRY_TAKEN_OVER_MICROS
from interlock.door.cli.doctor_check import Checked, ok, warning
from interlock.door.cli.render import count, listed, since
from interlock.door.cli.session import Session
from interlock.gateway import prune
from interlock.gateway.expire import due, earlier

_LATE = 86_400_000_000


async def expiry(here: Session) -> Sequence[Checked]:
    """Look whether something can be read although its days are over, and whether an erasure was not ended."""
    rows = await here.rows()
    now = earlier(rows, here.gateway.clock)
    found: list[Checked] = []
    left = await due(here.store, here.gateway.secrets, now)
    late = sorted(lot.name for lot in left.values() if lot.due is not None and now - lot.due > _LATE)
    if late:
        what = f"{count(len(late), 'lot is', 'lots are')} readable past their days: {listed(late)}"
        found.append(warning("expiry", what, "let somebody attend, or run `interlock data expire`"))
    if await prune.due(here.store, here.gateway.clock, late=Micros(_LATE)):
        what = "the ledger tells of actions that are past the days of their contract"
        found.append(warning("expiry", what, "let somebody attend, or run `interlock ledger prune`"))
    begun = [erasing.at for erasing in rows.door.erasing]
    begun += [rows.door.expiring.at] if rows.door.expiring is not None else []
    if begun and rows.now - min(begun) > EXPIRY_TAKEN_OVER_MICROS:
        what = f"what was begun {since(min(begun), rows.now)} was not ended, and its key may be there"
        found.append(warning("expiry", what, "run `interlock attend --once`"))
    return found or [ok("expiry", "nothing is readable past its days")]
