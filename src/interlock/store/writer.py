"""The one thread that writes: it drains a queue, and what it finds there is one batch and one commit."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

from interlock.core.errors import StoreBusy, StoreClosed, StoreError, StoreUnsure
from interlock.core.limits import (
    BATCH_PAUSE_SECONDS,
    BATCH_WRITES_MAX,
    TENANTS_IN_A_BATCH_MAX,
)
from interlock.store.answers import tell
from interlock.store.batch import Batcher, Told, Write
from interlock.store.database import Database


@dataclass(slots=True)
class Writer:
    """Owns a connection, opens it anew when it was lost, and closes for good when the disk failed."""

    connect: Callable[[], Database]
    batcher: Batcher
    tries: int = 1
    """How often a batch is run in all when others hold the locks or the connection was lost before its commit."""
    _queue: SimpleQueue[Write | None] = field(default_factory=SimpleQueue[Write | None])
    _db: Database | None = None
    _broken: StoreError | None = None
    _thread: Thread | None = None
    _closing: bool = False
    _closed: bool = False

    def start(self) -> None:
        """Open the connection and begin to serve.

        Raises:
            StoreError: the database cannot be opened.
        """
        self._db = self.connect()
        self._thread = Thread(target=self._serve, name="interlock-writer", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queue a write.

        Raises:
            StoreClosed: nobody serves the queue any more.
        """
        if self._closed:
            raise StoreClosed("the store is closed", fix="open it again")
        self._queue.put(write)

    def close(self) -> None:
        """Finish what is queued, then let go of the connection."""
        if not self._closed and self._thread is not None:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _serve(self) -> None:
        waiting: list[Write] = []
        while waiting or not self._closing:
            if not waiting:
                first = self._queue.get()
                if first is None:
                    break
                waiting = [first]
            self._drain_into(waiting)
            batch, waiting = _first_tenants(waiting)
            # A caller that left before its turn is not served: nothing was begun for it.
            self._serve_batch([write for write in batch if not write.answer.cancelled()])
            if waiting or not self._queue.empty():
                # Another process gets its turn; alone, nobody waits for this.
                time.sleep(BATCH_PAUSE_SECONDS)
        self._let_go()

    def _drain_into(self, waiting: list[Write]) -> None:
        while len(waiting) < BATCH_WRITES_MAX and not self._closing:
            try:
                write = self._queue.get_nowait()
            except Empty:
                return
            if write is None:
                self._closing = True
            else:
                waiting.append(write)

    def _serve_batch(self, batch: Sequence[Write]) -> None:
        if not batch:
            return
        try:
            told: Sequence[Told] = self._commit(batch)
        except Exception as error:  # noqa: BLE001  the thread lives on, and each caller hears why
            told = [error] * len(batch)
        # Only now: nobody is told what is not committed.
        tell([(write.answer, answer) for write, answer in zip(batch, told, strict=True)])

    def _commit(self, batch: Sequence[Write]) -> list[Told]:
        for left in reversed(range(self.tries)):
            if self._broken is not None:
                raise self._broken
            try:
                self._db = self._db or self.connect()
                return self.batcher.run(self._db, batch)
            except StoreBusy:
                # Nothing was written, so running the functions again is safe.
                self._let_go()
                if not left:
                    raise
                continue
            except StoreClosed as closed:
                self._broken = closed
                raise
            except StoreUnsure:
                self._let_go()
                raise
        raise AssertionError("the last try returns or raises")

    def _let_go(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _first_tenants(waiting: list[Write]) -> tuple[list[Write], list[Write]]:
    """Split off what fits into one batch. The order of a tenant's writes stays as it is."""
    taken: set[str] = set()
    for write in waiting:
        if len(taken) < TENANTS_IN_A_BATCH_MAX:
            taken.add(write.tenant)
    return [write for write in waiting if write.tenant in taken], [w for w in waiting if w.tenant not in taken]
