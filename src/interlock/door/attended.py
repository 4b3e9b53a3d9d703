"""A gateway that is looked after while it serves: leases that passed, consent given elsewhere, undos asked for."""

import asyncio
import logging
from contextlib import suppress

from interlock.core.errors import InterlockError
from interlock.core.ids import TenantId
from interlock.gateway.call import Gateway
from interlock.gateway.recover import attend

LOOK_SECONDS = 0.5  # between two looks; a yes that is given in another process takes effect within it
_LOG = logging.getLogger("interlock.serve")


async def look_after(gateway: Gateway, stop: asyncio.Event, *, every: float = LOOK_SECONDS) -> None:
    """Look at what waits of every tenant, until `stop` is set. A store that is away is looked at again."""
    while not stop.is_set():
        with suppress(InterlockError):
            for tenant in await asyncio.to_thread(gateway.store.tenants):
                await _look_at(gateway, tenant)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)


async def _look_at(gateway: Gateway, tenant: TenantId) -> None:
    try:
        await attend(gateway, gateway.store.for_tenant(tenant))
    except InterlockError as down:  # a tenant whose rows were edited keeps no other from its turn
        _LOG.warning("what waits could not be looked after: %s", type(down).__name__)


async def finish(gateway: Gateway, *, within: float) -> int:
    """Wait for what is under way, for so many seconds; return how many actions are left to their leases."""
    under_way = [*gateway.under_way.values(), *gateway.settling]
    if under_way:
        await asyncio.wait(under_way, timeout=within)
    return sum(not task.done() for task in under_way)
