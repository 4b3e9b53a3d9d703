"""What it costs to call a function: in a thread, on the loop that tools share, and in a process of its own.

`python bench/functions.py` prints the rows. The function does nothing, so what is left is ours.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("src", "tests", "bench")]

from interlock.core.errand import Terms  # noqa: E402
from interlock.tool.python import PythonTools  # noqa: E402
from table import Row, p, show  # noqa: E402
from tools.functions import an_errand  # noqa: E402


async def calls(tools: PythonTools, name: str, *, isolate: bool, times: int) -> list[float]:
    """Return the time of each call, in milliseconds."""
    tool = tools.find(f"python:tools.sample_tools:{name}", Terms(isolate=isolate))
    assert tool is not None, "the function is there"
    taken = list[float]()
    for _ in range(times):
        begun = time.perf_counter()
        await tool.perform(an_errand('{"name":"kim"}' if name == "greet" else '{"customer_id":"C1"}'))
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


def bare(times: int) -> list[float]:
    """Return how long it takes to start Python and leave it again, in milliseconds."""
    taken = list[float]()
    for _ in range(times):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


async def main() -> None:
    tools = PythonTools()
    rows = [
        Row(what="start Python and leave it, p50", value=p(bare(20), 50), unit="ms", note="baseline"),
        Row(
            what="call a function in a thread, p50",
            value=p(await calls(tools, "chargebacks", isolate=False, times=500), 50),
            unit="ms",
        ),
        Row(
            what="call an async function on the shared loop, p50",
            value=p(await calls(tools, "greet", isolate=False, times=500), 50),
            unit="ms",
        ),
        Row(
            what="call a function in a process of its own, p50",
            value=p(await calls(tools, "chargebacks", isolate=True, times=20), 50),
            unit="ms",
            note="its modules are imported each time",
        ),
    ]
    show("calls of functions", rows)
    tools.close()


if __name__ == "__main__":
    asyncio.run(main())
