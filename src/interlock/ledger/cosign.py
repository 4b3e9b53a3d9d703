"""Notes with several signatures, and the cosignatures of witnesses: C2SP signed-note 1.0 and tlog-cosignature 1.0."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from interlock.core.errors import LedgerBroken
from interlock.core.limits import NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX
from interlock.ledger.tree import Head

_COSIGNED_ED25519 = b"\x04"
_DASH = "\u2014"
_TIME_MAX = 2**63 - 1
_SIZE_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A line under a note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and what is signed under it. Nothing of it is checked yet."""

    text: str
    """With its last line feed: the bytes that are signed."""
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the text of a note says of a ledger."""

    origin: str
    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A witness: its name and its public key (32 bytes)."""

    name: str
    public_key: bytes

    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _COSIGNED_ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """Write the key as others of its kind are written: name, key id, algorithm and key."""
        return f"{self.name}+{self.key_id().hex()}+{base64.b64encode(_COSIGNED_ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Cosigner":
        """Read what `str()` wrote.

        Raises:
            LedgerBroken: it is not the key of a witness, or its id is not that of the key.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            key = _exactly(encoded)
        except ValueError as error:
            raise _no_witness() from error
        cosigner = cls(name=name, public_key=key[1:])
        if not is_name(name) or key[:1] != _COSIGNED_ED25519 or len(key) != 33 or cosigner.key_id().hex() != key_id:
            raise _no_witness()
        return cosigner

    def seen_at(self, note: Note) -> int | None:
        """Return when this witness cosigned a note, in seconds; nothing where it did not.

        Raises:
            LedgerBroken: a line bears its name and key id, and is not its signature.
        """
        found: int | None = None
        for each in note.signatures:
            if (each.name, each.key_id) == (self.name, self.key_id()):
                found = max(found or 0, self._checked(each.signature, note.text))
        return found

    def _checked(self, signature: bytes, text: str) -> int:
        at = int.from_bytes(signature[:8])
        if len(signature) == 72 and at <= _TIME_MAX:
            try:
                key = Ed25519PublicKey.from_public_bytes(self.public_key)
                key.verify(signature[8:], cosigned_text(text, at))
            except (InvalidSignature, ValueError):
                pass
            else:
                return at
        raise LedgerBroken(f"it bears the name of the witness {self.name} and not its signature", fix=_KEPT)


def cosigned_text(text: str, at: int) -> bytes:
    """Write what a witness signs: that it has seen this head, at this time in seconds."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def cosigned(cosigner: Cosigner, text: str, at: int, sign: Callable[[bytes], bytes]) -> str:
    """Write the line with which a witness cosigns a note."""
    signature = sign(cosigned_text(text, at))
    return f"{_DASH} {cosigner.name} {_encoded(cosigner.key_id() + at.to_bytes(8) + signature)}\n"


def with_lines(note: str, lines: str) -> str:
    """Put more signatures under a note.

    Raises:
        LedgerBroken: they are none, or too many.
    """
    parse(note + lines)
    return note + lines


def parse(note: str) -> Note:
    """Read a note as strictly as its specification allows.

    Raises:
        LedgerBroken: it is none, or too long.
    """
    text, found, lines = note.rpartition("\n\n")
    if not found or not lines.endswith("\n") or not _is_plain(note):
        raise _no_note("it has no text and signatures as a note has them")
    signatures = lines[:-1].split("\n")
    if len(signatures) > NOTE_SIGNATURES_MAX:
        raise _no_note(f"it has more than {NOTE_SIGNATURES_MAX} signatures")
    return Note(text=text + "\n", signatures=tuple(map(_signature, signatures)))


def checkpoint(text: str) -> Checkpoint:
    """Read the text of a note as the head of a ledger: origin, size, root, and lines of others that say nothing here.

    Raises:
        LedgerBroken: it is none.
    """
    lines = text.removesuffix("\n").split("\n")
    try:
        origin, size, root, *more = lines
        head = Head(size=number(size), root=_exactly(root))
    except ValueError as error:  # a missing line, a number that is none, base64 that is none
        raise _no_note("it is not the head of a ledger") from error
    if not origin or "" in more or len(head.root) != 32:
        raise _no_note("it is not the head of a ledger")
    return Checkpoint(origin=origin, head=head)


def number(text: str) -> int:
    """Read a size: decimal digits without leading zeros.

    Raises:
        ValueError: it is none.
    """
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_SIZE_MAX)) or text != str(int(text)):
        raise ValueError("not a size")
    if int(text) > _SIZE_MAX:
        raise ValueError("larger than any size")
    return int(text)


def is_name(name: str) -> bool:
    """Whether something can be the name of a key."""
    return bool(name) and "+" not in name and name.isprintable() and not any(char.isspace() for char in name)


def _signature(line: str) -> Signature:
    try:
        dash, name, encoded = line.split(" ")
        raw = _exactly(encoded)
    except ValueError as error:
        raise _no_note("a signature is not written as one") from error
    if dash != _DASH or not is_name(name) or len(raw) < 5:
        raise _no_note("a signature is not written as one")
    return Signature(name=name, key_id=raw[:4], signature=raw[4:])


def _is_plain(note: str) -> bool:
    try:
        small = len(note.encode()) <= NOTE_BYTES_MAX
    except UnicodeEncodeError:
        return False
    return small and not any(char < " " and char != "\n" for char in note)


def _exactly(text: str) -> bytes:
    """Read base64 in its one form: it has spare bits at its end."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if _encoded(raw) != text:
        raise ValueError("not base64 in its one form")
    return raw


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_KEPT = "compare it with the one you kept elsewhere"


def _no_note(why: str) -> LedgerBroken:
    return LedgerBroken(f"this is not a signed head: {why}", fix=_KEPT)


def _no_witness() -> LedgerBroken:
    return LedgerBroken(
        "this is not the public key of a witness", fix="take what `interlock witness key show FILE` prints there"
    )
