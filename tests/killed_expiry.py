"""Erases or expires, and kills itself at one moment of it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from backups import Site
from interlock.core.ids import Micros, SubjectId
from interlock.gateway import expire as expiring
from interlock.gateway.erase import erase
from interlock.gateway.expire import expire
from interlock.secret.keyring import Keyring
from world import KIM

ZOE = SubjectId("subject:zoe")


def dies(*args: Any, **more: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(work: Any) -> Any:
    def last(*args: Any, **more: Any) -> None:
        work(*args, **more)
        dies()

    return last


async def main(where: str, folder: str, what: str, moment: str, days: str) -> None:
    site = Site(where, Path(folder), durable=True)
    site.clock.forward(days=int(days))
    match moment:
        case "entered":
            expiring._keep = dies  # pyright: ignore[reportPrivateUsage]
            Keyring.destroy = dies
        case "kept":
            Keyring.destroy = dies
        case _:
            Keyring.destroy = dies_after(Keyring.destroy)
    async with site.process() as world:
        if what == "erase":
            await erase(world.store, world.opened.secrets, ZOE, KIM)
        else:
            await expire(world.store, world.opened.secrets, world.clock, KIM, after=Micros(0))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
