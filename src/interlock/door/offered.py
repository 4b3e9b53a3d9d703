"""What an agent is shown of the contract in force: the tools that it could have carried out by calling them."""

from interlock.contract.ir import Tool
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.gateway.asked import open_to_agents
from interlock.gateway.call import Gateway
from interlock.gateway.force import Force
from interlock.ports import Needs


async def force_of(
    gateway: Gateway, tenant: TenantId, workflow: WorkflowId, environment: Environment, *, fresh: bool
) -> Force | None:
    """Return the contract that is in force.

    Unless it has to be `fresh`, it is that of the door that was read last: a call is judged by that of its moment.
    """
    store = gateway.store.for_tenant(tenant)
    door = None if fresh else gateway.doors.get(tenant)
    return await gateway.forces.of(store, door or (await store.read(Needs())).door, workflow, environment)


def offered(force: Force | None) -> list[Tool]:
    """Return the tools that a rule lets agents call and that are what was published; none without a contract."""
    if force is None:
        return []
    return [force.contract.tools[name] for name in open_to_agents(force) if name not in force.unfit]
