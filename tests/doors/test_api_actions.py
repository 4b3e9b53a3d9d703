"""Actions over HTTP: what is asked for, how it is told, and to whom."""

import asyncio
import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from inline_snapshot import snapshot
from served import Reply, Served

from cards import issued
from interlock.contract.ir import Approvals
from interlock.core.charge import Unit
from interlock.core.errors import UpstreamFailed, UpstreamSilent
from interlock.core.ids import ActionId, AgentId, PersonId, PrincipalId, Role
from interlock.core.picture import Picture
from interlock.door.http import pages, watch
from interlock.gateway import access
from interlock.gateway.consent import deny
from world import ALLOW, KIM, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

ASK = a_rule("ask.mail", "ask")
PEOPLE = Approvals(people={Role("lead"): frozenset({PersonId("kim"), PersonId("lee")})})


def without(reply: Reply, *names: str) -> Any:
    return {name: value for name, value in reply.data.items() if name not in names}


async def test_a_call_that_is_allowed_is_done_and_says_so_with_200(served: Served) -> None:
    reply = await served.propose(await served.agent())
    assert reply.status == 200, reply.text
    assert without(reply, "action", "receipt") == snapshot({"outcome": "done", "recalled": False, "result": "sent"})
    assert reply.data["receipt"]["head"].count("\n") > 2
    assert [json.loads(text) for text in served.world.tool.sent] == [{"to": "sam"}]


async def test_the_same_key_is_the_same_action_and_another_call_under_it_is_409(served: Served) -> None:
    token = await served.agent()
    first, again = await served.propose(token, key="k1"), await served.propose(token, key='"k1"')
    other = await served.propose(token, key="k1", arguments={"to": "kim"})
    assert (again.status, again.data["action"], again.data["recalled"]) == (200, first.data["action"], True)
    assert (other.status, other.data["reason"], other.data["type"]) == (409, "duplicate", "/v1/problems/refused")
    assert len(served.world.tool.performed) == 1


async def test_a_call_that_waits_has_202_says_whose_consent_it_waits_for_and_where_to_look(served: Served) -> None:
    await served.world.publish(ALLOW, ASK, approvals=PEOPLE)
    reply = await served.propose(await served.agent())
    assert reply.status == 202
    assert without(reply, "action", "receipt", "until") == snapshot(
        {"outcome": "parked", "recalled": False, "waits_for": [{"roles": ["lead"], "people": 1}]}
    )
    assert reply.headers["Location"] == f"/v1/actions/{reply.data['action']}"


async def test_a_refusal_is_a_problem_with_a_reason_and_no_rule(served: Served) -> None:
    await served.world.publish(ALLOW, a_rule("deny.mail", "deny"))
    reply = await served.propose(await served.agent())
    assert (reply.status, reply.headers["Content-Type"]) == (403, "application/problem+json")
    assert without(reply, "action", "receipt", "fix") == snapshot(
        {
            "type": "/v1/problems/refused",
            "title": "the call was refused, and nothing has happened",
            "status": 403,
            "detail": "refused: policy",
            "outcome": "refused",
            "recalled": False,
            "reason": "policy",
        }
    )
    assert f"`interlock explain {reply.data['action']}`" in reply.data["fix"]
    assert "deny.mail" not in reply.text


async def test_arguments_that_do_not_fit_have_422_and_name_places_and_kinds(served: Served) -> None:
    schema = {"properties": {"to": {"type": "string"}}, "required": ["to"]}
    await served.world.publish(tools=[a_tool(schema=schema)])
    reply = await served.propose(await served.agent(), arguments={"to": 7000042, "secret": "s3cret"})
    assert (reply.status, reply.data["reason"]) == (422, "invalid_arguments")
    assert {each["kind"] for each in reply.data["wrong"]} == {"Type", "AdditionalProperties"}
    assert "s3cret" not in reply.text and "7000042" not in reply.text


async def test_what_the_tool_failed_at_has_424_and_what_nobody_knows_has_202(served: Served) -> None:
    token, breaks = await served.agent(), served.world.tool.breaks
    breaks.append(UpstreamFailed("no", fix="look", said="no such mailbox"))
    failed = await served.propose(token, key="f")
    breaks.append(UpstreamSilent("no answer", fix="look"))
    silent = await served.propose(token, key="s")
    assert (failed.status, failed.data["type"], failed.data["said"]) == (424, "/v1/problems/failed", "no such mailbox")
    assert (silent.status, silent.data["outcome"]) == (202, "uncertain")


