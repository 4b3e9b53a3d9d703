"""A process that performs: `python tests/shop_gateway.py WHERE KEYS TENANT` attends to a store until its input ends."""

import asyncio
import sys
from pathlib import Path

from interlock.app import performing
from interlock.core.ids import TenantId
from interlock.gateway.recover import attend


async def attend_until_the_input_ends(where: str, keys: str, tenant: str) -> None:
    with performing(where, Path(keys)) as gateway:
        store = gateway.store.for_tenant(TenantId(tenant))
        print("ready", flush=True)
        for _ in iter(sys.stdin.readline, ""):
            print(*await attend(gateway, store), flush=True)


if __name__ == "__main__":
    asyncio.run(attend_until_the_input_ends(*sys.argv[1:]))
