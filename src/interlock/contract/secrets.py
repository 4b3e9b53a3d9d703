"""Which secrets a contract needs, and who gets them."""

from collections.abc import Iterator

from interlock.contract.ir import Contract
from interlock.contract.servers import secrets_of
from interlock.core.ids import Environment
from interlock.policy.rule import Place


def secrets_needed(contract: Contract, environment: Environment) -> Iterator[tuple[str, str, Place]]:
    """Name each secret with every tool and server that gets it there, and where the contract says of these."""
    for tool in contract.tools.values():
        for name in tool.every_secret:
            yield name, tool.name, tool.place
    for server, base in contract.servers.items():
        for name in secrets_of(base.apart.get(environment, base)):
            yield name, f"server {server}", base.place
