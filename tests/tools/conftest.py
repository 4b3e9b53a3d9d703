"""Real functions in place of scripts, and nothing of them left behind."""

from collections.abc import AsyncGenerator

import pytest

from interlock.app import gateway_on
from interlock.tool.python import PythonTools
from tools import sample_tools as sample
from world import World


@pytest.fixture
async def tools() -> AsyncGenerator[PythonTools]:
    found = PythonTools()
    yield found
    for gate in (*sample.BEGUN, *sample.MAY_END):
        sample.MAY_END[gate].set()
    found.close()
    for known in (sample.BEGUN, sample.MAY_END, sample.CALLS):
        known.clear()


@pytest.fixture
async def here(world: World, tools: PythonTools) -> World:
    """The world with real functions in place of scripts."""
    world.gateway = gateway_on(world.opened, tools)
    return world
