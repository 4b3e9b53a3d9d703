"""`logout`: the user of this machine is nobody else again, and the issuer takes back what renews the login."""

from contextlib import AsyncExitStack, suppress

from interlock.core.errors import InterlockError, NotLoggedIn, StoreBusy
from interlock.core.limits import LOGIN_TURN_SECONDS_MAX
from interlock.door.cli.logins import login_file
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, be_there
from interlock.identity.login import revoked
from interlock.identity.login_file import Kept, LoginFile
from interlock.owned import in_turn


@awaited
async def log_out(typed: Typed) -> int:
    """Keep the login no more, whatever the issuer says to it."""
    file = login_file(typed)
    if file is None:
        be_there(typed, may_make=False)  # says what is missing
    if file is None or not file.is_there:
        typed.screen.show({"logged_out": None, "taken_back": False}, "nobody is logged in here")
        return 0
    async with AsyncExitStack() as held:
        # Whoever renews it now would keep what came; who does not let go of their turn looks before they keep it.
        with suppress(StoreBusy):
            await held.enter_async_context(in_turn(file.turn, seconds=LOGIN_TURN_SECONDS_MAX))
        kept, why = _read(file)
        try:
            why = why or await _taken_back(kept)
        finally:
            file.remove()
    pairs: list[tuple[str, object]] = [
        ("logged out", kept.person if kept is not None else "somebody"),
        ("taken back", f"no: {why}" if why else "what renews the login, by the issuer"),
        ("from now on", "commands are those of the user of this machine"),
    ]
    data = {"logged_out": kept.person if kept is not None else "", "taken_back": not why, "why": why}
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


def _read(file: LoginFile) -> tuple[Kept | None, str]:
    try:
        return file.read(), ""
    except NotLoggedIn as no:
        return None, str(no)


async def _taken_back(kept: Kept | None) -> str:
    if kept is None:
        return "there is nothing to take back"
    try:
        return await revoked(kept)
    except InterlockError as error:
        return str(error)
