"""Access tokens (RFC 6749): bought with a client's credentials or a refresh token, and used while they are good."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

import msgspec

from interlock.core.errors import SecretError, SecretUnreachable, StoreBusy
from interlock.core.ids import Instant
from interlock.core.limits import SECRET_SECONDS_MAX
from interlock.core.secret import Secret
from interlock.core.value import replace
from interlock.oauth.endpoint import Client, Endpoint, asked, granted, life_seconds
from interlock.owned import locked
from interlock.ports import Clock
from interlock.secret.kept import OAuth, SecretId, Source, hidden_of
from interlock.secret.sealed_file import SealedFile

_MARGIN = 0.1  # of the life of a token: what is sent by then still arrives in time
_KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Bought:
    """Says of a secret that no access token is bought with it."""

    id: SecretId
    value: OAuth

    def failed(self, why: str, fix: str) -> SecretUnreachable:
        return self.id.unreachable(f"buys no access token: {why}", fix)

    def refused(self, why: str, code: str) -> SecretUnreachable:
        id, told = self.id, f"buys no access token: {why}"
        if self.value.url:
            return id.ended(told)
        how = f"interlock secret set {id.name} --oauth --workflow {id.workflow} --env {id.environment}"
        return id.unreachable(told, f"look at the client there, then set it again: `{how}`")


def endpoint_of(value: OAuth) -> Endpoint:
    """Say where tokens are bought with what is kept."""
    client = Client(id=value.client_id, secret=value.client_secret)
    return Endpoint(url=value.token_url, client=client, auth=value.client_auth, resource=value.resource)


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
        turn = source.path.with_name(f"secrets.{_short(id)}.turn")
        with ExitStack() as held:
            try:
                held.enter_context(locked(turn, seconds=SECRET_SECONDS_MAX))
            except StoreBusy as busy:
                raise id.unreachable(f"buys no access token: {busy}", busy.fix) from busy
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
        buyer = Bought(id, value)
        bought = granted(buyer, asyncio.run(asked(buyer, endpoint_of(value), _fields(value))))
        renewed = bought.refresh_token
        if source is not None and renewed and renewed != value.refresh_token:
            if not isinstance(source, SealedFile):
                why = f"has a new refresh token with each use, and {source.name} cannot keep it"
                raise id.unreachable(why, "let the environment keep its secrets in the file: `secrets.yaml`")
            old, value = value, replace(value, refresh_token=renewed)
            self._keep(id, source, old, value)
        life = life_seconds(buyer, bought)
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


def _secret(id: SecretId, text: str, value: OAuth) -> Secret:
    return Secret(id.name, text, beside=hidden_of(value), resource=value.resource)


def _fields(value: OAuth) -> Mapping[str, str]:
    kind = "refresh_token" if value.refresh_token else "client_credentials"
    said = {"refresh_token": value.refresh_token, "scope": value.scope, "audience": value.audience}
    return {"grant_type": kind, **{name: text for name, text in said.items() if text}}


def _short(id: SecretId) -> str:
    return sha256(msgspec.json.encode(id)).hexdigest()[:16]
