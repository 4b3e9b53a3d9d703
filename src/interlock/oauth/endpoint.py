"""A token endpoint (RFC 6749): what it is asked, and what it grants.

What it answers is foreign: of a refusal one of the codes of the RFC is told, and nothing else.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import quote_plus, urlencode

import msgspec

from interlock.core.errors import InterlockError, UpstreamError, UsageWrong
from interlock.core.limits import SECRET_BYTES_MAX, SECRET_CHARS_MIN, SECRET_SECONDS_MAX, TOKEN_KEPT_SECONDS_MAX
from interlock.oauth.authority import Authority, address_of
from interlock.post import Answer, post

ClientAuth = Literal["basic", "body"]

_UNSAID_SECONDS = 60  # of a token whose life nobody says
_AUTH: Mapping[str, ClientAuth] = {"client_secret_basic": "basic", "client_secret_post": "body"}
_FIX = "look whether `token_url` is the address of the token endpoint"
_CODES = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "authorization_pending",
        "slow_down",
        "access_denied",
        "expired_token",
    }
)


class Buyer(Protocol):
    """Who asks for tokens, and says what became of it in their own words."""

    def failed(self, why: str, fix: str) -> InterlockError:
        """Say that there is no token to be had."""
        ...

    def refused(self, why: str, code: str) -> InterlockError:
        """Say that the endpoint has refused, with which code of the standard, if any."""
        ...


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """As which client somebody asks."""

    id: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"Client(id={self.id!r})"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where tokens are asked for, as which client, for which resource."""

    url: str
    client: Client
    auth: ClientAuth = "basic"
    """Where the client's secret goes: into a header, or beside the other fields."""
    resource: str = ""
    """The address that tokens are for (RFC 8707)."""


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A token, as it came."""

    access_token: str
    token_type: str
    expires_in: float | str | None = None
    refresh_token: str = ""
    id_token: str = ""

    def __repr__(self) -> str:
        return "<a token>"


class _Refused(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""


def client_auth(authority: Authority) -> ClientAuth:
    """Say where a client's secret goes, as the server wants it."""
    for each in authority.token_endpoint_auth_methods_supported:
        if each in _AUTH:
            return _AUTH[each]
    return "basic"


async def asked(buyer: Buyer, endpoint: Endpoint, grant: Mapping[str, str]) -> Answer:
    """Ask an endpoint.

    Args:
        buyer: who asks.
        endpoint: where, as which client.
        grant: what it is asked with.

    Raises:
        InterlockError: no answer came; the buyer says so.
    """
    try:
        return await answered(endpoint, grant)
    except (UpstreamError, UsageWrong) as error:
        raise buyer.failed(str(error), error.fix) from None


async def answered(endpoint: Endpoint, grant: Mapping[str, str]) -> Answer:
    """Ask an endpoint, for nobody in particular.

    Raises:
        UpstreamSilent: no answer came in time.
        UpstreamFailed: it cannot be reached.
        UsageWrong: credentials must not go there.
    """
    fields = {**grant, **({"resource": endpoint.resource} if endpoint.resource else {})}
    headers, client = {"Accept": "application/json"}, endpoint.client
    if client.secret and endpoint.auth == "basic":
        both = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
        headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
    else:
        fields["client_id"] = client.id
        fields |= {"client_secret": client.secret} if client.secret else {}
    return await post(
        address_of(endpoint.url),
        urlencode(fields).encode(),
        kind="application/x-www-form-urlencoded",
        headers=headers,
        seconds=SECRET_SECONDS_MAX,
    )


def granted(buyer: Buyer, answer: Answer) -> Granted:
    """Read what an endpoint grants.

    Raises:
        InterlockError: it refuses, or what came is no token; the buyer says so.
    """
    if answer.status != 200:
        code = code_in(answer)
        known = f", `{code}`" if code else ""
        raise buyer.refused(f"the endpoint refuses ({answer.status}{known})", code)
    if answer.kind.partition(";")[0].strip().lower() != "application/json":
        raise buyer.failed("the endpoint answers with something else than JSON", _FIX)
    try:
        found = msgspec.json.decode(answer.body, type=Granted)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise buyer.failed("the endpoint answers with no token", _FIX) from None
    token = found.access_token
    if not SECRET_CHARS_MIN <= len(token) <= SECRET_BYTES_MAX or not (token.isascii() and token.isprintable()):
        raise buyer.failed("what came is none", _FIX)
    if found.token_type.lower() != "bearer":
        raise buyer.failed("its type is not `Bearer`", "have the client issued such tokens")
    return found


def code_in(answer: Answer) -> str:
    """Return the code of the standard that a refusal has, and nothing else that it says."""
    try:
        code = msgspec.json.decode(answer.body, type=_Refused).error
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    return code if code in _CODES else ""


def life_seconds(buyer: Buyer, found: Granted) -> float:
    """Say for how long a token is good.

    Raises:
        InterlockError: for no time; the buyer says so.
    """
    try:
        life = float(found.expires_in if found.expires_in is not None else _UNSAID_SECONDS)
    except ValueError:
        life = -1.0
    if not 0 < life < float("inf"):
        raise buyer.failed("what came has no life", "look at what the endpoint says of `expires_in`")
    return min(life, TOKEN_KEPT_SECONDS_MAX)
