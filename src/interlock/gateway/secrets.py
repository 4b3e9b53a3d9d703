"""Which secrets the contracts in force name, and the entry that says that a person changed one."""

from dataclasses import dataclass

from interlock.contract.bundle import decode
from interlock.contract.secrets import secrets_needed
from interlock.core.ids import Environment, WorkflowId
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
    users: tuple[str, ...]
    """The tools and servers that get it."""


async def secrets_in_force(store: TenantStore) -> tuple[Named, ...]:
    """List every secret that a contract in force names, with the tools and servers that get it.

    Raises:
        ContractInvalid: another version wrote one of the contracts.
    """
    found: list[Named] = []
    for place, published in sorted((await store.read(Needs())).door.published.items()):
        workflow, _, environment = place.rpartition("/")
        contract = decode(await store.contract(published.contract))
        users: dict[str, set[str]] = {}
        for name, who, _ in secrets_needed(contract, Environment(environment)):
            users.setdefault(name, set()).add(who)
        where = WorkflowId(workflow), Environment(environment)
        found += [
            Named(workflow=where[0], environment=where[1], name=name, users=tuple(sorted(who)))
            for name, who in sorted(users.items())
        ]
    return tuple(found)


async def secret_changed(
    store: TenantStore, workflow: WorkflowId, environment: Environment, name: str, to: str, by: Operator
) -> None:
    """Write down that a secret was `set`, `changed` or `removed`."""

    def turn(rows: Rows) -> tuple[Changes, None]:
        detail = change.secret(workflow, environment, name, to)
        return Changes(entries=(said_by(rows, by, Kind.SECRET, detail),)), None

    await store.write(Needs(), turn)
