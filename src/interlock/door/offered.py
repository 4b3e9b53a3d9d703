"""What an agent is shown of a contract: the tools that it could have carried out by calling them."""

from interlock.contract.ir import Tool
from interlock.gateway.asked import open_to_agents
from interlock.gateway.force import Force


def offered(force: Force | None) -> list[Tool]:
    """Return the tools that a rule lets agents call and that are what was published; none without a contract."""
    if force is None:
        return []
    return [force.contract.tools[name] for name in open_to_agents(force) if name not in force.unfit]
