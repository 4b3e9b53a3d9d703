"""A function in a process of its own, one for each call, that is killed with all that it started. See `isolated`.

What the process is told and says goes over one socket: it says that it is ready, gets the arguments, says how it ended.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

import msgspec

from interlock.core.canonical import Unreadable
from interlock.core.errand import Errand, Performed
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.limits import ISOLATED_STOP_SECONDS_MAX, RESULT_BYTES_MAX
from interlock.tool.function import refused
from interlock.tool.isolated import READY, Said
from interlock.tool.slots import Slots, ending_of, in_thread

_PASSED_ON = ("PATH", "HOME")
"""What a child sees of our environment. Credentials often lie in the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedTool:
    """Carries out one function, each call in a process of its own."""

    source: str
    name: str
    slots: Slots

    def free(self) -> bool:
        return self.slots.free()

    async def perform(self, errand: Errand) -> Performed:
        """Have it done. Whoever stops waiting kills the process, and the slot is free again.

        Raises:
            UpstreamFailed: it said so itself, or it was never begun.
            UpstreamSilent: it raised something else, or its process ended without a word.
        """
        child = Child(source=self.source, name=self.name)
        work = in_thread(self.name, self.slots, lambda: child.carry(errand))
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            child.kill()
            # The thread hears of it at once, and gives the slot back.
            ended = asyncio.wrap_future(work)
            ended.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is told below
            await asyncio.wait([ended], timeout=ISOLATED_STOP_SECONDS_MAX)
            # It may have ended just before it was killed, or not have begun.
            work.add_done_callback(lambda done: errand.late(ending_of(done)))
            raise


@dataclass(slots=True, kw_only=True)
class Child:
    """One process for one call."""

    source: str
    name: str
    _process: "subprocess.Popen[bytes] | None" = None
    _socket: socket.socket | None = None
    _killed: bool = False
    _lock: Lock = field(default_factory=Lock)

    def carry(self, errand: Errand) -> Performed:
        """Start it, tell it the arguments, hear how it ended, and leave nothing of it behind.

        Raises:
            UpstreamFailed: it said so itself, or it was never begun.
            UpstreamSilent: nobody knows what it did.
        """
        try:
            ours = self._start()
        except OSError as error:
            message = f"no process can be started for `{self.name}`, so nothing was begun"
            raise UpstreamFailed(message, fix="call again later") from error
        try:
            with ours.makefile("rb") as answers:
                if answers.readline(len(READY)) != READY:
                    raise UpstreamFailed(f"the process of `{self.name}` did not start", fix=f"import `{self.source}`")
                errand.check_lease()
                secret = errand.secret.reveal() if errand.secret is not None else None
                ours.sendall(msgspec.json.encode((errand.key, errand.arguments.decode(), secret)) + b"\n")
                return self._heard(answers.readline(RESULT_BYTES_MAX + 1))
        except OSError as error:
            raise UpstreamSilent(f"the process of `{self.name}` broke off", fix="look at what it did") from error
        finally:
            self.kill()
            self._reap()
            ours.close()

    def _heard(self, line: bytes) -> Performed:
        if not line:
            raise UpstreamSilent(f"the process of `{self.name}` ended without a word", fix="look at what it did")
        try:
            said = msgspec.json.decode(line, type=Said)
        except msgspec.DecodeError:
            return Performed(result=Unreadable())
        if said.ended == "failed":
            raise refused(self.name, said.said)
        if said.ended == "silent":
            raise UpstreamSilent(said.why, fix="look at what it did", said=said.said)
        return Performed(result=said.result if said.readable else Unreadable())

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            if self._killed:
                ours.close()
                raise UpstreamFailed("nobody waits any more, so nothing was begun", fix="call again")
            try:
                self._process = _process_of(self.source, theirs)
            except OSError:
                ours.close()
                raise
            self._socket = ours
        return ours

    def kill(self) -> None:
        """Kill the process and all of its group, now. It may be called from any thread, and again."""
        with self._lock:
            self._killed = True
            if self._process is None or self._process.returncode is not None:
                return
            # Nobody has waited for it yet, so the number is still its own.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            assert self._socket is not None, "it has a socket as long as it has a process"
            with suppress(OSError):
                # What left the group may hold the other end open; whoever reads must not wait for it.
                self._socket.shutdown(socket.SHUT_RDWR)

    def _reap(self) -> None:
        assert self._process is not None, "it was started"
        with self._lock, suppress(subprocess.TimeoutExpired):
            self._process.wait(ISOLATED_STOP_SECONDS_MAX)


def _process_of(source: str, speaks_over: socket.socket) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  no shell, and no word of a caller: the source is the contract's
        [sys.executable, "-P", "-m", "interlock.tool.isolated", source],
        stdin=speaks_over.fileno(),
        stdout=speaks_over.fileno(),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
    )


def environment() -> dict[str, str]:
    """Return all that a child sees: where programs, modules and its home are."""
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**known, "PYTHONPATH": os.pathsep.join(os.path.abspath(part) for part in sys.path)}
