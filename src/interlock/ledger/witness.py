"""What a witness is asked and answers: C2SP tlog-witness 1.0, `add-checkpoint`. It signs one history of each ledger.

It sees heads and proofs, and no entries, so it reads no rotation. What it knows of generations is the order in which
the keys of a ledger were named to it, and which of them has signed what it cosigned. Once a newer one has, the range of
the older ones is over.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interlock.core.errors import LedgerBroken
from interlock.ledger.cosign import Note, checkpoint, number, parse
from interlock.ledger.note import Verifier
from interlock.ledger.proof import check_consistency
from interlock.ledger.tree import Head, root_of

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
_PROOF_LINES_MAX = 63  # a longer one leads to no tree of less than 2**63 entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """What a witness cosigned last of a ledger."""

    head: Head
    key: str = ""
    """Who had signed it; empty where nobody wrote that down."""
    past: frozenset[str] = frozenset()
    """The keys that had signed before it, until a newer one did. They sign nothing any more."""

    def may_sign(self, key: Verifier, keys: Sequence[Verifier]) -> bool:
        """Whether a key comes after no newer one, where `keys` are all that are trusted, oldest first."""
        since = next((place for place, each in enumerate(keys) if str(each) == self.key), 0)
        return str(key) not in self.past and keys.index(key) >= since

    def then(self, head: Head, key: Verifier) -> "Last":
        """Go on by a head that a key has signed which may."""
        return Last(head=head, key=str(key), past=self.past | ({self.key} - {"", str(key)}))


NOTHING = Last(head=Head(size=0, root=root_of(())))
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

    origin: str
    last: Last
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


def judge(body: bytes, trusted: Mapping[str, Sequence[Verifier]], seen: Mapping[str, Last]) -> Cosign | Decline:
    """Say whether a witness signs what it is asked to sign.

    Args:
        body: what was sent.
        trusted: the keys of each ledger that the witness knows, by its origin, oldest first and each once.
        seen: what it cosigned last of each ledger.
    """
    try:
        asked = read(body)
        note = parse(asked.note)
        new = checkpoint(note.text)
    except LedgerBroken as broken:
        return Decline(status=400, said=str(broken))
    if new.origin not in trusted:
        return Decline(status=404, said="this witness does not know the ledger")
    keys, last = trusted[new.origin], seen.get(new.origin, NOTHING)
    signers = _signers(note, keys)
    if not signers:
        return Decline(status=403, said="it is not signed by a key that this witness trusts")
    may = [key for key in signers if last.may_sign(key, keys)]
    if not may:
        return Decline(status=403, said="it is signed by a key that signs nothing any more: a newer one has")
    if asked.old > new.head.size:
        return Decline(status=400, said="the old size is larger than the new one")
    old = last.head
    forked = old.size == new.head.size and old.root != new.head.root
    if asked.old != old.size or forked:
        return Decline(status=409, said=str(old.size))
    if not check_consistency(old, new.head, asked.path):
        return Decline(status=422, said="the proof does not lead from what this witness has seen")
    return Cosign(origin=new.origin, last=last.then(new.head, may[-1]), note=note)


def _signers(note: Note, keys: Sequence[Verifier]) -> list[Verifier]:
    """Return which keys have signed, in their order; none where a line names one of them and is not its signature."""
    named: dict[Verifier, bool] = {}
    for key in keys:
        lines = [each for each in note.signatures if (each.name, each.key_id) == (key.origin, key.key_id())]
        if lines:
            named[key] = all(key.fits(each.signature, note.text.encode()) for each in lines)
    return list(named) if all(named.values()) else []


def _malformed() -> LedgerBroken:
    return LedgerBroken("this is not what `add-checkpoint` takes", fix="see https://c2sp.org/tlog-witness")
