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
        """Return the time to write down, and why nothing may start, or nothing. Small drift is followed."""
        boot = self.clock.boot()
        known = self._offsets[tenant] = self._followed(tenant, wall - boot, accepted), accepted
        if self._first is None or abs(known[0] - self._first) <= CLOCK_DRIFT_MICROS_MAX:
            self._first = known[0]
        return self._believed(boot, wall, known[0])

    def seen(self, tenant: TenantId, wall: Instant, accepted: Instant) -> tuple[Instant, Halt | None]:
        """Return what `time` would, and remember nothing: any thread may look.

        Args:
            tenant: whose time it is. One tenant's operator vouches for nobody else's.
            wall: the wall clock of whoever keeps the time of the store.
            accepted: when an operator last vouched for it.
        """
        boot = self.clock.boot()
        return self._believed(boot, wall, self._followed(tenant, wall - boot, accepted))

    def _followed(self, tenant: TenantId, offset: int, accepted: Instant) -> int:
        """Return how far the clocks are apart as far as it is believed.

        A jump is not believed until the clocks agree again or an operator vouches for the new time.
        """
        first = self._first if self._first is not None else offset
        known, vouched = self._offsets.get(tenant, (first, accepted))
        jumped = accepted <= vouched and abs(offset - known) > CLOCK_DRIFT_MICROS_MAX
        return known if jumped else offset

    def _believed(self, boot: int, wall: Instant, known: int) -> tuple[Instant, Halt | None]:
        """Carry the old time on by the boot clock while a jump is not believed, so that no entry is in the future."""
        if wall != boot + known:
            return Instant(boot + known), Halt.CLOCK_JUMPED
        return wall, self.other()
