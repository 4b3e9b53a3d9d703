"""A call as a task: a handle at once, the end whenever a person has decided."""

import asyncio
from typing import Any

import pytest
from asked_over import Over

from cards import ends_otherwise, issued
from interlock.contract.ir import Approvals
from interlock.core.errors import StoreBusy
from interlock.core.ids import ActionId, PersonId, Role
from interlock.door.entrance import Entrance
from interlock.door.mcp import tasks
from interlock.gateway import access
from interlock.gateway.call import Gateway
from interlock.gateway.consent import agree, deny
from interlock.gateway.resume import resume
from world import ALLOW, KIM, MAIL, World, a_rule, a_tool

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


async def test_the_tasks_of_a_caller_are_listed_page_by_page_at_every_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_LISTED_MAX", 2)
    over = await asking(world)
    eve, _ = await issued(world, principal="eve")
    other = over.by(eve)
    await other.begin()
    theirs = (await other.ask("tools/call", **CALL)).result["task"]["taskId"]
    mine: list[str] = []
    for n in range(5):
        arguments = {"arguments": {"to": f"sam{n}"}}
        mine.append((await over.ask("tools/call", **{**CALL, **arguments})).result["task"]["taskId"])
        world.clock.forward(seconds=1)
    beside = await Over.to(world.another())
    await beside.begin()
    found, more = list[str](), dict[str, Any]()
    for _ in range(3):
        page = (await beside.ask("tasks/list", **more)).result
        found += [each["taskId"] for each in page["tasks"]]
        assert all(each["status"] == "working" for each in page["tasks"])
        more = {"cursor": page["nextCursor"]} if "nextCursor" in page else {}
    assert (found, more) == (mine, {})
    assert [each["taskId"] for each in (await other.ask("tasks/list")).result["tasks"]] == [theirs]
    for cursor in ("", "\0", "zz", "1" * 20 + "-\u00e9"):
        assert (await beside.ask("tasks/list", cursor=cursor)).error["code"] == -32602


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
    for door, handle in ((beside.by(eve), task), (beside, ends_otherwise(task)), (beside, task[3:])):
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


async def test_a_call_that_met_a_store_that_was_away_is_a_failed_task_everywhere_and_hides_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, beside = await asking(world), await Over.to(world.another())
    await beside.begin()
    well = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]

    async def away(*_: Any, **__: Any) -> Any:
        raise StoreBusy("the store is away", fix="call again")

    with monkeypatch.context() as down:
        down.setattr(Gateway, "_call", away)
        gone = (await over.ask("tools/call", name=MAIL, arguments={"to": "kim"}, task={})).result["task"]["taskId"]
    for each in (over, beside):
        listed = (await each.ask("tasks/list")).result["tasks"]
        assert {(task["taskId"], task["status"]) for task in listed} == {(well, "working"), (gone, "failed")}
        assert (await each.ask("tasks/get", taskId=gone)).result["status"] == "failed"
        told = (await each.ask("tasks/result", taskId=gone)).result
        assert (told["isError"], told["structuredContent"]["reason"]) == (True, "overloaded")


async def test_a_store_that_is_away_as_a_task_is_asked_about_makes_no_failed_task_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await asking(world)
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]

    async def away(*_: Any) -> Any:
        raise StoreBusy("the store is away", fix="call again")

    with monkeypatch.context() as down:
        down.setattr(tasks, "row_of", away)
        for method in ("tasks/get", "tasks/result"):
            assert (await over.ask(method, taskId=task)).error["code"] == -32603
    assert (await over.ask("tasks/get", taskId=task)).result["status"] == "working"


async def test_a_task_that_is_under_way_is_told_of_by_every_process_with_one_result_and_one_receipt(
    world: World,
) -> None:
    await world.publish()
    world.tool.may_answer = asyncio.Event()
    over, beside = await Over.to(world), await Over.to(world.another())
    await over.begin()
    await beside.begin()
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    again = (await beside.ask("tools/call", **CALL)).result["task"]["taskId"]
    for each in (over, beside):
        for id in (task, again):
            assert (await each.ask("tasks/get", taskId=id)).result["statusMessage"] == "it is under way"
    results = [asyncio.create_task(each.ask("tasks/result", taskId=task)) for each in (over, beside)]
    await asyncio.sleep(0)
    world.tool.may_answer.set()
    one, other = [(await each).result for each in results]
    assert one == other
    about = one["_meta"]["interlock/outcome"]
    entries: list[Any] = await world.entries()
    last = entries[about["receipt"]["index"]]
    assert (last["action"], last["kind"]) == (about["action"], "ended")
    joined = (await over.ask("tasks/result", taskId=again)).result["_meta"]["interlock/outcome"]
    assert (joined["action"], joined["recalled"]) == (about["action"], True)
    assert len(world.tool.performed) == 1


async def test_what_a_process_that_died_was_carrying_out_is_told_as_unknown_once_its_lease_is_over(
    world: World,
) -> None:
    await world.publish()
    world.tool.may_answer = asyncio.Event()
    over, beside = await Over.to(world), await Over.to(world.another())
    await over.begin()
    await beside.begin()
    task = (await over.ask("tools/call", **CALL)).result["task"]["taskId"]
    world.clock.forward(minutes=10)
    said = (await beside.ask("tasks/get", taskId=task)).result
    assert (said["status"], said["statusMessage"]) == ("failed", "uncertain")
    told = (await beside.ask("tasks/result", taskId=task)).result
    assert told["_meta"]["interlock/outcome"]["outcome"] == "uncertain"
    world.tool.may_answer.set()


async def test_why_a_call_was_refused_at_once_is_told_at_every_process(world: World) -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string", "maxLength": 4}}, "required": ["to"]}
    await world.publish(tools=(a_tool(schema=schema),))
    over, beside = await Over.to(world), await Over.to(world.another())
    await over.begin()
    await beside.begin()
    task = (await over.ask("tools/call", **{**CALL, "arguments": {"to": "eavesdropper"}})).result["task"]["taskId"]
    for each in (over, beside):
        told = (await each.ask("tasks/result", taskId=task)).result
        assert told["structuredContent"]["wrong"] == [{"path": "$.to", "kind": "MaxLength"}]


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
