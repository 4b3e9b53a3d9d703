"""Public keys of agents and people from files: Ed25519, as `ssh-keygen -t ed25519` or PEM writes them."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from interlock.core.errors import ContractInvalid

_BYTES_MAX = 16 * 1024  # a key is one line; whatever is longer is no key


def read_public_key(path: Path) -> str:
    """Read a key file and write the key in one form, `ed25519:` and 64 hex digits.

    Raises:
        ContractInvalid: the file cannot be read, or holds no public Ed25519 key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_BYTES_MAX)
    except OSError as error:
        fix = "name a file beside the contract: `ssh-keygen -t ed25519 -f NAME` makes `NAME.pub`"
        raise ContractInvalid(f"the key file `{path.name}` cannot be read: {error.strerror}", fix=fix) from error
    if b"PRIVATE KEY" in text:
        raise ContractInvalid(f"`{path.name}` is a private key", fix="name the public one, `.pub`, and guard this one")
    try:
        key = load_ssh_public_key(text) if text.startswith(b"ssh-") else load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ContractInvalid(f"`{path.name}` holds no public key", fix="name an Ed25519 `.pub` file") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ContractInvalid(f"the key in `{path.name}` is not Ed25519", fix="`ssh-keygen -t ed25519` makes one")
    return f"ed25519:{key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()}"
