"""Tools that get a secret, and do with it what no tool should."""

import asyncio
from threading import Event
from typing import Any

from interlock.core.errors import UpstreamFailed, UpstreamSilent
from spelled import SPELLED

GOT: list[str] = []
MAY_END = Event()


def pay(usd: int, secret: str) -> dict[str, int]:
    """Pay, and say nothing of the secret."""
    GOT.append(secret)
    return {"usd": usd}


def echo(how: str, secret: str) -> dict[str, Any]:
    """Give the secret back, spelled in some way."""
    spelled = SPELLED[how](secret)
    return {"echo": spelled, spelled: [{"deep": ["x" + spelled, spelled + "y"]}]}


async def echo_async(how: str, secret: str) -> str:
    """Give it back from the loop of the tools."""
    await asyncio.sleep(0)
    return "the secret is " + SPELLED[how](secret)


def fail(how: str, secret: str) -> str:
    """Say in its own words that nothing happened, with the secret."""
    raise UpstreamFailed(f"401 for Bearer {SPELLED[how](secret)}", fix=f"look at {SPELLED[how](secret)}")


def fall_silent(how: str, secret: str) -> str:
    """Say that it does not know, with the secret at the place where what it says is cut off."""
    said = SPELLED[how](secret)
    raise UpstreamSilent("." * (2_000 - len(said) // 2) + said, fix="look")


def crash(how: str, secret: str) -> str:
    """Raise an error whose name and text are the secret."""
    spelled = SPELLED[how](secret)
    raise type(spelled, (Exception,), {})(spelled)


def linger(how: str, secret: str) -> str:
    """Give the secret back long after nobody waits."""
    MAY_END.wait(5)
    return SPELLED[how](secret)


def linger_and_flood(secret: str) -> list[str]:
    """Give it back in a lot of text, long after nobody waits."""
    MAY_END.wait(5)
    return flood(secret)


def flood(secret: str) -> list[str]:
    """Give it back in a lot of text."""
    return ["%41" * 40_000 + secret, "left"]
