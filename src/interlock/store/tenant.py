"""The store as the spine sees it: writes go to the one writer, reads have connections of their own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from threading import local
from typing import Any, TypeVar

from interlock.budget.hold import Balance
from interlock.core.errors import StoreBusy, StoreTampered
from interlock.core.ids import ActionId, BudgetId, ContractHash, Instant, PayloadId, SubjectName, TenantId
from interlock.ledger.proof import Proof
from interlock.ledger.tree import Head
from interlock.ports import (
    ActionRow,
    Answer,
    Change,
    Changes,
    Clock,
    Kept,
    Memo,
    Needs,
    Notice,
    Page,
    Rows,
    Secrets,
    Wanted,
    Written,
)
from interlock.store import proofs, queries
from interlock.store.batch import Batcher, Write
from interlock.store.database import Database
from interlock.store.kept import StoredRows
from interlock.store.load import Known, Loaded, Stored, load
from interlock.store.machine import Machine
from interlock.store.reads import Reads
from interlock.store.writer import Writer

Found = TypeVar("Found")


class SqlStore:
    """A store on either database."""

    def __init__(
        self,
        *,
        connect: Callable[[], Database],
        secrets: Secrets,
        clock: Clock,
        machine: Machine,
        reader_threads: int,
        tries: int = 1,
    ) -> None:
        self.secrets = secrets
        self.clock = clock
        self._connect = connect
        self.known = Known()
        self.machine = machine
        batcher = Batcher(secrets=secrets, clock=clock, time=machine.time, known=self.known)
        self.writer = Writer(connect, batcher, tries=tries)
        self.writer.start()
        # A read of a few rows of a local file is shorter than the way to a thread and back, so it stays on the loop.
        self._readers = ThreadPoolExecutor(reader_threads, "interlock-reader") if reader_threads else None
        self.reads = Reads(self._readers.submit, self.moment) if self._readers else None
        self._of_thread = local()
        self._opened: list[Database] = []

    def for_tenant(self, tenant: TenantId) -> "TenantPart":
        return TenantPart(self, tenant)

    def tenants(self) -> Sequence[TenantId]:
        return self.look(queries.tenants)

    async def ask(self, question: Callable[[Database], Found]) -> Found:
        """Answer a question in one snapshot."""
        if self._readers is None:
            return self.look(question)
        return await asyncio.wrap_future(self._readers.submit(self.look, question))

    def moment(self, tenant: TenantId, needs: Needs) -> Loaded:
        """Load the rows of one moment. They may be old by the time you look."""

        def loaded(db: Database) -> Loaded:
            stored = Stored(db, self.secrets, tenant, self.known)
            standing = stored.standing(needs)
            head = stored.head(standing)
            door = stored.door(standing, head)
            wall = Instant(standing.now or self.clock.now())
            believed, halt = self.machine.seen(tenant, wall, door.clock_accepted)
            now = Instant(max(believed, head.at))
            return load(stored, needs, standing, door=door, tree=head.tree, now=now, halt=halt)

        return self.look(loaded, one_statement=True)

    def look(self, question: Callable[[Database], Found], *, one_statement: bool = False) -> Found:
        """Answer a question in one snapshot, on a new connection if the old one was lost meanwhile.

        Args:
            question: what is asked of a connection.
            one_statement: whether it sends one statement, which sees one moment by itself.
        """
        ask = self._asked if one_statement else self._looked
        try:
            return ask(question)
        except StoreBusy:
            self._forget_reader()
            return ask(question)

    def _asked(self, question: Callable[[Database], Found]) -> Found:
        return question(self._reader())

    def _looked(self, question: Callable[[Database], Found]) -> Found:
        db = self._reader()
        db.begin_snapshot()
        try:
            return question(db)
        finally:
            db.rollback()

    def _forget_reader(self) -> None:
        lost: Database | None = getattr(self._of_thread, "db", None)
        if lost is not None:
            lost.close()
            self._opened.remove(lost)
            self._of_thread.db = None

    def close(self) -> None:
        """Finish what is queued, then let go."""
        self.writer.close()
        if self._readers is not None:
            self._readers.shutdown()
        for db in self._opened:
            db.close()
        self._opened.clear()

    def _reader(self) -> Database:
        db: Database | None = getattr(self._of_thread, "db", None)
        if db is None:
            db = self._of_thread.db = self._connect()
            self._opened.append(db)
        return db


def _held(against: Callable[[Rows], None], change: Change[Answer], rows: Rows) -> tuple[Changes, Answer]:
    against(rows)
    return change(rows)


@dataclass(frozen=True, slots=True)
class TenantPart:
    """One tenant's part of a store."""

    store: SqlStore
    tenant: TenantId
    against: Callable[[Rows], None] | None = None
    """Looks at the rows of each write before it, and raises what is wrong."""

    def held(self, against: Callable[[Rows], None]) -> "TenantPart":
        return TenantPart(self.store, self.tenant, against)

    async def write(self, needs: Needs, change: Change[Answer], *, durable: bool = True) -> Written[Answer]:
        if self.against is not None:
            change = partial(_held, self.against, change)
        answer: asyncio.Future[Written[Any]] = asyncio.get_running_loop().create_future()
        self.store.writer.put(
            Write(tenant=self.tenant, needs=needs, change=change, durable=durable, answer=answer),
        )
        return await answer

    async def read(self, needs: Needs) -> Rows:
        if self.store.reads is None:
            return self.store.moment(self.tenant, needs).only(needs)
        return await self.store.reads.ask(self.tenant, needs)

    async def contract(self, hash: ContractHash) -> bytes:
        body = await self._ask(queries.contract, hash)
        if body is None or sha256(body).hexdigest() != hash:
            raise StoreTampered(
                f"contract `{hash[:12]}` is not as it was published",
                fix="publish it again: `interlock contract publish FILE --env ENV`",
            )
        return body

    async def contracts(self) -> tuple[ContractHash, ...]:
        return await self._ask(queries.contracts)

    async def payload(self, id: PayloadId) -> bytes | None:
        return await self._ask(queries.payload, id)

    async def payloads(self, ids: Sequence[PayloadId]) -> Mapping[PayloadId, bytes]:
        return await self._ask(queries.payloads, ids)

    async def actions(self, wanted: Wanted) -> tuple[ActionRow, ...]:
        return await self._ask(queries.actions, wanted)

    async def actions_like(self, prefix: str) -> tuple[ActionRow, ...]:
        return await self._ask(queries.actions_like, prefix)

    async def actions_from(self, after: ActionId | None, limit: int = 1_000) -> tuple[ActionRow, ...]:
        return await self._ask(queries.actions_from, after, limit)

    async def actions_until(
        self, until: Instant, *, after: tuple[Instant, ActionId] | None = None, limit: int = 1_000
    ) -> Page:
        return await self._ask(queries.actions_until, until, after, limit)

    async def payloads_under(self, subject: SubjectName) -> frozenset[PayloadId]:
        found, after = frozenset[PayloadId](), ""
        while True:
            page, last = await self._ask(queries.payloads_under, subject, after)
            found |= page
            if last is None:
                return found
            after = last
            await asyncio.sleep(0)  # a page of a file is read on the loop, and others have their turn between two

    async def budgets(self, periods: Sequence[str] | None = None) -> Mapping[BudgetId, Balance]:
        return await self._ask(queries.budgets, periods)

    async def entries(self, *, after: int = 0, limit: int = 1_000) -> tuple[bytes, ...]:
        return await self._ask(queries.entries, after, limit)

    async def entries_of(self, action: ActionId) -> tuple[tuple[int, bytes], ...]:
        return await self._ask(queries.entries_of, action)

    async def entries_of_each(self, actions: Sequence[ActionId]) -> Mapping[ActionId, Sequence[tuple[int, bytes]]]:
        return await self._ask(queries.entries_of_each, actions)

    async def undos_of_each(self, actions: Sequence[ActionId]) -> Sequence[tuple[ActionId, ActionRow | None]]:
        return await self._ask(queries.undos_of_each, actions)

    async def signed_head(self) -> str:
        return await self._ask(queries.signed_head)

    async def kept(self, look: Callable[[Kept], Found]) -> Found:
        return await self.store.ask(lambda db: look(StoredRows(self._stored(db))))

    async def inclusion(self, index: int) -> Proof:
        return await self._ask(proofs.inclusion, index)

    async def consistency(self, old: Head) -> Proof:
        return await self._ask(proofs.consistency, old)

    async def notices(self, *, before: Instant, topics: Sequence[str] = ()) -> tuple[Notice, ...]:
        return await self._ask(queries.notices, before, topics)

    async def memos(self, prefix: str, *, now: Instant, after: str = "", limit: int = 1_000) -> tuple[Memo, ...]:
        return await self._ask(queries.memos, prefix, now, after, limit)

    def _stored(self, db: Database) -> Stored:
        return Stored(db, self.store.secrets, self.tenant)

    async def _ask(self, question: Callable[..., Found], *args: object) -> Found:
        return await self.store.ask(lambda db: question(self._stored(db), *args))
