"""Events: the entries of the ledger as they come, by their index. Whoever was away goes on behind the last they had."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from interlock.core.ids import WorkflowId
from interlock.door.asgi import PING_SECONDS
from interlock.door.http import shapes_ledger as shapes
from interlock.door.http.permissions import READERS
from interlock.door.http.problem import invalid
from interlock.door.http.reading import index_in
from interlock.door.http.route import Events, Route
from interlock.door.http.visit import Visit
from interlock.door.http.watch import Watch
from interlock.identity.bearer import still_good
from interlock.ledger.pruned import is_pruned, leaf_of


class _Told(msgspec.Struct, frozen=True):
    kind: str
    workflow: str = ""


_DECODE = msgspec.json.Decoder(_Told).decode


async def followed(visit: Visit[shapes.FollowEvents, None]) -> Events:
    """Follow the ledger."""
    return Events(parts=_entries(visit, _first(visit)))


def _first(visit: Visit[shapes.FollowEvents, None]) -> int | None:
    """Return the index of the first entry that is wanted; nothing said is what comes now."""
    last = visit.header("Last-Event-ID")
    if last is None:
        return visit.query.after
    index = index_in(last)
    if index is None:
        fix = "send the id of the last event as it came"
        raise invalid("the last event is none", "$header.last-event-id", "form", fix=fix)
    return index + 1


async def _entries(visit: Visit[Any, Any], first: int | None) -> AsyncGenerator[tuple[str, str, bytes] | None]:
    async with visit.watches.on(visit.bearer) as watch:
        next = watch.size if first is None else first
        yield None  # whoever follows may know that nothing is missed from here on
        while not visit.watches.stop.is_set() and _still_let_in(visit, watch):
            lines = await watch.after(next)
            for index, line in lines:
                next = index + 1
                event = _event(visit, index, line)
                if event is not None:
                    yield event
            if not lines and not await watch.grown(next, PING_SECONDS):
                yield None


def _still_let_in(visit: Visit[Any, Any], watch: Watch) -> bool:
    return still_good(watch.door, visit.gateway.clock.now(), visit.bearer)


def _event(visit: Visit[Any, Any], index: int, line: bytes) -> tuple[str, str, bytes] | None:
    """Tell of an entry, if it is for whoever asks: what is about no action is for roles of the whole tenant."""
    if is_pruned(line):
        mine = visit.may_here(None)
        return (str(index), "gone", msgspec.json.encode({"leaf": leaf_of(line).hex()})) if mine else None
    told = _DECODE(line)
    if not visit.may_here(WorkflowId(told.workflow) if told.workflow else None):
        return None
    return str(index), told.kind, line


ROUTES = (
    Route(
        method="GET",
        path="/v1/events",
        name="follow_events",
        needs=READERS,
        says="Follow the ledger: each entry as a server-sent event, with its index as id and its kind as name. Whoever "
        "sends `Last-Event-ID` goes on behind it. A role of one workflow hears of the actions of that workflow.",
        does=followed,
        query=shapes.FollowEvents,
        headers={"Last-Event-ID": "The id of the last event that came."},
        answers={200: "text/event-stream"},
    ),
)
