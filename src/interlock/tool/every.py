"""Every kind of source that this version can carry out, each found by how its name begins."""

from collections.abc import Mapping
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
    """Finds what carries out a tool by the kind of its source: what stands before the first colon."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = dict(kinds)

    def find(self, source: str, terms: Terms) -> Performer | None:
        """Return what carries out this source.

        Raises:
            ContractInvalid: it is not there, or not what was published.
        """
        kind = self._kinds.get(source.partition(":")[0])
        return kind.find(source, terms) if kind is not None else None

    def close(self) -> None:
        for kind in self._kinds.values():
            kind.close()
