"""Access tokens (RFC 6749): bought with a client's credentials or a refresh token, and used while they are good.

What the other side answers is foreign: of a refusal one of the codes of the RFC is told, and nothing else.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from urllib.parse import quote_plus, urlencode

import msgspec

from interlock.core.errors import SecretError, SecretUnreachable, StoreBusy, UpstreamError, UsageWrong
from interlock.core.ids import Instant
from interlock.core.limits import SECRET_BYTES_MAX, SECRET_CHARS_MIN, SECRET_SECONDS_MAX, TOKEN_KEPT_SECONDS_MAX
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.ports import Clock
from interlock.post import Address, Answer, post
from interlock.secret.kept import OAuth, SecretId, Source, hidden_of
from interlock.secret.sealed_file import SealedFile, locked

_MARGIN = 0.1  # of the life of a token: what is sent by then still arrives in time
_UNSAID_SECONDS = 60  # of a token whose life nobody says
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
_KEPT_MAX = 10_000


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A token, as it came."""

    access_token: str
    token_type: str
    expires_in: float | str | None = None
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "<a token>"


class _Refused(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    until: int
    """On the boot clock."""
    bought_with: OAuth


class Tokens:
    """Remembers access tokens, each for as long as what it was bought with is what is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[SecretId, _Token] = {}
        self._unwritten: dict[SecretId, tuple[OAuth, OAuth]] = {}
        self._turn = Lock()

    def at_hand(self, id: SecretId, value: OAuth) -> Secret | None:
        """Return a token that is still good, if there is one.

        Raises:
            SecretUnreachable: the one that is kept has ended, and nothing renews it.
        """
        if value.access_token:
            if value.access_until and self._clock.now() >= value.access_until:
                raise id.ended("has ended, and nothing came with it to renew it")
            return _secret(id, value.access_token, value)
        kept = self._kept.get(id)
        if kept is None or kept.bought_with != value or self._clock.boot() >= kept.until:
            return None
        return _secret(id, kept.text, value)

    def forget(self, id: SecretId) -> None:
        """Use a token no more: the next one is bought."""
        self._kept.pop(id, None)

    def bought(self, id: SecretId, value: OAuth, source: Source) -> Secret:
        """Buy a token. It blocks, for seconds at most.

        Raises:
            SecretUnreachable: there is none to be had.
        """
        if not value.refresh_token:
            return self._bought(id, value, None)
        if not isinstance(source, SealedFile):
            return self._bought(id, value, source)
        # A refresh token may be good for one use: processes take turns, and each looks what the one before has left.
        with locked(source.path.with_name(f"secrets.{_short(id)}.turn")):
            value = self._as_kept(id, source)
            return self.at_hand(id, value) or self._bought(id, value, source)

    def _as_kept(self, id: SecretId, source: SealedFile) -> OAuth:
        left = self._unwritten.get(id)
        if left is not None:
            self._keep(id, source, *left)
        value = source.find(id)
        if not isinstance(value, OAuth):
            raise id.unreachable("is another one by now", "call again")
        return value

    def _bought(self, id: SecretId, value: OAuth, source: Source | None) -> Secret:
        at = self._clock.boot()
        bought = granted(id, value, asyncio.run(asked(id, value, _fields(value))))
        renewed = bought.refresh_token
        if source is not None and renewed and renewed != value.refresh_token:
            if not isinstance(source, SealedFile):
                why = f"has a new refresh token with each use, and {source.name} cannot keep it"
                raise id.unreachable(why, "let the environment keep its secrets in the file: `secrets.yaml`")
            old, value = value, replace(value, refresh_token=renewed)
            self._keep(id, source, old, value)
        life = life_seconds(id, bought)
        until = at + int(life * (1 - _MARGIN) * 1_000_000)
        with self._turn:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[id] = _Token(text=bought.access_token, until=until, bought_with=value)
        return _secret(id, bought.access_token, value)

    def _keep(self, id: SecretId, source: SealedFile, old: OAuth, new: OAuth) -> None:
        """Write a new refresh token in place of the one that was used up."""
        self._unwritten[id] = old, new
        try:
            source.put(id, new, Instant(self._clock.now()), only_over=old)
        except StoreBusy as error:
            # The old one may be of no use any more. The new one is tried again with the next call.
            raise id.unreachable(f"was renewed, and cannot be written down: {error}", error.fix) from error
        except SecretError:
            # Somebody has set another one: that is the one to use.
            self._unwritten.pop(id)
            raise
        self._unwritten.pop(id)


def address_of(text: str) -> Address:
    """Read the address of a token endpoint: over TLS, unless it is on this machine.

    Raises:
        UsageWrong: credentials must not go there.
    """
    address = Address.parse(text)
    if not address.secure and not address.stays_here:
        raise UsageWrong("credentials do not go to a token endpoint without TLS", fix="write `https://HOST/PATH`")
    return address


def _secret(id: SecretId, text: str, value: OAuth) -> Secret:
    return Secret(id.name, text, beside=hidden_of(value), resource=value.resource)


def _fields(value: OAuth) -> Mapping[str, str]:
    kind = "refresh_token" if value.refresh_token else "client_credentials"
    said = {"refresh_token": value.refresh_token, "scope": value.scope, "audience": value.audience}
    return {"grant_type": kind, **{name: text for name, text in said.items() if text}}


async def asked(id: SecretId, value: OAuth, grant: Mapping[str, str]) -> Answer:
    """Ask the token endpoint, as the client that is kept.

    Args:
        id: the name under which what comes is used.
        value: the client, and where it asks.
        grant: what it asks with.

    Raises:
        SecretUnreachable: no answer came.
    """
    fields = {**grant, **({"resource": value.resource} if value.resource else {})}
    headers = {"Accept": "application/json"}
    if value.client_secret and value.client_auth == "basic":
        both = f"{quote_plus(value.client_id)}:{quote_plus(value.client_secret)}"
        headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
    else:
        fields["client_id"] = value.client_id
        fields |= {"client_secret": value.client_secret} if value.client_secret else {}
    try:
        return await post(
            address_of(value.token_url),
            urlencode(fields).encode(),
            kind="application/x-www-form-urlencoded",
            headers=headers,
            seconds=SECRET_SECONDS_MAX,
        )
    except UpstreamError as error:
        raise id.unreachable(f"buys no access token: {error}", error.fix) from None
    except UsageWrong as error:
        raise id.unreachable(f"buys no access token: {error}", error.fix) from None


def granted(id: SecretId, value: OAuth, answer: Answer) -> Granted:
    """Read what the endpoint grants.

    Raises:
        SecretUnreachable: it refuses, or what came is no token.
    """
    if answer.status != 200:
        raise _refused(id, value, answer)
    fix = "look whether `token_url` is the address of the token endpoint"
    if answer.kind.partition(";")[0].strip().lower() != "application/json":
        raise id.unreachable("buys no access token: the endpoint answers with something else than JSON", fix)
    try:
        granted = msgspec.json.decode(answer.body, type=Granted)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise id.unreachable("buys no access token: the endpoint answers with no token", fix) from None
    token = granted.access_token
    if not SECRET_CHARS_MIN <= len(token) <= SECRET_BYTES_MAX or not (token.isascii() and token.isprintable()):
        raise id.unreachable("buys no access token: what came is none", fix)
    if granted.token_type.lower() != "bearer":
        raise id.unreachable("buys a token of a type that is not `Bearer`", "have the client issued such tokens")
    return granted


def code_in(answer: Answer) -> str:
    """Return the code of the standard that a refusal has, and nothing else that it says."""
    try:
        code = msgspec.json.decode(answer.body, type=_Refused).error
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    return code if code in _CODES else ""


def _refused(id: SecretId, value: OAuth, answer: Answer) -> SecretUnreachable:
    code = code_in(answer)
    known = f", `{code}`" if code else ""
    why = f"buys no access token: the endpoint refuses ({answer.status}{known})"
    how = f"interlock secret set {id.name} --oauth --workflow {id.workflow} --env {id.environment}"
    return id.ended(why) if value.url else id.unreachable(why, f"look at the client there, then set it again: `{how}`")


def life_seconds(id: SecretId, granted: Granted) -> float:
    """Say for how long a token is good.

    Raises:
        SecretUnreachable: for no time.
    """
    try:
        life = float(granted.expires_in if granted.expires_in is not None else _UNSAID_SECONDS)
    except ValueError:
        life = -1.0
    if not 0 < life < float("inf"):
        raise id.unreachable("buys a token that has no life", "look at what the endpoint says of `expires_in`")
    return min(life, TOKEN_KEPT_SECONDS_MAX)


def _short(id: SecretId) -> str:
    return sha256(msgspec.json.encode(id)).hexdigest()[:16]
