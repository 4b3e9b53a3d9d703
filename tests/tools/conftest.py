"""Real functions in place of scripts, and nothing of them left behind."""

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from interlock.app import every_tool, gateway_on
from interlock.ports import Performers
from interlock.tool.python import PythonTools
from interlock.tool.sql_postgres import PostgresDatabases
from tools import sample_tools as sample
from tools.http_peer import Peer, serving
from tools.operations import Api
from tools.pages import Shop, needs_a_browser
from tools.shop_site import Site, shop_site
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


@pytest.fixture
async def api(world: World, tmp_path: Path) -> AsyncGenerator[Api]:
    """Operations of a document, and a server that carries them out."""
    tools = every_tool()
    async with serving(Peer()) as peer:
        yield Api(world, peer, tmp_path, tools)
        tools.close()


@pytest.fixture
def databases() -> Generator[PostgresDatabases]:
    """Connections to Postgres as tools have them."""
    found = PostgresDatabases()
    yield found
    found.close()


@pytest.fixture(scope="session")
def browser() -> Generator[Performers]:
    """One browser for all tests that need none of their own."""
    needs_a_browser()
    with pytest.MonkeyPatch.context() as patch:
        if os.geteuid() == 0:
            patch.setenv("INTERLOCK_BROWSER_UNSAFE_NO_SANDBOX", "1")
        tools = every_tool()
        yield tools
        tools.close()


@pytest.fixture
def site() -> Generator[Site]:
    with shop_site() as found:
        yield found


@pytest.fixture
def other() -> Generator[Site]:
    """A site that no contract allows."""
    with shop_site() as found:
        yield found


@pytest.fixture
def shop(world: World, site: Site, tmp_path: Path, browser: Performers) -> Shop:
    return Shop(world, site, tmp_path, browser)
