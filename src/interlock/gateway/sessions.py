"""Sessions of clients that were ended: what is asked for in one does not start, whichever process it comes to."""

from interlock.core.ids import Instant, MemoId, RunId
from interlock.ports import Changes, Memo, Needs, TenantStore


def mark_of(session: RunId) -> MemoId:
    """Name what says that a session was ended, by being there."""
    return MemoId(f"ended:{session}")


async def end_session(store: TenantStore, session: RunId, *, until: Instant) -> None:
    """End a session. What has started goes on, and what waits for a person waits on.

    Args:
        store: the tenant's.
        session: its run.
        until: when it would have ended by itself.
    """
    memo = Memo(id=mark_of(session), until=until)
    await store.write(Needs(), lambda _: (Changes(memos=(memo,)), None))


async def has_ended(store: TenantStore, session: RunId) -> bool:
    """Whether a session was ended."""
    id = mark_of(session)
    return (await store.read(Needs(memos=frozenset({id})))).memos[id] is not None
