"""Key files of people: an Ed25519 key that signs what its owner agrees to. The private half never leaves the file."""

import base64
import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from interlock.core.errors import NotPermitted

_BYTES_MAX = 16 * 1024  # a PEM of an Ed25519 key has about 120


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
    return "key:SHA256:" + base64.b64encode(sha256(public_key).digest()).decode().rstrip("=")


def make_key(path: Path) -> str:
    """Write a new key that its owner alone can read, and return how it is known.

    Raises:
        FileExistsError: there is something already.
    """
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return known_by(key.public_key().public_bytes_raw())


def sign(path: Path, text: bytes) -> Signature:
    """Sign with the key in a file.

    Raises:
        NotPermitted: it is no such key, or others can read it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise NotPermitted(f"others can read the key `{path}`", fix=f"run `chmod 600 {path}`")
        written = file.read(_BYTES_MAX)
    try:
        key = load_pem_private_key(written, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return Signature(public_key=key.public_key().public_bytes_raw(), signature=key.sign(text))


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


def _no_key(path: Path) -> NotPermitted:
    return NotPermitted(f"`{path}` is no Ed25519 key without a password", fix="make one: `interlock keys new NAME`")
