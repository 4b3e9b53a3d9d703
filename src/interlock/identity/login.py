"""A person's own login at an issuer: what came of it, held against what was asked for, and what renews it.

What it opens is decided by `oidc`, as for whoever shows a token over HTTP. Here it is only seen to that what came is
the answer to this login and to no other (OpenID Connect Core 3.1.3.7).
"""

from dataclasses import dataclass

from interlock.core.credential import Issuer
from interlock.core.errors import NotLoggedIn, UpstreamFailed
from interlock.core.ids import Instant
from interlock.core.limits import JWT_CHARS_MAX, JWT_SKEW_SECONDS
from interlock.core.value import replace
from interlock.identity.jwt import Claims, half_hash, read
from interlock.identity.login_file import Kept
from interlock.oauth.authority import OPENID, Authority, address_of, authority_at
from interlock.oauth.endpoint import Granted, asked, granted

AGAIN = "log in again: `interlock login`"
_CLIENT = "name the client that is registered there: `--client-id ID`, and `--client-secret` if it has one"
_FIX = "look at the address of the issuer: `interlock issuer list`"


@dataclass(frozen=True, slots=True)
class At:
    """Says of an issuer that there is nothing to be had for a login."""

    name: str

    def failed(self, why: str, fix: str) -> UpstreamFailed:
        return UpstreamFailed(f"the issuer `{self.name}` issues no token: {why}", fix=fix)

    def refused(self, why: str, code: str) -> NotLoggedIn:
        fix = _CLIENT if code in ("invalid_client", "unauthorized_client") else AGAIN
        return NotLoggedIn(f"the issuer `{self.name}` issues no token: {why}", fix=fix)


async def authority_of(issuer: Issuer) -> Authority:
    """Find out where people log in at an issuer.

    Raises:
        UpstreamSilent: it does not answer in time.
        UpstreamFailed: it cannot be reached, or says nothing that can be believed.
    """
    here = address_of(issuer.url).stays_here
    place = f"{issuer.url.rstrip('/')}{OPENID}"
    return await authority_at(issuer.url, [place], here=here, says_pkce=False, fix=_FIX)


def scope_for(issuer: Issuer, authority: Authority, said: str) -> str:
    """Say what a login asks for: who somebody is, in which groups, and to go on without asking again."""
    wanted = said.split() if said else ["offline_access", issuer.groups_claim]
    known = [each for each in wanted if said or each in authority.scopes_supported]
    return " ".join(dict.fromkeys(["openid", *known]))


def flaw_in(claims: Claims, issuer: Issuer, client: str, nonce: str, now: Instant) -> str:
    """Say why what is signed about a person is no answer to a login, or nothing.

    Args:
        claims: what is signed, by a key of the issuer.
        issuer: who was asked.
        client: as which client.
        nonce: what was drawn for this login; nothing where the answer comes from the issuer itself.
        now: the time.
    """
    audience, party, seconds = claims.get("aud"), claims.get("azp"), now / 1_000_000
    if claims.get("iss") != issuer.url:
        return "it is of another issuer"
    if audience != client and not (isinstance(audience, list) and client in audience):
        return "it is meant for another client"
    if party is not None and party != client:
        return "it was issued to another client"
    if nonce and claims.get("nonce") != nonce:
        return "it is the answer to another login"
    ends = claims.get("exp")
    if not isinstance(ends, int | float) or isinstance(ends, bool) or seconds >= ends + JWT_SKEW_SECONDS:
        return "it has ended"
    return ""


def flaw_beside(claims: Claims, came: Granted) -> str:
    """Say why what is signed about a person did not come with this access token, or nothing; it may say nothing of it.

    Args:
        claims: what is signed in the ID token that came.
        came: what came.
    """
    said, unopened = claims.get("at_hash"), read(came.id_token)
    if said is None or unopened is None or said == half_hash(unopened.algorithm, came.access_token):
        return ""
    return "it was issued with another access token"


def with_granted(kept: Kept, came: Granted) -> Kept:
    """Put what was granted into what is kept.

    Raises:
        UpstreamFailed: nothing came that says who the person is and until when.
    """
    text = came.access_token if kept.shows_access else came.id_token
    unopened = read(text) if len(text) <= JWT_CHARS_MAX else None
    ends = unopened.claims.get("exp") if unopened is not None else None
    if not isinstance(ends, int | float) or isinstance(ends, bool) or not 0 < ends < 1e11:
        what = "access token that is signed" if kept.shows_access else "ID token"
        if kept.token:
            raise UpstreamFailed(f"the issuer `{kept.issuer}` renews no {what}", fix=AGAIN)
        fix = f"have it issue one to the client `{kept.client_id}`, for the scope `openid`"
        raise At(kept.issuer).failed(f"what came has no {what} that ends", fix)
    renewed = came.refresh_token or kept.refresh_token
    return replace(kept, token=text, until=Instant(int(ends) * 1_000_000), refresh_token=renewed)


async def renewed(kept: Kept) -> Kept:
    """Renew a login.

    Raises:
        NotLoggedIn: the issuer renews it no more.
        UpstreamFailed: it does not answer, or with nothing that says who the person is.
    """
    at = At(kept.issuer)
    grant = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token}
    return with_granted(kept, granted(at, await asked(at, kept.endpoint, grant)))


async def revoked(kept: Kept) -> str:
    """Have an issuer take back what renews a login (RFC 7009). Returns why it did not, or nothing.

    Raises:
        UpstreamSilent: it does not answer in time.
        UpstreamFailed: it cannot be reached.
    """
    token, kind = (kept.refresh_token, "refresh_token") if kept.refresh_token else (kept.token, "access_token")
    if not kept.revocation_url:
        return "it has no place for that"
    if not kept.refresh_token and not kept.shows_access:
        return "it gave nothing that could be taken back"
    endpoint = replace(kept.endpoint, url=kept.revocation_url, resource="")
    answer = await asked(At(kept.issuer), endpoint, {"token": token, "token_type_hint": kind})
    return "" if answer.status == 200 else f"it answers with {answer.status}"
