"""What a person changes about who may come in: tokens, issuers, rights for a while. Each is a write of its own."""

from interlock.core.credential import Credential, Issuer, Right, with_rights
from interlock.core.door import Door
from interlock.core.errors import NotPermitted
from interlock.core.ids import CredentialId, Instant
from interlock.core.limits import CREDENTIAL_DAYS_MAX, CREDENTIALS_MAX, RIGHTS_MAX
from interlock.core.value import replace
from interlock.gateway.doors import Operator, changed
from interlock.ledger import entrance
from interlock.ledger.seal import Kind
from interlock.ports import Answer, Change, Changes, Needs, Rows, TenantStore

_DAY_MICROS = 86_400 * 1_000_000
_LIST = "see which there are: `interlock token list`"


async def issue(store: TenantStore, new: Credential, by: Operator) -> Credential:
    """Let the holder of a token in, from the next transaction on. Returns it as it is kept.

    Raises:
        NotPermitted: it would never expire, or the tenant has as many as it may have.
    """
    return await _written(store, lambda rows: _issued(rows, new, by, replaces=None, until=Instant(0)))


async def rotate(store: TenantStore, old: CredentialId, new: Credential, by: Operator, *, until: Instant) -> Credential:
    """Put a new token in the place of an old one, which opens the same until a time. Returns the new one.

    Raises:
        NotPermitted: there is no such token, it has ended, or the new one would never expire.
    """
    return await _written(store, lambda rows: _issued(rows, new, by, replaces=old, until=until))


async def revoke(store: TenantStore, id: CredentialId, by: Operator) -> Credential:
    """Let the holder of a token in no more. Once this returns, nothing that they ask for starts.

    Raises:
        NotPermitted: there is no such token, or it was revoked.
    """

    def turn(rows: Rows) -> tuple[Changes, Credential | NotPermitted]:
        known = rows.door.credentials.get(id)
        if known is None or known.revoked_at:
            return Changes(), _no_token(id, known)
        gone = replace(known, revoked_at=rows.now)
        door = replace(rows.door, credentials={**rows.door.credentials, id: gone})
        return _turned(rows, door, by, Kind.CREDENTIAL, entrance.revoked(id)), gone

    return await _written(store, turn)


def _issued(
    rows: Rows, new: Credential, by: Operator, *, replaces: CredentialId | None, until: Instant
) -> tuple[Changes, Credential | NotPermitted]:
    known = rows.door.credentials
    old = known.get(replaces) if replaces is not None else None
    if replaces is not None and (old is None or old.revoked_at or rows.now >= old.expires_at):
        return Changes(), _no_token(replaces, old)
    if not rows.now < new.expires_at <= rows.now + CREDENTIAL_DAYS_MAX * _DAY_MICROS:
        why = f"a token expires within {CREDENTIAL_DAYS_MAX} days"
        return Changes(), NotPermitted(why, fix="say when: `--expires 90d`")
    if new.id in known:
        return Changes(), NotPermitted(f"there is a token `{new.id}` already", fix="try again")
    issued = replace(new, created_at=rows.now, by=by.person)
    door = entrance.replaced(rows.door, issued, rows.now, replaces=replaces, until=until)
    if len(door.credentials) > CREDENTIALS_MAX:
        why = f"a tenant has at most {CREDENTIALS_MAX:,} tokens, those of the last 30 days included"
        return Changes(), NotPermitted(why, fix="issue one for a workflow, not for each agent of it")
    detail = entrance.issued(issued, replaces=replaces, until=until)
    return _turned(rows, door, by, Kind.CREDENTIAL, detail), issued


def _no_token(id: CredentialId, known: Credential | None) -> NotPermitted:
    if known is None:
        return NotPermitted(f"there is no token `{id}`", fix=_LIST)
    ended = "was revoked" if known.revoked_at else "has expired"
    return NotPermitted(
        f"the token `{id}` {ended}",
        fix="issue another one: `interlock token new NAME --workflow W --env E --expires 90d`",
    )


async def add_issuer(store: TenantStore, issuer: Issuer, by: Operator) -> None:
    """Believe what an issuer says of people and services. One of the same name gives way."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        added = replace(issuer, by=by.person, at=rows.now)
        door = replace(rows.door, issuers={**rows.door.issuers, added.name: added})
        return _turned(rows, door, by, Kind.ISSUER, entrance.added(added)), None

    await store.write(Needs(), turn)


async def remove_issuer(store: TenantStore, name: str, by: Operator) -> bool:
    """Believe an issuer no more. Returns whether it was believed."""

    def turn(rows: Rows) -> tuple[Changes, bool]:
        left = {known: one for known, one in rows.door.issuers.items() if known != name}
        if len(left) == len(rows.door.issuers):
            return Changes(), False
        return _turned(rows, replace(rows.door, issuers=left), by, Kind.ISSUER, entrance.removed(name)), True

    return (await store.write(Needs(), turn)).answer


async def give(store: TenantStore, right: Right, by: Operator) -> Right:
    """Give a person a role until a time.

    Raises:
        NotPermitted: as many people as may hold roles for a while do.
    """

    def turn(rows: Rows) -> tuple[Changes, Right | NotPermitted]:
        given = replace(right, by=by.person, at=rows.now)
        rights = with_rights(rows.door.rights, given, rows.now)
        if len(rights) > RIGHTS_MAX:
            return Changes(), NotPermitted("too many roles are given for a while", fix="take some: `access revoke`")
        return _turned(rows, replace(rows.door, rights=rights), by, Kind.RIGHT, entrance.given(given)), given

    return await _written(store, turn)


async def take(store: TenantStore, id: str, by: Operator) -> bool:
    """Take a role back before its time. Returns whether it was there."""

    def turn(rows: Rows) -> tuple[Changes, bool]:
        left = tuple(one for one in rows.door.rights if one.id != id)
        if len(left) == len(rows.door.rights):
            return Changes(), False
        return _turned(rows, replace(rows.door, rights=left), by, Kind.RIGHT, entrance.taken(id)), True

    return (await store.write(Needs(), turn)).answer


def _turned(rows: Rows, door: Door, by: Operator, kind: Kind, detail: entrance.Detail) -> Changes:
    return changed(rows, replace(door, epoch=rows.door.epoch + 1), by, kind, detail)


async def _written(store: TenantStore, turn: "Change[Answer | NotPermitted]") -> Answer:
    answer = (await store.write(Needs(), turn)).answer
    if isinstance(answer, NotPermitted):
        raise answer
    return answer
