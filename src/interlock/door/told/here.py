"""Where a door stands: one tenant of an open store, with the gateway before it."""

from typing import Protocol

from interlock.gateway.call import Gateway
from interlock.ports import TenantStore


class Here(Protocol):
    """What telling needs of a door."""

    @property
    def gateway(self) -> Gateway: ...

    @property
    def store(self) -> TenantStore: ...
