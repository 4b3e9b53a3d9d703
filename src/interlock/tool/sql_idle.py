"""Connections to databases that wait for the next call."""

from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, Protocol, TypeVar

from interlock.core.limits import SQL_IDLE_CONNECTIONS_MAX


class Closes(Protocol):
    """What can be closed."""

    def close(self) -> None: ...


K = TypeVar("K")
C = TypeVar("C", bound=Closes)


@dataclass(slots=True)
class Idle(Generic[K, C]):
    """Connections by what they were opened with, a few of each."""

    _waiting: dict[K, list[C]] = field(default_factory=dict[K, list[C]])
    _lock: Lock = field(default_factory=Lock)

    def take(self, key: K) -> C | None:
        with self._lock:
            waiting = self._waiting.get(key, [])
            return waiting.pop() if waiting else None

    def give_back(self, key: K, db: C) -> None:
        with self._lock:
            waiting = self._waiting.setdefault(key, [])
            if len(waiting) < SQL_IDLE_CONNECTIONS_MAX:
                return waiting.append(db)
        db.close()

    def close(self) -> None:
        with self._lock:
            for db in (each for waiting in self._waiting.values() for each in waiting):
                db.close()
            self._waiting.clear()
