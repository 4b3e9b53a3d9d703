"""Memos that have ended: whoever keeps a new one takes them out, and so does whoever attends, where nobody does."""

from interlock.core.ids import Instant, MemoId
from interlock.ports import Changes, Memo, Needs, TenantStore


async def take_out_ended(store: TenantStore) -> None:
    """Take out of the store what has ended.

    Raises:
        StoreError: it cannot be written.
    """
    ended = Memo(id=MemoId("ended"), until=Instant(0))
    await store.write(Needs(), lambda _: (Changes(memos=(ended,)), None), durable=False)
