"""What the signature under a yes is about, and whether one in an entry is. Anybody can check it, with no secret."""

import base64
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from interlock.core.errors import NotPermitted

BY_KEY = "key:"
"""How the name of whoever is known by a key begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """That the holder of a key saw exactly this."""

    public_key: bytes
    signature: bytes

    @property
    def known_by(self) -> str:
        """How the holder is known: `key:SHA256:` and the fingerprint, as OpenSSH writes it."""
        return known_by(self.public_key)

    def check(self, text: bytes) -> None:
        """Hold the signature against what it must be about.

        Raises:
            NotPermitted: it is about something else, or made by another key.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(self.signature, text)
        except InvalidSignature as error:
            fix = "look at the action again, and sign what stands there now"
            raise NotPermitted("the signature is not about what it says", fix=fix) from error


def known_by(public_key: bytes) -> str:
    """Name a key by its fingerprint."""
    return f"{BY_KEY}SHA256:" + base64.b64encode(sha256(public_key).digest()).decode().rstrip("=")


def consent_text(action: str, digest: str, seen: str) -> bytes:
    """Write down what a signature under a yes or a no is about."""
    return f"interlock consent 1\n{action}\n{digest}\n{seen}\n".encode()


def proves(signature: str, known_by: str, text: bytes) -> bool:
    """Whether a kept signature (key and signature in hex, with a colon) is about this, by the key of that name."""
    key, _, signed = signature.partition(":")
    try:
        made = Signature(public_key=bytes.fromhex(key), signature=bytes.fromhex(signed))
        made.check(text)
    except (ValueError, NotPermitted):
        return False
    return made.known_by == known_by
