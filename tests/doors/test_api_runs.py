"""Runs over HTTP: who is told what of them, and all of one taken back."""

import asyncio
from typing import Any

import pytest
from served import Served, serving

from interlock.contract.ir import Approvals, Undo
from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamSilent
from interlock.core.ids import ActionId, AgentId, Micros, Role, ToolName, WorkflowId
from interlock.core.outcome import Refused
from interlock.gateway.access import revoke
from interlock.gateway.consent import agree
from interlock.gateway.resume import resume
from interlock.policy.rule import AsUndo
from world import ALLOW, KIM, ScriptedTool, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

UNDO = Undo(tool=ToolName("mail.unsend"), args={"to": "$.args.to"}, within=Micros(86_400_000_000))
AS_UNDO = a_rule("allow.unsend", "permit", "mail.unsend", when=AsUndo())


async def test_a_run_tells_of_its_actions(served: Served) -> None:
    token = await served.agent()
    made = [(await served.propose(token, run="r9", occurrence=n)).data["action"] for n in (1, 2)]
    run = await served.ask("GET", "/v1/runs/r9", token)
    assert (run.data["calls"], sorted(each["id"] for each in run.data["actions"])) == (2, sorted(made))
    assert (await served.ask("GET", "/v1/runs/r9", await served.agent(agents=(AgentId("eve"),)))).status == 404
    assert KIM.person not in run.text


async def test_roles_are_told_what_became_of_a_run(served: Served) -> None:
    token = await served.agent()
    id = (await served.propose(token, run="r9")).data["action"]
    run = (await served.ask("GET", "/v1/runs/r9", await served.service("viewer@support"))).data
    assert (run["agent"], run["principal"], run["states"], run["stands"]) == ("bot", "sam", {"done": 1}, [id])
    assert (run["calls"], run["older"], run["waits"]) == (1, False, [])
    assert (await served.ask("GET", "/v1/runs/r9", await served.service("viewer@sales"))).status == 404
    assert (await served.ask("GET", "/v1/runs/%2e%2e", token)).status == 404


async def test_runs_are_listed_page_by_page_to_the_roles_of_their_workflow(served: Served) -> None:
    token, viewer = await served.agent(), await served.service("viewer@support")
    for n in range(5):
        await served.propose(token, run=f"r{n % 3}", occurrence=n + 1)
        served.world.clock.forward(seconds=1)
    first = (await served.ask("GET", "/v1/runs?limit=2", viewer)).data
    assert [(each["id"], each["calls"]) for each in first["runs"]] == [("r1", 2), ("r0", 2)]
    rest = (await served.ask("GET", f"/v1/runs?limit=2&cursor={first['next']}", viewer)).data
    assert ([each["id"] for each in rest["runs"]], rest["next"]) == (["r2"], None)
    other = await served.ask("GET", f"/v1/runs?limit=2&agent=bot&cursor={first['next']}", viewer)
    assert (other.status, other.data["wrong"]) == (400, [{"path": "$query.cursor", "kind": "cursor"}])
    assert (await served.ask("GET", f"/v1/actions?limit=2&cursor={first['next']}", viewer)).status == 400
    assert (await served.ask("GET", "/v1/runs", await served.service("viewer@sales"))).data["runs"] == []
    assert (await served.ask("GET", "/v1/runs", token)).status == 403


async def undoable(served: Served, **fields: Any) -> ScriptedTool:
    tool = a_tool(effect=EffectClass.IDEMPOTENT_KEY, undo=UNDO)
    back = a_tool("mail.unsend", effect=EffectClass.IDEMPOTENT, only_as_undo=True)
    served.world.others["mail.unsend"] = ScriptedTool(result="called back", **fields)
    await served.world.publish(ALLOW, AS_UNDO, tools=[tool, back], budgets=[])
    return served.world.others["mail.unsend"]


async def test_a_run_is_undone_by_an_operator_of_its_workflow_and_by_nobody_else(served: Served) -> None:
    back = await undoable(served)
    token = await served.agent()
    ids = list[str]()
    for n in (1, 2):
        ids.append((await served.propose(token, run="r9", occurrence=n)).data["action"])
        served.world.clock.forward(seconds=1)
    for who in (await served.service("viewer"), token):
        assert (await served.ask("POST", "/v1/runs/r9/undo", who, {})).status == 403
    assert (await served.ask("POST", "/v1/runs/r9/undo", await served.service("operator@sales"), {})).status == 404
    operator = await served.service("operator@support")
    planned = (await served.ask("GET", "/v1/runs/r9/undo", operator)).data["effects"]
    assert [(each["effect"], each["undo_tool"]) for each in planned] == [(id, "mail.unsend") for id in ids[::-1]]
    assert back.performed == []
    reply = await served.ask("POST", "/v1/runs/r9/undo", operator, {})
    assert (reply.status, reply.data["whole"]) == (200, True), reply.text
    assert [(each["effect"], each["undo"]["outcome"]) for each in reply.data["undone"]] == [
        (id, "done") for id in ids[::-1]
    ]
    again = await served.ask("POST", "/v1/runs/r9/undo", operator, {})
    assert (again.status, again.data["undone"], len(back.performed)) == (200, [], 2)
    assert (await served.ask("POST", "/v1/runs/r7/undo", operator, {})).status == 404


