"""Where a command's words go: data to standard output, everything else to standard error."""

import json
import os
import re
import shutil
import sys
from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from interlock.config import Settings
from interlock.core.errors import InterlockError
from interlock.door.cli.render import clean, wrapped
from interlock.door.told.measures import plain as plain

if TYPE_CHECKING:
    from interlock.ports import Clock

_WIDTH_ELSEWHERE = 100  # of a line that goes into a file or a pipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Prints. Where the reader wants JSON, it prints JSON and nothing else on standard output."""

    out: TextIO
    err: TextIO
    width: int
    json: bool
    broad: int
    """How wide a table may be. In a file or a pipe a row is one line, however long it gets."""

    @classmethod
    def of_this_process(cls, *, json: bool) -> "Screen":
        wide = sys.stdout.isatty() or "COLUMNS" in os.environ
        width = max(40, shutil.get_terminal_size().columns if wide else _WIDTH_ELSEWHERE)
        return cls(out=sys.stdout, err=sys.stderr, width=width, json=json, broad=width if wide else sys.maxsize)

    def show(self, data: Any, text: str) -> None:  # noqa: ANN401  whatever a command found
        """Print what a command found: `data` for programs, or `text` for people."""
        self._print(self.out, _as_json(data) if self.json else text)

    def line(self, text: str) -> None:
        """Print a part of what is found as soon as it is known. Programs get all of it at the end."""
        if not self.json:
            self._print(self.out, text)

    def note(self, text: str) -> None:
        """Tell a person something beside the data."""
        if not self.json:
            self._print(self.err, wrapped(clean(text), self.width, hang=2))

    def note_block(self, text: str) -> None:
        """Show a person something that is laid out already, beside the data."""
        if not self.json:
            self._print(self.err, text)

    def error(self, error: InterlockError) -> None:
        """Say what went wrong, and what to do about it."""
        if self.json:
            code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
            self._print(self.err, _as_json({"error": str(error), "fix": error.fix, "code": code}))
            return
        first, *rest = [clean(line) for line in str(error).splitlines()] or [""]
        below = [
            wrapped(f"  {line.strip()}", self.width, hang=7 if line.lstrip().startswith("fix:") else 4) for line in rest
        ]
        lines = [wrapped(f"error: {first}", self.width, hang=7), *below]
        self._print(self.err, "\n".join([*lines, wrapped(f"fix: {clean(error.fix)}", self.width, hang=5)]))

    @property
    def somebody_there(self) -> bool:
        """Whether a person can be asked."""
        return not self.json and sys.stdin.isatty()

    def ask(self, question: str) -> bool | None:
        """Ask a person; nothing if none sits there."""
        if not self.somebody_there:
            return None
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def ask_for(self, question: str, default: str) -> str:
        """Ask a person for a word; whoever types nothing takes the default, and so does whoever has gone."""
        self.err.write(f"{question} [{default}]: ")
        self.err.flush()
        return sys.stdin.readline().strip() or default

    def _print(self, to: TextIO, text: str) -> None:
        # Whatever a command forgot to look at: nothing that others have written moves the cursor or hides a part.
        text = "\n".join(map(clean, text.split("\n")))
        encoding = to.encoding or "ascii"
        to.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        to.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command line that was understood."""

    given: Namespace
    settings: Settings
    screen: Screen
    clock: "Clock | None"
    """The clock of this machine, if nothing else is given."""


def _as_json(data: Any) -> str:  # noqa: ANN401  whatever a command found
    return json.dumps(data, indent=2, default=plain, ensure_ascii=True)
