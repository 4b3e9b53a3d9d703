"""The contract that is in force for a caller, compiled once for each hash."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.contract.arguments import Schema
from interlock.contract.bundle import decode
from interlock.contract.ir import Contract, InForce
from interlock.core.action import Caller
from interlock.core.door import Door
from interlock.core.ids import ContractHash, TenantId, ToolName
from interlock.ports import TenantStore

_KEPT_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A contract with everything that is made from it once."""

    contract: Contract
    schemas: Mapping[ToolName, Schema]


@dataclass(slots=True)
class Forces:
    """Remembers the contracts that were compiled lately."""

    _kept: dict[tuple[TenantId, ContractHash], Compiled] = field(
        default_factory=dict[tuple[TenantId, ContractHash], Compiled]
    )

    async def compiled(self, store: TenantStore, hash: ContractHash) -> Compiled:
        """Return the contract with this hash.

        Raises:
            StoreTampered: what is stored under the hash is something else.
        """
        name = (store.tenant, hash)
        known = self._kept.get(name)
        if known is None:
            contract = decode(await store.contract(hash))
            schemas = {tool.name: Schema.compile(tool.schema) for tool in contract.tools.values() if tool.schema}
            known = Compiled(contract=contract, schemas=schemas)
            if len(self._kept) >= _KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = known
        return known

    async def of(self, store: TenantStore, door: Door, caller: Caller) -> tuple[InForce, Compiled] | None:
        """Return what is in force for a caller, or nothing where nothing is published."""
        published = door.of(caller.workflow, caller.environment)
        if published is None:
            return None
        compiled = await self.compiled(store, published.contract)
        return InForce(contract=compiled.contract, hash=published.contract, mode=published.mode), compiled
