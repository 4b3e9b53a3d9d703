"""What an authorization server says of itself (RFC 8414, OpenID Connect Discovery).

All of it is foreign: each document has to be of the one that it is asked of, addresses have TLS unless they are of this
machine, and nothing leads from outside to this machine.
"""

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from interlock.core.errors import UpstreamFailed, UsageWrong
from interlock.core.limits import LOGIN_DOCUMENT_SECONDS_MAX
from interlock.post import Address, get

OPENID = "/.well-known/openid-configuration"
_FIX = "have the server corrected, or look at its address"

Document = TypeVar("Document")


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorization server says of itself."""

    issuer: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    registration_endpoint: str = ""
    device_authorization_endpoint: str = ""
    revocation_endpoint: str = ""
    code_challenge_methods_supported: tuple[str, ...] | None = None
    scopes_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    client_id_metadata_document_supported: bool = False

    @property
    def host(self) -> str:
        """Its name, as it may be shown."""
        return urlsplit(self.issuer).hostname or ""


def address_of(text: str) -> Address:
    """Read the address of an endpoint that is told a credential: over TLS, unless it is on this machine.

    Raises:
        UsageWrong: credentials must not go there.
    """
    address = Address.parse(text)
    if not address.secure and not address.stays_here:
        raise UsageWrong("credentials do not go to a token endpoint without TLS", fix="write `https://HOST/PATH`")
    return address


def allowed(place: str, *, here: bool, fix: str = _FIX) -> Address:
    """Read an address that somebody else has named. Nobody outside sends us to this machine.

    Raises:
        UpstreamFailed: it is none, has no TLS, or leads here.
    """
    try:
        address = address_of(place)
    except UsageWrong:
        raise wrong("an address on the way to a login is none, or has no TLS", fix) from None
    if "#" in place or (address.stays_here and not here):
        raise wrong("an address on the way to a login leads to this machine, and the server is not here", fix)
    return address


async def document_at(places: Sequence[str], kind: type[Document], *, here: bool, fix: str = _FIX) -> Document | None:
    """Return the first document that is there. Whoever has none answers with an error, or with something else.

    Args:
        places: where it may be.
        kind: what it is.
        here: whether whoever is asked is on this machine.
        fix: what to do where it cannot be used.

    Raises:
        UpstreamSilent: it does not come in time.
        UpstreamFailed: it cannot be read, or is nowhere that may be asked.
    """
    for place in places:
        address = allowed(place, here=here, fix=fix)
        answer = await get(address, headers={"Accept": "application/json"}, seconds=LOGIN_DOCUMENT_SECONDS_MAX)
        if answer.status == 200 and answer.kind.partition(";")[0].strip().lower() == "application/json":
            try:
                return msgspec.json.decode(answer.body, type=kind)
            except (msgspec.DecodeError, ValueError, RecursionError):
                raise wrong(f"`{urlsplit(place).hostname}` says who it is in a way that cannot be read", fix) from None
    return None


async def authority_at(
    issuer: str, places: Sequence[str], *, here: bool, says_pkce: bool, fix: str = _FIX
) -> Authority:
    """Find what an authorization server says of itself.

    Args:
        issuer: the server, exactly as it says of itself.
        places: where it may say so.
        here: whether it may be on this machine.
        says_pkce: whether it has to say that it knows PKCE. Who says with which methods has to say S256 in any case.
        fix: what to do where it cannot be used.

    Raises:
        UpstreamSilent: it does not answer in time.
        UpstreamFailed: it cannot be reached, or cannot be believed.
    """
    host = urlsplit(issuer).hostname
    authority = await document_at(places, Authority, here=here, fix=fix)
    if authority is None:
        raise wrong(f"`{host}`, which is said to issue tokens, does not say how", fix)
    if authority.issuer != issuer:
        raise wrong(f"what `{host}` says of itself is of another issuer", fix)
    methods = authority.code_challenge_methods_supported
    if "S256" not in (methods or ()) and (says_pkce or methods is not None):
        why = f"`{host}` does not say that it knows PKCE with S256, so a code could be stolen on its way"
        raise wrong(why, fix)
    for each in (authority.authorization_endpoint, authority.token_endpoint):
        allowed(each, here=here, fix=fix)
    for each in (
        authority.registration_endpoint,
        authority.device_authorization_endpoint,
        authority.revocation_endpoint,
    ):
        if each:
            allowed(each, here=here, fix=fix)
    return authority


def wrong(what: str, fix: str = _FIX) -> UpstreamFailed:
    """Say that nobody can log in, because of somebody on the way."""
    return UpstreamFailed(f"{what}, so nobody can log in", fix=fix)
