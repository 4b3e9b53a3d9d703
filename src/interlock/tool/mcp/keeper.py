"""Keeps one server: starts it with limits, and takes all that it started along when either of both sides is gone.

Where it is the other side that is gone, nobody else removes the folder of the server, so that goes too.
Run by its path as `python -I -S keeper.py COMMAND...`, so it imports nothing of ours. It is the leader of its session.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from types import FrameType

MEMORY_BYTES_MAX = 4 * 1024**3  # address space, of which a process uses a part; Node maps more than 1 GB
FILES_MAX = 1_024  # open at once
FILE_BYTES_MAX = 1024**3  # of one file that it writes
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_NOT_FOUND = 127
FOLDER_PREFIX = "interlock-mcp-"
_GONE_SECONDS_MAX = 5.0  # for all that a server started to be gone, so that none of it writes any more
_PARENT = os.getppid()


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
    control = ctypes.CDLL(None, use_errno=True).prctl
    control(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    control(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != _PARENT:
        _end_all()


def _end_all(number: int = 0, frame: FrameType | None = None) -> None:
    if os.getppid() != _PARENT:
        _leave_no_folder()
    os.killpg(0, signal.SIGKILL)


def _leave_no_folder() -> None:
    """Have the folder of the server removed, by a process that outlives this one, once all others are gone."""
    folder, group = os.getcwd(), os.getpgrp()
    if not os.path.basename(folder).startswith(FOLDER_PREFIX):
        return
    apart, told = os.pipe()
    if os.fork() != 0:
        os.close(told)
        os.read(apart, 1)
        return
    os.setsid()
    os.close(apart)
    os.close(told)
    import shutil  # noqa: PLC0415  a server that ends as it should is not to wait for it

    until = time.monotonic() + _GONE_SECONDS_MAX
    try:
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.01)
    except OSError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
