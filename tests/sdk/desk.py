"""An `interlock serve` in a process of its own, with the shop of `examples/frameworks`, and who agrees there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SHOP = ROOT / "examples" / "frameworks"
PYTHON = os.environ.get("INTERLOCK_PYTHON", sys.executable)
"""An interpreter that has Interlock; the one that runs these tests may have frameworks instead."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A folder with a store, and whoever types there."""

    folder: Path
    clerk: subprocess.Popen[str]
    url: str = ""
    token: str = ""

    def type(self, *words: str) -> str:
        """Type a command, and return what it printed."""
        assert self.clerk.stdin is not None and self.clerk.stdout is not None
        self.clerk.stdin.write(json.dumps(words) + "\n")
        self.clerk.stdin.flush()
        code, out, err = json.loads(self.clerk.stdout.readline())
        assert code == 0, (words, out, err)
        return out

    def approve(self, action: str) -> None:
        """Look at what waits, and agree to it."""
        seen = json.loads(self.type("approvals", "show", action, "--json"))["seen"]
        self.type("approvals", "approve", action, "--seen", seen)

    def deny(self, action: str) -> None:
        """Say no."""
        self.type("approvals", "deny", action)

    def done(self) -> list[dict[str, Any]]:
        """Say what has really been done, in that order."""
        file = self.folder / "done.jsonl"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    def parked(self) -> list[str]:
        """List what waits."""
        return [each["id"] for each in json.loads(self.type("approvals", "list", "--json"))]


@contextmanager
def desk(folder: Path) -> Generator[Desk]:
    """Serve the shop until the end of the block, with whoever runs this as a lead."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHOP / "shop.py", folder / "shop.py")
    contract = (SHOP / "contract.yaml").read_text("utf-8").replace("[ann]", f"[{getuser()}]")
    (folder / "contract.yaml").write_text(contract, "utf-8")
    with _started(folder, str(Path(__file__).with_name("clerk.py"))) as clerk:
        opened = Desk(folder=folder, clerk=clerk)
        opened.type("contract", "publish", "contract.yaml", "--env", "dev")
        token = opened.type("token", "new", "bot", "--workflow", "shop", "--env", "dev", "--expires", "1d").strip()
        with _started(folder, "-m", "interlock", "serve", "--port", "0") as served:
            assert served.stdout is not None
            said = served.stdout.readline()
            assert said, (folder / "err").read_text("utf-8")
            yield Desk(folder=folder, clerk=clerk, url=said.split()[1], token=token)


@contextmanager
def _started(folder: Path, *words: str) -> Generator[subprocess.Popen[str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    around = {**kept, "PYTHONPATH": str(ROOT / "src")}
    with (folder / "err").open("a") as errors:
        started = subprocess.Popen(
            [PYTHON, *words],
            cwd=folder,
            env=around,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield started
        finally:
            started.terminate()
            started.communicate(timeout=60)
