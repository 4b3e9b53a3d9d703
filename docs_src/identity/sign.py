"""Sign what an agent proposes."""

import json
import time
from hashlib import sha256
from secrets import token_hex

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def canonical(value: object) -> bytes:
    """RFC 8785, for texts, whole numbers and names within the basic plane; for more use the package `rfc8785`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def headers(
    key: Ed25519PrivateKey, caller: list[str], tool: str, arguments: dict[str, object], *, run: str = "", once: str = ""
) -> dict[str, str]:
    """Sign a proposal of `caller` (tenant, workflow, environment, agent, principal); `once` is its idempotency key."""
    salt, at = token_hex(16), int(time.time())
    private = canonical([salt, run, once, 1, arguments])
    text = canonical(["interlock proposal 1", *caller, tool, at, sha256(private).hexdigest()])
    return {"Interlock-Signature": f"{salt}.{key.sign(text).hex()}", "Interlock-Signed-At": str(at)}
