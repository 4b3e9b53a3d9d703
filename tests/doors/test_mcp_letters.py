"""Questions that one process asks a client of, and whose answers come to another one."""

import asyncio
from typing import Any

import pytest
from asked_over import Heard, Over
from test_mcp_rounds import CAN, FORM, YES, Asker, asker, question_in, with_questions

from interlock.app import gateway_on
from interlock.core.ids import ProcessId, TenantId
from interlock.door.mcp import post, rounds
from interlock.door.mcp.post import Post
from test_store import one
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

__all__ = ["asker"]


async def beside_it(world: World) -> Over:
    """Open another door on the same store, whose servers nobody asks anything of."""
    other = world.another()
    other.gateway = gateway_on(other.opened, Asker())
    return await Over.to(other)


async def asked(over: Over, queue: "asyncio.Queue[bytes]") -> "asyncio.Task[Heard]":
    params: dict[str, Any] = {"name": "ask", "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}
    return asyncio.create_task(over.post(message, told=queue.put_nowait))


async def letters_of(world: World) -> int:
    return len(await world.store.memos("to:", now=world.clock.now()))


async def call(over: Over, **said: Any) -> Any:
    return (await over.ask_stateless("tools/call", name="ask", arguments={}, can=CAN, **said)).json


async def test_an_answer_that_comes_to_another_process_reaches_the_call_that_asked(world: World, asker: Asker) -> None:
    over, beside = await with_questions(world), await beside_it(world)
    await over.begin(elicitation={})
    beside.headers["mcp-session-id"] = over.headers["mcp-session-id"]
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.timeout(20):
        called = await asked(over, heard)
        question = await question_in(heard)
        assert (await beside.post({"jsonrpc": "2.0", "id": question["id"], "result": YES})).status == 202
        end = (await called).events[-1]
    assert end["result"]["structuredContent"] == {"answers": {"amount0": YES}}
    assert asker.relayed == 1
    async with asyncio.timeout(5):
        while await letters_of(world):
            await asyncio.sleep(0.01)


async def test_nobody_leaves_an_answer_to_what_their_session_was_not_asked(world: World, asker: Asker) -> None:
    over, beside = await with_questions(world), await beside_it(world)
    await over.begin(elicitation={})
    await beside.begin(elicitation={})
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    called = await asked(over, heard)
    question = await question_in(heard)
    for id in (question["id"], "interlock-0", "x", 7, question["id"] + "A"):
        assert (await beside.post({"jsonrpc": "2.0", "id": id, "result": YES})).status == 202
    assert await letters_of(world) == 0
    assert (await over.post({"jsonrpc": "2.0", "id": question["id"], "result": YES})).status == 202
    assert (await called).events[-1]["result"]["structuredContent"] == {"answers": {"amount0": YES}}


async def test_what_a_letter_says_can_be_read_by_no_one_who_reads_the_database(world: World, where: str) -> None:
    await Post(gateway=world.gateway).send(world.tenant, ProcessId("p1"), "answer", "1", b"my password")
    body = one(where, "select body from memo where tenant = ? and id = 'to:p1:answer:1'", world.tenant)
    assert b"password" not in bytes(body)


async def test_a_stateless_call_goes_on_at_whichever_process_its_answers_come_to(world: World, asker: Asker) -> None:
    asker.rounds = 3
    over = await with_questions(world)
    doors = (await beside_it(world), over, await beside_it(world))
    found, said = (await call(over))["result"], dict[str, Any]()
    async with asyncio.timeout(20):
        for n, door in enumerate(doors):
            assert found["inputRequests"] == {f"amount{n}": {"method": "elicitation/create", "params": FORM}}
            wrong = {"requestState": found["requestState"], "inputResponses": {f"amount{n}": 12345}}
            again = (await call(door, **wrong))["result"]
            assert list(again["inputRequests"]) == [f"amount{n}"], "what does not fit is asked for again"
            said = {"requestState": again["requestState"], "inputResponses": {f"amount{n}": YES}}
            found = (await call(door, **said))["result"]
    answers = {"amount0": YES, "amount1": YES, "amount2": YES}
    assert (found["resultType"], found["structuredContent"]) == ("complete", {"answers": answers})
    assert asker.heard == [answers]
    async with asyncio.timeout(20):
        assert (await call(doors[2], **said))["result"] == found, (
            "who asks once more at the same process hears the same"
        )


async def test_a_call_that_goes_on_for_long_is_waited_for_by_the_process_that_brought_the_answers(
    world: World, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(rounds, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(rounds, "_SIGN_SECONDS", 0.01)
    monkeypatch.setattr(rounds, "_TAKEN_SECONDS", 0.5)
    asker.may_end = asyncio.Event()
    over, beside = await with_questions(world), await beside_it(world)
    found = (await call(over))["result"]
    said = {"requestState": found["requestState"], "inputResponses": {"amount0": YES}}
    waits = [asyncio.create_task(call(beside, **said)) for _ in range(2)]
    async with asyncio.timeout(20):
        while not asker.heard:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert not any(each.done() for each in waits)
        asker.may_end.set()
        for each in waits:
            assert (await each)["result"]["structuredContent"] == {"answers": {"amount0": YES}}


async def test_whoever_goes_on_with_a_call_of_a_process_that_has_ended_is_told_so_and_does_not_wait(
    world: World, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_TAKEN_SECONDS", 0.2)
    over, beside = await with_questions(world), await beside_it(world)
    found = (await call(over))["result"]
    looking = over.server.mcp.talk.rounds.post
    monkeypatch.setattr(looking, "boxes", {})  # it looks for no letter any more
    async with asyncio.timeout(10):
        heard = await call(beside, requestState=found["requestState"], inputResponses={"amount0": YES})
    assert heard["error"]["code"] == -32603
    assert "has ended" in heard["error"]["message"]


async def test_a_call_that_is_over_is_over_at_every_process(world: World, asker: Asker) -> None:
    over, beside = await with_questions(world), await beside_it(world)
    found = (await call(over))["result"]
    said = {"requestState": found["requestState"], "inputResponses": {"amount0": YES}}
    assert (await call(over, **said))["result"]["resultType"] == "complete"
    other = (await call(over))["result"]  # its process looks for letters
    async with asyncio.timeout(10):
        assert (await call(beside, **said))["error"]["code"] == -32602
    assert other["resultType"] == "input_required"


async def test_letters_are_looked_for_only_while_something_waits_for_one(
    world: World, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "LOOK_SECONDS", 0.01)
    waits = {world.tenant}
    letters: list[tuple[TenantId, str, bytes]] = []

    def take(tenant: TenantId, name: str, text: bytes) -> None:
        letters.append((tenant, name, text))

    box = post.Box(awaited=lambda: waits, take=take)
    here = Post(gateway=world.gateway, boxes={"note": box})
    here.look()
    looking = here._looking  # pyright: ignore[reportPrivateUsage]
    there = Post(gateway=world.another().gateway)
    await there.send(world.tenant, world.gateway.process, "note", "1", b"hello")
    async with asyncio.timeout(10):
        while not letters:
            await asyncio.sleep(0.01)
        waits.clear()
        assert looking is not None
        await looking
    assert letters[0] == (world.tenant, "1", b"hello")
