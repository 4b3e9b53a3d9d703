"""Contracts that are in force.

Nothing is published here. A contract names Python functions, programs and hosts that this machine then runs or calls,
so whoever publishes decides what code runs: that takes an account on the machine, and `interlock contract publish`.
"""

from interlock.contract.bundle import decode
from interlock.contract.show import show
from interlock.core.door import Published
from interlock.core.ids import Environment, WorkflowId
from interlock.door.http import shapes_ledger as shapes
from interlock.door.http.permissions import READERS
from interlock.door.http.problem import nothing_there
from interlock.door.http.route import Answer, Route
from interlock.door.http.visit import Visit
from interlock.ports import Needs


async def listed(visit: Visit[None, None]) -> Answer:
    """List the contracts that are in force."""
    door = (await visit.store.read(Needs())).door
    found = [_place(name, each) for name, each in sorted(door.published.items())]
    mine = [each for each in found if visit.may_here(WorkflowId(each["workflow"]))]
    return Answer(data={"contracts": mine, "epoch": door.epoch})


async def shown(visit: Visit[None, None]) -> Answer:
    """Write out a contract that is in force."""
    workflow, environment = WorkflowId(visit.path["workflow"]), Environment(visit.path["environment"])
    published = (await visit.store.read(Needs())).door.of(workflow, environment)
    if published is None or not visit.may_here(workflow):
        raise nothing_there()
    contract = decode(await visit.store.contract(published.contract))
    return Answer(data={**_place(f"{workflow}/{environment}", published), "yaml": show(contract)})


def _place(name: str, published: Published) -> dict[str, str]:
    workflow, _, environment = name.rpartition("/")
    mode = published.mode.value
    return {"workflow": workflow, "environment": environment, "mode": mode, "contract": published.contract}


ROUTES = (
    Route(
        method="GET",
        path="/v1/contracts",
        name="list_contracts",
        needs=READERS,
        says="List the contracts that are in force, and how far each may go today.",
        does=listed,
        answers={200: shapes.Places},
    ),
    Route(
        method="GET",
        path="/v1/contracts/{workflow}/{environment}",
        name="get_contract",
        needs=READERS,
        says="Write out a contract that is in force, in full.",
        does=shown,
        answers={200: shapes.Contract},
        problems=("nothing-there",),
    ),
)
