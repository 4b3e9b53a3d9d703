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

    def halted(self, now: Instant, accepted: Instant) -> Halt | None:
        """Return why nothing may start, or nothing.

        Small drift is followed; a jump stays one until the clocks agree again or an operator vouches for the time.
        """
        offset = now - self.clock.boot()
        if self._offset is None or accepted > self._accepted:
            self._offset, self._accepted = offset, accepted
        if abs(offset - self._offset) > CLOCK_DRIFT_MICROS_MAX:
            return Halt.CLOCK_JUMPED
        self._offset = offset
        return self.other()
