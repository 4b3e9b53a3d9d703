"""An activity for Temporal: a workflow asks for an action and waits for people, however long. Extra `temporal`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, assert_never

from temporalio import activity
from temporalio.exceptions import ApplicationError

from interlock_sdk.adapters.governed import Ending, awaited, key_of, run_of, text_of
from interlock_sdk.asynchronous import AsyncInterlock
from interlock_sdk.errors import Failed, NotWanted, Refused
from interlock_sdk.outcome import Done, Parked, Suggested, Uncertain

BEAT_SECONDS = 10.0
"""Between two heartbeats, where the activity has no `heartbeat_timeout` of its own."""


@dataclass(frozen=True)
class GovernedCall:
    """What an activity is to ask for."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    key: str | None = None
    """A key of your own; without one the call is known by this run of the workflow and the id of the activity."""


class InterlockActivities:
    """Give `governed_call` to a worker, and execute it in a workflow with a `heartbeat_timeout`.

    Temporal may run it any number of times: it is one action, done once. It ends when the action has, and its heartbeat
    says which one it waits for. What says no is an `ApplicationError` that is not retried, with the action's id and the
    reason in its details; what may be asked again is retried as the retry policy of the activity says.
    """

    def __init__(self, client: AsyncInterlock) -> None:
        self._client = client

    @activity.defn(name="interlock_governed_call")
    async def governed_call(self, call: GovernedCall) -> Any:  # noqa: ANN401  whatever the tool gave
        """Ask for an action, and return its result.

        Raises:
            ApplicationError: there is no result, and trying again changes nothing. Its type says why: `Refused`,
                `Failed`, `Suggested`, `Uncertain` or `NotWanted`.
            InterlockError: it could not be asked, or no answer came. Each further attempt asks for the same action.
        """
        info = activity.info()
        workflow = info.workflow_id or info.activity_id
        key = call.key or key_of("temporal", info.namespace, workflow, info.workflow_run_id or "", info.activity_id)
        async with _heartbeats() as beats:
            try:
                ending = await awaited(self._client, call.tool, call.arguments, run_of(workflow), key)
            except NotWanted as never:
                raise ApplicationError(str(never), "", type="NotWanted", non_retryable=True) from never
            if isinstance(ending, Parked):
                beats.say(ending.action)
                ending = await self._waited(ending)
            if isinstance(ending, Refused) and ending.reason == "overloaded":
                raise ending  # the next attempt may find room
            return _result(ending)

    async def _waited(self, parked: Parked) -> Ending:
        try:
            return await self._client.wait(parked)
        except (Refused, Failed) as ending:
            return ending


class _Beats:
    def __init__(self) -> None:
        self._about: tuple[str, ...] = ()

    def say(self, *about: str) -> None:
        self._about = about
        activity.heartbeat(*about)

    async def go_on(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            activity.heartbeat(*self._about)


@asynccontextmanager
async def _heartbeats() -> AsyncGenerator[_Beats]:
    timeout = activity.info().heartbeat_timeout
    beats = _Beats()
    task = asyncio.create_task(beats.go_on(timeout.total_seconds() / 3 if timeout else BEAT_SECONDS))
    try:
        yield beats
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _result(ending: Ending) -> Any:  # noqa: ANN401  whatever the tool gave
    match ending:
        case Done():
            return ending.result
        case Refused():
            raise _no(ending, ending.action, ending.reason)
        case Failed():
            raise _no(ending, ending.action, ending.said)
        case Parked() | Suggested() | Uncertain():
            raise _no(ending, ending.action)
        case _:
            assert_never(ending)


def _no(ending: Ending, *details: str) -> ApplicationError:
    return ApplicationError(text_of(ending), *details, type=type(ending).__name__, non_retryable=True)
