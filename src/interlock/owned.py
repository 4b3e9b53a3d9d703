"""Files that must be on disk, or that their owner alone may read: keys, and what is handed out about somebody."""

import asyncio
import fcntl
import math
import os
import stat
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from interlock.core.errors import NotPermitted, StoreBusy


def write_new(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, and return once it is on disk. Nothing is ever written over.

    Raises:
        FileExistsError: there is something already.
        OSError: it cannot be written.
    """
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_own(path: Path, *, most: int, what: str = "key") -> bytes:
    """Read up to `most` bytes of a file that nobody else can read.

    Args:
        path: the file.
        most: of how many bytes at most.
        what: as people call it.

    Raises:
        NotPermitted: others can read it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise NotPermitted(f"others can read the {what} `{path}`", fix=f"run `chmod 600 {path}`")
        return file.read(most)


_LOOK_SECONDS = 0.05  # between two looks whether a turn has come


@contextmanager
def locked(path: Path, *, seconds: float = math.inf) -> Generator[None]:
    """Hold a lock that one process, and one thread of it, has at a time.

    Args:
        path: the file of the lock.
        seconds: how long it is waited for. Whoever has it may be frozen.

    Raises:
        StoreBusy: it cannot be taken, or not in time.
    """
    descriptor, ends = _opened(path), time.monotonic() + seconds
    try:
        while not _is_taken(descriptor, waits=seconds == math.inf):
            if time.monotonic() > ends:
                raise _late(path, seconds)
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def in_turn(path: Path, *, seconds: float) -> AsyncGenerator[None]:
    """Hold a lock as `locked` does, and wait for it on the loop. Whoever has it may be frozen, so there is an end.

    Raises:
        StoreBusy: it cannot be taken, or not within so many seconds.
    """
    descriptor = _opened(path)
    try:
        try:
            async with asyncio.timeout(seconds):
                while not _is_taken(descriptor):
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as late:
            raise _late(path, seconds) from late
        except OSError as error:
            why = f"`{path}` cannot be locked ({(error.strerror or 'unknown').lower()})"
            raise StoreBusy(why, fix="put its folder on a file system that knows locks") from error
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise StoreBusy(f"`{path}` cannot be written ({why})", fix="give this user the folder") from error


def _late(path: Path, seconds: float) -> StoreBusy:
    why = f"another process has the turn, and has not let go within {seconds:g} s"
    return StoreBusy(why, fix=f"look which one it is: `fuser {path}`")


def _is_taken(descriptor: int, *, waits: bool = False) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
