"""Who waits for news of a ledger: one look at it every now and then serves all streams and long polls of a tenant."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec

from interlock.core.door import Door
from interlock.core.errors import InterlockError
from interlock.core.ids import ActionId, TenantId
from interlock.door.http.problem import later
from interlock.identity.bearer import Bearer
from interlock.ledger.pruned import is_pruned
from interlock.ports import Needs, Store, TenantStore

LOOK_SECONDS = 0.2  # between two looks; who waits for a person does not notice it
_READ_AT_ONCE = 500
_KEPT_MAX = 2_000  # of the newest entries, for streams that keep up; who does not reads from the store
LOOKERS_OF_ONE_MAX = 100  # of one token, or of one who is known in another way
_LOOKERS_MAX = 1_000  # streams and long polls of all tenants; each has a connection, and a process some thousand

Lines = Sequence[tuple[int, bytes]]


class _About(msgspec.Struct, frozen=True):
    action: str = ""


_DECODE = msgspec.json.Decoder(_About).decode


@dataclass(slots=True, kw_only=True)
class Watch:
    """The ledger of one tenant, as long as somebody waits for news of it."""

    store: TenantStore
    stop: asyncio.Event
    size: int = -1
    door: Door = Door()
    """As it was at the last look."""
    lookers: Counter[str] = field(default_factory=Counter[str])
    """How many look, by what they are known by."""
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _told: dict[ActionId, set[asyncio.Future[None]]] = field(default_factory=dict[ActionId, set[asyncio.Future[None]]])
    _kept: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT_MAX))
    _task: "asyncio.Task[None] | None" = None

    async def begin(self) -> None:
        """Begin to look, at what comes from here on; who comes later was let in by a newer door than that of then."""
        rows = await self.store.read(Needs())
        self._see(rows.door)
        if self._task is None:
            self.size = rows.entries
            self._task = asyncio.create_task(self._look())

    def end(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()

    async def grown(self, beyond: int, seconds: float) -> bool:
        """Wait until the ledger has an entry with the index `beyond`, or for so long, or until this process ends."""
        if self.size <= beyond and not self.stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._grown.wait(), seconds)
        return self.size > beyond

    async def after(self, index: int) -> Lines:
        """Return the next entries, from that index on."""
        if self._kept and self._kept[0][0] <= index:
            return [each for each in self._kept if each[0] >= index][:_READ_AT_ONCE]
        if index >= self.size:
            return ()
        return list(enumerate(await self.store.entries(after=index, limit=_READ_AT_ONCE), index))

    async def told_of(self, action: ActionId, seconds: float) -> None:
        """Wait until an entry tells of an action, or for so long, or until this process ends."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._told.setdefault(action, set())
        waiting.add(news)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(news, seconds)
        finally:
            waiting.discard(news)
            if not waiting and self._told.get(action) is waiting:
                del self._told[action]

    async def _look(self) -> None:
        while not self.stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), LOOK_SECONDS)
            with suppress(InterlockError):  # a store that is away is looked at again
                await self._read_on()
        self._grown.set()
        for action in list(self._told):
            self._wake(action)

    async def _read_on(self) -> None:
        rows = await self.store.read(Needs())
        self._see(rows.door)
        if self.size >= rows.entries:
            return
        while self.size < rows.entries:
            lines = await self.store.entries(after=self.size, limit=_READ_AT_ONCE)
            if not lines:
                return
            self._kept.extend(enumerate(lines, self.size))
            self.size += len(lines)
            for line in lines if self._told else ():
                if not is_pruned(line):
                    self._wake(ActionId(_DECODE(line).action))
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _see(self, door: Door) -> None:
        # Two looks that overlap may end the other way round.
        self.door = max(self.door, door, key=lambda each: each.epoch)

    def _wake(self, action: ActionId) -> None:
        for news in self._told.pop(action, ()):
            if not news.done():
                news.set_result(None)


@dataclass(slots=True, kw_only=True)
class Watches:
    """The watches of all tenants."""

    store: Store
    stop: asyncio.Event
    _watches: dict[TenantId, Watch] = field(default_factory=dict[TenantId, Watch])

    def lookers(self) -> int:
        """Count the streams and long polls that are open."""
        return sum(each.lookers.total() for each in self._watches.values())

    @asynccontextmanager
    async def on(self, bearer: Bearer) -> AsyncGenerator[Watch]:
        """Look at the ledger of somebody's tenant together with whoever else does.

        Raises:
            Problem: too many do, or this process is about to end.
        """
        if self.stop.is_set():
            raise later("this process is about to end")
        tenant, who = bearer.tenant, bearer.person or bearer.known_by
        watch = self._watches.get(tenant)
        if watch is not None and watch.lookers[who] >= LOOKERS_OF_ONE_MAX:
            raise later(f"whoever this is waits for news here {LOOKERS_OF_ONE_MAX} times already", seconds=10)
        if self.lookers() >= _LOOKERS_MAX:
            raise later("too many wait for news here", seconds=10)
        if watch is None:
            watch = self._watches[tenant] = Watch(store=self.store.for_tenant(tenant), stop=self.stop)
        watch.lookers[who] += 1
        try:
            await watch.begin()
            yield watch
        finally:
            watch.lookers[who] -= 1
            if not watch.lookers[who]:
                del watch.lookers[who]
            if not watch.lookers:
                watch.end()
                self._watches.pop(tenant, None)
