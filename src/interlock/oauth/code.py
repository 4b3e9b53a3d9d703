"""A person logs in with a browser (the code flow with PKCE, RFC 7636; a native client, RFC 8252).

The answer that a browser brings back is foreign: it counts with the state that was drawn, from the issuer that was
asked (RFC 9207), and once.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_urlsafe
from urllib.parse import urlencode, urlsplit

import msgspec

from interlock.core.errors import UpstreamFailed
from interlock.core.limits import LOGIN_DOCUMENT_SECONDS_MAX, SECRET_CHARS_MIN
from interlock.oauth.authority import Authority, address_of
from interlock.oauth.endpoint import Client
from interlock.post import post

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
BY_HAND = "have a client registered there, and log in with `--client-id ID`"

_REFUSALS = frozenset(
    {
        "access_denied",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
    }
)


class _Registered(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    client_secret: str = ""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One login that has begun."""

    authority: Authority
    client: Client
    redirect: str
    scope: str
    resource: str = ""
    audience: str = ""
    """Whom tokens are to be meant for, at a provider that wants to be told so beside the standard."""
    state: str
    verifier: str
    nonce: str = ""
    """What has to stand in what is signed about the person, where anything is (OpenID Connect)."""

    def __repr__(self) -> str:
        return f"<a login at {self.authority.issuer}>"

    @property
    def address(self) -> str:
        """Where a person goes in a browser."""
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asks = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.redirect,
            "state": self.state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": self.resource,
            "audience": self.audience,
            "scope": self.scope,
            "nonce": self.nonce,
            # OpenID Connect wants a person to know of it.
            "prompt": "consent" if "offline_access" in self.scope.split() else "",
        }
        place = self.authority.authorization_endpoint
        query = urlencode({name: text for name, text in asks.items() if text})
        return f"{place}{'&' if urlsplit(place).query else '?'}{query}"

    def is_answered_by(self, answer: Mapping[str, str]) -> bool:
        """Whether what a browser brings is the answer to this login. Nobody else knows its state."""
        return hmac.compare_digest(answer.get("state", "").encode(), self.state.encode())

    def code_in(self, answer: Mapping[str, str]) -> str:
        """Return the code that an answer to this login brings.

        Raises:
            UpstreamFailed: it is of another issuer, or a refusal.
        """
        authority = self.authority
        issuer = answer.get("iss")
        if issuer is None and authority.authorization_response_iss_parameter_supported:
            raise _refusal("the answer does not say of whom it is, as it should")
        if issuer is not None and issuer != authority.issuer:
            raise _refusal("the answer is of another issuer than the one that was asked")
        if "error" in answer or not answer.get("code"):
            code = answer.get("error", "")
            known = f" (`{code}`)" if code in _REFUSALS else ""
            raise _refusal(f"`{authority.host}` refuses the login{known}")
        return answer["code"]

    def grant_of(self, code: str) -> Mapping[str, str]:
        """Say what a token endpoint is asked with. A code is good once."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect,
            "code_verifier": self.verifier,
        }


def begun(
    authority: Authority,
    client: Client,
    redirect: str,
    scope: str,
    *,
    resource: str = "",
    audience: str = "",
    named: bool = False,
) -> Login:
    """Begin a login.

    Args:
        authority: where.
        client: as which client.
        redirect: where the answer comes to.
        scope: what is asked for.
        resource: the address that tokens are for.
        audience: whom they are for, where the provider wants that in a parameter of its own.
        named: whether it is about who the person is, so that what is signed about them is bound to this login.
    """
    return Login(
        authority=authority,
        client=client,
        redirect=redirect,
        scope=scope,
        resource=resource,
        audience=audience,
        state=token_urlsafe(32),
        verifier=token_urlsafe(48),
        nonce=token_urlsafe(32) if named else "",
    )


async def registered(authority: Authority, redirect: str | None, scope: str) -> Client:
    """Have a client registered (RFC 7591).

    Args:
        authority: where.
        redirect: where answers come to; nothing where a code is typed on another machine.
        scope: what will be asked for.

    Raises:
        UpstreamSilent: nobody registers one in time.
        UpstreamFailed: nobody registers one.
    """
    grant = "authorization_code" if redirect is not None else DEVICE
    about: dict[str, object] = {
        "client_name": "Interlock",
        "application_type": "native",
        "grant_types": [grant, "refresh_token"],
        **({"redirect_uris": [redirect], "response_types": ["code"]} if redirect is not None else {}),
        "token_endpoint_auth_method": "none",
        **({"scope": scope} if scope else {}),
    }
    answer = await post(
        address_of(authority.registration_endpoint),
        msgspec.json.encode(about),
        kind="application/json",
        headers={"Accept": "application/json"},
        seconds=LOGIN_DOCUMENT_SECONDS_MAX,
    )
    refused = UpstreamFailed(f"`{authority.issuer}` does not register this client", fix=BY_HAND)
    if answer.status not in (200, 201):
        raise refused
    try:
        made = msgspec.json.decode(answer.body, type=_Registered)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise refused from None
    short = bool(made.client_secret) and len(made.client_secret) < SECRET_CHARS_MIN
    if not made.client_id or not (made.client_id.isascii() and made.client_id.isprintable()) or short:
        raise refused
    return Client(id=made.client_id, secret=made.client_secret)


def _refusal(what: str) -> UpstreamFailed:
    return UpstreamFailed(f"{what}, so nothing is kept", fix="begin anew, and look at what the page says")
