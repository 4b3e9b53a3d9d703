"""What the doctor looks at of a login: whether commands of whoever types are theirs. It asks no issuer."""

from collections.abc import Sequence

from interlock.core.errors import NotLoggedIn
from interlock.door.cli.doctor_check import Checked, ok, warning
from interlock.door.cli.logins import OR_BE, at_hand
from interlock.door.cli.render import since
from interlock.door.cli.session import Session


async def login(here: Session) -> Sequence[Checked]:
    """Look whether a login can be used, where somebody has logged in."""
    try:
        found = await at_hand(here)
    except NotLoggedIn as no:
        return [warning("login", str(no), no.fix)]
    if found is None:
        return [ok("login", "nobody has logged in: commands are those of the user of this machine")]
    kept, now = found[0], here.gateway.clock.now()
    if now < kept.until:
        return [ok("login", f"you are `{kept.person}`, and what shows it ends {since(kept.until, now)}")]
    if kept.refresh_token:
        return [ok("login", f"you are `{kept.person}`, and the next command renews what shows it")]
    return [warning("login", f"the login of `{kept.person}` has ended", OR_BE)]
