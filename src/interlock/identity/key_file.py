"""Key files of people: an Ed25519 key that signs what its owner agrees to. The private half never leaves the file."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

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


def sign(path: Path, text: bytes) -> Signature:
    """Sign with the key in a file.

    Raises:
        NotPermitted: it is no such key, or others can read it.
        OSError: it cannot be read.
    """
    written = read_own(path, most=_BYTES_MAX)
    try:
        key = load_pem_private_key(written, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path)
    return Signature(public_key=key.public_key().public_bytes_raw(), signature=key.sign(text))


def _no_key(path: Path) -> NotPermitted:
    return NotPermitted(f"`{path}` is no Ed25519 key without a password", fix="make one: `interlock keys new NAME`")
