"""The client that awaits does so on trio as well."""

from pathlib import Path

import trio
from desk import desk

from interlock_sdk import AsyncInterlock, Done, Parked


def test_a_call_is_done_and_what_waits_is_waited_for_on_trio(tmp_path: Path) -> None:
    with desk(tmp_path) as shop:

        async def asked() -> tuple[object, object, bool]:
            async with AsyncInterlock(shop.url, shop.token, agent="bot", principal="sam") as interlock:
                done = await interlock.call("find_order", {"order": "O-1"})
                parked = await interlock.call("refund", {"order": "O-1", "amount_usd": 500})
                assert isinstance(parked, Parked)
                with trio.move_on_after(0.2) as waited:
                    await interlock.wait(parked)
                return done, parked, waited.cancelled_caught

        done, parked, gave_up = trio.run(asked)
    assert isinstance(done, Done)
    assert gave_up, "nobody has agreed to it"
