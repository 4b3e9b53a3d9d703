"""The encrypted file of secrets, in the folder of the keys: what `interlock secret set` writes.

Names and times can be read by whoever can read the file. A value opens only with the master seed, and only under the
tenant, workflow, environment and name that it was set for: copied to another line, it is of no use.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from interlock.core.errors import SecretUnreachable, StoreBusy, StoreTampered, UsageWrong
from interlock.core.ids import Instant, TenantId
from interlock.core.limits import SECRETS_FILE_BYTES_MAX
from interlock.core.value import replace
from interlock.owned import locked, sync_folder, write_new
from interlock.secret.box import Box
from interlock.secret.kept import SecretId, Value

FILE = "secrets.sealed"
FORMAT = 1


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret as the file keeps it."""

    id: SecretId
    kind: str
    """`text` or `oauth`."""
    since: Instant
    """When one was first set under this name."""
    changed: Instant
    """When this value was set."""
    value: bytes
    """Encrypted, bound to all that stands above."""

    @property
    def bound(self) -> bytes:
        id = self.id
        names = (FORMAT, id.tenant, id.workflow, id.environment, id.name, self.kind, self.since, self.changed)
        return msgspec.json.encode(names)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    secrets_file: int
    secrets: tuple[Line, ...] = ()


class SealedFile:
    """Secrets in one file. Several processes may write it; each write is whole, or is not there."""

    name = "the encrypted file"

    def __init__(self, folder: Path, box: Box) -> None:
        self.path = folder / FILE
        self._box = box
        self._seen: tuple[tuple[int, int, int], _File] | None = None

    def find(self, id: SecretId) -> Value:
        """Return what is kept now.

        Raises:
            SecretUnknown: nothing is.
            SecretUnreachable: the file cannot be read, or what stands there was not set under this name.
        """
        for line in self._read().secrets:
            if line.id == id:
                return self._opened(line)
        raise id.unknown(self.name)

    def lines(self, tenant: TenantId) -> Sequence[Line]:
        """Return all that a tenant has, in order.

        Raises:
            SecretUnreachable: the file cannot be read.
        """
        mine = [line for line in self._read().secrets if line.id.tenant == tenant]
        return sorted(mine, key=lambda line: (line.id.workflow, line.id.environment, line.id.name))

    def put(self, id: SecretId, value: Value, now: Instant, *, only_over: Value | None = None) -> bool:
        """Keep a value under a name.

        Args:
            id: the name.
            value: the value.
            now: when it is set.
            only_over: keep it only if this is what is kept until now.

        Returns:
            Whether there was one before.

        Raises:
            SecretUnreachable: the file cannot be read.
            StoreBusy: it cannot be written.
            SecretUnknown: something else is kept by now.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._turn():
            known = self._read().secrets
            before = next((line for line in known if line.id == id), None)
            if only_over is not None and (before is None or self._opened(before) != only_over):
                raise id.unknown(self.name, "somebody has set another one meanwhile: call again")
            kind = str(type(value).__struct_config__.tag)
            since = before.since if before is not None else now
            line = Line(id=id, kind=kind, since=since, changed=now, value=b"")
            text = msgspec.json.encode(value)
            line = replace(line, value=self._box.close(id.tenant, line.bound, text))
            self._write((*(each for each in known if each.id != id), line))
            return before is not None

    def remove(self, id: SecretId) -> bool:
        """Keep nothing under a name any more. Returns whether there was something.

        Raises:
            SecretUnreachable: the file cannot be read.
            StoreBusy: it cannot be written.
        """
        if not self.path.exists():
            return False
        with self._turn():
            known = self._read().secrets
            left = tuple(line for line in known if line.id != id)
            if len(left) < len(known):
                self._write(left)
            return len(left) < len(known)

    def _opened(self, line: Line) -> Value:
        fix = "set it again, or restore the file from a backup"
        try:
            return msgspec.json.decode(self._box.open(line.id.tenant, line.bound, line.value), type=Value)
        except (StoreTampered, msgspec.DecodeError) as error:
            raise line.id.unreachable(f"is not what was set under this name in `{self.path}`", fix) from error

    def _read(self) -> _File:
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                version = found.st_ino, found.st_mtime_ns, found.st_size
                if self._seen is None or self._seen[0] != version:
                    self._seen = version, _decoded(file.read(SECRETS_FILE_BYTES_MAX + 1))
                return self._seen[1]
        except FileNotFoundError:
            return _File(secrets_file=FORMAT)
        except (OSError, ValueError) as error:
            # A decoder may quote what it met, and nothing of the file is to be shown.
            why = (error.strerror if isinstance(error, OSError) else None) or "it is damaged"
            what = f"the file of secrets `{self.path}` cannot be read ({why.lower()})"
            raise SecretUnreachable(what, fix="restore it from a backup, or set the secrets again") from None

    def _write(self, lines: tuple[Line, ...]) -> None:
        text = msgspec.json.encode(_File(secrets_file=FORMAT, secrets=lines))
        if len(text) > SECRETS_FILE_BYTES_MAX:
            raise UsageWrong("the file of secrets is full", fix="remove some: `interlock secret list`")
        new = self.path.with_name(f"{FILE}.new")
        try:
            with suppress(FileNotFoundError):
                new.unlink()  # of a process that was killed: the turn is ours
            write_new(new, text)
            new.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            why = (error.strerror or "unknown").lower()
            raise StoreBusy(f"`{self.path}` cannot be written ({why})", fix="make room, or mend the folder") from error

    @contextmanager
    def _turn(self) -> Generator[None]:
        """Wait for our turn to write. A process that dies gives it back."""
        with locked(self.path.with_name(f"{FILE}.lock")):
            yield


def _decoded(text: bytes) -> _File:
    read = msgspec.json.decode(text, type=_File)
    if read.secrets_file != FORMAT:
        raise ValueError("another version wrote it")
    return read
