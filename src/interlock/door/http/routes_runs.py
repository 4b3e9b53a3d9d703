"""Runs: what became of one task of an agent, and taking all of it back."""

from typing import Any

from interlock.core.ids import ActionId, RunId
from interlock.core.outcome import Outcome
from interlock.door.http import shapes, shapes_runs
from interlock.door.http.pages import page
from interlock.door.http.permissions import AGENTS_OR_READERS, OPERATORS, READERS
from interlock.door.http.problem import nothing_there
from interlock.door.http.route import Answer, Route
from interlock.door.http.routes_actions import line_of
from interlock.door.http.visit import Visit
from interlock.door.told.run import newest_of_run, run_data, run_lines
from interlock.door.told.undone import reversal_data, run_undone_data
from interlock.gateway.listing import Filter, each_of_run
from interlock.gateway.proposal import RUN_NAME
from interlock.gateway.reverse import plan, undo
from interlock.gateway.reverse_run import concerns, undo_run
from interlock.ports import ActionRow, Wanted

_SHOWN_MAX = 200


async def listed(visit: Visit[shapes_runs.ListRuns, None]) -> Answer:
    """List runs, page by page."""
    wanted = visit.query
    narrow = Filter(workflow=wanted.workflow, environment=wanted.environment, agent=wanted.agent)
    rows, next = await page(
        visit,
        Wanted(latest_of_run=True, limit=wanted.limit),
        lambda action: narrow.fits(action) and visit.may_see(action),
        about=("runs", narrow),
        cursor=wanted.cursor,
    )
    return Answer(data={"runs": await run_lines(visit, rows), "next": next})


async def shown(visit: Visit[None, None]) -> Answer:
    """Show what became of a run."""
    id = _run_of(visit)
    rows = [row for row in await newest_of_run(visit.store, id) if visit.may_see(row.action)]
    if not rows:
        raise nothing_there()
    data = await run_data(visit, id, rows)
    if visit.is_agent:
        data = {"id": id, "calls": data["calls"]}
    return Answer(data={**data, "actions": [line_of(visit, row) for row in rows[:_SHOWN_MAX]]})


async def planned(visit: Visit[None, None]) -> Answer:
    """Say what the undo of a run would do."""
    steps = await plan(visit.gateway, visit.store, await _effects(visit))
    return Answer(data={"effects": list(map(reversal_data, steps))})


async def undone(visit: Visit[None, shapes.Undo]) -> Answer:
    """Undo a run, the last effect first."""

    async def undo_one(id: ActionId) -> Outcome:
        await visit.still_let_in()  # whoever loses their role in the middle undoes no more
        return await undo(visit.gateway, visit.store, id, visit.by, even_if_changed=visit.body.even_if_changed)

    done = await undo_run(visit.gateway, visit.store, await _effects(visit), undo_one)
    return Answer(data=run_undone_data(done), status=200 if done.whole else 202)


async def _effects(visit: Visit[Any, Any]) -> list[ActionRow]:
    """Find what the undo of the run has to know that a path names, if whoever asks may see all of that."""
    rows, found = list[ActionRow](), False
    async for row in each_of_run(visit.store, _run_of(visit)):
        seen = visit.may_see(row.action)
        found = found or seen
        if concerns(row) and not seen:
            raise nothing_there()
        if concerns(row):
            rows.append(row)
    if not found:
        raise nothing_there()
    return rows


def _run_of(visit: Visit[Any, Any]) -> RunId:
    id = visit.path["id"]
    if not RUN_NAME.fullmatch(id):
        raise nothing_there()
    return RunId(id)


ROUTES = (
    Route(
        method="GET",
        path="/v1/runs",
        name="list_runs",
        needs=READERS,
        says="List runs, the one whose action changed last first: those of the workflows in which a role is held.",
        does=listed,
        query=shapes_runs.ListRuns,
        answers={200: shapes_runs.Runs},
    ),
    Route(
        method="GET",
        path="/v1/runs/{id}",
        name="get_run",
        needs=AGENTS_OR_READERS,
        says="Show what became of a run: how many calls it made, and its newest 200 actions. Roles are told what it "
        "cost, what waits for a person, and whose effects stand.",
        does=shown,
        answers={200: shapes_runs.Run},
        problems=("nothing-there",),
    ),
    Route(
        method="GET",
        path="/v1/runs/{id}/undo",
        name="plan_undo_of_run",
        needs=OPERATORS,
        says="Say what the undo of a run would do: its effects, the last one first, each with how or why not.",
        does=planned,
        answers={200: shapes_runs.Plan},
        problems=("nothing-there",),
    ),
    Route(
        method="POST",
        path="/v1/runs/{id}/undo",
        name="undo_run",
        needs=OPERATORS,
        says="Reverse the effects of a run, the last one first, each as an action of its own, by policy. 200 means "
        "that nothing of the run stands any more. 202: something does, and the answer says what and why. One whose "
        "undo waits, or fails, stops the rest; ask again once it is done.",
        does=undone,
        body=shapes.Undo,
        answers={200: shapes_runs.RunUndone, 202: shapes_runs.RunUndone},
        problems=("nothing-there",),
    ),
)
