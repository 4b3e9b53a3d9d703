"""`secret login`: a person logs in at a server in a browser; what renews its tokens is kept in the encrypted file."""

import webbrowser
from collections.abc import Mapping
from contextlib import suppress

from interlock.app import SystemClock
from interlock.core.errors import SecretError, UsageWrong
from interlock.core.limits import LOGIN_SECONDS_MAX
from interlock.door.cli.person import operator
from interlock.door.cli.redirect import listening
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.door.cli.secrets import beside_the_store, entered_in, in_the_file, unseen, whole_name
from interlock.door.cli.session import awaited
from interlock.gateway.fresh import process_id
from interlock.oauth.code import Login
from interlock.oauth.endpoint import Client
from interlock.secret.authority import Found, found
from interlock.secret.installed import sealed_file
from interlock.secret.kept import OAuth, SecretId, text_of
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
        by = operator(typed, here.gateway.process if here is not None else process_id())
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
    logins: list[Login] = []

    def is_meant(answer: Mapping[str, str]) -> bool:
        return any(login.is_answered_by(answer) for login in logins)

    known = _client(typed)
    if typed.given.device:
        return await _by_code(typed, id, at, before, known)
    async with listening(typed.given.port, is_meant) as redirect:
        document = typed.given.client_metadata or ""
        client = await client_for(at, redirect.uri, known=known, document=document, kept=before)
        login = login_at(at, client, redirect.uri, typed.given.scope or "")
        logins.append(login)
        _show(typed, at, login)
        code = login.code_in(await redirect.answer())
    return await exchanged(id, at, login, code, (typed.clock or SystemClock()).now())


async def _by_code(typed: Typed, id: SecretId, at: Found, before: OAuth | None, known: Client | None) -> OAuth:
    document = typed.given.client_metadata or ""
    client = await client_for(at, None, known=known, document=document, kept=before)
    login = await by_code(id, at, client, typed.given.scope or "")
    err = typed.screen.err
    err.write(f"`{at.authority.issuer}` issues tokens for {at.resource}\n")
    err.write(f"log in at {login.verification_uri}, in any browser, and type the code:\n\n{login.user_code}\n\n")
    err.flush()
    return await issued(id, at, client, login, (typed.clock or SystemClock()).now())


def _client(typed: Typed) -> Client | None:
    given = typed.given
    if given.client_secret and not given.client_id:
        raise UsageWrong("a secret of a client says nothing without the client", fix="name it: `--client-id ID`")
    if not given.client_id:
        return None
    secret = text_of(unseen(typed, f"secret of the client {given.client_id}")).text if given.client_secret else ""
    return Client(id=given.client_id, secret=secret)


def _show(typed: Typed, at: Found, login: Login) -> None:
    """Say where to go. It is for a person, so it goes to standard error whatever the data looks like."""
    err = typed.screen.err
    err.write(f"`{at.authority.issuer}` issues tokens for {at.resource}\n")
    err.write(f"log in within {LOGIN_SECONDS_MAX // 60} minutes, in a browser on this machine:\n\n{login.address}\n\n")
    err.flush()
    if typed.given.open:
        webbrowser.open(login.address)
