"""A Temporal workflow that gives money back when a lead agrees; its activity runs in Temporal's test environment."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.testing import ActivityEnvironment

with workflow.unsafe.imports_passed_through():
    from interlock_sdk import AsyncInterlock
    from interlock_sdk.adapters.temporal import GovernedCall, InterlockActivities


@workflow.defn
class GiveBack:
    """Gives one customer their money back."""

    @workflow.run
    async def run(self, order: str, amount_usd: int) -> str:
        """Wait for a lead, up to a week."""
        return await workflow.execute_activity_method(
            InterlockActivities.governed_call,
            GovernedCall("refund", {"order": order, "amount_usd": amount_usd}),
            start_to_close_timeout=timedelta(days=7),
            heartbeat_timeout=timedelta(seconds=30),
        )


async def carried(activities: InterlockActivities, id: str, call: GovernedCall, beats: list[str]) -> str:
    """Carry an activity as a worker would, without a server."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id="ticket-12", activity_id=id)
    environment.on_heartbeat = lambda *said: beats.append(said[0]) if said and said[0] not in beats else None
    return await environment.run(activities.governed_call, call)


async def main() -> None:
    """Start two activities at once."""
    url, token = os.environ["INTERLOCK_URL"], os.environ["INTERLOCK_TOKEN"]
    async with AsyncInterlock(url, token, principal="sam") as interlock:
        activities, beats = InterlockActivities(interlock), list[str]()
        calls = [GovernedCall("refund", {"order": f"O-{n}", "amount_usd": 10 + n}) for n in (1, 2)]
        tasks = {asyncio.create_task(carried(activities, str(n), call, beats)) for n, call in enumerate(calls)}
        while len(beats) < len(calls) and not any(task.done() for task in tasks):
            await asyncio.sleep(0.05)
        while tasks:
            print("waiting", *beats, flush=True)
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result() for task in done} == {"refund written"}
            ended = [(await interlock.action(each)).state == "done" for each in beats]
            beats = [each for each, over in zip(beats, ended, strict=True) if not over]
        print("said both are on their way")


if __name__ == "__main__":
    asyncio.run(main())
