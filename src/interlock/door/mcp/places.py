"""Places in one process: so many in all and so many of one caller, so that nobody takes those of others."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from interlock.core.action import Caller
from interlock.core.ids import TenantId
from interlock.core.mcp import INTERNAL_ERROR
from interlock.door.mcp.wire import WireError

Who = tuple[TenantId, str]
"""The tenant, and what somebody is known by."""


def who_is(caller: Caller) -> Who:
    """Say whose places a caller takes."""
    return caller.tenant, caller.known_by


@contextmanager
def a_place(taken: "Counter[Who]", caller: Caller, *, most: int, of_one: int, full: str) -> Generator[None]:
    """Take a place, and give it back at the end.

    Args:
        taken: how many are taken, by whom.
        caller: who takes one.
        most: how many there are in all.
        of_one: how many of them one caller may have.
        full: what is said where there is none.

    Raises:
        WireError: there is none.
    """
    who = who_is(caller)
    if taken.total() >= most or taken[who] >= of_one:
        raise WireError(INTERNAL_ERROR, full)
    taken[who] += 1
    try:
        yield
    finally:
        taken[who] -= 1
        if not taken[who]:
            del taken[who]
