"""What a witness has seen, in a file: on disk before it signs, so that no crash makes it sign two histories."""

import base64
import errno
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from interlock.core.errors import LedgerBroken, Occupied, StoreClosed
from interlock.ledger.cosign import Cosigner
from interlock.ledger.tree import Head
from interlock.ledger.witness import Last
from interlock.owned import sync_folder

_FIX = "restore the file, or give the witness a new key: with this one it might sign a second history"


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was cosigned last of one ledger."""

    size: int
    root: bytes
    """In base64, as JSON has bytes."""
    key: str = ""
    past: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    witness: str
    """The public key of the witness whose file this is."""
    seen: dict[str, _Line]


class SeenFile:
    """One witness, one file, one process."""

    def __init__(self, path: Path, last: dict[str, Last], witness: Cosigner, lock: int) -> None:
        self._path = path
        self._last = last
        self._witness = witness
        self._lock = lock
        self._closed = False

    @classmethod
    def open(cls, path: Path, witness: Cosigner) -> Self:
        """Open the file of a witness, or begin one.

        Raises:
            Occupied: another process has it.
            LedgerBroken: it cannot be read, or is that of another witness.
            OSError: it cannot be opened.
        """
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        path = path.resolve()  # by whatever name it is called, it has one lock
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(lock, path)
            found = _read(path, witness)
            seen = cls(path, found or {}, witness, lock)
            if found is None:
                seen._write({})
        except BaseException:
            os.close(lock)
            raise
        return seen

    @property
    def last(self) -> Mapping[str, Last]:
        """By origin, what was cosigned last.

        Raises:
            StoreClosed: a write failed, and nobody knows what is on disk.
        """
        if self._closed:
            raise StoreClosed(f"`{self._path}` could not be written", fix="make room, and start the witness again")
        return self._last

    def advance(self, origin: str, new: Last) -> None:
        """Write down what is cosigned next of a ledger, and return once it is on disk.

        Raises:
            StoreClosed: it cannot be written.
        """
        last = {**self.last, origin: new}
        if last == self._last:
            return
        try:
            self._write(last)
        except OSError as error:
            self._closed = True
            raise StoreClosed(f"`{self._path}` could not be written", fix="make room, and start it again") from error
        self._last = last

    def close(self) -> None:
        os.close(self._lock)

    def _write(self, last: Mapping[str, Last]) -> None:
        lines = {
            origin: {
                "size": each.head.size,
                "root": base64.b64encode(each.head.root).decode(),
                "key": each.key,
                "past": sorted(each.past),
            }
            for origin, each in last.items()
        }
        text = json.dumps({"witness": str(self._witness), "seen": lines}, ensure_ascii=False, indent=1) + "\n"
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        sync_folder(self._path.parent)


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Occupied(
            f"another witness works with `{path}`", fix="stop it first: two would sign two histories"
        ) from error


def _read(path: Path, witness: Cosigner) -> dict[str, Last] | None:
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(written, type=_File)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise LedgerBroken(f"`{path}` is not what a witness has seen", fix=_FIX) from error
    if found.witness != str(witness):
        raise LedgerBroken(f"`{path}` is that of another witness", fix="say `--state FILE` with a file of its own")
    if any(line.size < 0 or len(line.root) != 32 for line in found.seen.values()):
        raise LedgerBroken(f"`{path}` is not what a witness has seen", fix=_FIX)
    return {
        origin: Last(head=Head(size=line.size, root=line.root), key=line.key, past=frozenset(line.past))
        for origin, line in found.seen.items()
    }
