"""How this command was called: what it prints for copying works where it was started."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def itself() -> str:
    """Write the words that start this command here: `interlock`, or the way to it where the shell does not find it."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return f"{shlex.quote(_near(Path(sys.executable)))} -m interlock"
    found = shutil.which("interlock")
    if started.name != "interlock" or (found and os.path.realpath(found) == os.path.realpath(started)):
        return "interlock"
    return shlex.quote(_near(started))


def _near(path: Path) -> str:
    """Write a path from the current folder, if it lies below it."""
    # Links stay as they are: the Python of a virtual environment is a link out of it.
    whole = Path(os.path.abspath(path))
    return f"{whole.relative_to(Path.cwd())}" if whole.is_relative_to(Path.cwd()) else str(whole)
