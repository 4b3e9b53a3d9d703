"""`login`: a person logs in at an issuer that the tenant believes, and is that person from the next command on."""

from contextlib import suppress

from interlock.core.credential import Issuer
from interlock.core.door import Door
from interlock.core.errors import InterlockError, NotLoggedIn, UpstreamFailed, UsageWrong
from interlock.core.ids import Instant, PersonId
from interlock.core.limits import LOGIN_TURN_SECONDS_MAX
from interlock.core.secret import is_within
from interlock.core.value import replace
from interlock.door.cli.browser import code_brought, code_shown, has_screen
from interlock.door.cli.logins import login_file, person_by
from interlock.door.cli.render import Time, block, clean, since
from interlock.door.cli.screen import Typed
from interlock.door.cli.secrets import client_said
from interlock.door.cli.session import NameAmbiguous, Session, awaited, meant, session
from interlock.identity.bearer import Bearer, NotKnown
from interlock.identity.login import At, authority_of, flaw_beside, flaw_in, scope_for, with_granted
from interlock.identity.login_file import Kept, LoginFile
from interlock.identity.oidc import AWAY
from interlock.oauth import device
from interlock.oauth.authority import Authority, address_of
from interlock.oauth.code import Login, begun
from interlock.oauth.endpoint import Client, Granted, asked, client_auth, granted
from interlock.owned import in_turn


@awaited
async def log_in(typed: Typed) -> int:
    """Log in, and keep what shows who that is in a file of this user alone."""
    with session(typed) as here:
        issuer = _chosen(typed, (await here.rows()).door)
        file = login_file(typed)
    assert file is not None, "a store that was opened has its keys"
    client = client_said(typed, unsaid=issuer.audience) or _client_before(file, issuer) or Client(id=issuer.audience)
    authority = await authority_of(issuer)
    empty = _empty(issuer, authority, client)
    scope = scope_for(issuer, authority, typed.given.scope or "")
    audience = issuer.audience if typed.given.ask_audience else ""
    if audience and not empty.shows_access:
        why = "the client is the audience, so it is the ID token that is shown, and that is for its client"
        raise UsageWrong(why, fix="leave `--ask-audience` out, or name another client: `--client-id ID`")
    empty = replace(empty, resource="" if audience else empty.resource)
    came, nonce = await (_by_device if typed.given.device else _by_browser)(typed, empty, authority, scope, audience)
    # The store was not held open while the person was away, and somebody may have changed whose word counts.
    with session(typed) as here:
        kept, bearer = await _person(here, empty, came, nonce)
        await _keep(file, kept)
        _show(here, kept, bearer, file)
    return 0


def _chosen(typed: Typed, door: Door) -> Issuer:
    """Find the issuer that is meant; it need not be said where there is only one.

    Raises:
        InterlockError: there is none like that.
        NameAmbiguous: several are meant.
    """
    said: str | None = typed.given.issuer
    known = sorted(door.issuers.values(), key=lambda one: one.name)
    if not known:
        fix = "have one added: `interlock issuer add NAME --url URL --audience AUD --map GROUP=ROLE`"
        raise InterlockError("no issuer is believed here, so there is nowhere to log in", fix=fix)
    found = [one for one in known if said in (None, one.name) or said.rstrip("/") == one.url.rstrip("/")]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in found or known)
    if said is None or found:
        raise NameAmbiguous(f"several issuers are meant: {names}", fix="say which one: `--issuer NAME`")
    fix = meant(said, [one.name for one in known], f"there is {names}")
    raise InterlockError(f"the issuer `{clean(said)}` is not believed here", fix=fix)


def _client_before(file: LoginFile, issuer: Issuer) -> Client | None:
    """Return the client of the login that is renewed by this one: nobody types its secret every time."""
    with suppress(NotLoggedIn):
        kept = file.read()
        if kept is not None and (kept.issuer, kept.url) == (issuer.name, issuer.url):
            return kept.endpoint.client
    return None


def _empty(issuer: Issuer, authority: Authority, client: Client) -> Kept:
    """Say what is kept of a login before anything is issued."""
    # A tenant that wants tokens which are meant for itself is shown an access token: an ID token is for its client.
    shows_access = client.id != issuer.audience
    return Kept(
        issuer=issuer.name,
        url=issuer.url,
        person=PersonId(""),
        token="",
        shows_access=shows_access,
        until=Instant(0),
        since=Instant(0),
        client_id=client.id,
        client_secret=client.secret,
        client_auth=client_auth(authority),
        resource=issuer.audience if shows_access and is_within(issuer.audience, issuer.audience) else "",
        token_url=authority.token_endpoint,
        revocation_url=authority.revocation_endpoint,
    )


