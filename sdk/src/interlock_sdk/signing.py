"""Signs proposals with the key of an agent: the ledger proves who stood behind them. Needs the extra `signing`."""

import time
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from interlock_sdk.asking import Proposed
from interlock_sdk.errors import NotWanted


class KeyFile:
    """The private half of an agent's key, and for whom it signs.

    Args:
        path: an Ed25519 key without a passphrase, as `interlock keys new` or `ssh-keygen -t ed25519` writes it.
        tenant: the tenant that the token is for.
        workflow: its workflow.
        environment: its environment.

    Raises:
        NotWanted: it is no such key.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str | Path, *, tenant: str, workflow: str, environment: str) -> None:
        raw = Path(path).read_bytes()
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in raw else load_pem_private_key
        try:
            key = load(raw, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            fix = "say the file that `interlock keys new` has written"
            raise NotWanted("this file is no Ed25519 key without a passphrase", fix=fix)
        self._sign = key.sign
        self._scope = (tenant, workflow, environment)

    def headers(self, proposed: Proposed) -> dict[str, str]:
        """Sign one proposal, now.

        Raises:
            NotWanted: it does not say who asks and on whose behalf, or has no canonical form.
        """
        if proposed.agent is None or proposed.principal is None:
            fix = "say `agent=` and `principal=` where you make the client"
            raise NotWanted("a signature is for an agent and a principal", fix=fix)
        salt, at = token_hex(16), int(time.time())
        once = [salt, proposed.run or "", proposed.key or "", proposed.occurrence, dict(proposed.arguments)]
        who = [*self._scope, proposed.agent, proposed.principal]
        try:
            private = sha256(rfc8785.dumps(once)).hexdigest()
        except (rfc8785.CanonicalizationError, ValueError, TypeError):
            fix = "pass what JSON has: objects, lists, text, finite numbers, true, false, null"
            raise NotWanted("what is signed cannot be written as JSON", fix=fix) from None
        text = rfc8785.dumps(["interlock proposal 1", *who, proposed.tool, at, private])
        return {"Interlock-Signature": f"{salt}.{self._sign(text).hex()}", "Interlock-Signed-At": str(at)}
