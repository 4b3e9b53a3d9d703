"""Two servers on one Postgres behave as one, also when one is killed under load. `tests/pair.py` has the long form."""

from pathlib import Path
from secrets import token_hex

import pytest

from pair import one_round
from postgres import Server


@pytest.mark.slow
@pytest.mark.promise("once")
@pytest.mark.promise("budget")
def test_a_server_that_is_killed_under_load_does_nothing_twice_and_loses_nothing(
    postgres_server: Server, tmp_path: Path
) -> None:
    where = postgres_server.a_database(f"pair_{token_hex(4)}")
    found = one_round(where, tmp_path, calls=300, callers=16)
    assert found["done twice"] == found["said to be done and not there"] == found["strange"] == []
    assert (found["unanswered"], found["refused and there all the same"]) == (0, [])
    assert found["done"] + found["refused, for want of budget"] + found["nobody knows"] == 300
    assert found["refused, for want of budget"] > 0 and not found["over the budget"]
    assert (found["agreed to"], found["ledger sound"]) == ({"done": 3}, True)
    assert found["nobody agreed to"] == {"refused": 3}
    assert found["tried again"], "nobody noticed that a server was killed"
