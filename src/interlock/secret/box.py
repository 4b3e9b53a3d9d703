"""Encrypts what is kept of a tenant, bound to a name, under a key that comes from the master seed and never leaves."""

from collections.abc import Callable
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from interlock.core.errors import StoreTampered
from interlock.core.ids import TenantId

_NONCE_BYTES = 12


class Box:
    """Opens only what it closed, and only under the name under which it did (AES-256-GCM)."""

    def __init__(self, seed: Callable[[], bytes]) -> None:
        """Put it on a master seed, which is read when something is opened or closed and not before."""
        self._seed = seed

    def close(self, tenant: TenantId, name: bytes, text: bytes) -> bytes:
        nonce = token_bytes(_NONCE_BYTES)
        return nonce + self._cipher(tenant).encrypt(nonce, text, name)

    def open(self, tenant: TenantId, name: bytes, closed: bytes) -> bytes:
        """Decrypt.

        Raises:
            StoreTampered: it was closed under another name, for another tenant or with another seed, or was edited.
        """
        try:
            return self._cipher(tenant).decrypt(closed[:_NONCE_BYTES], closed[_NONCE_BYTES:], name)
        except (InvalidTag, ValueError) as error:
            raise StoreTampered("it is not what was kept under this name", fix="set it again") from error

    def name_for(self, tenant: TenantId, what: str) -> str:
        """Make a name of a thing that says nothing of it, and is another one beside another seed."""
        return self._derived(f"interlock/kept-name/{tenant}/{what}").hex()[:32]

    def _cipher(self, tenant: TenantId) -> AESGCM:
        return AESGCM(self._derived(f"interlock/kept-secret/{tenant}"))

    def _derived(self, info: str) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info.encode()).derive(self._seed())
