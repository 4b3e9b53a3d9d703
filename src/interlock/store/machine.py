"""What keeps this machine from starting anything: a clock that jumped, a disk that is full, a stop file."""

from collections.abc import Callable
from dataclasses import dataclass, field

from interlock.core.ids import Instant, TenantId
from interlock.core.limits import CLOCK_DRIFT_MICROS_MAX
from interlock.ports import Clock, Halt


@dataclass(slots=True)
class Machine:
    """Holds the time of the store against the boot clock, batch after batch."""

    clock: Clock
    other: Callable[[], Halt | None]
    _first: int | None = None
    """How far the clocks were apart when this process began: what a tenant starts from that it never saw."""
    _offsets: dict[TenantId, tuple[int, Instant]] = field(default_factory=dict[TenantId, tuple[int, Instant]])
    """By tenant how far the clocks are apart, and when an operator of that tenant last vouched for it."""

    def time(self, tenant: TenantId, wall: Instant, accepted: Instant) -> tuple[Instant, Halt | None]:
        """Return the time to write down, and why nothing may start, or nothing.

        Small drift is followed. A jump is not believed until the clocks agree again or an operator vouches for the
        new time; meanwhile the boot clock carries the old time on, so that no entry lies in the future.

        Args:
            tenant: whose time it is. One tenant's operator vouches for nobody else's.
            wall: the wall clock of whoever keeps the time of the store.
            accepted: when an operator last vouched for it.
        """
        boot = self.clock.boot()
        offset = wall - boot
        if self._first is None:
            self._first = offset
        known, vouched = self._offsets.get(tenant, (self._first, accepted))
        if accepted > vouched:
            known = offset
        if abs(offset - known) > CLOCK_DRIFT_MICROS_MAX:
            self._offsets[tenant] = known, accepted
            return Instant(boot + known), Halt.CLOCK_JUMPED
        self._offsets[tenant] = offset, accepted
        if abs(offset - self._first) <= CLOCK_DRIFT_MICROS_MAX:
            self._first = offset
        return wall, self.other()
