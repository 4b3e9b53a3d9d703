"""Who issues tokens for a server, found out from what the server says of itself.

Its refusal (401) leads to what it says as a resource (RFC 9728), that to an authorization server, and that to its
metadata. All of it is foreign, and believed no further than `oauth.authority` says.
"""

from urllib.parse import urlsplit

import msgspec

from interlock.core.challenge import Challenge, challenge_in
from interlock.core.errors import UpstreamFailed, UsageWrong
from interlock.core.limits import LOGIN_DOCUMENT_SECONDS_MAX
from interlock.core.secret import is_within
from interlock.oauth.authority import OPENID, Authority, address_of, allowed, authority_at, document_at, wrong
from interlock.post import Address, post

_PROTECTED = "/.well-known/oauth-protected-resource"
_SERVERS = ("/.well-known/oauth-authorization-server", OPENID)
_ASK = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"interlock","version":"1"}}}'
)
_FIX = "have the server corrected, or set a token by hand: `interlock secret set NAME --workflow W --env E`"
_HEADERS = {"Accept": "application/json, text/event-stream"}


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself as a resource."""

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where one logs in for a server, and for what."""

    url: str
    """The server."""
    resource: str
    """What tokens are for: the server, or what it is a part of."""
    scope: str
    authority: Authority


async def found(url: str) -> Found:
    """Find out who issues tokens for a server.

    Raises:
        UsageWrong: it is no server that a token may be sent to.
        UpstreamSilent: somebody on the way does not answer.
        UpstreamFailed: somebody on the way cannot be reached, or cannot be believed.
    """
    if not is_within(url, url):
        raise UsageWrong(f"`{url}` is no address of a server", fix="write `https://HOST/PATH`, as the contract does")
    server = address_of(url)
    challenge = await _challenge(server)
    resource = await _resource(url, challenge)
    if not resource.authorization_servers:
        raise _wrong(f"`{server.host}` does not say who issues tokens for it")
    authority = await _authority(resource.authorization_servers[0], here=server.stays_here)
    scope = challenge.scope or " ".join(resource.scopes_supported)
    if scope and "offline_access" in authority.scopes_supported and "offline_access" not in scope.split():
        scope += " offline_access"  # who says so issues no token that renews itself without
    return Found(url=url, resource=resource.resource, scope=scope, authority=authority)


async def _challenge(server: Address) -> Challenge:
    answer = await post(server, _ASK, kind="application/json", headers=_HEADERS, seconds=LOGIN_DOCUMENT_SECONDS_MAX)
    if answer.status != 401:
        what = f"`{server.host}` wants no login: it answers with the status {answer.status} where none is shown"
        raise UpstreamFailed(what, fix="leave `secret` out at the server, or look at its `url`")
    challenge = challenge_in(answer.wants)
    if challenge is None:
        raise _wrong(f"`{server.host}` refuses, and does not say that it wants a bearer token")
    return challenge


async def _resource(url: str, challenge: Challenge) -> Resource:
    parts = urlsplit(url)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    if challenge.metadata:
        if not is_within(origin, challenge.metadata):
            raise _wrong(f"`{parts.hostname}` says that another host says who it is")
        places = [challenge.metadata]
    else:
        places = list(dict.fromkeys((f"{origin}{_PROTECTED}{path}", f"{origin}{_PROTECTED}")))
    resource = await document_at(places, Resource, here=address_of(url).stays_here, fix=_FIX)
    if resource is None:
        raise _wrong(f"`{parts.hostname}` does not say who issues tokens for it")
    if not is_within(resource.resource, url):
        raise _wrong(f"what says who issues tokens for `{parts.hostname}` is about something else")
    return resource


async def _authority(issuer: str, *, here: bool) -> Authority:
    allowed(issuer, here=here, fix=_FIX)
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = [f"{origin}{each}{path}" for each in _SERVERS]
    places += [f"{origin}{path}{_SERVERS[1]}"] if path else []
    return await authority_at(issuer, places, here=here, says_pkce=True, fix=_FIX)


def _wrong(what: str) -> UpstreamFailed:
    return wrong(what, _FIX)
