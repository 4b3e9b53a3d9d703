"""A call as a task: a handle at once, the end whenever a person has decided."""

import asyncio
from typing import Any

import pytest
from asked_over import Over

from cards import issued
from interlock.contract.ir import Approvals
from interlock.core.errors import StoreBusy
from interlock.core.ids import ActionId, PersonId, Role
from interlock.door.entrance import Entrance
from interlock.door.mcp import front, tasks
from interlock.gateway import access
from interlock.gateway.consent import agree, deny
from interlock.gateway.resume import resume
from world import ALLOW, KIM, MAIL, World, a_rule

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim")})})
CALL: dict[str, Any] = {"name": MAIL, "arguments": {"to": "sam"}, "task": {"ttl": 60_000}}


async def asking(world: World) -> Over:
    await world.publish(ALLOW, a_rule("ask.mail", "ask"), approvals=PEOPLE)
    over = await Over.to(world)
    await over.begin()
    return over


async def waiting(over: Over, id: str) -> Any:
    """Ask until the call itself has come back."""
    while True:
        found = (await over.ask("tasks/get", taskId=id)).result
        if found["statusMessage"] != "it is under way":
            return found
        await asyncio.sleep(0)


async def test_a_task_that_waits_for_a_person_ends_when_they_agree(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]
    assert task["status"] == "working"
    found = await waiting(over, task["taskId"])
    assert found["status"] == "working"
    assert "it waits for one person with the role lead, until 2" in found["statusMessage"]
    (row,) = [e for e in await world.entries() if e.get("kind") == "parked"]
    id = ActionId(row["action"])
    result = asyncio.create_task(over.ask("tasks/result", taskId=task["taskId"]))
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    said = (await result).result
    assert said["content"] == [{"type": "text", "text": "sent"}]
    assert said["_meta"]["io.modelcontextprotocol/related-task"] == {"taskId": task["taskId"]}
    (listed,) = (await over.ask("tasks/list")).result["tasks"]
    assert (listed["taskId"], listed["status"]) == (task["taskId"], "completed")
    assert len(world.tool.performed) == 1


async def test_a_token_that_is_revoked_while_it_waits_for_an_end_is_not_told_it(world: World) -> None:
    over = await asking(world)
    drawn, card = await issued(world, principal="sam")
    task = (await over.ask("tools/call", **CALL)).result["task"]
    await waiting(over, task["taskId"])
    (row,) = [e for e in await world.entries() if e.get("kind") == "parked"]
    id = ActionId(row["action"])
    waits = asyncio.create_task(over.by(drawn).ask("tasks/result", taskId=task["taskId"]))
    await asyncio.sleep(0)
    await access.revoke(world.store, card.id, KIM)
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    heard = await waits
    assert (heard.status, heard.error["code"]) == (401, -32600)
    assert (await over.ask("tasks/result", taskId=task["taskId"])).result["content"][0]["text"] == "sent"


async def test_a_store_that_is_away_as_an_end_is_told_leaves_nothing_of_the_answer_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.publish(ALLOW)
    over = await Over.to(world)
    await over.begin()
    task = (await over.ask("tools/call", **CALL)).result["task"]
    await waiting(over, task["taskId"])
    over.headers["accept"] = "text/event-stream, application/json"

    here = iter([True])

    async def away_by_then(self: Entrance, scope: object) -> bool:
        if not next(here, False):
            raise StoreBusy("the store is away", fix="-")
        return True

    monkeypatch.setattr(Entrance, "still", away_by_then)
    before = asyncio.all_tasks()
    heard = await over.ask("tasks/result", taskId=task["taskId"])
    assert heard.events[-1]["error"]["code"] == -32603
    assert asyncio.all_tasks() == before


async def test_those_of_one_who_wait_for_ends_take_no_place_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "WAITS_OF_ONE_MAX", 3)
    over = await asking(world)
    other = over.by((await issued(world, principal="kim"))[0])
    await other.begin()
    mine = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    theirs = (await other.ask("tools/call", **CALL)).result["task"]["taskId"]
    await waiting(over, mine)
    waits = [asyncio.create_task(over.ask("tasks/result", taskId=mine)) for _ in range(3)]
    kept = over.server.mcp.talk.front.tasks
    while sum(kept.waits.values()) < len(waits):
        await asyncio.sleep(0)
    refused = await over.ask("tasks/result", taskId=mine)
    assert (refused.error["code"], "too many wait" in refused.error["message"]) == (-32603, True)
    other_waits = asyncio.create_task(other.ask("tasks/result", taskId=theirs))
    while sum(kept.waits.values()) < len(waits) + 1:
        await asyncio.sleep(0)
    over.server.mcp.talk.give_up()
    async with asyncio.timeout(10):
        heard = await asyncio.gather(*waits, other_waits)
    assert {each.error["message"] for each in heard} == {"it has not ended yet; ask again"}
    assert not kept.waits


async def test_whoever_waits_for_a_person_is_let_go_as_the_process_ends_and_loses_nothing(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]
    await waiting(over, task["taskId"])
    waits = asyncio.create_task(over.ask("tasks/result", taskId=task["taskId"]))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        over.server.mcp.talk.give_up()
        error = (await waits).error
    assert (error["code"], error["message"]) == (-32602, "it has not ended yet; ask again")
    (row,) = [e for e in await world.entries() if e.get("kind") == "parked"]
    again = await over.ask("tools/call", name=CALL["name"], arguments=CALL["arguments"])
    assert again.result["_meta"]["interlock/outcome"]["action"] == row["action"]


