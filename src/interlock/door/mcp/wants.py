"""What each session wants to hear of, kept in the store, so that whichever process has its stream knows it."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from interlock.core.ids import Instant, MemoId, Micros, PayloadId, RunId, TenantId
from interlock.core.value import replace
from interlock.door.mcp.client import SESSION_MICROS_MAX
from interlock.gateway.call import Gateway
from interlock.gateway.sessions import mark_of
from interlock.ports import Changes, Memo, Needs, Rows

LEVEL_UNSAID = "info"
"""From which level on a session gets log messages that says nothing of it."""
WATCHED_MAX = 100  # resources of one listener
_FRESH_MICROS = 5_000_000  # how long what was read last will do; what is told is a hint
_KNOWN_MAX = 10_000  # sessions that are remembered here; those that came before are read again


class Wants(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session wants to hear of."""

    level: str = LEVEL_UNSAID
    watched: tuple[str, ...] = ()
    """Resources."""
    stream: str = ""
    """The stream that it opened last."""


NOTHING = Wants()

Change = Callable[[Wants], Wants | None]
"""Says what is wanted from now on; nothing where that cannot be."""


@dataclass(slots=True, kw_only=True)
class Wanted:
    """What the sessions want that were seen here lately."""

    gateway: Gateway
    _known: "OrderedDict[tuple[TenantId, RunId], tuple[Wants, Micros]]" = field(
        default_factory=OrderedDict[tuple[TenantId, RunId], "tuple[Wants, Micros]"]
    )
    """Each with the time until which it will do."""

    def known(self, tenant: TenantId, session: RunId) -> Wants:
        """Return what was known last."""
        known = self._known.get((tenant, session))
        return known[0] if known is not None else NOTHING

    async def by(self, tenant: TenantId, session: RunId, *, fresh: bool = False) -> Wants:
        """Return what a session wants, or wanted some seconds ago unless it has to be `fresh`.

        Raises:
            StoreError: it cannot be read.
        """
        known = self._known.get((tenant, session))
        if known is not None and not fresh and self.gateway.clock.boot() < known[1]:
            return known[0]
        id = _place(session)
        rows = await self.gateway.store.for_tenant(tenant).read(Needs(memos=frozenset({id})))
        return self._keep(tenant, session, self._read(tenant, rows, id))

    async def change(self, tenant: TenantId, session: RunId, change: Change) -> bool:
        """Keep what a session wants from now on; say whether that could be. One that was ended wants nothing.

        Raises:
            StoreError: it cannot be kept.
        """
        id, ended, secrets = _place(session), mark_of(session), self.gateway.secrets

        def write(rows: Rows) -> tuple[Changes, Wants | None]:
            before = self._read(tenant, rows, id)
            wants = change(before) if rows.memos[ended] is None else None
            if wants is None or wants == before:
                return Changes(), wants
            says = secrets.seal(tenant, PayloadId(id), msgspec.json.encode(wants), frozenset())
            return Changes(memos=(Memo(id=id, until=Instant(rows.now + SESSION_MICROS_MAX), says=says),)), wants

        store = self.gateway.store.for_tenant(tenant)
        wants = (await store.write(Needs(memos=frozenset({id, ended})), write, durable=False)).answer
        if wants is not None:
            self._keep(tenant, session, wants)
        return wants is not None

    async def forget(self, tenant: TenantId, session: RunId) -> None:
        """Forget what a session wanted.

        Raises:
            StoreError: it cannot be forgotten.
        """
        self._known.pop((tenant, session), None)
        gone = Memo(id=_place(session), until=Instant(0))
        await self.gateway.store.for_tenant(tenant).write(Needs(), lambda _: (Changes(memos=(gone,)), None))

    def _keep(self, tenant: TenantId, session: RunId, wants: Wants) -> Wants:
        self._known.pop((tenant, session), None)
        self._known[tenant, session] = wants, Micros(self.gateway.clock.boot() + _FRESH_MICROS)
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return wants

    def _read(self, tenant: TenantId, rows: Rows, id: MemoId) -> Wants:
        memo = rows.memos[id]
        if memo is None:
            return NOTHING
        return msgspec.json.decode(self.gateway.secrets.open(tenant, PayloadId(id), memo.says), type=Wants)


def _place(session: RunId) -> MemoId:
    return MemoId(f"session:{session}")


def at_level(level: str) -> Change:
    """Want log messages from a level on."""
    return lambda wants: replace(wants, level=level)


def on_stream(stream: str) -> Change:
    """Want to hear it on a stream, and on no other one."""
    return lambda wants: replace(wants, stream=stream)


def watching(uri: str) -> Change:
    """Want to hear of a resource; that cannot be where it would be one too many."""

    def change(wants: Wants) -> Wants | None:
        if uri in wants.watched:
            return wants
        return replace(wants, watched=(*wants.watched, uri)) if len(wants.watched) < WATCHED_MAX else None

    return change


def not_watching(uri: str) -> Change:
    """Want to hear of it no more."""
    return lambda wants: replace(wants, watched=tuple(each for each in wants.watched if each != uri))
