"""Letters between processes on one store: what a client says to one of them, and a call at another one waits for.

A process looks for letters only while something waits for one. What a letter says is sealed, and it ends by itself.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from interlock.core.errors import InterlockError
from interlock.core.ids import Instant, MemoId, PayloadId, ProcessId, TenantId
from interlock.gateway.call import Gateway
from interlock.ports import Changes, Memo, Needs

LOOK_SECONDS = 0.5  # between two looks for letters; whoever was asked has taken longer to answer
LETTER_SECONDS = 150  # how long one is kept: longer than any call that could wait for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where letters of one kind go."""

    awaited: Callable[[], Collection[TenantId]]
    """Of which tenants something waits for one now."""
    take: Callable[[TenantId, str, bytes], None]
    """Is given the tenant, the name and the text of each; maybe more than once."""


@dataclass(slots=True, kw_only=True)
class Post:
    """Brings letters to this process, and leaves those for others in the store."""

    gateway: Gateway
    boxes: dict[str, Box] = field(default_factory=dict[str, Box])
    """By the kind of their letters."""
    _looking: "asyncio.Task[None] | None" = None

    async def send(self, tenant: TenantId, to: ProcessId, kind: str, name: str, text: bytes) -> None:
        """Leave a letter for another process.

        Raises:
            StoreError: it cannot be left.
        """
        await self.leave(tenant, MemoId(f"to:{to}:{kind}:{name}"), text, seconds=LETTER_SECONDS)

    async def leave(self, tenant: TenantId, id: MemoId, text: bytes, *, seconds: float) -> None:
        """Keep a text under a name, in place of what was kept there.

        Raises:
            StoreError: it cannot be kept.
        """
        gateway = self.gateway
        says = gateway.secrets.seal(tenant, PayloadId(id), text, frozenset())
        memo = Memo(id=id, until=Instant(gateway.clock.now() + int(seconds * 1_000_000)), says=says)
        await gateway.store.for_tenant(tenant).write(Needs(), lambda _: (Changes(memos=(memo,)), None), durable=False)

    async def found(self, tenant: TenantId, id: MemoId) -> bytes | None:
        """Return what is kept under a name; nothing if nothing is.

        Raises:
            StoreError: it cannot be read.
        """
        memo = (await self.gateway.store.for_tenant(tenant).read(Needs(memos=frozenset({id})))).memos[id]
        return self._text(tenant, memo) if memo is not None else None

    def look(self) -> None:
        """Look for letters from now on, for as long as something waits for one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while tenants := {tenant for box in self.boxes.values() for tenant in box.awaited()}:
            await asyncio.sleep(LOOK_SECONDS)
            for tenant in tenants:
                # A letter that cannot be had now is there at the next look.
                with suppress(InterlockError):
                    await self._collect(tenant)

    async def _collect(self, tenant: TenantId) -> None:
        store, prefix = self.gateway.store.for_tenant(tenant), f"to:{self.gateway.process}:"
        letters = await store.memos(prefix, now=self.gateway.clock.now(), limit=100)
        for letter in letters:
            kind, _, name = letter.id.removeprefix(prefix).partition(":")
            if kind in self.boxes:
                self.boxes[kind].take(tenant, name, self._text(tenant, letter))
        if letters:
            gone = tuple(Memo(id=letter.id, until=Instant(0)) for letter in letters)
            await store.write(Needs(), lambda _: (Changes(memos=gone), None), durable=False)

    def _text(self, tenant: TenantId, memo: Memo) -> bytes:
        return self.gateway.secrets.open(tenant, PayloadId(memo.id), memo.says)
