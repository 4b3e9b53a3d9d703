"""What keeps this machine from starting anything: a clock that jumped, a disk that is full, a stop file."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock.core.ids import Instant
from interlock.core.limits import CLOCK_DRIFT_MICROS_MAX
from interlock.ports import Clock, Halt


@dataclass(slots=True)
class Machine:
    """Holds the time of the store against the boot clock, batch after batch."""

    clock: Clock
    other: Callable[[], Halt | None]
    _offset: int | None = None
    _accepted: Instant = Instant(0)

    def time(self, wall: Instant, accepted: Instant) -> tuple[Instant, Halt | None]:
        """Return the time to write down, and why nothing may start, or nothing.

        Small drift is followed. A jump is not believed until the clocks agree again or an operator vouches for the
        new time; meanwhile the boot clock carries the old time on, so that no entry lies in the future.

        Args:
            wall: the wall clock of whoever keeps the time of the store.
            accepted: when an operator last vouched for it.
        """
        boot = self.clock.boot()
        offset = wall - boot
        if self._offset is None or accepted > self._accepted:
            self._offset, self._accepted = offset, accepted
        if abs(offset - self._offset) > CLOCK_DRIFT_MICROS_MAX:
            return Instant(boot + self._offset), Halt.CLOCK_JUMPED
        self._offset = offset
        return wall, self.other()