async def test_a_task_whose_person_says_no_has_failed(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]
    await waiting(over, task["taskId"])
    (row,) = [e for e in await world.entries() if e.get("kind") == "parked"]
    await deny(world.gateway, world.store, ActionId(row["action"]), KIM)
    assert (await over.ask("tasks/get", taskId=task["taskId"])).result["status"] == "failed"
    said = (await over.ask("tasks/result", taskId=task["taskId"])).result
    assert said["isError"] is True
    assert said["structuredContent"]["reason"] == "approval_denied"


async def test_a_task_is_its_callers_alone(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]
    eve, _ = await issued(world, principal="eve")
    other = over.by(eve)
    await other.begin()
    for method in ("tasks/get", "tasks/result"):
        assert (await other.ask(method, taskId=task["taskId"])).error["code"] == -32602
    assert (await other.ask("tasks/list")).result == {"tasks": []}
    assert (await over.ask("tasks/get", taskId="nonsense")).error["code"] == -32602


async def test_whoever_makes_many_tasks_has_nobody_elses_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_KEPT_MAX", 4)
    monkeypatch.setattr(tasks, "_KNOWN_SECONDS", 0)
    await world.publish(ALLOW)
    world.tool.may_answer = asyncio.Event()
    over = await Over.to(world)
    await over.begin()
    mine = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    eve, _ = await issued(world, principal="eve")
    other = over.by(eve)
    await other.begin()
    theirs = [(await other.ask("tools/call", **CALL)).result["task"]["taskId"] for _ in range(9)]
    assert "result" in (await over.ask("tasks/get", taskId=mine)).json
    known = ["result" in (await other.ask("tasks/get", taskId=each)).json for each in theirs]
    assert known == [False] * 6 + [True] * 3
    world.tool.may_answer.set()


async def test_a_task_is_known_to_every_process_on_the_store(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    beside = await Over.to(world.another())
    await beside.begin()
    found = (await beside.ask("tasks/get", taskId=task)).result
    assert found["status"] == "working"
    assert "it waits for one person with the role lead" in found["statusMessage"]
    (row,) = [e for e in await world.entries() if e.get("kind") == "parked"]
    id = ActionId(row["action"])
    result = asyncio.create_task(beside.ask("tasks/result", taskId=task))
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    await resume(world.gateway, world.store, id)
    said = (await result).result
    assert said["content"] == [{"type": "text", "text": "sent"}]
    for other in (beside, await Over.to(world.another()), over):
        await other.begin()
        assert (await other.ask("tasks/get", taskId=task)).result["status"] == "completed"
    assert len(world.tool.performed) == 1


async def test_a_handle_is_good_for_whoever_has_got_it_and_for_a_day(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    beside = await Over.to(world.another())
    eve, _ = await issued(world, principal="eve")
    for door, handle in ((beside.by(eve), task), (beside, task[:-2] + "AA"), (beside, task[3:])):
        await door.begin()
        for method in ("tasks/get", "tasks/result"):
            assert (await door.ask(method, taskId=handle)).error["code"] == -32602
    world.clock.forward(days=1.01)
    await beside.begin()
    assert (await beside.ask("tasks/get", taskId=task)).error["code"] == -32602


async def test_older_versions_have_no_tasks(world: World) -> None:
    over = await asking(world)
    await over.begin("2025-06-18")
    assert "structuredContent" in (await over.ask("tools/call", **CALL)).result


async def test_a_call_that_met_a_store_that_was_away_is_one_failed_task_and_hides_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await asking(world)
    well = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    await waiting(over, well)
    whole = front.call_or_recall

    async def away(*_: Any, **__: Any) -> Any:
        raise StoreBusy("the store is away", fix="call again")

    monkeypatch.setattr(front, "call_or_recall", away)
    gone = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    monkeypatch.setattr(front, "call_or_recall", whole)
    listed = (await over.ask("tasks/list")).result["tasks"]
    assert [(each["taskId"], each["status"]) for each in listed] == [(well, "working"), (gone, "failed")]
    assert (await over.ask("tasks/get", taskId=gone)).result["status"] == "failed"
    assert (await over.ask("tasks/result", taskId=gone)).error["code"] == -32603


async def test_a_store_that_was_away_as_a_handle_came_from_another_process_makes_no_failed_task_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    elsewhere = world.another()
    beside = await Over.to(elsewhere)
    await beside.begin()
    whole = tasks.Tasks._told  # pyright: ignore[reportPrivateUsage]

    async def away(*_: Any) -> Any:
        raise StoreBusy("the store is away", fix="call again")

    monkeypatch.setattr(tasks.Tasks, "_told", away)
    assert (await beside.ask("tasks/get", taskId=task)).error["code"] == -32603
    monkeypatch.setattr(tasks.Tasks, "_told", whole)
    assert (await beside.ask("tasks/list")).result == {"tasks": []}
    assert (await beside.ask("tasks/get", taskId=task)).result["status"] == "working"


async def test_where_a_task_stands_is_said_at_once_while_what_was_agreed_to_is_carried_out(world: World) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    await waiting(over, task)
    (row,) = [e for e in await world.entries() if e.get("kind") == "parked"]
    id = ActionId(row["action"])
    await agree(world.gateway, world.store, id, KIM, seen=(await world.row(id)).seen)
    world.tool.may_answer = asyncio.Event()
    carried = asyncio.create_task(resume(world.gateway, world.store, id))
    await world.tool.begun.wait()
    beside = await Over.to(world.another())
    await beside.begin()
    try:
        async with asyncio.timeout(5):
            for each in (over, beside):
                assert (await each.ask("tasks/get", taskId=task)).result["statusMessage"] == "it is under way"
                (listed,) = (await each.ask("tasks/list")).result["tasks"]
                assert listed["status"] == "working"
    finally:
        world.tool.may_answer.set()
        await carried
    assert (await over.ask("tasks/get", taskId=task)).result["status"] == "completed"
