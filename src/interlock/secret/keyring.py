"""The keyring: everything that needs a key is done here, so that no key leaves this module.

A tenant's keys are derived from the master seed (HKDF, RFC 5869); the keys of subjects and months are random, so
that they can be destroyed.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from secrets import token_bytes

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from interlock.core.errors import InterlockError, PayloadErased, StoreClosed, StoreTampered
from interlock.core.ids import PayloadId, SubjectId, SubjectName, TenantId
from interlock.secret.keys import Keys

_SEED_BYTES = 32
_NONCE_BYTES = 12
_NAMES_KEPT_MAX = 10_000  # the names of the subjects that were met lately; a MAC each
_OWN_BYTES = 40  # a key of 32 bytes, wrapped (RFC 3394)


class _Envelope(msgspec.Struct, array_like=True):
    """What is kept of a payload: the names of the keys it takes to read it, and the ciphertext."""

    names: tuple[str, ...]
    nonce: bytes
    text: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Envelope).decode


class Keyring:
    """Signs, authenticates and encrypts for every tenant of an installation."""

    def __init__(self, seed: bytes, keys: Keys) -> None:
        assert len(seed) == _SEED_BYTES, "a seed is 32 bytes"
        self._seed = seed
        self.keys = keys
        self._signing = cache(self._signing_key)
        self._public = cache(self._public_key)
        self._subject_name = lru_cache(_NAMES_KEPT_MAX)(self.subject_name)
        self._keyed = cache(self._keyed_hmac)

    def sign(self, tenant: TenantId, text: bytes, *, generation: int) -> bytes:
        return self._signing(tenant, generation).sign(text)

    def public_key(self, tenant: TenantId, *, generation: int) -> bytes:
        return self._public(tenant, generation)

    def mac(self, tenant: TenantId, text: bytes) -> bytes:
        return _mac(self._keyed(tenant), text)

    def seal(self, tenant: TenantId, id: PayloadId, text: bytes, subjects: frozenset[SubjectId]) -> bytes:
        names = tuple(sorted(self._subject_name(tenant, subject) for subject in subjects))
        # Under a key that was destroyed nothing is kept: such a payload is erased from its birth.
        key = self._payload_key([self.keys.find_or_make(name, _new_key) or _new_key() for name in names])
        nonce = token_bytes(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, text, f"{tenant}/{id}".encode())
        return _encode(_Envelope(names=names, nonce=nonce, text=sealed))

    def open(self, tenant: TenantId, id: PayloadId, sealed: bytes) -> bytes:
        found = self.open_all(tenant, {id: sealed})[id]
        if isinstance(found, InterlockError):
            raise found
        return found

    def open_all(
        self, tenant: TenantId, sealed: Mapping[PayloadId, bytes]
    ) -> Mapping[PayloadId, bytes | PayloadErased | StoreTampered]:
        envelopes, found = dict[PayloadId, _Envelope](), dict[PayloadId, bytes | PayloadErased | StoreTampered]()
        for id, envelope in sealed.items():
            try:
                envelopes[id] = _decode(envelope)
            except msgspec.DecodeError:
                found[id] = _not_as_written(id)
        keys = self.keys.find_all(sorted({name for envelope in envelopes.values() for name in envelope.names}))
        for id, envelope in envelopes.items():
            try:
                key = self._key_of(tenant, id, envelope, keys)
                found[id] = AESGCM(key).decrypt(envelope.nonce, envelope.text, f"{tenant}/{id}".encode())
            except PayloadErased as erased:
                found[id] = erased
            except InvalidTag:
                found[id] = _not_as_written(id)
        return found

    def flush(self) -> None:
        self.keys.flush()

    def subject_name(self, tenant: TenantId, subject: SubjectId) -> SubjectName:
        return SubjectName(self.mac(tenant, b"subject\0" + subject.encode()).hex())

    def has_key(self, subject: SubjectName) -> bool:
        return self.keys.find(subject) is not None

    def have_keys(self, subjects: Sequence[SubjectName]) -> frozenset[SubjectName]:
        return frozenset(map(SubjectName, self.keys.find_all(subjects)))

    def destroy(self, key: SubjectName) -> bool:
        return bool(self.keys.destroy(key))

    def names_of(self, sealed: bytes) -> tuple[SubjectName, ...]:
        try:
            return tuple(map(SubjectName, _decode(sealed).names))
        except msgspec.DecodeError as error:
            raise StoreTampered("a payload is not as it was written", fix="treat it as lost") from error

    def keep(self, tenant: TenantId, id: PayloadId, sealed: bytes, *, without: SubjectName, why: str) -> None:
        parts = {name: self.keys.find(name) for name in self.names_of(sealed)}
        if parts.get(without) is None and self.keys.find(_own_name(tenant, id)) is not None:
            return  # it has one, and the other key is gone
        left = [part for name, part in parts.items() if name != without]
        own = aes_key_wrap(self._wrapping_key(tenant, id, left), self._payload_key(list(parts.values())))
        if self.keys.find_or_make(_own_name(tenant, id), lambda: own + why.encode()) is None:
            raise _erased()  # it had one, which is destroyed and comes back under no name

    def kept(self, tenant: TenantId) -> Mapping[PayloadId, str]:
        start = _own_name(tenant, PayloadId(""))
        found = self.keys.beginning_with(start)
        return {PayloadId(name.removeprefix(start)): own[_OWN_BYTES:].decode() for name, own in found.items()}

    def let_go(self, tenant: TenantId, ids: Sequence[PayloadId]) -> None:
        self.keys.destroy(*(_own_name(tenant, id) for id in ids))

    def can_open(self, tenant: TenantId, id: PayloadId, sealed: bytes) -> bool:
        try:
            envelope = _decode(sealed)
            self._key_of(tenant, id, envelope, self.keys.find_all(envelope.names))
        except (msgspec.DecodeError, PayloadErased):
            return False
        return True

    def close(self) -> None:
        self.keys.close()

    def _key_of(self, tenant: TenantId, id: PayloadId, envelope: _Envelope, keys: Mapping[str, bytes]) -> bytes:
        parts = [keys.get(name) for name in envelope.names]
        left = [part for part in parts if part is not None]
        own = self.keys.find(_own_name(tenant, id)) if len(left) < len(parts) else None
        if own is None:
            return self._payload_key(parts)
        try:
            # It was wrapped under every key but one: whoever erased another one has erased this as well.
            return aes_key_unwrap(self._wrapping_key(tenant, id, left), own[:_OWN_BYTES])
        except InvalidUnwrap:
            return self._payload_key(parts)

    def _wrapping_key(self, tenant: TenantId, id: PayloadId, left: Sequence[bytes | None]) -> bytes:
        return _mac(self._payload_hmac, _own_name(tenant, id).encode() + b"\0" + self._payload_key(left))

    def _payload_key(self, parts: Sequence[bytes | None]) -> bytes:
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            raise _erased()
        return _mac(self._payload_hmac, b"".join(found))

    @cached_property
    def _payload_hmac(self) -> HMAC:
        return HMAC(self._derived(TenantId(""), purpose="payload"), hashes.SHA256())

    def _keyed_hmac(self, tenant: TenantId) -> HMAC:
        return HMAC(self._derived(tenant, purpose="mac"), hashes.SHA256())

    def _signing_key(self, tenant: TenantId, generation: int) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._derived(tenant, purpose=f"ledger/{generation}"))

    def _public_key(self, tenant: TenantId, generation: int) -> bytes:
        return self._signing(tenant, generation).public_key().public_bytes_raw()

    def _derived(self, tenant: TenantId, *, purpose: str) -> bytes:
        info = f"interlock/{purpose}/{tenant}".encode()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(self._seed)


def _mac(keyed: HMAC, text: bytes) -> bytes:
    # A copy of one that has its key already: setting up the key is half of the work.
    mac = keyed.copy()
    mac.update(text)
    return mac.finalize()


def _own_name(tenant: TenantId, id: PayloadId) -> str:
    return f"own:{tenant}/{id}"


def _new_key() -> bytes:
    return token_bytes(32)


def load_seed(path: Path) -> bytes:
    """Read the master seed, and make one where there is none (32 random bytes, readable by its owner alone).

    Raises:
        StoreClosed: it is not a seed, or others can read it.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "wb") as file:
            file.write(token_bytes(_SEED_BYTES))
            file.flush()
            os.fsync(file.fileno())
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreClosed(f"others can read the master seed `{path}`", fix=f"run `chmod 600 {path}`")
    seed = path.read_bytes()
    if len(seed) != _SEED_BYTES:
        raise StoreClosed(f"`{path}` is not a master seed", fix="restore it from a backup")
    return seed


def _erased() -> PayloadErased:
    return PayloadErased("the payload was erased", fix="nothing can bring it back; the ledger still proves it")


def _not_as_written(id: PayloadId) -> StoreTampered:
    return StoreTampered(
        f"payload `{id}` is not as it was written", fix="restore it from a backup, or treat it as lost"
    )
