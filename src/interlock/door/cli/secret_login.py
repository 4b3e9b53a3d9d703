"""`secret login`: a person logs in at a server in a browser; what renews its tokens is kept in the encrypted file."""

from contextlib import suppress

from interlock.app import SystemClock
from interlock.core.errors import SecretError, UsageWrong
from interlock.door.cli.browser import code_brought, code_shown
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.door.cli.secrets import beside_the_store, changer, client_said, entered_in, in_the_file, whole_name
from interlock.door.cli.session import awaited
from interlock.oauth.code import Login
from interlock.oauth.endpoint import Client
from interlock.secret.authority import Found, found
from interlock.secret.installed import sealed_file
from interlock.secret.kept import OAuth, SecretId
from interlock.secret.login import by_code, client_for, exchanged, issued, login_at
from interlock.secret.sealed_file import SealedFile


@awaited
async def logged_in(typed: Typed) -> int:
    """Log in, and keep what was issued in place of what has this name."""
    id = whole_name(typed)
    in_the_file(typed, id)
    file, clock = sealed_file(typed.settings.keys), typed.clock or SystemClock()
    before = _before(file, id)
    with beside_the_store(typed) as here:
        by = await changer(typed, here)
        at = await found(_url(typed, before))
        value = await _issued(typed, id, at, before)
        changed = file.put(id, value, clock.now())
        what = "changed" if changed else "set"
        entered = await entered_in(here, typed, id, what)
    pairs: list[tuple[str, object]] = [
        ("logged in", at.authority.issuer),
        (what, id.name),
        ("for", id.place),
        ("goes to", at.resource),
        ("by", f"{by.person} ({by.known_by})"),
        ("renewed", "by itself" if value.refresh_token else "never: log in again when it has ended"),
    ]
    data = {
        "secret": id.name,
        "workflow": id.workflow,
        "environment": id.environment,
        "to": what,
        "issuer": at.authority.issuer,
        "resource": at.resource,
        "renewed": bool(value.refresh_token),
        "by": by.person,
        "known_by": by.known_by,
        "entered": entered,
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


def _before(file: SealedFile, id: SecretId) -> OAuth | None:
    with suppress(SecretError):
        value = file.find(id)
        return value if isinstance(value, OAuth) else None
    return None


def _url(typed: Typed, before: OAuth | None) -> str:
    url = typed.given.url or (before.url if before is not None else "")
    if not url:
        raise UsageWrong("nobody says at which server", fix="name it as the contract does: `--url https://HOST/PATH`")
    return url


async def _issued(typed: Typed, id: SecretId, at: Found, before: OAuth | None) -> OAuth:
    given, known = typed.given, client_said(typed)
    if given.device:
        return await _by_code(typed, id, at, before, known)

    async def begin(uri: str) -> Login:
        document = given.client_metadata or ""
        client = await client_for(at, uri, known=known, document=document, kept=before)
        return login_at(at, client, uri, given.scope or "")

    about = f"`{at.authority.issuer}` issues tokens for {at.resource}"
    login, code = await code_brought(typed, begin, about, opens=given.open)
    return await exchanged(id, at, login, code, (typed.clock or SystemClock()).now())


async def _by_code(typed: Typed, id: SecretId, at: Found, before: OAuth | None, known: Client | None) -> OAuth:
    document = typed.given.client_metadata or ""
    client = await client_for(at, None, known=known, document=document, kept=before)
    login = await by_code(id, at, client, typed.given.scope or "")
    code_shown(typed, login, f"`{at.authority.issuer}` issues tokens for {at.resource}")
    return await issued(id, at, client, login, (typed.clock or SystemClock()).now())
