"""One shop for all tests of a file."""

from collections.abc import Generator

import pytest
from desk import Desk, desk


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Desk]:
    with desk(tmp_path_factory.mktemp("shop")) as opened:
        yield opened
