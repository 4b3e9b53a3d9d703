"""`call`: one tool call from the door to the ledger, as an agent would make it."""

from pathlib import Path

from interlock.core.ids import AgentId, RunId, ToolName
from interlock.core.value import replace
from interlock.door.cli.caller import caller_of
from interlock.door.cli.outcomes import tell
from interlock.door.cli.reading import arguments_text, name_of
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, performing
from interlock.gateway.proposal import Proposal
from interlock.identity.signature import signed_with


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
        caller = await caller_of(here, unnamed=AgentId("cli"))
        if given.sign_with is not None:
            made = signed_with(
                Path(given.sign_with),
                caller,
                proposal.tool,
                text,
                now=here.gateway.clock.now(),
                run=proposal.run,
                idempotency_key=proposal.key,
            )
            proposal = replace(proposal, signature=made)
        outcome = await here.gateway.call(caller, proposal)
        return tell(typed, outcome)
