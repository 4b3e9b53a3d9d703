"""A moment as programs read it."""

import time

from interlock.core.ids import Instant


def iso(at: Instant) -> str:
    """Write a moment in UTC, to the microsecond (RFC 3339)."""
    seconds, micros = divmod(at, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06}Z"
