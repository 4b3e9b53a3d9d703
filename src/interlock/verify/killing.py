"""The crash matrix as one more check: run by a process of its own, on the lab's store."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

from interlock.verify.check import Broken, Check, broken
from interlock.verify.lab import Lab
from interlock.verify.run import Told, Verdict


async def _by_itself(lab: Lab) -> str:
    broken("the matrix is run by `kill_and_freeze`")


_PIPE = subprocess.PIPE

KILLED = Check(
    promise="once",
    name="killed_at_any_step",
    says="killed with -9 at any step, or frozen past its lease, no process repeats an effect or loses a hold",
    run=_by_itself,
)


def kill_and_freeze(lab: Lab, *, kills: int, freezes: int, tell: Callable[[int], None], seed: int = 1) -> Told:
    """Kill and freeze so many children, and say what became of it.

    Args:
        lab: whose store the children work on; nothing else has it open.
        kills: how many children die.
        freezes: how many are frozen past their lease.
        tell: hears how many are done.
        seed: for the moments that are drawn.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-m", "interlock.verify.kill", "--folder", str(lab.folder)]
    command += ["--kills", str(kills), "--freezes", str(freezes), "--seed", str(seed)]
    done: Counter[str] = Counter()
    verdict: Verdict = "not shown"
    # Not among the arguments: an address may have a password, and everybody on the machine can read those.
    environment = {**os.environ, "INTERLOCK_STORE": lab.where}
    try:
        with subprocess.Popen(command, env=environment, stdout=_PIPE, stderr=_PIPE, text=True) as child:  # noqa: S603  our own program
            assert child.stdout is not None and child.stderr is not None
            for line in child.stdout:
                told = json.loads(line)
                if "broken" in told:
                    raise Broken(told["broken"])
                done[told["stop"]] += 1
                tell(done.total())
            said = child.stderr.read()
        if (done["killed"], done["frozen"]) == (kills, freezes) and child.returncode == 0:
            verdict = "kept"
        seen = f"{done['killed']} kills, {done['frozen']} freezes, 0 duplicates, 0 lost holds"
        if verdict != "kept":
            seen = f"it ended after {done.total()} of {kills + freezes}: {said.strip().splitlines()[-1:]}"
    except Broken as found:
        verdict, seen = "broken", str(found)
    return Told(check=KILLED, verdict=verdict, seen=seen, seconds=time.perf_counter() - begun)