@pytest.mark.promise("undo")
async def test_an_agent_of_another_workflow_that_names_a_run_keeps_nobody_from_undoing_it(served: Served) -> None:
    await undoable(served)
    stranger = await served.agent(workflow=WorkflowId("sales"))
    assert (await served.propose(stranger, run="r9")).status == 403
    served.world.clock.forward(seconds=1)
    id = (await served.propose(await served.agent(), run="r9")).data["action"]
    served.world.clock.forward(seconds=1)
    assert (await served.propose(stranger, run="r9")).status == 403
    operator = await served.service("operator@support")
    assert [each["id"] for each in (await served.ask("GET", "/v1/runs", operator)).data["runs"]] == ["r9"]
    reply = await served.ask("POST", "/v1/runs/r9/undo", operator, {})
    assert (reply.status, [each["effect"] for each in reply.data["undone"]]) == (200, [id]), reply.text


async def test_a_run_that_is_undone_in_part_says_what_stands(served: Served) -> None:
    token, operator = await served.agent(), await served.service("operator")
    id = (await served.propose(token, run="r9")).data["action"]
    reply = await served.ask("POST", "/v1/runs/r9/undo", operator, {})
    assert (reply.status, reply.data["whole"], reply.data["undone"]) == (202, False, [])
    assert [each["effect"] for each in reply.data["cannot_be_undone"]] == [id]
    assert "names no undo" in reply.data["cannot_be_undone"][0]["why_not"]


async def test_whoever_loses_their_token_in_the_middle_of_a_run_undoes_no_more_of_it(served: Served) -> None:
    back = await undoable(served)
    token, operator = await served.agent(), await served.service("operator")
    for n in (1, 2):
        await served.propose(token, run="r9", occurrence=n)
    back.may_answer = asyncio.Event()
    undoing = asyncio.create_task(served.ask("POST", "/v1/runs/r9/undo", operator, {}))
    await back.begun.wait()
    await revoke(served.world.store, operator.id, KIM)
    back.may_answer.set()
    assert ((await undoing).status, len(back.performed)) == (401, 1)


async def test_a_service_undoes_and_has_made_again_what_people_of_its_role_may(served: Served) -> None:
    back = await undoable(served)
    token, operator = await served.agent(), await served.service("operator@support")
    id = (await served.propose(token)).data["action"]
    undone = await served.ask("POST", f"/v1/actions/{id}/undo", operator, {})
    assert (undone.status, len(back.performed)) == (200, 1), undone.text
    row = (await served.ask("GET", f"/v1/actions/{undone.data['action']}", operator)).data
    assert (row["asked_by"], row["undo_of"]) == (f"token:{operator.id}", id)
    served.world.tool.breaks.append(UpstreamSilent("no answer", fix="look"))
    silent = (await served.propose(token)).data["action"]
    said = {"verdict": "retry", "first_may_still_happen": True}
    here = await served.ask("POST", f"/v1/actions/{silent}/resolve", operator, said)
    assert (here.status, "this process has started" in here.data["detail"]) == (409, True)
    async with serving(served.world.another()) as beside:
        again = await beside.ask("POST", f"/v1/actions/{silent}/resolve", operator, said)
    assert again.status == 200, again.text
    assert again.data["retried"]["outcome"] == "done"


async def test_an_undo_that_waits_is_not_carried_out_once_the_token_that_asked_for_it_is_revoked(
    served: Served,
) -> None:
    world, ask = served.world, a_rule("ask.unsend", "ask", "mail.unsend")
    back = await undoable(served)
    tools = [a_tool(effect=EffectClass.IDEMPOTENT_KEY, undo=UNDO), a_tool("mail.unsend", only_as_undo=True)]
    approvals = Approvals(people={Role("lead"): frozenset({KIM.person})})
    await world.publish(ALLOW, AS_UNDO, ask, tools=tools, budgets=[], approvals=approvals)
    operator = await served.service("operator@support")
    id = (await served.propose(await served.agent())).data["action"]
    waits = await served.ask("POST", f"/v1/actions/{id}/undo", operator, {})
    assert (waits.status, waits.data["outcome"]) == (202, "parked"), waits.text
    undo = ActionId(waits.data["action"])
    await revoke(world.store, operator.id, KIM)
    await agree(world.gateway, world.store, undo, KIM, seen=(await world.row(undo)).seen)
    outcome = await resume(world.gateway, world.store, undo)
    assert isinstance(outcome, Refused)
    assert "was revoked" in outcome.why
    assert back.performed == []


async def test_what_a_person_undoes_outside_of_a_run_is_told_as_that_persons(served: Served) -> None:
    await undoable(served)
    operator = await served.service("operator@support")
    id = (await served.propose(await served.agent())).data["action"]
    served.world.clock.forward(seconds=1)
    undone = (await served.ask("POST", f"/v1/actions/{id}/undo", operator, {})).data["action"]
    newest, first = (await served.ask("GET", "/v1/runs", operator)).data["runs"]
    assert (newest["last"]["action"], newest["by"]) == (undone, [f"token:{operator.id}"])
    assert (first["last"]["action"], first["by"]) == (id, [])
    run = (await served.ask("GET", f"/v1/runs/{newest['id']}", operator)).data
    assert (run["by"], run["undos"], run["calls"]) == ([f"token:{operator.id}"], 1, 1)
