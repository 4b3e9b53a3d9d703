"""People and services by the word of an issuer: an OpenID provider that the tenant believes."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson

from interlock.core.credential import Client, CredentialKind, Held, Issuer
from interlock.core.door import Door
from interlock.core.errors import UpstreamError
from interlock.core.ids import Instant, Micros, PersonId, TenantId
from interlock.core.limits import ISSUER_ASKED_AGAIN_MICROS, ISSUER_KEYS_MICROS, JWT_SKEW_SECONDS
from interlock.identity.bearer import Bearer, BearerKind, NotKnown, Wrong
from interlock.identity.fetch import fetched, may_be_asked
from interlock.identity.jwt import Claims, Jwk, Unopened, is_signed_by, key_for, read
from interlock.oauth.authority import OPENID

_SUBJECT = re.compile(r"[A-Za-z0-9._|:+@-]{1,128}")
_SECONDS_MAX = 1e11  # the year 5138; a number beyond it is none of seconds

_UNKNOWN = NotKnown(
    wrong=Wrong.UNKNOWN,
    why="this token is of no issuer that is known here, or was not signed by it",
    fix="log in again; whoever runs this sees the issuers with `interlock issuer list`",
)
AWAY = NotKnown(
    wrong=Wrong.UNKNOWN,
    why="the issuer of this token does not say now with which keys it signs, so nobody can tell whether it did",
    fix="try again once the issuer can be reached from here",
)
"""Whoever may be let in, and nobody can tell now."""
_EXPIRED = NotKnown(wrong=Wrong.EXPIRED, why="this token is not good now", fix="log in again")


def is_of_an_issuer(text: str) -> bool:
    """Whether what is shown looks like the word of an issuer, and not like a token of ours."""
    return text.count(".") == 2 and text.startswith("ey")


@dataclass(slots=True)
class _Keys:
    keys: Sequence[Jwk] = ()
    had_at: Micros | None = None
    """When it last said which keys it has, on the boot clock."""
    asked_at: Micros | None = None
    """When it was last asked."""
    away: bool = False
    """Whether nobody answered when it was asked last."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def good(self, boot: Micros) -> Sequence[Jwk]:
        """Return those that are believed now. Old ones are not, also where the issuer cannot be asked for new ones."""
        if self.had_at is not None and boot >= self.had_at + ISSUER_KEYS_MICROS:
            self.keys, self.had_at, self.asked_at = (), None, None
        return self.keys


@dataclass(slots=True, kw_only=True)
class Issuers:
    """Knows the public keys of issuers for a while. A key that nobody knows is looked for once a minute at most."""

    fetch: Callable[[str], Awaitable[bytes]] = fetched
    _known: dict[str, _Keys] = field(default_factory=dict[str, _Keys])

    async def bearer(self, tenant: TenantId, door: Door, text: str, *, now: Instant, boot: Micros) -> Bearer | NotKnown:
        """Say who shows a token of an issuer that the tenant believes.

        Args:
            tenant: whose door it is: such a token does not name one.
            door: that of the tenant.
            text: the token as it was sent.
            now: the time.
            boot: the boot clock.
        """
        unopened = read(text)
        issuer = _issuer(door, unopened.claims) if unopened is not None else None
        if unopened is None or issuer is None:
            return _UNKNOWN
        claims = await self._signed(issuer, unopened, boot)
        return claims if isinstance(claims, NotKnown) else bearer_of_claims(tenant, door, issuer, claims, now)

    async def claims(self, issuer: Issuer, text: str, *, boot: Micros) -> Claims | NotKnown:
        """Say what an issuer has signed, whomever it is meant for and however old it is.

        Args:
            issuer: it has to be of this one.
            text: the token as it came.
            boot: the boot clock.
        """
        unopened = read(text)
        if unopened is None or unopened.claims.get("iss") != issuer.url:
            return _UNKNOWN
        return await self._signed(issuer, unopened, boot)

    async def _signed(self, issuer: Issuer, unopened: Unopened, boot: Micros) -> Claims | NotKnown:
        key = await self._key(issuer, unopened, boot)
        if key is None:
            return AWAY if self._known[issuer.url].away else _UNKNOWN
        return unopened.claims if is_signed_by(unopened, key) else _UNKNOWN

    async def _key(self, issuer: Issuer, unopened: Unopened, boot: Micros) -> Jwk | None:
        known = self._known.setdefault(issuer.url, _Keys())
        key = key_for(unopened, known.good(boot))
        if key is not None:
            return key  # nobody waits for the issuer because somebody else's key is not known
        async with known.turn:
            key = key_for(unopened, known.good(boot))
            if key is None and (known.asked_at is None or boot >= known.asked_at + ISSUER_ASKED_AGAIN_MICROS):
                known.asked_at = boot
                try:
                    known.keys, known.had_at = await self._published(issuer), boot
                    known.away = False
                except UpstreamError:
                    known.away = True
                key = key_for(unopened, known.keys)
            return key

    async def _published(self, issuer: Issuer) -> Sequence[Jwk]:
        about = _json(await self.fetch(issuer.url.rstrip("/") + OPENID))
        where = about.get("jwks_uri")
        if about.get("issuer") != issuer.url or not isinstance(where, str) or not may_be_asked(where, by=issuer.url):
            return ()
        keys = _json(await self.fetch(where)).get("keys")
        found = cast("list[object]", keys) if isinstance(keys, list) else []
        return tuple(cast("Jwk", key) for key in found if isinstance(key, dict))


