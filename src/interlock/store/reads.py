"""Reads that wait together: one statement for each tenant, and one waking of the loop, however many they are."""

from asyncio import Future, get_running_loop
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from interlock.core.errors import StoreClosed
from interlock.core.ids import TenantId
from interlock.ports import Needs, Rows
from interlock.store.answers import Pair, tell
from interlock.store.load import Loaded


@dataclass(frozen=True, slots=True)
class _Read:
    tenant: TenantId
    needs: Needs
    answer: "Future[Rows]"


@dataclass(slots=True)
class Reads:
    """Collects reads until a thread is free for them. Each gets a moment after it was asked for."""

    submit: Callable[[Callable[[], None]], object]
    """Has something done in a thread that may wait for the database."""
    moment: Callable[[TenantId, Needs], Loaded]
    """Loads the rows of one moment; it may wait."""
    _waiting: list[_Read] = field(default_factory=list[_Read])
    _turn: Lock = field(default_factory=Lock)

    def ask(self, tenant: TenantId, needs: Needs) -> "Future[Rows]":
        """Have the rows read that are named.

        Whoever waits hears of the errors of `TenantStore.read`, and `StoreClosed` if there are no threads any more.
        """
        read = _Read(tenant, needs, get_running_loop().create_future())
        with self._turn:
            self._waiting.append(read)
            alone = len(self._waiting) == 1
        if alone:
            try:
                self.submit(self._serve)
            except RuntimeError:  # how an executor says that it was shut down
                closed = StoreClosed("the store is closed", fix="open it again")
                tell([(left.answer, closed) for left in self._taken()])
        return read.answer

    def _taken(self) -> list[_Read]:
        with self._turn:
            waiting, self._waiting = self._waiting, []
        return waiting

    def _serve(self) -> None:
        by_tenant: dict[TenantId, list[_Read]] = {}
        for read in self._taken():
            by_tenant.setdefault(read.tenant, []).append(read)
        for tenant, reads in by_tenant.items():
            tell(self._answers(tenant, reads))

    def _answers(self, tenant: TenantId, reads: Sequence[_Read]) -> list[Pair]:
        try:
            loaded = self.moment(tenant, Needs.joined(read.needs for read in reads))
            return [(read.answer, loaded.only(read.needs)) for read in reads]
        except Exception as error:  # noqa: BLE001  each caller hears why
            if len(reads) == 1:
                return [(reads[0].answer, error)]
            # A row that is a no is a no for those who named it.
            return [pair for read in reads for pair in self._answers(tenant, [read])]
