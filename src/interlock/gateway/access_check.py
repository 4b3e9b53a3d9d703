"""Whether whoever was let in is still let in: looked at in the transaction that would start what they ask for."""

from interlock.core.action import Action, Caller
from interlock.core.credential import (
    ANYBODY,
    BY_ISSUER,
    BY_TOKEN,
    AccessRole,
    Client,
    Credential,
    CredentialKind,
)
from interlock.core.door import Door
from interlock.core.ids import CredentialId, Instant

_ANOTHER = "issue another token: `interlock token new NAME --workflow W --env E --expires 90d`"

Shut = tuple[str, str]
"""Why somebody may not come in, and what to do about it."""


_OPERATE = (AccessRole.OPERATOR, AccessRole.ADMIN)
"""The roles in which somebody undoes, or does again, what an agent asked for."""


def shut_out(door: Door, action: Action, now: Instant, *, waits: bool) -> Shut | None:
    """Say why whoever asks is not let in any more, or nothing.

    Who was let in once was known by a token or by the word of an issuer. Either may have been taken away since.

    Args:
        door: as it is now.
        action: what is asked for, and by whom.
        now: the time of the transaction.
        waits: whether it was asked for before, and has waited since. Then the token was good when it was presented:
            that its days are over by now takes nothing back, and that somebody has revoked it does.
    """
    caller = action.caller
    if caller.known_by.startswith(BY_ISSUER):
        return _not_vouched_for(door, action)
    if not caller.known_by.startswith(BY_TOKEN):
        return None
    id, credential = caller.known_by.removeprefix(BY_TOKEN), credential_of(door, caller)
    if credential is None:
        return f"there is no token `{id}` any more", _ANOTHER
    if credential.revoked_at:
        return f"the token `{id}` was revoked", _ANOTHER
    if now >= credential.expires_at and not waits:
        return f"the token `{id}` has expired", f"let somebody rotate it before its end; now {_ANOTHER}"
    if not (_is_for(credential, caller) if action.by is None else _operates(credential, caller)):
        return f"the token `{id}` is not for this", f"see what it is for: `interlock token show {id}`"
    return None


def _not_vouched_for(door: Door, action: Action) -> Shut | None:
    name = action.caller.known_by.removeprefix(BY_ISSUER)
    issuer = door.issuers.get(name)
    if issuer is None:
        return (
            f"the word of the issuer `{name}` does not count any more",
            "add it again: `interlock issuer add NAME --url URL --audience AUD`",
        )
    # Which service it was is not known any more. While none may ask for this, neither may that one.
    if action.by is None and not any(_is_client(client, action.caller) for client in issuer.clients.values()):
        return (
            f"the issuer `{name}` vouches for no service that may ask for this",
            "map one: `interlock issuer add NAME --url URL --audience AUD --map-sub SUB=WORKFLOW/ENV/AGENT`",
        )
    return None


def knows(door: Door, caller: Caller) -> bool:
    """Whether a door tells of whatever a caller is known by. One that was seen before it was issued does not."""
    return not caller.known_by.startswith(BY_TOKEN) or credential_of(door, caller) is not None


def keys_of(door: Door, caller: Caller, of_contract: str) -> frozenset[str]:
    """Name the keys that must have signed what a caller proposes: that of the contract, that of the token."""
    credential = credential_of(door, caller)
    return frozenset({of_contract, credential.key if credential is not None else ""}) - {""}


def credential_of(door: Door, caller: Caller) -> Credential | None:
    """Return what is kept of the token that a caller is known by; nothing if it is none, or gone."""
    if not caller.known_by.startswith(BY_TOKEN):
        return None
    return door.credentials.get(CredentialId(caller.known_by.removeprefix(BY_TOKEN)))


def _is_for(credential: Credential, caller: Caller) -> bool:
    """Whether a token lets its holder be this caller. The door has asked already; this does not rely on it."""
    return _may_be(credential, caller) and credential.principal in (ANYBODY, caller.principal)


def _is_client(client: Client, caller: Caller) -> bool:
    return client.kind is CredentialKind.AGENT and _may_be(client, caller)


def _may_be(known: Credential | Client, caller: Caller) -> bool:
    place = (known.workflow, known.environment) == (caller.workflow, caller.environment)
    return place and (not known.agents or caller.agent in known.agents)


def _operates(credential: Credential, caller: Caller) -> bool:
    """Whether a service may do in a workflow what an operator does."""
    return any(held.covers(role.value, caller.workflow) for held in credential.roles for role in _OPERATE)