async def test_no_budget_is_a_refusal_with_403(served: Served) -> None:
    await served.world.publish(budgets=[a_budget(1, Unit.TOOL_CALLS)])
    token = await served.agent()
    assert (await served.propose(token)).status == 200
    reply = await served.propose(token)
    assert (reply.status, reply.data["reason"]) == (403, "too_many_tool_calls")


async def test_an_agent_sees_its_own_actions_and_nobody_elses(served: Served) -> None:
    mine, others = await served.agent(), await served.agent(agents=(AgentId("eve"),))
    elsewhere = await served.agent(principal=PrincipalId("zoe"))
    done = (await served.propose(mine)).data["action"]
    for token in (others, elsewhere):
        reply = await served.ask("GET", f"/v1/actions/{done}", token)
        assert (reply.status, reply.data["type"]) == (404, "/v1/problems/nothing-there")
        assert (await served.ask("GET", "/v1/actions", token)).data["actions"] == []
    shown = await served.ask("GET", f"/v1/actions/{done}", mine)
    assert without(shown, "id", "run", "asked_at", "changed_at", "outcome") == snapshot(
        {
            "state": "done",
            "tool": "mail.send",
            "workflow": "support",
            "environment": "prod",
            "agent": "bot",
            "principal": "sam",
        }
    )
    assert (shown.data["outcome"]["outcome"], shown.data["outcome"]["result"]) == ("done", "sent")
    assert [each["id"] for each in (await served.ask("GET", "/v1/actions", mine)).data["actions"]] == [done]


async def test_an_agent_that_nobody_names_is_the_only_one_of_the_contract_in_force(served: Served) -> None:
    elsewhere = served.world.another()
    token = await served.agent(agents=())
    await served.world.publish(agents={AgentId("one"): ""})
    named = [(await served.propose(token)).data["action"]]
    await elsewhere.publish(agents={AgentId("other"): ""})
    named.append((await served.propose(token)).data["action"])
    assert [(await served.world.row(id)).action.caller.agent for id in named] == ["one", "other"]
    await elsewhere.publish(agents={AgentId("other"): "", AgentId("more"): ""})
    refused = await served.propose(token)
    assert (refused.status, refused.data["detail"]) == (403, "nobody says which agent asks")
    assert refused.data["fix"].startswith("name one of `more`, `other`: `agent` in the body")


async def test_a_viewer_sees_all_of_its_workflow_without_what_was_said(served: Served) -> None:
    done = (await served.propose(await served.agent())).data["action"]
    viewer, operator = await served.service("viewer@support"), await served.service("operator")
    stranger = await served.service("viewer@billing")
    seen = (await served.ask("GET", f"/v1/actions/{done}", viewer)).data
    assert (seen["tier"], "arguments" in seen, "outcome" in seen) == ("green", False, False)
    detail = (await served.ask("GET", f"/v1/actions/{done}", operator)).data
    assert (detail["arguments"], detail["outcome"]["result"]) == ({"to": "sam"}, "sent")
    assert (await served.ask("GET", f"/v1/actions/{done}", stranger)).status == 404
    assert (await served.ask("GET", "/v1/actions", stranger)).data == {"actions": [], "next": None}


async def test_pages_go_on_where_the_last_one_ended_and_come_to_an_end(served: Served) -> None:
    token = await served.agent()
    made = [(await served.propose(token, run="r1", occurrence=n)).data["action"] for n in range(1, 8)]
    got, cursor = list[str](), ""
    while True:
        page = await served.ask("GET", f"/v1/actions?run=r1&limit=3{cursor}", token)
        assert page.status == 200, page.text
        got += [each["id"] for each in page.data["actions"]]
        if page.data["next"] is None:
            break
        cursor = f"&cursor={page.data['next']}"
    assert got == sorted(made, reverse=True)


