"""The key file of a witness: one line with its name and its Ed25519 key. The private half never leaves the file."""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.core.errors import NotPermitted, UsageWrong
from interlock.ledger.cosign import Cosigner, is_name
from interlock.owned import read_own, write_new

_PRIVATE = "PRIVATE+KEY+"
_COSIGNED_ED25519 = b"\x04"
_BYTES_MAX = 4 * 1024  # a name and 33 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKey:
    """What a witness signs with."""

    cosigner: Cosigner
    private: Ed25519PrivateKey

    def sign(self, text: bytes) -> bytes:
        return self.private.sign(text)


def make(path: Path, name: str) -> Cosigner:
    """Write a new key that its owner alone can read, and return its public half.

    Raises:
        UsageWrong: the name cannot be that of a key.
        FileExistsError: there is something already.
    """
    if not is_name(name):
        raise UsageWrong(f"`{name}` cannot be the name of a witness", fix="write one such as `witness.example/w1`")
    private = Ed25519PrivateKey.generate()
    cosigner = Cosigner(name=name, public_key=private.public_key().public_bytes_raw())
    encoded = base64.b64encode(_COSIGNED_ED25519 + private.private_bytes_raw()).decode()
    write_new(path, f"{_PRIVATE}{name}+{cosigner.key_id().hex()}+{encoded}\n".encode())
    return cosigner


def load(path: Path) -> WitnessKey:
    """Read a key file.

    Raises:
        NotPermitted: it is no such key, or others can read it.
        OSError: it cannot be read.
    """
    written = read_own(path, most=_BYTES_MAX)
    try:
        text = written.decode().removesuffix("\n")
        name, key_id, encoded = text.removeprefix(_PRIVATE).split("+", 2)
        key = base64.b64decode(encoded, validate=True)
        private = Ed25519PrivateKey.from_private_bytes(key[1:])
    except (ValueError, binascii.Error) as error:
        raise _no_key(path) from error
    cosigner = Cosigner(name=name, public_key=private.public_key().public_bytes_raw())
    right = is_name(name) and key[:1] == _COSIGNED_ED25519 and cosigner.key_id().hex() == key_id
    if not text.startswith(_PRIVATE) or not right:
        raise _no_key(path)
    return WitnessKey(cosigner=cosigner, private=private)


def _no_key(path: Path) -> NotPermitted:
    return NotPermitted(f"`{path}` is no key of a witness", fix="make one: `interlock witness key new NAME`")
