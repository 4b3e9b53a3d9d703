"""Each example runs with its framework: of two that wait at once, what people agree to goes on, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from desk import ROOT, SHOP, desk

EXAMPLES = sorted(file.stem for file in SHOP.glob("*_*.py"))


def line(said: IO[str]) -> list[str]:
    """Return the words of the next line that the example itself prints."""
    for each in said:
        if each.startswith(("waiting", "said")):
            return each.split()
    return []


@pytest.mark.parametrize("example", EXAMPLES)
def test_of_two_that_wait_the_one_that_people_agree_to_goes_on(example: str, tmp_path: Path) -> None:
    with desk(tmp_path) as shop:
        path = str(ROOT / "sdk" / "src")
        around = {
            **os.environ,
            "PYTHONPATH": path,
            "INTERLOCK_URL": shop.url,
            "INTERLOCK_TOKEN": shop.token,
            "OPENAI_API_KEY": "none",
        }
        with (
            (tmp_path / "example.err").open("w") as errors,
            subprocess.Popen(
                [sys.executable, str(SHOP / f"{example}.py")],
                env=around,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as ran,
        ):
            assert ran.stdout is not None
            waiting, *actions = line(ran.stdout) or [(tmp_path / "example.err").read_text("utf-8")]
            assert (waiting, sorted(actions)) == ("waiting", sorted(shop.parked()))
            first, second = sorted(
                actions, key=lambda action: '"O-2"' in shop.type("approvals", "show", action, "--json")
            )
            shop.approve(second)
            assert line(ran.stdout) == ["waiting", first]
            assert shop.done() == [{"refund": "O-2", "amount_usd": 12}]
            shop.approve(first)
            assert line(ran.stdout) == ["said", "both", "are", "on", "their", "way"]
            ran.communicate(timeout=60)
            assert ran.returncode == 0, (tmp_path / "example.err").read_text("utf-8")
        assert shop.done() == [{"refund": "O-2", "amount_usd": 12}, {"refund": "O-1", "amount_usd": 11}]
