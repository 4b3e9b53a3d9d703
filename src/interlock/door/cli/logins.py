"""The login of whoever types: where it is kept, whether it is still good, who it says they are."""

from contextlib import AsyncExitStack

from interlock.core.credential import Issuer
from interlock.core.door import Door
from interlock.core.errors import NotLoggedIn, StoreBusy, UpstreamError
from interlock.core.ids import TenantId
from interlock.core.limits import LOGIN_AHEAD_SECONDS, LOGIN_TURN_SECONDS_MAX
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session
from interlock.identity.bearer import Bearer, NotKnown
from interlock.identity.login import AGAIN, renewed
from interlock.identity.login_file import Kept, LoginFile
from interlock.identity.oidc import AWAY
from interlock.owned import in_turn
from interlock.secret.installed import box_of

_ACCOUNT = ", or be the user of this machine: `--account`"
OR_BE = f"{AGAIN}{_ACCOUNT}"
_AHEAD_MICROS = LOGIN_AHEAD_SECONDS * 1_000_000


def login_file(typed: Typed, tenant: TenantId | None = None) -> LoginFile | None:
    """Name the file of the login that counts for a tenant; nothing where the store has no keys yet."""
    settings = typed.settings
    if not (settings.keys / "master.seed").exists():
        return None
    return LoginFile(settings.logins, box_of(settings.keys), tenant or settings.tenant)


def is_kept(typed: Typed, tenant: TenantId | None = None) -> bool:
    """Whether this user of the machine has logged in for a tenant, however good that still is."""
    file = login_file(typed, tenant)
    return file is not None and file.is_there


async def logged_in(here: Session) -> tuple[Kept, Bearer] | None:
    """Say who has logged in, by the word of the issuer of today; nothing where nobody has.

    Raises:
        NotLoggedIn: somebody has, and it is no longer good, others can read it, or nobody can tell.
    """
    file = login_file(here.typed, here.store.tenant)
    try:
        found = await at_hand(here)
        if file is None or found is None:
            return None
        kept, issuer = found
        if here.gateway.clock.now() >= kept.until - _AHEAD_MICROS and kept.refresh_token:
            kept = await _renewed(here, file, kept)
        return kept, await person_by(here, issuer, kept)
    except NotLoggedIn as no:
        no.fix += "" if _ACCOUNT in no.fix else _ACCOUNT
        raise


async def at_hand(here: Session) -> tuple[Kept, Issuer] | None:
    """Return the login that is kept, and the issuer that it is by. Nobody is asked, and it may have ended.

    Raises:
        NotLoggedIn: there is one, and it is not as it was kept, others can read it, or its issuer is believed no more.
    """
    file = login_file(here.typed, here.store.tenant)
    kept = file.read() if file is not None else None
    return (kept, _still_believed(kept, (await here.rows()).door)) if kept is not None else None


async def person_by(here: Session, issuer: Issuer, kept: Kept) -> Bearer:
    """Hold a login against the door of the tenant, as the HTTP API does.

    Raises:
        NotLoggedIn: it is not good there.
    """
    rows, clock = await here.rows(), here.gateway.clock
    found = await here.issuers.bearer(here.store.tenant, rows.door, kept.token, now=rows.now, boot=clock.boot())
    if found is AWAY:
        raise NotLoggedIn(f"nobody can tell whether you are `{kept.person}`: {AWAY.why}", fix=AWAY.fix)
    if isinstance(found, NotKnown):
        raise NotLoggedIn(f"the login of `{kept.person}` opens nothing: {found.why}", fix=AGAIN)
    if found.person is None:
        why = f"`{issuer.name}` vouches for a service by that login, and here it takes a person"
        raise NotLoggedIn(why, fix="log in as a person")
    if found.known_by != issuer.known_by or found.person != kept.person:
        raise NotLoggedIn(f"the login is of somebody else than `{kept.person}`", fix=AGAIN)
    return found


def _still_believed(kept: Kept, door: Door) -> Issuer:
    issuer = door.issuers.get(kept.issuer)
    if issuer is None or issuer.url != kept.url:
        why = f"the login of `{kept.person}` is by the word of `{kept.issuer}` ({kept.url}), which counts no more here"
        raise NotLoggedIn(why, fix="log out: `interlock logout`, and log in at one that `interlock issuer list` has")
    return issuer


async def _renewed(here: Session, file: LoginFile, kept: Kept) -> Kept:
    """Renew a login. What renews it may be good for one use, so processes take turns."""
    clock = here.gateway.clock
    async with AsyncExitStack() as held:
        try:
            await held.enter_async_context(in_turn(file.turn, seconds=LOGIN_TURN_SECONDS_MAX))
        except StoreBusy as busy:
            raise NotLoggedIn(f"the login cannot be renewed: {busy}", fix=busy.fix) from busy
        latest = _still_there(file, kept)
        if clock.now() < latest.until - _AHEAD_MICROS:
            return latest
        try:
            new = await renewed(latest)
        except UpstreamError as error:
            if clock.now() < latest.until:
                return latest  # it is good for some seconds yet
            why = f"the login of `{latest.person}` has ended, and is not renewed: {error}"
            raise NotLoggedIn(why, fix=error.fix) from error
        # Whoever logs out waits for no turn that does not come.
        _still_there(file, latest)
        try:
            file.write(new)
        except OSError as error:
            why = f"the login was renewed, and cannot be kept ({(error.strerror or 'unknown').lower()})"
            raise NotLoggedIn(why, fix=f"make room, or mend the folder of `{file.path}`; then {AGAIN}") from error
        return new


def _still_there(file: LoginFile, kept: Kept) -> Kept:
    found = file.read()
    if found is None:
        raise NotLoggedIn(f"`{kept.person}` has logged out meanwhile", fix=AGAIN)
    return found
