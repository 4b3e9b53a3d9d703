"""Which secrets the contracts in force name, and the entry that says that a person changed one."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.contract.bundle import decode
from interlock.core.ids import Environment, ToolName, WorkflowId
from interlock.gateway.doors import Operator, said_by
from interlock.ledger import change
from interlock.ledger.seal import Kind
from interlock.ports import Changes, Needs, Rows, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A secret that a contract in force needs."""

    workflow: WorkflowId
    environment: Environment
    name: str
    tools: tuple[ToolName, ...]


async def secrets_in_force(store: TenantStore) -> tuple[Named, ...]:
    """List every secret that a contract in force names, with the tools that get it.

    Raises:
        ContractInvalid: another version wrote one of the contracts.
    """
    found: list[Named] = []
    for place, published in sorted((await store.read(Needs())).door.published.items()):
        workflow, _, environment = place.rpartition("/")
        tools: dict[str, list[ToolName]] = {}
        for tool in decode(await store.contract(published.contract)).tools.values():
            for name in tool.every_secret:
                tools.setdefault(name, []).append(tool.name)
        found += _named(WorkflowId(workflow), Environment(environment), tools)
    return tuple(found)


def _named(workflow: WorkflowId, environment: Environment, tools: Mapping[str, list[ToolName]]) -> list[Named]:
    return [
        Named(workflow=workflow, environment=environment, name=name, tools=tuple(sorted(used)))
        for name, used in sorted(tools.items())
    ]


async def secret_changed(
    store: TenantStore, workflow: WorkflowId, environment: Environment, name: str, to: str, by: Operator
) -> None:
    """Write down that a secret was `set`, `changed` or `removed`."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        detail = change.secret(workflow, environment, name, to)
        return Changes(entries=(said_by(rows, by, Kind.SECRET, detail),)), None

    await store.write(Needs(), turn)
