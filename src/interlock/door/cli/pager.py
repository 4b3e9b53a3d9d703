"""Long texts at a terminal, one screen after the other; in a file or a pipe as they are."""

import os
import shlex
import shutil
import signal
import subprocess
from typing import Any

from interlock.door.cli.screen import Screen


def show_paged(screen: Screen, data: Any, text: str) -> None:  # noqa: ANN401  whatever a command found
    """Show a text with the reader's pager (PAGER, else `less`) if a person reads it and it does not fit."""
    pager = shlex.split(os.environ.get("PAGER", "less"))
    short = text.count("\n") + 2 < shutil.get_terminal_size().lines
    if screen.json or short or not screen.out.isatty() or not pager or shutil.which(pager[0]) is None:
        screen.show(data, text)
        return
    # Whoever interrupts means the pager.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        subprocess.run(pager, input=f"{text}\n", text=True, env={"LESS": "FRX", **os.environ}, check=False)  # noqa: S603
    finally:
        signal.signal(signal.SIGINT, before)
