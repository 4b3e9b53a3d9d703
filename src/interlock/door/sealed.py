"""What passes through a client and must come back as it was: readable by anyone, under a MAC that only we can make."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from interlock.core.ids import TenantId
from interlock.ports import Secrets

_MAC_BYTES = 32


def sealed(secrets: Secrets, tenant: TenantId, purpose: str, text: bytes) -> str:
    """Write `text` so that `opened` finds out whether it was changed, or made for something else."""
    mac = secrets.mac(tenant, purpose.encode() + b"\0" + text)
    return _written(mac + text)


def _written(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def opened(secrets: Secrets, tenant: TenantId, purpose: str, token: str) -> bytes | None:
    """Read it back; nothing if we did not write it for this tenant and purpose."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (Error, ValueError):
        return None
    if _written(raw) != token:
        return None  # a reader of base64 passes over much, and one thing is to have one name
    mac, text = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    wanted = secrets.mac(tenant, purpose.encode() + b"\0" + text)
    return text if hmac.compare_digest(mac, wanted) else None
