"""A connection to Postgres on which nobody waits for a server that has gone silent.

A server ends what takes too long, and says so. One that is frozen, or whose host is gone without a word, ends nothing.
So the kernel gives such a connection up, and whoever waits for an answer does so by a time of their own.
"""

import math
import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

from interlock.core.errors import UpstreamFailed
from interlock.core.limits import SQL_CONNECT_SECONDS_MAX, SQL_PROBE_SECONDS
from interlock.tool.sql_plan import SqlPlan

RV = TypeVar("RV")


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed where no answer comes in time."""

    until = math.inf
    """When the server has to have answered, by the clock of this process."""
    silent = False
    """Whether it did not."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer.

        Raises:
            psycopg.OperationalError: none came in time. The connection is closed: what would come belongs to nobody.
        """
        left = max(0.0, self.until - time.monotonic()) if timeout is None else timeout
        try:
            return super().wait(gen, interval=interval, timeout=None if left == math.inf else left)
        except psycopg.OperationalError:
            if self.until <= time.monotonic():
                self.silent = True
                self.pgconn.finish()
            raise


def connected(plan: SqlPlan, address: str) -> Connection:
    """Connect to a database.

    Raises:
        UpstreamFailed: it cannot be reached, or does not let us in.
    """
    try:
        known = make_conninfo(
            address,
            connect_timeout=min(SQL_CONNECT_SECONDS_MAX, max(2, int(plan.seconds))),
            application_name="interlock",
            keepalives=1,
            keepalives_idle=SQL_PROBE_SECONDS,
            keepalives_interval=SQL_PROBE_SECONDS,
            keepalives_count=2,
            tcp_user_timeout=3 * SQL_PROBE_SECONDS * 1_000,
        )
        return Connection.connect(known, prepare_threshold=None)
    except psycopg.Error:
        # What the library says of an address can show a part of it.
        what = f"the database of `{plan.statement}` cannot be connected to, so nothing was done"
        fix = "look whether it runs, and whether the address and its password are right"
        raise UpstreamFailed(what, fix=fix) from None
