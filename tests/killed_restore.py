"""Restores a backup and kills itself at one moment of it."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from backups import Site
from interlock.store import restore


def dies_before(name: str) -> None:
    def at_once(*args: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(restore, name, at_once)


def dies_after(name: str) -> None:
    work = getattr(restore, name)

    def last(*args: Any, **more: Any) -> None:
        work(*args, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(restore, name, last)


if __name__ == "__main__":
    where, folder, moment = sys.argv[1:]
    site = Site(where, Path(folder), durable=True)
    (
        lambda: dies_before("_fill"),
        lambda: dies_before("fill"),
        lambda: dies_after("_fill"),
        lambda: dies_after("_check"),
        lambda: dies_after("_mark"),
        lambda: dies_after("restore"),
    )[int(moment)]()
    if moment == "5":
        import interlock.app

        interlock.app.restore = restore.restore
    site.restore(over=True)
