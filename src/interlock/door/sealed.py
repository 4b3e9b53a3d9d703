"""What passes through a client and must come back as it was: `sealed` under a MAC, for anyone to read, or `hidden`."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from interlock.core.errors import StoreTampered
from interlock.core.ids import PayloadId, TenantId
from interlock.ports import Secrets

_MAC_BYTES = 32


def sealed(secrets: Secrets, tenant: TenantId, purpose: str, text: bytes) -> str:
    """Write `text` so that `opened` finds out whether it was changed, or made for something else."""
    mac = secrets.mac(tenant, purpose.encode() + b"\0" + text)
    return _written(mac + text)


def _written(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _read(token: str) -> bytes | None:
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (Error, ValueError):
        return None
    return raw if _written(raw) == token else None  # a reader passes over much, and one thing is to have one name


def hidden(secrets: Secrets, tenant: TenantId, purpose: str, text: bytes) -> str:
    """Write `text` so that only `unhidden` reads it."""
    return _written(secrets.seal(tenant, PayloadId(purpose), text, frozenset()))


def unhidden(secrets: Secrets, tenant: TenantId, purpose: str, token: str) -> bytes | None:
    """Read it back; nothing if we did not write it for this tenant and purpose."""
    raw = _read(token)
    try:
        # One that names keys is none of ours, and nobody looks for keys because a client names them.
        ours = raw is not None and not secrets.names_of(raw)
        return secrets.open(tenant, PayloadId(purpose), raw) if ours and raw is not None else None
    except StoreTampered:
        return None


def opened(secrets: Secrets, tenant: TenantId, purpose: str, token: str) -> bytes | None:
    """Read it back; nothing if we did not write it for this tenant and purpose."""
    raw = _read(token)
    if raw is None:
        return None
    mac, text = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    wanted = secrets.mac(tenant, purpose.encode() + b"\0" + text)
    return text if hmac.compare_digest(mac, wanted) else None
