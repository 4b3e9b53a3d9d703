"""Keeps one server: starts it with limits, and takes all that it started along when either of both sides is gone.

Run by its path as `python -I -S keeper.py COMMAND...`, so it imports nothing of ours. It is the leader of its session.
"""

import ctypes
import os
import resource
import signal
import sys
from types import FrameType

MEMORY_BYTES_MAX = 4 * 1024**3  # address space, of which a process uses a part; Node maps more than 1 GB
FILES_MAX = 1_024  # open at once
FILE_BYTES_MAX = 1024**3  # of one file that it writes
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_NOT_FOUND = 127


def main(command: list[str]) -> None:
    """Start the server, wait for its end, and end everything with it."""
    _limit()
    signal.signal(signal.SIGTERM, _end_all)
    _end_with_parent()
    server = os.fork()
    if server == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            os.execvp(command[0], command)  # noqa: S606  no shell, and no word of a caller
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode(errors="replace"))
            os._exit(_NOT_FOUND)
    # Whoever reads what the server says must see its end, so nobody else holds these open.
    for each in (0, 1, 2):
        os.close(each)
    os.waitpid(server, 0)
    _end_all()


def _limit() -> None:
    bounds = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_NOFILE, FILES_MAX),
        (resource.RLIMIT_FSIZE, FILE_BYTES_MAX),
    )
    for what, most in bounds:
        _, hard = resource.getrlimit(what)
        known = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (known, known))


def _end_with_parent() -> None:
    """Be told when the thread that started this is gone; and let nothing that is started get more rights."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    control = ctypes.CDLL(None, use_errno=True).prctl
    control(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    control(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        _end_all()


def _end_all(number: int = 0, frame: FrameType | None = None) -> None:
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
