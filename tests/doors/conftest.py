"""What the doors over HTTP are tested through: a world behind a real server."""

from collections.abc import AsyncGenerator

import pytest
from served import Served, serving

from interlock.core.credential import Issuer
from interlock.gateway import access
from world import KIM, World

CORP = Issuer(name="corp", url="https://login.example.com", audience="interlock", by=KIM.person)
"""Who vouches for the people who log in."""


@pytest.fixture
async def served(world: World) -> AsyncGenerator[Served]:
    await world.publish()
    await access.add_issuer(world.store, CORP, KIM)
    async with serving(world) as each:
        yield each
