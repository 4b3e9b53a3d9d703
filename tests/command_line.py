"""A command line for tests: the real `main`, a store of its own, a clock that stands still."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from interlock.door.cli.main import main
from interlock.door.cli.person import user_name
from world import HandClock

ROOT = Path(__file__).parent.parent


def child(*more: str) -> dict[str, str]:
    """Return the environment of a process that finds what this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), *more])}


SHOP = Path(__file__).parent / "cli" / "shop.yaml"


@dataclass
class Shell:
    """Types commands for one tenant of one store."""

    where: str
    folder: Path
    tenant: str
    clock: HandClock
    capsys: pytest.CaptureFixture[str]
    real_time: bool = False
    """Whether the clock of this machine counts, as it does for other processes."""
    err: str = ""
    """What the last command said beside its data."""

    @property
    def common(self) -> list[str]:
        return ["--store", self.where, "--keys", str(self.folder / "keys"), "--tenant", self.tenant]

    def run(self, *words: str) -> tuple[int, str]:
        """Return the exit code and the data."""
        code = main([*self.common, *words], clock=None if self.real_time else self.clock)
        out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.err
        return code, out

    def __call__(self, *words: str, code: int = 0) -> str:
        """Return the data of a command that must end with `code`."""
        ended, out = self.run(*words)
        assert ended == code, (ended, out, self.err)
        return out

    def data(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))

    def failed(self, *words: str) -> str:
        """Return what is said of a command that cannot be carried out; nothing may stand among the data."""
        assert self(*words, code=1) == ""
        return self.err

    def unmeant(self, *words: str) -> str:
        """Return what is said of a line that could not be meant, whatever the store holds."""
        assert self(*words, code=2) == ""
        return self.err

    def contract(self, *, people: str = "", **changes: str) -> Path:
        """Write the contract of the shop for this tenant; whoever runs the tests is a lead, and so are `people`."""
        text = SHOP.read_text(encoding="utf-8").replace("tenant: default", f"tenant: {self.tenant}")
        text = text.replace("lead: [kim, ann]", f"lead: [{user_name()}, kim, ann{people}]")
        for old, new in changes.items():
            text = text.replace(old, new)
        (self.folder / "shop.yaml").write_text(text, encoding="utf-8")
        return Path("shop.yaml")

    def publish(self, **more: str) -> None:
        self("contract", "publish", str(self.contract(**more)), "--env", "prod")

    def refund(self, invoice: str, usd: int, *more: str, code: int = 0) -> Any:
        """Call the tool that most tests are about, and return the outcome."""
        arguments = json.dumps({"invoice": invoice, "usd": usd})
        return self.data("call", "refund", arguments, "--for", "sam", *more, code=code)

    def parked(self, invoice: str = "INV-2") -> str:
        """Park a refund and return its id."""
        return self.refund(invoice, 80, code=3)["action"]

    def seen(self, id: str) -> str:
        return self.data("approvals", "show", id)["seen"][:16]


def shell_on(where: str, folder: Path, capsys: pytest.CaptureFixture[str], *, tenant: str = "") -> Shell:
    return Shell(where, folder, tenant or f"acme-{token_hex(4)}", HandClock(), capsys)


def variant(name: str, **changes: str) -> str:
    """Write the contract of the shop as `name`, with some of its text changed."""
    text = Path("shop.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    Path(name).write_text(text, encoding="utf-8")
    return name


def steady(text: str) -> str:
    """Put names in place of what is drawn anew each time: ids, hashes, the user of this machine."""
    text = re.sub(rf"\b{re.escape(user_name())} \(os:\d+\)", "USER (os:UID)", text)
    text = re.sub(r"os:\d+", "os:UID", text)
    for pattern, name in _DRAWN:
        known: dict[str, str] = {}
        for found in re.findall(pattern, text):
            known.setdefault(found, f"{name}{len(known) + 1}")
        for found, put in known.items():
            text = text.replace(found, put.ljust(len(found), "_") if len(found) < 32 else put)
    return text


_DRAWN = (
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\ba[0-9a-hjkmnp-tv-z]{19}\b", "ACTION"),
    (r"\br[0-9a-hjkmnp-tv-z]{19}\b", "RUN"),
    (r"\b[gp][0-9a-f]{16}\b", "DRAWN"),
    (r"\b[0-9a-f]{16}\b", "SEEN"),
    (r"\b[0-9a-f]{12}\b", "CONTRACT"),
    (r"\b[sg][0-9a-f]{6}\b", "S"),
)
