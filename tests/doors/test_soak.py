"""A server keeps nothing of clients that are gone. `tests/soak.py` has the long form."""

from pathlib import Path

import pytest

from soak import soak

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_server_keeps_nothing_of_clients_that_came_went_and_vanished(tmp_path: Path) -> None:
    said = list[str]()
    assert await soak(tmp_path, parts=2, seconds=3, clients=8, say=said.append) == []
    told = "\n".join(said)
    assert all(
        each in told for each in ("call in a session", "listening", "server behind killed", "left in the middle")
    )
