"""The short form of the crash matrix; `make crash` runs the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

CRASH = Path(__file__).parent / "crash.py"


@pytest.mark.slow
@pytest.mark.promise("once", "intent", "budget")
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_killed_at_any_step_nothing_happens_twice_and_no_hold_is_lost(store: str) -> None:
    command = [sys.executable, str(CRASH), "--store", store, "--kills", "165", "--freezes", "30"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-4_000:]
    assert "165 kills, 30 freezes, 0 duplicates, 0 lost holds" in ran.stdout
