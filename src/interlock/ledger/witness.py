"""What a witness is asked and answers: C2SP tlog-witness 1.0, `add-checkpoint`. It signs one history of each ledger."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interlock.core.errors import LedgerBroken
from interlock.ledger.cosign import Checkpoint, Note, checkpoint, number, parse
from interlock.ledger.note import Verifier
from interlock.ledger.proof import check_consistency
from interlock.ledger.tree import Head, root_of

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
_PROOF_LINES_MAX = 63  # a longer one leads to no tree of less than 2**63 entries

NOTHING = Head(size=0, root=root_of(()))
"""What a witness has seen of a ledger that it never cosigned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The body of `add-checkpoint`."""

    old: int
    """Over how many entries the head was that the witness cosigned last."""
    path: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosign:
    """It goes on from what was seen: keep it, then sign it."""

    seen: Checkpoint
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """It is not signed, as HTTP says it."""

    status: int
    said: str
    """One line for whoever asked; with 409, the size that the witness has seen."""


def write(asked: Asked) -> bytes:
    """Write the body of `add-checkpoint`."""
    path = "".join(f"{base64.b64encode(each).decode()}\n" for each in asked.path)
    return f"old {asked.old}\n{path}\n{asked.note}".encode()


def read(body: bytes) -> Asked:
    """Read what `write` wrote.

    Raises:
        LedgerBroken: it is none.
    """
    try:
        top, found, note = body.decode().partition("\n\n")
        first, *path = top.split("\n")
        old = number(first.removeprefix("old "))
        hashes = tuple(base64.b64decode(each, validate=True) for each in path)
    except (UnicodeDecodeError, ValueError, binascii.Error) as error:
        raise _malformed() from error
    right = all(len(each) == 32 for each in hashes) and len(hashes) <= _PROOF_LINES_MAX
    if not found or not first.startswith("old ") or not right:
        raise _malformed()
    return Asked(old=old, path=hashes, note=note)


def judge(body: bytes, trusted: Mapping[str, Sequence[Verifier]], seen: Mapping[str, Head]) -> Cosign | Decline:
    """Say whether a witness signs what it is asked to sign.

    Args:
        body: what was sent.
        trusted: the keys of each ledger that the witness knows, by its origin.
        seen: the head of each ledger that it cosigned last.
    """
    try:
        asked = read(body)
        note = parse(asked.note)
        new = checkpoint(note.text)
    except LedgerBroken as broken:
        return Decline(status=400, said=str(broken))
    if new.origin not in trusted:
        return Decline(status=404, said="this witness does not know the ledger")
    if not _signed(note, trusted[new.origin]):
        return Decline(status=403, said="it is not signed by a key that this witness trusts")
    if asked.old > new.head.size:
        return Decline(status=400, said="the old size is larger than the new one")
    old = seen.get(new.origin, NOTHING)
    forked = old.size == new.head.size and old.root != new.head.root
    if asked.old != old.size or forked:
        return Decline(status=409, said=str(old.size))
    if not check_consistency(old, new.head, asked.path):
        return Decline(status=422, said="the proof does not lead from what this witness has seen")
    return Cosign(seen=new, note=note)


def _signed(note: Note, keys: Sequence[Verifier]) -> bool:
    """Whether a key that is trusted has signed, and each line that names such a key is its signature."""
    known = {(key.origin, key.key_id()): key for key in keys}
    found = [
        known[signature.name, signature.key_id].fits(signature.signature, note.text.encode())
        for signature in note.signatures
        if (signature.name, signature.key_id) in known
    ]
    return bool(found) and all(found)


def _malformed() -> LedgerBroken:
    return LedgerBroken("this is not what `add-checkpoint` takes", fix="see https://c2sp.org/tlog-witness")
