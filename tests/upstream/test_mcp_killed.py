"""A process that is killed with a server under way leaves nothing behind: no process, and no folder."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from command_line import child
from upstream.stdio_world import gone

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_OPENS = '''
import asyncio, json, sys
from interlock.tool.mcp.reach import Reach
from interlock.tool.mcp.stdio import StdioLink

SERVER = """
import os, sys, time
open("kept", "w").write("x")
print(os.getpid(), file=sys.stderr, flush=True)
time.sleep(60)
"""

async def main():
    reach = Reach(server="desk", command=("python", "-c", SERVER), sandbox=json.loads(sys.argv[1]))
    link = await StdioLink.open(reach, {})
    while not link.last_words:
        await asyncio.sleep(0.01)
    print(json.dumps({"folder": link._folder, "pid": int(link.last_words)}), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
'''


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nobody tells the keeper")
@pytest.mark.parametrize("sandbox", [None, False])
async def test_whoever_is_killed_leaves_neither_a_server_nor_its_folder(tmp_path: Path, sandbox: bool | None) -> None:
    environment = {**child(), "TMPDIR": str(tmp_path)}
    opens = subprocess.Popen(
        [sys.executable, "-c", _OPENS, json.dumps(sandbox)], stdout=subprocess.PIPE, env=environment
    )
    assert opens.stdout is not None
    told = json.loads(opens.stdout.readline())
    folder = Path(told["folder"])
    assert (folder / "kept").read_text() == "x"
    opens.send_signal(signal.SIGKILL)
    opens.wait(10)
    opens.stdout.close()
    with anyio.fail_after(20):
        while folder.exists():
            await anyio.sleep(0.01)
    if sandbox is False:  # in a sandbox it has a number of its own
        await gone(told["pid"])
    assert list(tmp_path.iterdir()) == []
