"""As whom a command makes calls: by its options, else as the only agent that there is, for whoever is here."""

import os

from interlock.core.action import Caller
from interlock.core.errors import NotLoggedIn
from interlock.core.ids import AgentId, PrincipalId
from interlock.core.value import replace
from interlock.door.cli.logins import login_file
from interlock.door.cli.person import user_name
from interlock.door.cli.reading import name_of
from interlock.door.cli.session import Session


async def caller_of(here: Session, *, unnamed: AgentId) -> Caller:
    """Say who calls. `unnamed` is the agent where neither an option nor the contract says one."""
    given = here.typed.given
    workflow, environment = await here.place()
    principal = name_of(given.principal if given.principal is not None else _name(here), "principal")
    caller = Caller(
        tenant=here.store.tenant,
        workflow=workflow,
        environment=environment,
        agent=AgentId(name_of(given.agent, "agent")) if given.agent is not None else unnamed,
        principal=PrincipalId(principal),
        known_by=f"os:{os.getuid()}",
    )
    return caller if given.agent is not None else await _as_the_only_agent(here, caller)


def _name(here: Session) -> str:
    """Name the user of this machine, or their login: who asks for themselves by it does not agree by it."""
    file = login_file(here.typed)
    try:
        kept = file.read() if file is not None else None
    except NotLoggedIn as no:
        no.fix += ", or say on whose behalf: `--for P`"
        raise
    return kept.person if kept is not None else user_name()


async def _as_the_only_agent(here: Session, caller: Caller) -> Caller:
    force = await here.force(caller)
    agents = sorted(force.contract.agents) if force is not None else []
    if len(agents) != 1:
        return caller
    return replace(caller, agent=agents[0])
