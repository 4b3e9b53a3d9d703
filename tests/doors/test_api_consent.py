"""Consent over HTTP: a person sees what waits, and says yes to exactly that."""

import asyncio
import json
from typing import Any

import pytest
from served import Served

from interlock.contract.ir import Approvals
from interlock.core.ids import PersonId, Role
from interlock.door.http import routes_approvals
from world import ALLOW, a_rule

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASK = a_rule("ask.mail", "ask")
PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim"), PersonId("lee")})})


async def parked(served: Served) -> str:
    await served.world.publish(ALLOW, ASK, approvals=PEOPLE)
    reply = await served.propose(await served.agent(), arguments={"to": "sam", "text": "hello"})
    assert reply.status == 202, reply.text
    return reply.data["action"]


async def question(served: Served, id: str, token: Any) -> Any:
    return (await served.ask("GET", f"/v1/approvals/{id}", token)).data


async def test_a_person_agrees_to_what_they_saw_and_the_action_goes_on_by_itself(served: Served) -> None:
    id = await parked(served)
    kim = served.person("kim", "approver@support")
    (waits,) = (await served.ask("GET", "/v1/approvals", kim)).data["approvals"]
    assert (waits["id"], waits["requirements"][0]["rule"], waits["expired"]) == (id, "ask.mail", False)
    shown = await question(served, id, kim)
    assert (shown["arguments"], shown["seen"]) == ({"to": "sam", "text": "hello"}, waits["seen"])
    voted = await served.ask("POST", f"/v1/approvals/{id}/approve", kim, {"seen": shown["seen"]})
    assert (voted.status, voted.data["complete"], voted.data["by"]) == (200, True, "kim"), voted.text
    ended = await served.ask("GET", f"/v1/actions/{id}?wait=20", await served.agent())
    assert ended.data["outcome"]["outcome"] == "done"
    granted = [e for e in await served.world.entries() if e["kind"] == "granted"]
    assert [(e["grants"][0]["person"], e["grants"][0]["known_by"]) for e in granted] == [("kim", "oidc:corp")]
    assert (await served.ask("GET", "/v1/approvals", kim)).data == {"approvals": [], "next": None}


async def test_a_no_stays_the_answer(served: Served) -> None:
    id = await parked(served)
    lee = served.person("lee", "approver")
    seen = (await question(served, id, lee))["seen"]
    said = await served.ask("POST", f"/v1/approvals/{id}/deny", lee, {"seen": seen})
    assert (said.status, said.data["reason"]) == (200, "approval_denied")
    after = await served.ask("GET", f"/v1/actions/{id}", await served.agent())
    assert (after.data["state"], after.data["outcome"]["reason"]) == ("refused", "approval_denied")
    assert (await served.ask("POST", f"/v1/approvals/{id}/approve", lee, {"seen": seen})).status == 409
    assert served.world.tool.performed == []


async def test_whoever_answers_a_moment_after_somebody_else_is_told_that_it_does_not_wait_any_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await parked(served)
    kim, lee = served.person("kim", "approver"), served.person("lee", "approver")
    seen = {"seen": (await question(served, id, kim))["seen"]}
    agree = routes_approvals.agree

    async def after_lee(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(routes_approvals, "agree", agree)
        assert (await served.ask("POST", f"/v1/approvals/{id}/deny", lee, seen)).status == 200
        return await agree(*args, **more)

    monkeypatch.setattr(routes_approvals, "agree", after_lee)
    late = await served.ask("POST", f"/v1/approvals/{id}/approve", kim, seen)
    assert (late.status, late.data["type"]) == (409, "/v1/problems/not-now"), late.text


async def test_what_was_seen_must_be_what_stands_there(served: Served) -> None:
    id = await parked(served)
    kim = served.person("kim", "approver")
    seen = (await question(served, id, kim))["seen"]
    for body, status in (({}, 400), ({"seen": ""}, 400), ({"seen": seen[:16]}, 409), ({"seen": "0" * 64}, 409)):
        reply = await served.ask("POST", f"/v1/approvals/{id}/approve", kim, body)
        assert reply.status == status, (body, reply.text)
    assert (await question(served, id, kim))["requirements"][0]["given_by"] == []


async def test_whoever_holds_no_role_of_the_contract_has_no_say(served: Served) -> None:
    id = await parked(served)
    eve = served.person("eve", "approver")
    seen = (await question(served, id, eve))["seen"]
    for word in ("approve", "deny"):
        reply = await served.ask("POST", f"/v1/approvals/{id}/{word}", eve, {"seen": seen})
        assert (reply.status, reply.data["type"]) == (403, "/v1/problems/not-permitted"), reply.text


async def test_a_service_is_no_person_and_agrees_to_nothing(served: Served) -> None:
    id = await parked(served)
    service = await served.service("approver", "admin")
    seen = (await question(served, id, service))["seen"]
    assert (await served.ask("POST", f"/v1/approvals/{id}/approve", service, {"seen": seen})).status == 403


async def test_an_approver_of_another_workflow_sees_no_question(served: Served) -> None:
    id = await parked(served)
    other = served.person("kim", "approver@billing")
    assert (await served.ask("GET", f"/v1/approvals/{id}", other)).status == 404
    assert (await served.ask("GET", "/v1/approvals", other)).data["approvals"] == []
    assert (await served.ask("POST", f"/v1/approvals/{id}/approve", other, {"seen": "x"})).status == 404


async def test_who_edits_does_not_agree_and_others_do(served: Served) -> None:
    id = await parked(served)
    kim, lee = served.person("kim", "approver"), served.person("lee", "approver")
    seen = (await question(served, id, kim))["seen"]
    edited = await served.ask("POST", f"/v1/approvals/{id}/edit", kim, {"seen": seen, "arguments": {"to": "lee"}})
    assert edited.status == 200, edited.text
    async with asyncio.timeout(10):
        while (now := await question(served, id, lee))["seen"] == seen or not await judged(served, id):
            await asyncio.sleep(0.05)
    assert (now["arguments"], now["edited_by"]) == ({"to": "lee"}, ["kim"])
    seen = (await question(served, id, lee))["seen"]
    assert (await served.ask("POST", f"/v1/approvals/{id}/approve", kim, {"seen": seen})).status == 403
    assert (await served.ask("POST", f"/v1/approvals/{id}/approve", lee, {"seen": seen})).data["complete"]
    await served.ask("GET", f"/v1/actions/{id}?wait=20", await served.agent())
    assert [json.loads(each) for each in served.world.tool.sent] == [{"to": "lee"}]


async def judged(served: Served, id: str) -> bool:
    """Whether what was edited has been judged again, and parked once more."""
    kinds = [e["kind"] for e in await served.world.entries() if e.get("action") == id]
    return kinds[-1] == "parked"
