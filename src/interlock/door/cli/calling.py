"""`call`: one tool call from the door to the ledger, as an agent would make it."""

from interlock.core.action import Caller
from interlock.core.ids import AgentId, PrincipalId, RunId, ToolName
from interlock.core.value import replace
from interlock.door.cli.outcomes import tell
from interlock.door.cli.person import user_name
from interlock.door.cli.reading import arguments_text, name_of
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, performing
from interlock.gateway.asked import Proposal

_AGENT = AgentId("cli")


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
        return tell(typed, await here.gateway.call(await _caller(here), proposal))


async def _caller(here: Session) -> Caller:
    given = here.typed.given
    workflow, environment = await here.place()
    principal = name_of(given.principal if given.principal is not None else user_name(), "principal")
    caller = Caller(
        tenant=here.store.tenant,
        workflow=workflow,
        environment=environment,
        agent=AgentId(name_of(given.agent, "agent")) if given.agent is not None else _AGENT,
        principal=PrincipalId(principal),
    )
    return caller if given.agent is not None else await _as_the_only_agent(here, caller)


async def _as_the_only_agent(here: Session, caller: Caller) -> Caller:
    force = await here.force(caller)
    agents = sorted(force.contract.agents) if force is not None else []
    if len(agents) != 1:
        return caller
    return replace(caller, agent=agents[0])
