"""What must hold when many call at once, in one process and in several."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from interlock.app import Opened
from interlock.budget.hold import Balance
from interlock.core.ids import TenantId
from world import HandClock, World, a_budget, a_tool

pytestmark = pytest.mark.anyio

RACE = Path(__file__).parent / "race.py"


@pytest.mark.promise("budget", "once")
async def test_sixty_four_callers_on_a_budget_for_142_calls_get_exactly_142(
    where: str, tmp_path: Path, opens: Callable[[HandClock], Opened]
) -> None:
    processes = 1 if where.endswith(".db") else 2
    clock = HandClock()
    opened = opens(clock)
    tenant = TenantId(f"race-{token_hex(4)}")
    world = World.on(opened, clock, tenant)
    await world.publish(tools=[a_tool(price=7)], budgets=[a_budget(1_000)])
    command = [sys.executable, str(RACE), where, str(tmp_path / "keys"), tenant, str(64 // processes), "4"]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    ended: Counter[str] = Counter()
    said = [racer.communicate("go\n", timeout=60)[0] if n == len(racers) - 1 else None for n, racer in _started(racers)]
    for racer, text in zip(racers, said, strict=True):
        ended.update(json.loads(text if text is not None else racer.communicate(timeout=60)[0]))
    assert ended == Counter(done=142, refused=256 - 142, performed=142)
    assert await world.balance() == Balance(limit=1_000, spent=142 * 7)
    history = await world.history()
    assert Counter(line.split(":")[0] for line in history) == {
        "started started": 142,
        "ended done": 142,
        "refused refused": 114,
    }


def _started(racers: list[subprocess.Popen[str]]) -> list[tuple[int, subprocess.Popen[str]]]:
    for racer in racers[:-1]:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return list(enumerate(racers))
