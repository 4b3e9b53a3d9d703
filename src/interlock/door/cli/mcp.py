"""`mcp`: be the MCP server of a client that starts this program, and speak over standard input and output."""

import asyncio
import os
from contextlib import suppress
from urllib.parse import urlsplit

from interlock.core.errors import Occupied, UsageWrong
from interlock.core.ids import AgentId, RunId
from interlock.door.attended import finish, look_after
from interlock.door.cli.caller import caller_of
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import fast_loop, performing
from interlock.door.entrance import LOOPBACK_NAMES
from interlock.door.mcp.bridge import Bridge, client_session
from interlock.door.mcp.stdio import Stdio, lines_of, opened
from interlock.door.mcp.talk import Talk
from interlock.gateway import fresh

_FINISH_SECONDS = 10.0
_GO_THROUGH = (
    "let one `interlock serve` perform, and start each client's command as "
    "`interlock mcp --url http://127.0.0.1:7400/mcp`, with a token in INTERLOCK_TOKEN"
)


def over_stdio(typed: Typed) -> int:
    """Serve one client until it closes its end.

    Raises:
        Occupied: another process performs on this file.
    """
    try:
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            return runner.run(_served(typed))
    except Occupied as occupied:
        occupied.fix = _GO_THROUGH
        raise


async def _served(typed: Typed) -> int:
    if typed.given.url is not None:
        return await _bridged(typed.given.url)
    with performing(typed) as here:
        caller = await caller_of(here, unnamed=AgentId("mcp"))
        run = RunId(f"mcp-{fresh.run_id(here.gateway.clock.now())}")
        reader, writer = await opened()
        stop = asyncio.Event()
        looking = asyncio.create_task(look_after(here.gateway, stop))
        try:
            talk = Talk.of(here.gateway)
            await Stdio(talk=talk, caller=caller, run=run, writer=writer).serve(lines_of(reader, writer))
        finally:
            stop.set()
            await finish(here.gateway, within=_FINISH_SECONDS)
            with suppress(asyncio.CancelledError):
                await looking
    return 0


async def _bridged(url: str) -> int:
    """Pass everything on to an interlock that serves elsewhere."""
    token = os.environ.get("INTERLOCK_TOKEN")
    if not token:
        raise UsageWrong(
            "there is no token to come in with",
            fix="set INTERLOCK_TOKEN; make one: `interlock token new NAME --workflow W --env E --expires 90d`",
        )
    _must_be_safe(url)
    reader, writer = await opened()
    async with client_session() as http:
        await Bridge(url=url, token=token, http=http, writer=writer).serve(lines_of(reader, writer))
    return 0


def _must_be_safe(url: str) -> None:
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        raise UsageWrong("`--url` needs a whole address", fix="write it as `--url http://127.0.0.1:7400/mcp`")
    if scheme == "http" and host not in LOOPBACK_NAMES:
        raise UsageWrong(
            "a token would go over the wire in the open", fix="name an `https://` address, or one on loopback"
        )
