"""What the doors over HTTP are tested through: a world behind a real server."""

from collections.abc import AsyncGenerator

import pytest
from served import Served, serving

from world import World


@pytest.fixture
async def served(world: World) -> AsyncGenerator[Served]:
    await world.publish()
    async with serving(world) as each:
        yield each