async def test_a_list_is_narrowed_by_who_asked_where_and_for_what(served: Served) -> None:
    token = await served.agent()
    made = (await served.propose(token)).data["action"]
    (shown,) = (await served.ask("GET", "/v1/actions", token)).data["actions"]
    for name in ("workflow", "environment", "agent", "principal", "tool"):
        same = (await served.ask("GET", f"/v1/actions?{name}={shown[name]}", token)).data
        assert [each["id"] for each in same["actions"]] == [made], name
        assert (await served.ask("GET", f"/v1/actions?{name}=another", token)).data == {"actions": [], "next": None}


async def test_a_cursor_is_good_for_its_list_and_its_tenant_alone(served: Served) -> None:
    token = await served.agent()
    for _ in range(3):
        await served.propose(token)
    cursor = (await served.ask("GET", "/v1/actions?limit=1", token)).data["next"]
    for wrong in (
        f"state=done&cursor={cursor}",
        f"cursor={cursor}x",
        "cursor=abc",
        "cursor=%00",
        f"cursor={'a' * 2000}",
    ):
        reply = await served.ask("GET", f"/v1/actions?{wrong}", token)
        assert (reply.status, reply.data["type"]) == (400, "/v1/problems/invalid"), wrong


async def test_a_cursor_says_nothing_of_the_actions_of_others(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_LOOKED_AT_MAX", 1)
    others = [(await served.propose(await served.agent())).data["action"] for _ in range(2)]
    stranger = await served.service("viewer@billing")
    page = (await served.ask("GET", "/v1/actions?limit=1", stranger)).data
    assert page["actions"] == []
    said = urlsafe_b64decode(page["next"] + "==")
    assert not any(other.encode() in said for other in others)
    assert (await served.ask("GET", f"/v1/actions?limit=1&cursor={page['next']}", stranger)).data["actions"] == []


async def test_a_list_with_long_filters_goes_on(served: Served) -> None:
    agent = await served.agent(principal=PrincipalId("*"))
    for n in range(2):
        await served.propose(agent, principal="s" * 200, occurrence=n + 1)
    path = f"/v1/actions?limit=1&principal={'s' * 200}&tool=mail.send&agent=bot&environment=prod&workflow=support"
    page = (await served.ask("GET", path, agent)).data
    assert len(page["next"]) < 300
    assert len((await served.ask("GET", f"{path}&cursor={page['next']}", agent)).data["actions"]) == 1


async def test_waiting_for_an_action_ends_as_soon_as_it_has_ended(served: Served) -> None:
    tool, token = served.world.tool, await served.agent()
    tool.may_answer = asyncio.Event()
    call = asyncio.create_task(served.propose(token, key="k"))
    await tool.begun.wait()
    (under_way,) = (await served.ask("GET", "/v1/actions?state=started", token)).data["actions"]
    path = f"/v1/actions/{under_way['id']}"
    now = await served.ask("GET", path, token)
    assert (now.data["state"], now.data["outcome"]) == ("started", None)
    waiting = asyncio.create_task(served.ask("GET", f"{path}?wait=30", token))
    await asyncio.sleep(0)
    tool.may_answer.set()
    async with asyncio.timeout(10):
        assert (await waiting).data["outcome"]["outcome"] == "done"
    assert (await call).status == 200


async def test_a_token_that_is_revoked_while_it_waits_is_not_told_how_it_ended(served: Served) -> None:
    await served.world.publish(ALLOW, ASK, approvals=PEOPLE)
    drawn, card = await issued(served.world, agents=(AgentId("bot"),), principal=PrincipalId("sam"))
    id = (await served.propose(drawn)).data["action"]
    waiting = asyncio.create_task(served.ask("GET", f"/v1/actions/{id}?wait=30", drawn))
    async with asyncio.timeout(10):
        while not served.app.api.watches.lookers():
            await asyncio.sleep(0)
        await access.revoke(served.world.store, card.id, KIM)
        await deny(served.world.gateway, served.world.store, ActionId(id), KIM)
        assert (await waiting).status == 401


async def test_one_token_takes_no_more_than_its_share_of_those_who_may_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOKERS_OF_ONE_MAX", 1)
    await served.world.publish(ALLOW, ASK, approvals=PEOPLE)
    token, other = await served.agent(), await served.agent()
    id = (await served.propose(token)).data["action"]
    waiting = asyncio.create_task(served.ask("GET", f"/v1/actions/{id}?wait=30", token))
    async with asyncio.timeout(10):
        while not served.app.api.watches.lookers():
            await asyncio.sleep(0)
        refused = await served.ask("GET", f"/v1/actions/{id}?wait=30", token)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
        assert (await served.ask("GET", f"/v1/actions/{id}?wait=0.1", other)).status == 200
        await deny(served.world.gateway, served.world.store, ActionId(id), KIM)
        assert (await waiting).status == 200
        assert (await served.ask("GET", f"/v1/actions/{id}?wait=30", token)).status == 200


async def test_waiting_is_bounded_and_answers_with_how_it_stands(served: Served) -> None:
    await served.world.publish(ALLOW, ASK, approvals=PEOPLE)
    token = await served.agent()
    id = (await served.propose(token)).data["action"]
    reply = await served.ask("GET", f"/v1/actions/{id}?wait=0.1", token)
    assert (reply.data["state"], reply.data["outcome"]["outcome"]) == ("parked", "parked")
    assert (await served.ask("GET", f"/v1/actions/{id}?wait=31", token)).status == 400


async def test_the_story_is_for_those_who_answer_for_it(served: Served) -> None:
    agent = await served.agent()
    done = (await served.propose(agent)).data["action"]
    story = await served.ask("GET", f"/v1/actions/{done}/explain", await served.service("auditor@support"))
    assert story.data["decision"]["rules"] == ["allow.mail"]
    assert [step["kind"] for step in story.data["steps"]] == ["started", "ended"]
    for token in (agent, await served.service("viewer")):
        assert (await served.ask("GET", f"/v1/actions/{done}/explain", token)).status == 403


async def test_pictures_are_for_those_who_answer_for_it_and_for_no_agent(served: Served) -> None:
    agent, auditor = await served.agent(), await served.service("auditor@support")
    served.world.tool.pictures = (Picture(moment="after", png=b"PNG"),)
    told = await served.propose(agent)
    done = told.data["action"]
    (picture,) = (await served.ask("GET", f"/v1/actions/{done}/pictures", auditor)).data["pictures"]
    assert (picture["moment"], picture["bytes"], picture["png_base64"]) == ("after", 3, "UE5H")
    story = await served.ask("GET", f"/v1/actions/{done}/explain", auditor)
    assert [each["moment"] for each in story.data["pictures"]] == ["after"]
    assert "UE5H" not in told.text + story.text + (await served.ask("GET", f"/v1/actions/{done}", agent)).text
    for token in (agent, await served.service("viewer")):
        assert (await served.ask("GET", f"/v1/actions/{done}/pictures", token)).status == 403


async def test_an_operator_resolves_what_is_uncertain(served: Served) -> None:
    served.world.tool.breaks.append(UpstreamSilent("no answer", fix="look"))
    id = (await served.propose(await served.agent())).data["action"]
    operator = await served.service("operator@support")
    wrong = await served.ask("POST", f"/v1/actions/{id}/resolve", operator, {"verdict": "maybe"})
    assert (wrong.status, wrong.data["wrong"]) == (400, [{"path": "$.verdict", "kind": "enum"}])
    apart = await served.ask("POST", f"/v1/actions/{id}/resolve", operator, {"verdict": "abandon", "result": 1})
    assert (apart.status, apart.data["wrong"]) == (400, [{"path": "$.result", "kind": "unknown_field"}])
    reply = await served.ask("POST", f"/v1/actions/{id}/resolve", operator, {"verdict": "did_not_happen"})
    assert (reply.status, reply.data) == (200, {"action": id, "state": "failed", "retried": None})
    again = await served.ask("POST", f"/v1/actions/{id}/resolve", operator, {"verdict": "happened"})
    assert (again.status, again.data["type"]) == (409, "/v1/problems/not-now")


async def test_what_has_no_undo_cannot_be_undone(served: Served) -> None:
    id = (await served.propose(await served.agent())).data["action"]
    reply = await served.ask("POST", f"/v1/actions/{id}/undo", await served.service("operator"), {})
    assert (reply.status, reply.data["type"]) == (409, "/v1/problems/not-now")
