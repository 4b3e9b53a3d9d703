"""One process of the budget race: many callers at once on one budget. Prints how many calls ended as what.

`python tests/race.py WHERE KEYS TENANT CALLERS CALLS`: each of CALLERS calls CALLS times, as fast as it can.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "src"), str(Path(__file__).parent)]

from interlock.app import open_store  # noqa: E402
from interlock.core.ids import TenantId  # noqa: E402
from world import HandClock, World  # noqa: E402


async def race(where: str, keys: str, tenant: str, callers: int, calls: int) -> Counter[str]:
    clock = HandClock()
    opened = open_store(where, Path(keys), clock=clock, durable=True)
    world = World.on(opened, clock, TenantId(tenant))
    ended: Counter[str] = Counter()

    async def caller(_: int) -> None:
        for _ in range(calls):
            ended[type(await world.call()).__name__.lower()] += 1

    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*map(caller, range(callers)))
    ended["performed"] = len(world.tool.performed)
    opened.close()
    return ended


if __name__ == "__main__":
    where, keys, tenant, callers, calls = sys.argv[1:]
    print(json.dumps(asyncio.run(race(where, keys, tenant, int(callers), int(calls)))))