async def _by_browser(
    typed: Typed, empty: Kept, authority: Authority, scope: str, audience: str
) -> tuple[Granted, str]:
    async def begin(uri: str) -> Login:
        client, resource = empty.endpoint.client, empty.resource
        return begun(authority, client, uri, scope, resource=resource, audience=audience, named=True)

    about = f"`{empty.issuer}` ({empty.url}) says who you are"
    has_device = bool(authority.device_authorization_endpoint)
    instead = "or, in any browser: `interlock login --device`" if has_device else ""
    if typed.given.open and typed.given.no_open:
        raise UsageWrong("the browser is opened or it is not", fix="say one of `--open` and `--no-open`")
    opens = typed.given.open or (has_screen() and not typed.given.no_open)
    login, code = await code_brought(typed, begin, about, opens=opens, instead=instead)
    at = At(empty.issuer)
    return granted(at, await asked(at, empty.endpoint, login.grant_of(code))), login.nonce


async def _by_device(typed: Typed, empty: Kept, authority: Authority, scope: str, audience: str) -> tuple[Granted, str]:
    at, here = At(empty.issuer), address_of(empty.url).stays_here
    login = await device.begun(at, authority, empty.endpoint, scope, here=here, audience=audience)
    code_shown(typed, login, f"`{empty.issuer}` ({empty.url}) says who you are")
    return await device.issued(at, empty.endpoint, login), ""


async def _person(here: Session, empty: Kept, came: Granted, nonce: str) -> tuple[Kept, Bearer]:
    """Say who has logged in, once it is sure that what came is the answer to this login.

    Raises:
        UpstreamFailed: it is not.
        NotLoggedIn: whoever it is opens nothing here.
    """
    rows, clock = await here.rows(), here.gateway.clock
    issuer = rows.door.issuers.get(empty.issuer)
    if issuer is None or issuer.url != empty.url:
        raise NotLoggedIn(f"the issuer `{empty.issuer}` is believed no more", fix="see `interlock issuer list`")
    claims = await here.issuers.claims(issuer, came.id_token, boot=clock.boot())
    if isinstance(claims, NotKnown):
        why = "no ID token came" if not came.id_token else claims.why
        known = "see that it knows the client, and issues ID tokens for the scope `openid`"
        raise At(issuer.name).failed(why, claims.fix if claims is AWAY else known)
    flaw = flaw_in(claims, issuer, empty.client_id, nonce, rows.now) or flaw_beside(claims, came)
    if flaw:
        raise UpstreamFailed(f"what `{issuer.name}` says of you does not count: {flaw}", fix="begin anew")
    kept = replace(with_granted(empty, came), person=PersonId(f"{claims.get('sub')}@{issuer.name}"), since=clock.now())
    return kept, await person_by(here, issuer, kept)


async def _keep(file: LoginFile, kept: Kept) -> None:
    try:
        file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with in_turn(file.turn, seconds=LOGIN_TURN_SECONDS_MAX):
            file.write(kept)
    except OSError as error:
        why = f"the login cannot be kept in `{file.path.parent}` ({(error.strerror or 'unknown').lower()})"
        raise InterlockError(why, fix="name a folder of your own: `INTERLOCK_LOGINS=DIR`") from error


def _show(here: Session, kept: Kept, bearer: Bearer, file: LoginFile) -> None:
    typed, now = here.typed, here.gateway.clock.now()
    roles = ", ".join(map(str, bearer.roles))
    renewed = bool(kept.refresh_token)
    ends = f"{Time(kept.until).short()} ({since(kept.until, now)})"
    pairs = [
        ("logged in", f"{kept.person} ({bearer.known_by})"),
        ("at", kept.url),
        ("roles", roles or "none by this issuer"),
        ("good", f"until {ends}, renewed by itself" if renewed else f"until {ends}, then log in again"),
        ("kept in", file.path),
        ("from now on", "commands of this tenant are yours, until `interlock logout`"),
    ]
    data = {
        "person": kept.person,
        "known_by": bearer.known_by,
        "issuer": kept.issuer,
        "url": kept.url,
        "roles": list(map(str, bearer.roles)),
        "until": Time(kept.until),
        "renewed": renewed,
        "kept_in": str(file.path),
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
