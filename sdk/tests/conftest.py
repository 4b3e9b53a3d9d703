"""A server of Interlock for the tests of a file, and a client of it."""

from collections.abc import AsyncGenerator, Generator

import pytest
from desk import Desk, desk

from interlock_sdk import AsyncInterlock


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Desk]:
    with desk(tmp_path_factory.mktemp("shop")) as opened:
        yield opened


@pytest.fixture
async def client(shop: Desk) -> AsyncGenerator[AsyncInterlock]:
    async with AsyncInterlock(shop.url, shop.token, principal="sam") as opened:
        yield opened
