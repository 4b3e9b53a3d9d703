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
    url: str
    token: str

    def type(self, *words: str, code: int = 0) -> str:
        """Type a command, and return what it printed."""
        return typed(self.folder, *words, code=code)

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


def typed(folder: Path, *words: str, code: int = 0) -> str:
    """Type a command in a folder, and return what it printed."""
    ran = subprocess.run(
        [PYTHON, "-m", "interlock", *words], cwd=folder, env=_around(), capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == code, (words, ran.stdout, ran.stderr)
    return ran.stdout


def _around() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return {**kept, "PYTHONPATH": str(ROOT / "src")}


def laid_out(folder: Path) -> str:
    """Put the shop into a folder, with whoever runs this as a lead, and return a token of its agent."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHOP / "shop.py", folder / "shop.py")
    contract = (SHOP / "contract.yaml").read_text("utf-8").replace("[ann]", f"[{getuser()}]")
    (folder / "contract.yaml").write_text(contract, "utf-8")
    typed(folder, "contract", "publish", "contract.yaml", "--env", "dev")
    return typed(folder, "token", "new", "bot", "--workflow", "shop", "--env", "dev", "--expires", "1d").strip()


@contextmanager
def desk(folder: Path) -> Generator[Desk]:
    """Serve the shop until the end of the block."""
    token = laid_out(folder)
    with (folder / "serve.err").open("w") as errors:
        served = subprocess.Popen(
            [PYTHON, "-m", "interlock", "serve", "--port", "0"],
            cwd=folder,
            env=_around(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert served.stdout is not None
            said = served.stdout.readline()
            assert said, (folder / "serve.err").read_text("utf-8")
            yield Desk(folder=folder, url=said.split()[1], token=token)
        finally:
            served.terminate()
            served.communicate(timeout=60)
