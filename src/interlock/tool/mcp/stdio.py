"""A server as a process of ours: started with a clean environment, spoken to over its input and output, line by line.

Whatever it does, it costs itself its life and nobody else anything: lines that are too long, words that nobody asked
for without end, bytes that are no text. Then the link is lost, and with it what was waited for.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, cast

from interlock.core.errors import UpstreamFailed
from interlock.core.limits import (
    ISOLATED_STOP_SECONDS_MAX,
    MCP_MESSAGE_BYTES_MAX,
    MCP_STOP_SECONDS_MAX,
    MCP_UNASKED_BYTES_MAX,
    MCP_UNASKED_MAX,
    MCP_UNSENT_BYTES_MAX,
    SAID_CHARS_MAX,
)
from interlock.core.mcp import SUBSCRIPTION_KEY, TOOLS_CHANGED
from interlock.tool.mcp import keeper, wire
from interlock.tool.mcp.link import (
    CHANGES,
    DEAF,
    LOOK,
    PLAINLY,
    Answer,
    How,
    LinkLost,
    Noticed,
    Way,
    answer_to,
    nobody_noticed,
    unsent,
)
from interlock.tool.mcp.reach import Reach, Revealed, revealed

_PYTHON = ("python", "python3")
"""Words that mean the Python that we run in, as a virtual environment would have it."""


class StdioLink(asyncio.Protocol):
    """One process, and what is waited for from it. It lives on the loop on which it was opened."""

    def __init__(self, server: str) -> None:
        self.tools_changed = False
        self.noticed: Noticed = nobody_noticed
        self.last_words = b""
        """The end of what it wrote about itself. It may hold anything."""
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._ways: dict[int, Way] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._last = 0
        self._line = bytearray()
        self._unasked = 0
        self._unasked_bytes = 0
        self._why_lost = ""
        self._retired = False
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self._to: asyncio.WriteTransport | None = None
        self._pipes: list[asyncio.BaseTransport] = []

    @classmethod
    async def open(cls, reach: Reach, secrets: Revealed, *, hidden: tuple[Path, ...] = ()) -> "StdioLink":
        """Start the server.

        Args:
            reach: its command and what it gets of an environment.
            secrets: what its variables name.
            hidden: folders that it must not see, where it runs in a sandbox.

        Raises:
            UpstreamFailed: it cannot be started.
        """
        link = cls(reach.server)
        link._folder = tempfile.mkdtemp(prefix=keeper.FOLDER_PREFIX)
        try:
            await link._start(command_of(reach, link._folder, hidden), environment(reach, secrets, link._folder))
        except OSError as error:
            link.close()
            raise unsent(reach.server, "cannot be started") from error
        return link

    async def _start(self, command: list[str], env: dict[str, str]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  no shell, and no word of a caller: the contract's
                [sys.executable, "-I", "-S", keeper.__file__, *command],
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=theirs_err,
                start_new_session=True,
                cwd=self._folder,
                env=env,
            )
        except OSError:
            for each in (ours_in, ours_out, ours_err):
                os.close(each)
            raise
        finally:
            for each in (theirs_in, theirs_out, theirs_err):
                os.close(each)
        to, _ = await self._loop.connect_write_pipe(_Ends, os.fdopen(ours_in, "wb", 0))
        out, _ = await self._loop.connect_read_pipe(lambda: self, os.fdopen(ours_out, "rb", 0))
        err, _ = await self._loop.connect_read_pipe(lambda: _Tail(self), os.fdopen(ours_err, "rb", 0))
        self._to = to
        self._pipes = [to, out, err]

    @property
    def alive(self) -> bool:
        return not self._why_lost

    def speak(self, version: str) -> None:
        pass  # every message says itself what it has to

    async def ask(self, method: str, params: Mapping[str, Any], how: How = PLAINLY) -> Answer:
        """Write a line and wait for the one that answers it."""
        how.before()
        id = self._last = self._last + 1
        line = wire.request(id, method, params)
        self._room(len(line))
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[id] = waiting
        self._ways[id] = how.way
        self._write(line)
        try:
            return await waiting
        finally:
            self._waiting.pop(id, None)
            self._ways.pop(id, None)
            if self._retired and not self._waiting:
                self.close()

    async def listen(self) -> None:
        raise unsent(self._server, "is heard all the time")

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        with suppress(UpstreamFailed):
            line = wire.notification(method, params)
            self._room(len(line))
            self._write(line)

    def _room(self, size: int) -> None:
        if not self.alive:
            raise unsent(self._server, self._why_lost)
        assert self._to is not None, "it was started"
        if self._to.get_write_buffer_size() + size > MCP_UNSENT_BYTES_MAX:
            raise unsent(self._server, "does not read what it was told before")

    def _write(self, line: bytes) -> None:
        assert self._to is not None, "it was started"
        self._to.write(line + b"\n")

    def data_received(self, data: bytes) -> None:
        """Take what has come in, line by line."""
        self._line += data
        *lines, rest = self._line.split(b"\n") if b"\n" in data else (self._line,)
        self._line = rest
        for line in lines:
            if self.alive and line.strip():
                self._heard(bytes(line))
        if len(self._line) > MCP_MESSAGE_BYTES_MAX:
            self.lose(f"said more than {MCP_MESSAGE_BYTES_MAX:,} bytes in one line")

    def _heard(self, line: bytes) -> None:
        if len(line) > MCP_MESSAGE_BYTES_MAX:
            return self.lose(f"said more than {MCP_MESSAGE_BYTES_MAX:,} bytes in one line")
        if not line.lstrip().startswith(b"{"):
            # A greeting, say. It is no message, and nothing is lost with it.
            return self._count(line)
        try:
            line.decode()  # what is passed on unread must be text too
            message = wire.incoming(line)
        except wire.Unreadable:
            return self.lose("said something that is no message")
        waiting = self._waiting.get(message.id) if isinstance(message.id, int) and message.method is None else None
        if waiting is None:
            return self._unasked_for(message, line)
        if not waiting.done():
            self._unasked = self._unasked_bytes = 0
            waiting.set_result(message.error if message.error is not None else message.result)
        return None

    def _unasked_for(self, message: wire.Incoming, line: bytes) -> None:
        """Take a notification, a request, or an answer for which nobody waits (any more)."""
        self._count(line)
        if not self.alive or message.method is None:
            return
        params = wire.params_of(message)
        if message.id is not None:
            task = self._loop.create_task(self._answered(message, self._way_of({})))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        if message.method in CHANGES:
            self.tools_changed |= message.method == TOOLS_CHANGED
            self.noticed(message.method, params)
        else:
            self._way_of(params).hear(message.method, params)

    def _way_of(self, params: Mapping[str, Any]) -> Way:
        """Find the call that something is about: the one it names, or the only one. Another may be somebody else's."""
        meta = params.get("_meta")
        if isinstance(meta, dict) and SUBSCRIPTION_KEY in meta:
            return self._ways.get(cast("dict[str, Any]", meta)[SUBSCRIPTION_KEY], DEAF)
        heard = [way for way in self._ways.values() if way.token]
        if "progressToken" in params:
            return next((way for way in heard if way.token == params["progressToken"]), DEAF)
        return heard[0] if len(heard) == 1 else DEAF

    async def _answered(self, message: wire.Incoming, way: Way) -> None:
        answer = await answer_to(message, way)
        try:
            self._room(len(answer))
        except UpstreamFailed:
            return self.lose("asks and does not read the answers")
        self._write(answer)

    def _count(self, line: bytes) -> None:
        self._unasked += 1
        self._unasked_bytes += len(line)
        if self._unasked > MCP_UNASKED_MAX or self._unasked_bytes > MCP_UNASKED_BYTES_MAX:
            self.lose("said too much that nobody asked for")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose("ended")

    def lose(self, why: str) -> None:
        """Give it up: kill it with all that it started, and tell whoever waits that nobody knows."""
        self._end(why, seconds=0)

    def retire(self) -> None:
        """Close it once nothing is waited for any more."""
        self._retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Close its input, so that it ends by itself; what has not done so a moment later is killed."""
        self._end("was closed", seconds=MCP_STOP_SECONDS_MAX)

    def _end(self, why: str, *, seconds: float) -> None:
        if self._why_lost:
            return
        self._why_lost = why
        for answering in self._answering:
            with suppress(RuntimeError):  # its loop has ended
                answering.cancel()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LinkLost(f"`{self._server}` {why} before it answered", fix=LOOK))
        self._line.clear()
        for each in self._pipes:
            with suppress(RuntimeError):  # its loop has ended
                each.close()
        # No daemon: whoever ends after us waits until nothing is left behind.
        Thread(target=_end, args=(self._process, self._folder, seconds), name="interlock-mcp-end").start()


class _Ends(asyncio.BaseProtocol):
    """Hears nothing: that the other side is gone shows where it is read from."""


class _Tail(asyncio.Protocol):
    """Keeps the end of what a server writes about itself."""

    def __init__(self, link: StdioLink) -> None:
        self._link = link

    def data_received(self, data: bytes) -> None:
        self._link.last_words = (self._link.last_words + data)[-SAID_CHARS_MAX:]


def _end(process: "subprocess.Popen[bytes] | None", folder: str, seconds: float) -> None:
    """Wait for a server to end by itself, then end it, and leave nothing of it behind."""
    if process is not None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if process.returncode is None:
            # Nobody has waited for it yet, so the number is still its own. One that has ended took its group along.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ISOLATED_STOP_SECONDS_MAX)
    shutil.rmtree(folder, ignore_errors=True)


def environment(reach: Reach, secrets: Revealed, folder: str) -> dict[str, str]:
    """Return all that a server sees of an environment. Credentials often lie in ours."""
    own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}
    return {**own, **revealed(reach.env, secrets)}


def command_of(reach: Reach, folder: str, hidden: tuple[Path, ...]) -> list[str]:
    """Return the command, in a sandbox if there is one and the contract does not say otherwise.

    Raises:
        UpstreamFailed: the contract asks for a sandbox, and there is none.
    """
    command = [sys.executable if reach.command[0] in _PYTHON else reach.command[0], *reach.command[1:]]
    if reach.sandbox is False:
        return command
    sandbox = shutil.which("bwrap")
    if sandbox is None:
        if reach.sandbox:
            raise unsent(reach.server, "needs a sandbox, and `bwrap` is not installed")
        return command
    out_of_sight = [Path("/run/user"), *hidden]
    return [
        sandbox,
        *("--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL"),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *(word for each in out_of_sight if each.is_dir() for word in ("--tmpfs", str(each.resolve()))),
        *("--bind", folder, folder, "--chdir", folder, "--"),
        *command,
    ]
