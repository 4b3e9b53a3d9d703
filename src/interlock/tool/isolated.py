"""The other side of `child`: the process that carries out one call of one function and is killed afterwards.

`python -m interlock.tool.isolated SOURCE`, with a socket as its input and output. It may print: nobody hears it.
"""

import os
import resource
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, BinaryIO, Literal

import msgspec

from interlock.core.canonical import canonical
from interlock.core.errors import InterlockError, UpstreamFailed
from interlock.core.limits import ISOLATED_MEMORY_BYTES_MAX, PERFORM_SECONDS_MAX, RESULT_BYTES_MAX, SAID_CHARS_MAX
from interlock.core.secret import Secret
from interlock.tool.function import Function, broken, function_of, plain

READY = b"ready\n"
"""Said once the function is imported. What ended before has surely done nothing."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """How the call ended, as one line of JSON."""

    result: Any = None
    readable: bool = True
    ended: Literal["done", "failed", "silent"] = "done"
    """Failed: the function says that nothing happened. Silent: nobody knows what happened."""
    why: str = ""
    said: str = ""
    """The function's own words."""


def main(source: str) -> None:
    """Carry out one call."""
    limit()
    answers = os.fdopen(os.dup(1), "wb")
    questions = os.fdopen(os.dup(0), "rb")
    # The function's own input and output lead nowhere, and so do those of what it starts.
    with open(os.devnull, "r+b") as nowhere:
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    function = function_of(source)
    answers.write(READY)
    answers.flush()
    key, arguments, text = msgspec.json.decode(questions.readline(), type=tuple[str, str, str | None])
    secret = Secret("", text) if text is not None else None
    Thread(target=end_with, args=(questions,), daemon=True).start()
    answers.write(line(carry(function, arguments.encode(), key, secret)))
    answers.flush()
    os._exit(0)


def limit() -> None:
    """Bound what the function may take, for itself and for what it starts and leaves behind."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_AS, ISOLATED_MEMORY_BYTES_MAX)
    # Never reached before the timeout, even on all processors: it ends what left the group that is killed.
    _lower(resource.RLIMIT_CPU, PERFORM_SECONDS_MAX * (os.cpu_count() or 1))


def _lower(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    known = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (known, known))


def end_with(questions: BinaryIO) -> None:
    """End, with all that was started, when whoever asked is gone: nobody would hear of an effect any more."""
    with suppress(OSError):
        questions.read()
    os.killpg(0, signal.SIGKILL)


def carry(function: Function, arguments: bytes, key: str, secret: Secret | None = None) -> Said:
    """Call the function and say how it ended."""
    try:
        named = function.named(arguments, key, secret)
        result = _run(function.call(**named)) if function.is_async else function.call(**named)
    except UpstreamFailed as failed:
        return Said(ended="failed", said=_valid(str(failed))[:SAID_CHARS_MAX])
    except BaseException as error:  # noqa: BLE001  whatever it raises, it is this call that ended
        silence = broken(function.name, error)
        return Said(ended="silent", why=_valid(str(silence)), said=_valid(silence.said))
    try:
        known = plain(result)
        canonical(known)
    except (ValueError, RecursionError, InterlockError):
        return Said(readable=False)
    return Said(result=known)


def _valid(text: str) -> str:
    return text.encode(errors="replace").decode()


def _run(work: Coroutine[Any, Any, Any]) -> object:
    import asyncio  # noqa: PLC0415  a third of the start-up, and only async functions need it

    return asyncio.run(work)


def line(said: Said) -> bytes:
    """Write it down, if that is not too long."""
    text = msgspec.json.encode(said) + b"\n"
    return text if len(text) <= RESULT_BYTES_MAX else msgspec.json.encode(Said(readable=False)) + b"\n"


if __name__ == "__main__":
    main(sys.argv[1])
