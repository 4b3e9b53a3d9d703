"""Destroyable keys in a file of their own, beside a backup. While it exists, what is erased later can still be read."""

from collections.abc import Callable, Mapping
from hmac import compare_digest
from pathlib import Path

import msgspec

from interlock.core.errors import BackupBroken, StoreBusy
from interlock.core.ids import TenantId
from interlock.owned import write_new

FORMAT = 1
OWNER = TenantId("")
"""Keys are of an installation, and of no tenant."""

Mac = Callable[[bytes], bytes]
"""Authenticates with a key of the installation."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    keys_backup: int
    keys: Mapping[str, bytes | None]
    """By name; nothing stands for a key that was destroyed."""
    mac: str
    """Under a key of the installation: who can only write the file can destroy no key with it."""


def write(path: Path, keys: Mapping[str, bytes | None], mac: Mac) -> None:
    """Write keys down for their owner alone to read. A file that is there is never written over.

    Raises:
        StoreBusy: the file cannot be written.
    """
    text = msgspec.json.encode(_File(keys_backup=FORMAT, keys=keys, mac=mac(_text(keys)).hex()))
    try:
        write_new(path, text + b"\n")
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise StoreBusy(f"`{path}` cannot be written ({why})", fix="name another file, or make room") from error


def read(path: Path, mac: Mac) -> Mapping[str, bytes | None]:
    """Read what `write` wrote.

    Raises:
        BackupBroken: it is damaged, or no such file.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BackupBroken(f"`{path}` is no backup of keys, or cut off", fix="name another copy of it") from error
    if found.keys_backup != FORMAT or not compare_digest(found.mac, mac(_text(found.keys)).hex()):
        raise BackupBroken(f"`{path}` is damaged, or of another installation or version", fix="name another copy of it")
    return found.keys


def _text(keys: Mapping[str, bytes | None]) -> bytes:
    return b"keys-backup\0" + msgspec.json.encode(dict(sorted(keys.items())))
