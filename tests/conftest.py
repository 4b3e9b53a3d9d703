"""Real stores for every test: a SQLite file, and a Postgres that the suite starts and stops."""

import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from secrets import token_hex

import pytest
from hypothesis import HealthCheck, settings

from interlock.app import Opened, open_store
from interlock.core.ids import TenantId
from postgres import Server
from world import HandClock, World

STORES = ("sqlite", "postgres")

# A machine that others use as well may be slow: no property fails for that.
settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the second database to the whole suite: what is fast runs on a file."""
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if "postgres" in params.values():
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Generator[Server]:
    # Not below pytest's own folder: that is closed to others, and the server may run as a user of its own.
    with tempfile.TemporaryDirectory(prefix="interlock-postgres-") as folder:
        server = Server.start(Path(folder))
        yield server
        server.stop()


@pytest.fixture(params=STORES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store of this test is. The whole suite runs on both databases."""
    if request.param == "sqlite":
        return str(tmp_path / "interlock.db")
    server: Server = request.getfixturevalue("postgres_server")
    return server.url


@pytest.fixture
def opens(where: str, tmp_path: Path) -> Generator[Callable[[HandClock], Opened]]:
    """Open the store, as often as a test needs it."""
    opened: list[Opened] = []

    def open_one(clock: HandClock) -> Opened:
        opened.append(open_store(where, tmp_path / "keys", clock=clock, durable=False))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
async def world(opens: Callable[[HandClock], Opened], anyio_backend: str) -> World:
    """A tenant of its own in a real store, with a gateway and one scripted tool."""
    clock = HandClock()
    return World.on(opens(clock), clock, TenantId(f"acme-{token_hex(4)}"))
