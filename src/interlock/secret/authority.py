"""Who issues tokens for a server, found out from what the server says of itself.

Its refusal (401) leads to what it says as a resource (RFC 9728), that to an authorization server, and that to its
metadata (RFC 8414, OpenID Connect Discovery). All of it is foreign: each document has to be of the one that it is asked
of, addresses have TLS unless they are of this machine, and nothing leads from outside to this machine.
"""

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from interlock.core.challenge import Challenge, challenge_in
from interlock.core.errors import UpstreamFailed, UsageWrong
from interlock.core.limits import LOGIN_DOCUMENT_SECONDS_MAX
from interlock.core.secret import is_within
from interlock.post import Address, get, post
from interlock.secret.oauth import address_of

_PROTECTED = "/.well-known/oauth-protected-resource"
_SERVERS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
_ASK = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"interlock","version":"1"}}}'
)
_FIX = "have the server corrected, or set a token by hand: `interlock secret set NAME --workflow W --env E`"
_HEADERS = {"Accept": "application/json, text/event-stream"}

Document = TypeVar("Document")


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself as a resource."""

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorization server says of itself."""

    issuer: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    registration_endpoint: str = ""
    device_authorization_endpoint: str = ""
    code_challenge_methods_supported: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False


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
    resource = await _first(places, Resource, here=address_of(url).stays_here)
    if resource is None:
        raise _wrong(f"`{parts.hostname}` does not say who issues tokens for it")
    if not is_within(resource.resource, url):
        raise _wrong(f"what says who issues tokens for `{parts.hostname}` is about something else")
    return resource


async def _authority(issuer: str, *, here: bool) -> Authority:
    allowed(issuer, here=here)
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = [f"{origin}{each}{path}" for each in _SERVERS]
    places += [f"{origin}{path}{_SERVERS[1]}"] if path else []
    authority = await _first(places, Authority, here=here)
    if authority is None:
        raise _wrong(f"`{parts.hostname}`, which is said to issue tokens, does not say how")
    if authority.issuer != issuer:
        raise _wrong(f"what `{parts.hostname}` says of itself is of another issuer")
    if "S256" not in authority.code_challenge_methods_supported:
        raise _wrong(
            f"`{parts.hostname}` does not say that it knows PKCE with S256, so a code could be stolen on its way"
        )
    for each in (authority.authorization_endpoint, authority.token_endpoint):
        allowed(each, here=here)
    for each in (authority.registration_endpoint, authority.device_authorization_endpoint):
        if each:
            allowed(each, here=here)
    return authority


async def _first(places: Sequence[str], kind: type[Document], *, here: bool) -> Document | None:
    """Return the first document that is there. Whoever has none answers with an error, or with something else."""
    for place in places:
        address = allowed(place, here=here)
        answer = await get(address, headers={"Accept": "application/json"}, seconds=LOGIN_DOCUMENT_SECONDS_MAX)
        if answer.status == 200 and answer.kind.partition(";")[0].strip().lower() == "application/json":
            try:
                return msgspec.json.decode(answer.body, type=kind)
            except (msgspec.DecodeError, ValueError, RecursionError):
                raise _wrong(f"`{urlsplit(place).hostname}` says who it is in a way that cannot be read") from None
    return None


def allowed(place: str, *, here: bool) -> Address:
    """Read an address that somebody else has named. Nobody outside sends us to this machine.

    Raises:
        UpstreamFailed: it is none, has no TLS, or leads here.
    """
    try:
        address = address_of(place)
    except UsageWrong:
        raise _wrong("an address on the way to a login is none, or has no TLS") from None
    if "#" in place or (address.stays_here and not here):
        raise _wrong("an address on the way to a login leads to this machine, and the server is not here")
    return address


def _wrong(what: str) -> UpstreamFailed:
    return UpstreamFailed(f"{what}, so nobody can log in", fix=_FIX)
