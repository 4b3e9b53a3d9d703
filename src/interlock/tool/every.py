"""Every kind of source that this version can carry out, each found by how its name begins."""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Protocol

from interlock.core.errand import Terms
from interlock.ports import Performer


class Kind(Protocol):
    """Carries out the tools of one kind of source."""

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out a source. It connects to nobody.

        Raises:
            ContractInvalid: it is not there, or not what was published.
        """
        ...

    def close(self) -> None:
        """Let go of what is kept open. Called from the thread and the loop that performs, or after it has ended."""
        ...


class EveryTool:
    """Finds what carries out a tool by the kind of its source: what stands before the first colon.

    A kind is made when the first of its tools is looked for: most commands need none, and imports take long.
    """

    def __init__(self, kinds: Mapping[str, Callable[[], Kind]]) -> None:
        self._kinds = dict(kinds)
        self._made: dict[str, Kind] = {}
        self._lock = Lock()

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this source.

        Raises:
            ContractInvalid: it is not there, or not what was published.
        """
        name = source.partition(":")[0]
        if name not in self._kinds:
            return None
        with self._lock:
            kind = self._made.get(name)
            if kind is None:
                kind = self._made[name] = self._kinds[name]()
        return kind.find(source, terms)

    def close(self) -> None:
        for kind in self._made.values():
            kind.close()
