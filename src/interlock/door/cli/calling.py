"""`call`: one tool call from the door to the ledger, as an agent would make it."""

from interlock.core.ids import AgentId, RunId, ToolName
from interlock.door.cli.caller import caller_of
from interlock.door.cli.outcomes import tell
from interlock.door.cli.reading import arguments_text, name_of
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, performing
from interlock.gateway.asked import Proposal


@awaited
async def call(typed: Typed) -> int:
    """Call a tool and print the outcome."""
    given = typed.given
    text = arguments_text(typed)
    with performing(typed) as here:
        proposal = Proposal(
            tool=ToolName(name_of(given.tool, "tool")),
            arguments=text,
            run=RunId(given.run_id) if given.run_id is not None else None,
            key=given.key,
        )
        return tell(typed, await here.gateway.call(await caller_of(here, unnamed=AgentId("cli")), proposal))
