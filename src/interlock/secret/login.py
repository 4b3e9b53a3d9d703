"""A person logs in at an authorization server (OAuth 2.1, the code flow with PKCE) for the tokens of one server.

What is kept afterwards is what renews a token, bound to the resource that it was issued for. The answer that a browser
brings back is foreign: it counts with the state that was drawn, from the issuer that was asked, and once.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Literal
from urllib.parse import urlencode, urlsplit

import msgspec

from interlock.core.errors import SecretUnreachable, UpstreamFailed
from interlock.core.ids import Instant
from interlock.core.limits import LOGIN_DOCUMENT_SECONDS_MAX, SECRET_CHARS_MIN
from interlock.post import post
from interlock.secret.authority import Found
from interlock.secret.kept import OAuth, SecretId
from interlock.secret.oauth import Granted, address_of, asked, granted, life_seconds

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
    }
)
_AUTH: Mapping[str, Literal["basic", "body"]] = {"client_secret_basic": "basic", "client_secret_post": "body"}
_BY_HAND = "have a client registered there, and log in with `--client-id ID`"


DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """As which client somebody logs in."""

    id: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"Client(id={self.id!r})"


class _Registered(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    client_secret: str = ""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One login that has begun."""

    at: Found
    client: Client
    redirect: str
    scope: str
    state: str
    verifier: str

    def __repr__(self) -> str:
        return f"<a login at {self.at.authority.issuer}>"

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
            "resource": self.at.resource,
        }
        if self.scope:
            asks["scope"] = self.scope
        if "offline_access" in self.scope.split():
            asks["prompt"] = "consent"  # OpenID Connect wants a person to know of it
        place = self.at.authority.authorization_endpoint
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(asks)}"

    def is_answered_by(self, answer: Mapping[str, str]) -> bool:
        """Whether what a browser brings is the answer to this login. Nobody else knows its state."""
        return hmac.compare_digest(answer.get("state", "").encode(), self.state.encode())

    def code_in(self, answer: Mapping[str, str]) -> str:
        """Return the code that an answer to this login brings.

        Raises:
            UpstreamFailed: it is of another issuer, or a refusal.
        """
        authority = self.at.authority
        issuer = answer.get("iss")
        if issuer is None and authority.authorization_response_iss_parameter_supported:
            raise _refusal("the answer does not say of whom it is, as it should")
        if issuer is not None and issuer != authority.issuer:
            raise _refusal("the answer is of another issuer than the one that was asked")
        if "error" in answer or not answer.get("code"):
            code = answer.get("error", "")
            known = f" (`{code}`)" if code in _REFUSALS else ""
            raise _refusal(f"`{urlsplit(authority.issuer).hostname}` refuses the login{known}")
        return answer["code"]


def begun(at: Found, client: Client, redirect: str, scope: str = "") -> Login:
    """Begin a login.

    Args:
        at: where.
        client: as which client.
        redirect: where the answer comes to.
        scope: what is asked for, if not what the server wants.
    """
    return Login(
        at=at,
        client=client,
        redirect=redirect,
        scope=scope or at.scope,
        state=token_urlsafe(32),
        verifier=token_urlsafe(48),
    )


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
            raise UpstreamFailed(f"`{authority.issuer}` does not take documents about clients", fix=_BY_HAND)
        return Client(id=document)
    if authority.registration_endpoint:
        return await _registered(at, redirect)
    if kept is not None and kept.issuer == authority.issuer:
        return Client(id=kept.client_id, secret=kept.client_secret)
    raise UpstreamFailed(f"`{authority.issuer}` registers no clients by itself", fix=_BY_HAND)


async def _registered(at: Found, redirect: str | None) -> Client:
    grant = "authorization_code" if redirect is not None else DEVICE
    about: dict[str, object] = {
        "client_name": "Interlock",
        "application_type": "native",
        "grant_types": [grant, "refresh_token"],
        **({"redirect_uris": [redirect], "response_types": ["code"]} if redirect is not None else {}),
        "token_endpoint_auth_method": "none",
        **({"scope": at.scope} if at.scope else {}),
    }
    answer = await post(
        address_of(at.authority.registration_endpoint),
        msgspec.json.encode(about),
        kind="application/json",
        headers={"Accept": "application/json"},
        seconds=LOGIN_DOCUMENT_SECONDS_MAX,
    )
    refused = UpstreamFailed(f"`{at.authority.issuer}` does not register this client", fix=_BY_HAND)
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


async def exchanged(id: SecretId, login: Login, code: str, now: Instant) -> OAuth:
    """Exchange a code for what is kept.

    Args:
        id: the name under which it is kept.
        login: the login that it is of.
        code: it is good once.
        now: the time.

    Raises:
        SecretUnreachable: nothing is issued for it, or nothing that can be used.
    """
    value = value_for(login.at, login.client)
    grant = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": login.redirect,
        "code_verifier": login.verifier,
    }
    return kept_of(id, value, granted(id, value, await asked(id, value, grant)), now)


def value_for(at: Found, client: Client) -> OAuth:
    """Say what is kept of a login before anything is issued."""
    authority = at.authority
    return OAuth(
        token_url=authority.token_endpoint,
        client_id=client.id,
        client_secret=client.secret,
        client_auth=_client_auth(authority.token_endpoint_auth_methods_supported),
        resource=at.resource,
        issuer=authority.issuer,
        url=at.url,
    )


def _client_auth(methods: tuple[str, ...]) -> Literal["basic", "body"]:
    for each in methods:
        if each in _AUTH:
            return _AUTH[each]
    return "basic"


def kept_of(id: SecretId, value: OAuth, came: Granted, now: Instant) -> OAuth:
    """Say what is kept of what was issued: what renews it, or, where there is none, the token itself.

    Raises:
        SecretUnreachable: it is too short to be kept out of what comes back, or has no life.
    """
    if came.refresh_token:
        if len(came.refresh_token) < SECRET_CHARS_MIN:
            raise _short(id)
        return msgspec.structs.replace(value, refresh_token=came.refresh_token)
    until = now + int(life_seconds(id, came) * 1_000_000) if came.expires_in is not None else 0
    return msgspec.structs.replace(value, access_token=came.access_token, access_until=until)


def _short(id: SecretId) -> SecretUnreachable:
    return id.unreachable("was issued in a form that could not be kept out of what comes back", _BY_HAND)


def _refusal(what: str) -> UpstreamFailed:
    return UpstreamFailed(f"{what}, so nothing is kept", fix="begin anew, and look at what the page says")