def bearer_of_claims(tenant: TenantId, door: Door, issuer: Issuer, claims: Claims, now: Instant) -> Bearer | NotKnown:
    """Say who it is that an issuer vouches for, once its signature is known to be good."""
    seconds, audience = now / 1_000_000, claims.get("aud")
    meant = audience == issuer.audience or (isinstance(audience, list) and issuer.audience in audience)
    subject, ends = claims.get("sub"), _time(claims, "exp")
    if claims.get("iss") != issuer.url or not meant or not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        return _UNKNOWN
    begins = [_time(claims, name) for name in ("nbf", "iat") if name in claims]
    begun = all(each is not None and seconds >= each - JWT_SKEW_SECONDS for each in begins)
    if ends is None or seconds >= ends + JWT_SKEW_SECONDS or not begun:
        return _EXPIRED
    ends_at = Instant(int(ends) * 1_000_000)
    client = issuer.clients.get(subject)
    if client is not None:
        return _service(tenant, issuer, client, ends_at)
    person = PersonId(f"{subject}@{issuer.name}")
    rights = tuple(right for right in door.rights if right.person == person and now < right.until)
    roles = (*_of_groups(issuer, claims), *(right.held for right in rights))
    return Bearer(
        tenant=tenant,
        kind=BearerKind.PERSON,
        known_by=issuer.known_by,
        roles=tuple(dict.fromkeys(roles)),
        person=person,
        issuer=issuer,
        rights=rights,
        ends_at=ends_at,
    )


def _service(tenant: TenantId, issuer: Issuer, client: Client, ends_at: Instant) -> Bearer:
    return Bearer(
        tenant=tenant,
        kind=BearerKind.AGENT if client.kind is CredentialKind.AGENT else BearerKind.SERVICE,
        known_by=issuer.known_by,
        workflow=client.workflow,
        environment=client.environment,
        agents=client.agents,
        roles=client.roles,
        issuer=issuer,
        ends_at=ends_at,
    )


def _of_groups(issuer: Issuer, claims: Claims) -> tuple[Held, ...]:
    said = claims.get(issuer.groups_claim)
    groups = cast("list[object]", said) if isinstance(said, list) else [said]
    return tuple(held for group in groups if isinstance(group, str) for held in issuer.groups.get(group, ()))


def _issuer(door: Door, claims: Claims) -> Issuer | None:
    """Find the issuer that a token names and is meant for: one provider may vouch for several audiences."""
    found = [issuer for _, issuer in sorted(door.issuers.items()) if issuer.url == claims.get("iss")]
    audience = claims.get("aud")
    audiences = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    return next((issuer for issuer in found if issuer.audience in audiences), None)


def _time(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _SECONDS_MAX:
        return None
    return float(value)


def _json(text: bytes) -> dict[str, object]:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
