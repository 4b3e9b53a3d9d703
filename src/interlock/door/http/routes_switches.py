"""Switches: what is thrown, throw one, take one back. Once it is thrown, nothing of its scope starts."""

from typing import Any

from interlock.core.action import ActionState
from interlock.core.door import Scope, Switch, SwitchKind
from interlock.core.effect import EffectClass
from interlock.core.ids import AgentId, Environment, Instant, ToolName, WorkflowId
from interlock.door.http import shapes_people as shapes
from interlock.door.http.permissions import OPERATORS, READERS
from interlock.door.http.problem import nothing_there
from interlock.door.http.route import Answer, Route
from interlock.door.http.visit import Visit
from interlock.door.told.switch import action_data, glass_data, switch_data
from interlock.gateway import fresh
from interlock.gateway.doors import resume_switch, throw
from interlock.ports import ActionRow, Needs, Wanted

_IN_FLIGHT_MAX = 1_000


async def shown(visit: Visit[None, None]) -> Answer:
    """Show what is thrown, what is let act in spite of it, and what goes on."""
    rows = await visit.store.read(Needs())
    glass = [each for each in rows.door.glass if rows.now < each.until and _may_see(visit, each.scope)]
    data = {
        "switches": [switch_data(each) for each in rows.door.switches if _may_see(visit, each.scope)],
        "glass": list(map(glass_data, glass)),
        "restored": rows.door.restored,
        "in_flight": [action_data(row) for row in await _in_flight(visit, Scope())],
    }
    return Answer(data=data)


async def thrown(visit: Visit[None, shapes.Throw]) -> Answer:
    """Throw a switch."""
    said = visit.body
    scope = Scope(
        workflow=WorkflowId(said.workflow) if said.workflow is not None else None,
        environment=Environment(said.environment) if said.environment is not None else None,
        agent=AgentId(said.agent) if said.agent is not None else None,
        tool=ToolName(said.tool) if said.tool is not None else None,
        effect=EffectClass(said.effect) if said.effect is not None else None,
    )
    if not visit.may_here(scope.workflow):
        raise visit.not_here("to throw a switch there")
    id = f"s{fresh.salt()[:6]}"
    kind = SwitchKind(said.kind)
    switch = Switch(id=id, kind=kind, scope=scope, by=visit.by.person, at=Instant(0), undo_too=said.undo_too)
    await throw(visit.store, switch, visit.by)
    rows = await visit.store.read(Needs())
    found = next((each for each in rows.door.switches if each.id == id), switch)
    flying = [action_data(row) for row in await _in_flight(visit, scope)]
    return Answer(data={**switch_data(found), "epoch": rows.door.epoch, "in_flight": flying}, status=201)


async def taken_back(visit: Visit[None, None]) -> Answer:
    """Take a switch back."""
    door = (await visit.store.read(Needs())).door
    found = next((each for each in door.switches if each.id == visit.path["id"]), None)
    if found is None or not _may_see(visit, found.scope):
        raise nothing_there()
    if not visit.may_here(found.scope.workflow):
        raise visit.not_here("to take that switch back")
    if not await resume_switch(visit.store, found.id, visit.by):
        raise nothing_there()
    left = (await visit.store.read(Needs())).door.switches
    still = [switch_data(each) for each in left if _may_see(visit, each.scope)]
    return Answer(data={"taken_back": switch_data(found), "still_thrown": still})


def _may_see(visit: Visit[Any, Any], scope: Scope) -> bool:
    """Whether a switch is for whoever asks to see: one of the whole tenant holds them back as well."""
    return scope.workflow is None or visit.may_here(scope.workflow)


async def _in_flight(visit: Visit[Any, Any], scope: Scope) -> list[ActionRow]:
    rows = await visit.store.actions(Wanted(states=frozenset({ActionState.STARTED}), limit=_IN_FLIGHT_MAX))
    mine = [row for row in rows if visit.may_see(row.action)]
    return [row for row in mine if scope.covers(row.action.caller, row.action.tool, row.action.effect)]


ROUTES = (
    Route(
        method="GET",
        path="/v1/switches",
        name="list_switches",
        needs=READERS,
        says="Show what is thrown, what is let act in spite of it, and what goes on.",
        does=shown,
        answers={200: shapes.Switches},
    ),
    Route(
        method="POST",
        path="/v1/switches",
        name="throw_switch",
        needs=OPERATORS,
        says="Throw a switch. Once this has answered, nothing of its scope starts; what has started is listed.",
        does=thrown,
        body=shapes.Throw,
        answers={201: shapes.Thrown},
    ),
    Route(
        method="DELETE",
        path="/v1/switches/{id}",
        name="take_switch_back",
        needs=OPERATORS,
        says="Take a switch back.",
        does=taken_back,
        answers={200: shapes.TakenBack},
        problems=("nothing-there",),
    ),
)
