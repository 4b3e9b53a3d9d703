"""The ledger as a file that stands for itself: JSON lines, format 1. Also the proof of one entry, as text.

An export is a header, each entry as the very bytes that were hashed, and the signed head over them all.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from interlock.core.errors import LedgerBroken
from interlock.core.limits import SAFE_INTEGER
from interlock.ledger.note import Verifier
from interlock.ledger.proof import Proof, check_inclusion
from interlock.ledger.pruned import gone, is_pruned, leaf_of
from interlock.ledger.rotation import Chain, beyond
from interlock.ledger.tree import leaf_hash

FORMAT = 1
"""The version of the export format. It is covered by the version promise."""

_PROOF = "c2sp.org/tlog-proof@v1"
_PRUNED = re.compile(r'\{"pruned":"([0-9a-f]{64})"\}')


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line."""

    export: int
    key: str
    origin: str
    size: int


class _Foot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last line."""

    head: str


@dataclass(slots=True, kw_only=True)
class Export:
    """A ledger as an export tells it. Nothing of it is checked yet."""

    signer: Verifier
    """Who signs for it, by the export's own word."""
    size: int
    """How many entries the header announces."""
    lines: Iterable[bytes]
    """The entries. What is read from a file goes by once."""
    head: str = ""
    """The signed note over the entries, known once they have gone by; empty where the last line is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedEntry:
    """One entry with all that it takes to prove it to somebody who knows the public key."""

    line: bytes
    index: int
    proof: Proof


class Older:
    """Exports of before entries were pruned, which may have them still. Each is read once, side by side."""

    def __init__(self, exports: Iterable[Iterable[bytes]]) -> None:
        """Begin with the entries of each export."""
        self._exports = [iter(lines) for lines in exports]
        self._next = 0

    def put_back(self, stored: bytes, index: int) -> bytes:
        """Return an entry that was pruned, if an export has just the one with this hash; else what is stored.

        Args:
            stored: what stands at the index.
            index: rises from one question to the next.
        """
        skipped, self._next = index - self._next, index + 1
        there = [next(islice(lines, skipped, None), b"") for lines in self._exports]
        if not is_pruned(stored):
            return stored
        leaf = leaf_of(stored)
        return next((line for line in there if not is_pruned(line) and leaf_hash(line) == leaf), stored)


def write(signer: Verifier, lines: Iterable[bytes], *, size: int, head: str) -> Iterator[str]:
    """Write an export, a line at a time, each with its line feed.

    Args:
        signer: who signs for this ledger.
        lines: the stored bytes of the entries, in order.
        size: how many there are to be.
        head: the signed note over them.
    """
    yield first_line(signer, size)
    for line in lines:
        yield as_text(line)
    yield last_line(head)


def first_line(signer: Verifier, size: int) -> str:
    """Say who signs for the ledger, and how many entries there are to be."""
    return _json({"export": FORMAT, "key": str(signer), "origin": signer.origin, "size": size})


def last_line(head: str) -> str:
    """Give the signed note over all entries."""
    return _json({"head": head})


def as_text(line: bytes) -> str:
    """Give one entry as a line of text.

    Of one that was pruned the leaf hash is given. Bytes that are no line of JSON were never written by us: they go as a
    JSON string, in base64, so that whoever audits the export sees what is stored.
    """
    if is_pruned(line):
        return _json({"pruned": leaf_of(line).hex()})
    if line.startswith(b"{") and b"\n" not in line and b"\r" not in line:
        try:
            return line.decode() + "\n"
        except UnicodeDecodeError:
            pass
    return _json(base64.b64encode(line).decode())


def read(lines: Iterable[str]) -> Export:
    """Read an export, a line at a time. One that was cut off is read as far as it goes: that is for the audit.

    Raises:
        LedgerBroken: it is not an export, or one of a format that this version does not know.
    """
    rest = iter(lines)
    header = _header(next(rest, ""))
    signer = Verifier.parse(header.key)
    if signer.origin != header.origin:
        raise LedgerBroken("the key of this export is that of another ledger", fix="make it again")
    export = Export(signer=signer, size=header.size, lines=())
    export.lines = _entries(export, rest)
    return export


def _entries(export: Export, rest: Iterator[str]) -> Iterator[bytes]:
    """Yield each entry. Only the last line can be the head."""
    last = next(rest, None)
    for line in rest:
        assert last is not None, "a line came before this one"
        yield _as_bytes(last)
        last = line
    if last is not None:
        head = _head(last)
        if head is None:
            yield _as_bytes(last)
        else:
            export.head = head


def write_proof(proved: ProvedEntry) -> str:
    """Write the proof of one entry as C2SP tlog-proof v1, with the entry as its extra data."""
    encoded = "".join(f"{base64.b64encode(hash).decode()}\n" for hash in proved.proof.path)
    entry = base64.b64encode(proved.line).decode()
    return f"{_PROOF}\nextra {entry}\nindex {proved.index}\n{encoded}\n{proved.proof.head}"


def read_proof(text: str) -> ProvedEntry:
    """Read what `write_proof` wrote.

    Raises:
        LedgerBroken: it is not such a file.
    """
    top, found, head = text.partition("\n\n")
    try:
        name, entry, index, *path = top.split("\n")
        if not found or name != _PROOF or not entry.startswith("extra ") or not index.startswith("index "):
            raise _no_proof()
        return ProvedEntry(
            line=base64.b64decode(entry.removeprefix("extra "), validate=True),
            index=_number(index.removeprefix("index ")),
            proof=Proof(path=tuple(base64.b64decode(hash, validate=True) for hash in path), head=head),
        )
    except ValueError as error:  # a missing line, a number that is none, base64 that is none
        raise _no_proof() from error


def proves(proved: ProvedEntry, signed: Verifier | Chain) -> bool:
    """Whether an entry is in a ledger.

    Args:
        proved: the entry, with its proof.
        signed: the key that must have signed the head, or the generations of which one must have signed what is its
            to sign.

    Raises:
        LedgerBroken: the head is not signed like that.
    """
    chain = signed if isinstance(signed, Chain) else Chain.begun(signed)
    head, by = chain.opened(proved.proof.head)
    if wrong := beyond(head, by):
        raise LedgerBroken(f"the head of the proof {wrong}", fix="find out who has that key")
    return check_inclusion(leaf_hash(proved.line), proved.index, head.size, proved.proof.path, head.root)


def _number(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > len(str(SAFE_INTEGER)):
        raise _no_proof()
    return int(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def _as_bytes(text: str) -> bytes:
    text = text.removesuffix("\n")
    if match := _PRUNED.fullmatch(text):
        return gone(bytes.fromhex(match[1]))
    if text.startswith('"'):
        try:
            return base64.b64decode(json.loads(text), validate=True)
        except (ValueError, TypeError, binascii.Error):
            pass
    return text.encode(errors="surrogateescape")


def _header(text: str) -> _Header:
    try:
        header = msgspec.json.decode(text, type=_Header)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise LedgerBroken("this is not an export of a ledger", fix="make one: `interlock ledger export`") from error
    if header.export != FORMAT:
        raise LedgerBroken(
            f"the export has format {header.export}, and this program knows format {FORMAT}",
            fix="read it with the version of Interlock that wrote it",
        )
    return header


def _head(text: str) -> str | None:
    try:
        return msgspec.json.decode(text, type=_Foot).head
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _no_proof() -> LedgerBroken:
    return LedgerBroken("this is not the proof of an entry", fix="make one: `interlock ledger prove ENTRY`")
