"""The command `interlock` as a process: who interrupts it, also while it begins or ends, sees no trace of Python."""

import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130


def run() -> int:
    """Carry out the line that was typed, and return the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it was begun with interrupts ignored
        signal.signal(signal.SIGINT, _end)
        begins = _listen
    else:
        begins = _ignore
    from interlock.door.cli.main import main  # noqa: PLC0415  what it takes to read the line is most of the start

    try:
        return main(begins=begins)
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        if begins is _listen:
            signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: FrameType | None) -> None:
    """End at once: nothing has been begun, or everything has ended."""
    os._exit(_INTERRUPTED)


def _listen() -> None:
    """From here on an interrupt is an exception, so that a command can put away what it has begun."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _ignore() -> None:
    pass


if __name__ == "__main__":
    sys.exit(run())
