"""`mcp`: be the MCP server of a client that starts this program, and speak over standard input and output."""

import asyncio
from contextlib import suppress

from interlock.core.ids import AgentId, RunId
from interlock.door.attended import finish, look_after
from interlock.door.cli.caller import caller_of
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, performing
from interlock.door.mcp.stdio import Stdio, lines_of, opened
from interlock.door.mcp.talk import Talk
from interlock.gateway import fresh

_FINISH_SECONDS = 10.0


@awaited
async def over_stdio(typed: Typed) -> int:
    """Serve one client until it closes its end."""
    with performing(typed) as here:
        caller = await caller_of(here, unnamed=AgentId("mcp"))
        run = RunId(f"mcp-{fresh.run_id(here.gateway.clock.now())}")
        reader, writer = await opened()
        stop = asyncio.Event()
        looking = asyncio.create_task(look_after(here.gateway, stop))
        try:
            talk = Talk.of(here.gateway)
            await Stdio(talk=talk, caller=caller, run=run, writer=writer).serve(lines_of(reader))
        finally:
            stop.set()
            await finish(here.gateway, within=_FINISH_SECONDS)
            with suppress(asyncio.CancelledError):
                await looking
    return 0
