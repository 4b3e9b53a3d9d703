"""A person logs in at an authorization server for the tokens of one server of tools.

What is kept afterwards is what renews a token, bound to the resource that it was issued for.
"""

import msgspec

from interlock.core.errors import SecretUnreachable, UpstreamFailed
from interlock.core.ids import Instant
from interlock.core.limits import SECRET_CHARS_MIN
from interlock.oauth import device
from interlock.oauth.authority import address_of
from interlock.oauth.code import BY_HAND, Login, begun, registered
from interlock.oauth.endpoint import Client, Granted, asked, client_auth, granted, life_seconds
from interlock.secret.authority import Found
from interlock.secret.kept import OAuth, SecretId
from interlock.secret.oauth import Bought, endpoint_of


async def client_for(
    at: Found, redirect: str | None, *, known: Client | None, document: str, kept: OAuth | None
) -> Client:
    """Say as which client somebody logs in.

    Args:
        at: where.
        redirect: where the answer comes to; nothing where a code is typed on another machine.
        known: a client that is registered there.
        document: the address of a document that says what this client is.
        kept: what an earlier login left.

    Raises:
        UpstreamSilent: nobody registers one in time.
        UpstreamFailed: there is none, and nobody registers one.
    """
    authority = at.authority
    if known is not None:
        return known
    if document:
        if not authority.client_id_metadata_document_supported:
            raise UpstreamFailed(f"`{authority.issuer}` does not take documents about clients", fix=BY_HAND)
        return Client(id=document)
    if authority.registration_endpoint:
        return await registered(authority, redirect, at.scope)
    if kept is not None and kept.issuer == authority.issuer:
        return Client(id=kept.client_id, secret=kept.client_secret)
    raise UpstreamFailed(f"`{authority.issuer}` registers no clients by itself", fix=BY_HAND)


def login_at(at: Found, client: Client, redirect: str, scope: str = "") -> Login:
    """Begin a login with a browser.

    Args:
        at: where.
        client: as which client.
        redirect: where the answer comes to.
        scope: what is asked for, if not what the server wants.
    """
    return begun(at.authority, client, redirect, scope or at.scope, resource=at.resource)


async def exchanged(id: SecretId, at: Found, login: Login, code: str, now: Instant) -> OAuth:
    """Exchange a code for what is kept.

    Args:
        id: the name under which it is kept.
        at: where the login is.
        login: the login that it is of.
        code: it is good once.
        now: the time.

    Raises:
        SecretUnreachable: nothing is issued for it, or nothing that can be used.
    """
    value = _value_for(at, login.client)
    buyer = Bought(id, value)
    return _kept_of(id, value, granted(buyer, await asked(buyer, endpoint_of(value), login.grant_of(code))), now)


async def by_code(id: SecretId, at: Found, client: Client, scope: str = "") -> device.Begun:
    """Begin a login by a code that a person types elsewhere.

    Raises:
        UpstreamFailed: nobody can log in like that there.
        SecretUnreachable: it is refused, or not answered.
    """
    value = _value_for(at, client)
    here = address_of(at.url).stays_here
    return await device.begun(Bought(id, value), at.authority, endpoint_of(value), scope or at.scope, here=here)


async def issued(id: SecretId, at: Found, client: Client, login: device.Begun, now: Instant) -> OAuth:
    """Ask until the person has logged in, and return what is kept.

    Raises:
        UpstreamSilent: they did not in time.
        SecretUnreachable: they said no, or nothing that can be used was issued.
    """
    value = _value_for(at, client)
    return _kept_of(id, value, await device.issued(Bought(id, value), endpoint_of(value), login), now)


def _value_for(at: Found, client: Client) -> OAuth:
    """Say what is kept of a login before anything is issued."""
    authority = at.authority
    return OAuth(
        token_url=authority.token_endpoint,
        client_id=client.id,
        client_secret=client.secret,
        client_auth=client_auth(authority),
        resource=at.resource,
        issuer=authority.issuer,
        url=at.url,
    )


def _kept_of(id: SecretId, value: OAuth, came: Granted, now: Instant) -> OAuth:
    """Say what is kept of what was issued: what renews it, or, where there is none, the token itself.

    Raises:
        SecretUnreachable: it is too short to be kept out of what comes back, or has no life.
    """
    if came.refresh_token:
        if len(came.refresh_token) < SECRET_CHARS_MIN:
            raise _short(id)
        return msgspec.structs.replace(value, refresh_token=came.refresh_token)
    life = life_seconds(Bought(id, value), came)
    until = now + int(life * 1_000_000) if came.expires_in is not None else 0
    return msgspec.structs.replace(value, access_token=came.access_token, access_until=until)


def _short(id: SecretId) -> SecretUnreachable:
    return id.unreachable("was issued in a form that could not be kept out of what comes back", BY_HAND)
