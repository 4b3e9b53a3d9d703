"""A head as a signed note: C2SP tlog-checkpoint, signed as C2SP signed-note says, with Ed25519."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from interlock.core.errors import LedgerBroken
from interlock.core.ids import TenantId
from interlock.core.limits import SAFE_INTEGER
from interlock.ledger.tree import Head

_ED25519 = b"\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Who signs for an origin: its name and its public key (32 bytes)."""

    origin: str
    public_key: bytes

    @classmethod
    def of(cls, tenant: TenantId, public_key: bytes) -> "Verifier":
        """Name who signs for the ledger of a tenant."""
        return cls(origin=f"interlock/{tenant}", public_key=public_key)

    def fits(self, signature: bytes, text: bytes) -> bool:
        """Whether a signature is that of this key over a text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except InvalidSignature:
            return False
        return True

    def key_id(self) -> bytes:
        return sha256(self.origin.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """Write the key as others of its kind are written: name, key id, algorithm and key."""
        return f"{self.origin}+{self.key_id().hex()}+{base64.b64encode(_ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read what `str()` wrote.

        Raises:
            LedgerBroken: it is not a key, or its id is not that of the key.
        """
        origin, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise _bad_key() from error
        verifier = cls(origin=origin, public_key=key[1:])
        if key[:1] != _ED25519 or len(key) != 33 or verifier.key_id().hex() != key_id:
            raise _bad_key()
        return verifier


def body(origin: str, head: Head) -> str:
    """Write the text that is signed: origin, size and root, a line each."""
    return f"{origin}\n{head.size}\n{base64.b64encode(head.root).decode()}\n"


def signed(verifier: Verifier, head: Head, sign: Callable[[bytes], bytes]) -> str:
    """Write a note that `sign` has signed."""
    text = body(verifier.origin, head)
    signature = base64.b64encode(verifier.key_id() + sign(text.encode())).decode()
    return f"{text}\n\u2014 {verifier.origin} {signature}\n"


def opened(note: str, verifier: Verifier, check: Callable[[bytes, bytes], bool] | None = None) -> Head:
    """Return the head that a note speaks of, once its signature has been checked.

    Args:
        note: what `signed` wrote; signatures of others beside ours are allowed.
        verifier: whose signature must be there.
        check: whether a signature (first argument) fits a text (second argument); by default the public key says.

    Raises:
        LedgerBroken: the note is not well formed, or not signed by `verifier`.
    """
    fits = check or verifier.fits
    text, found, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not found or len(lines) < 3 or lines[0] != verifier.origin or not _is_size(lines[1]):
        raise _bad_note("it is not a checkpoint of this ledger")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\u2014" or name != verifier.origin:
            continue
        try:
            raw, root = base64.b64decode(encoded, validate=True), base64.b64decode(lines[2], validate=True)
        except binascii.Error:
            continue
        # Base64 has spare bits at its end: one signature is to have one form.
        whole = raw[:4] == verifier.key_id() and base64.b64encode(raw).decode() == encoded
        if whole and len(root) == 32 and fits(raw[4:], (text + "\n").encode()):
            return Head(size=int(lines[1]), root=root)
    raise _bad_note("it does not carry the signature of this ledger")


def opened_by(note: str, signers: Iterable[Verifier]) -> tuple[int, Head]:
    """Return which of several has signed a note, counted from 0, and the head that it speaks of.

    Args:
        note: what `signed` wrote.
        signers: who may have signed it; whoever comes first is meant.

    Raises:
        LedgerBroken: the note is not well formed, or none of them has signed it.
    """
    why = _bad_note("nobody is known who may have signed it")
    for place, signer in enumerate(signers):
        try:
            return place, opened(note, signer)
        except LedgerBroken as broken:
            why = broken
    raise why


def over(note: str) -> int:
    """Read over how many entries a note says that it is, by its own word; 0 where it does not say."""
    said = note.split("\n", 2)[1:2]
    return int(said[0]) if said and _is_size(said[0]) else 0


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(SAFE_INTEGER))


def _bad_note(why: str) -> LedgerBroken:
    return LedgerBroken(f"a signed head cannot be trusted: {why}", fix="compare it with the one you kept elsewhere")


def _bad_key() -> LedgerBroken:
    return LedgerBroken("this is not a public key of a ledger", fix="take it from `interlock ledger keys`")
