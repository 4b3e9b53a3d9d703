"""How many calls a minute a token lets in: a bucket that fills evenly and holds a minute's worth. One a process."""

from collections import OrderedDict
from dataclasses import dataclass, field

from interlock.core.ids import Micros

_MINUTE = 60_000_000
_KNOWN_MAX = 10_000  # tokens that are remembered; the one that was quiet for longest is forgotten, and its bucket full


@dataclass(slots=True)
class Rates:
    """The buckets of all tokens that were seen lately."""

    _buckets: OrderedDict[str, tuple[float, Micros]] = field(default_factory=OrderedDict[str, "tuple[float, Micros]"])

    def take(self, who: str, rate: int, now: Micros) -> float | None:
        """Take one call of `rate` a minute, 0 being as many as come; or say in how many seconds there is room."""
        if rate <= 0:
            return None
        left, since = self._buckets.pop(who, (float(rate), now))
        left = min(float(rate), left + (now - since) * rate / _MINUTE)
        wait = None if left >= 1 else (1 - left) * 60 / rate
        self._buckets[who] = (left - 1 if wait is None else left, now)
        if len(self._buckets) > _KNOWN_MAX:
            self._buckets.popitem(last=False)
        return wait
