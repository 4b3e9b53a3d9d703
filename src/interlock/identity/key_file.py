"""Key files: an Ed25519 key that signs what its owner agrees to or proposes. The private half never leaves the file."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from interlock.core.errors import NotPermitted
from interlock.ledger.consent import Signature, known_by
from interlock.owned import read_own, write_new

_BYTES_MAX = 16 * 1024  # a PEM of an Ed25519 key has about 120


def make_key(path: Path) -> str:
    """Write a new key that its owner alone can read, and return how it is known.

    Raises:
        FileExistsError: there is something already.
    """
    key = Ed25519PrivateKey.generate()
    write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return known_by(key.public_key().public_bytes_raw())


def public_text(path: Path) -> bytes:
    """Return the public half of a key file as a contract or a token names it: PEM.

    Raises:
        NotPermitted: it is no such key, or others can read it.
        OSError: it cannot be read.
    """
    return _read(path).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(path: Path, text: bytes) -> Signature:
    """Sign with the key in a file.

    Raises:
        NotPermitted: it is no such key, or others can read it.
        OSError: it cannot be read.
    """
    key = _read(path)
    return Signature(public_key=key.public_key().public_bytes_raw(), signature=key.sign(text))


def _read(path: Path) -> Ed25519PrivateKey:
    written = read_own(path, most=_BYTES_MAX)
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in written else load_pem_private_key
    try:
        key = load(written, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return key


def _no_key(path: Path) -> NotPermitted:
    return NotPermitted(f"`{path}` is no Ed25519 key without a password", fix="make one: `interlock keys new NAME`")
