"""Who is at the other end, as the protocol knows them: which era, what they can do, which run their calls belong to.

Handshake era (2024-11-05 to 2025-11-25): said once, and kept in the session id itself, so that any process can read it.
Stateless era (2026-07-28): said with each request, in `params._meta`, and mirrored in headers.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from interlock.core.canonical import JsonObject
from interlock.core.ids import Instant, RunId, TenantId
from interlock.core.mcp import CAPABILITIES_KEY, HANDSHAKES, INVALID_PARAMS, STATELESS, VERSION_KEY, VERSION_UNSUPPORTED
from interlock.door.mcp.wire import WireError
from interlock.door.sealed import opened, sealed
from interlock.ports import Secrets

TASK_VERSIONS = HANDSHAKES[-1:]
"""Those in which a call may be a task; later it is an extension of its own."""

SESSION_MICROS_MAX = 7 * 24 * 3_600 * 1_000_000  # a client that is open for longer begins anew, and gets a new run


class Client(Struct, frozen=True, kw_only=True):
    """The other end of a session, or of one stateless request."""

    era: Literal["handshake", "stateless"]
    version: str
    can: frozenset[str] = frozenset()
    """The capabilities that we make use of: `elicitation`, `elicitation.url`, `sampling`, `sampling.tools`, `roots`."""
    run: RunId | None = None
    """The run that its calls belong to, unless they name one: that of the session."""


class Session(Struct, frozen=True, kw_only=True):
    """What a session id says, under our MAC."""

    version: str
    can: tuple[str, ...]
    run: RunId
    of: str
    """Whoever began it; nobody else may use it."""
    since: Instant

    @property
    def until(self) -> Instant:
        """When it ends by itself."""
        return Instant(self.since + SESSION_MICROS_MAX)

    def client(self) -> Client:
        return Client(era="handshake", version=self.version, can=frozenset(self.can), run=self.run)


def capabilities(said: object) -> frozenset[str]:
    """Pick from what a client says it can do the things that make a difference here."""
    if not isinstance(said, Mapping):
        return frozenset()
    known = cast("Mapping[str, Any]", said)
    found = {name for name in ("elicitation", "sampling", "roots") if isinstance(known.get(name), Mapping)}
    for name, more in (("elicitation", "url"), ("sampling", "tools")):
        if name in found and isinstance(known[name].get(more), Mapping):
            found.add(f"{name}.{more}")
    return frozenset(found)


def negotiated(asked: str) -> str:
    """Answer the version that a client asks for with that one, or with the newest of its era."""
    return asked if asked in HANDSHAKES else HANDSHAKES[-1]


def session_id(secrets: Secrets, tenant: TenantId, session: Session) -> str:
    """Write a session as its id."""
    return sealed(secrets, tenant, "mcp session", msgspec.json.encode(session))


def session_of(secrets: Secrets, tenant: TenantId, id: str, *, of: str, now: Instant) -> Session | None:
    """Read a session id; nothing if it is not one that we gave to this caller, or too old."""
    text = opened(secrets, tenant, "mcp session", id)
    session = msgspec.json.decode(text, type=Session) if text is not None else None
    if session is None or session.of != of or now >= session.until:
        return None
    return session


def stateless(meta: JsonObject) -> Client:
    """Read the envelope of a stateless request.

    Raises:
        WireError: it lacks something, or is of a version that is not spoken here.
    """
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise WireError(INVALID_PARAMS, f"`params._meta` lacks {', '.join(f'`{key}`' for key in missing)}")
    version = meta[VERSION_KEY]
    if not isinstance(version, str):
        raise WireError(INVALID_PARAMS, f"`{VERSION_KEY}` is no text")
    if not isinstance(meta[CAPABILITIES_KEY], Mapping):
        raise WireError(INVALID_PARAMS, f"`{CAPABILITIES_KEY}` is no object")
    if version != STATELESS:
        raise unsupported(version)
    return Client(era="stateless", version=version, can=capabilities(meta[CAPABILITIES_KEY]))


def unsupported(version: str) -> WireError:
    """Say which versions are spoken here."""
    data = {"supported": [STATELESS], "requested": version[:64]}
    return WireError(VERSION_UNSUPPORTED, "this version of the protocol is not spoken here", data)
