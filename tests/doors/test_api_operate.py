"""Budgets, switches, contracts over HTTP: what operators see and change."""

import asyncio

import pytest
from served import Served

from interlock.core.charge import Unit
from world import a_budget, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DOLLAR = 1_000_000


async def test_a_budget_is_shown_and_raised_exactly(served: Served) -> None:
    await served.world.publish(tools=[a_tool(price=300_000)], budgets=[a_budget(DOLLAR)])
    await served.propose(await served.agent())
    operator = await served.service("operator@support")
    (budget,) = [b for b in (await served.ask("GET", "/v1/budgets", operator)).data["budgets"] if b["unit"] == "usd"]
    assert (budget["limit"], budget["spent"], budget["left"]) == ("1", "0.3", "0.7")
    raised = await served.ask("POST", "/v1/budgets/raise", operator, {"budget": budget["budget"], "by": "0.000001"})
    assert (raised.status, raised.data["raised"], raised.data["left"]) == (200, "0.000001", "0.700001"), raised.text
    entry = (await served.world.entries())[-1]
    assert (entry["kind"], entry["known_by"].partition(":")[0]) == ("budget", "token")


async def test_what_is_no_amount_or_no_budget_changes_nothing(served: Served) -> None:
    await served.world.publish(budgets=[a_budget(10, Unit.TOOL_CALLS)])
    operator = await served.service("operator@support")
    (budget,) = (await served.ask("GET", "/v1/budgets", operator)).data["budgets"]
    before = len(await served.world.entries())
    for by in ("-1", "1e3", "NaN", "", "0.5", "1" * 17, "0"):
        reply = await served.ask("POST", "/v1/budgets/raise", operator, {"budget": budget["budget"], "by": by})
        assert (reply.status, {each["path"] for each in reply.data["wrong"]}) == (400, {"$.by"}), (by, reply.text)
    for name in ("support:prod/usd/day:1999-01-01", "x", "billing:prod/usd/day:2026-01-01", "support:prod/nothing/x"):
        reply = await served.ask("POST", "/v1/budgets/raise", operator, {"budget": name, "by": "1"})
        assert reply.status == 404, (name, reply.text)
    assert len(await served.world.entries()) == before


async def test_a_switch_stops_what_it_covers_and_is_taken_back(served: Served) -> None:
    agent, operator = await served.agent(), await served.service("operator@support")
    thrown = await served.ask("POST", "/v1/switches", operator, {"kind": "stop", "workflow": "support"})
    assert (thrown.status, thrown.data["scope"]) == (201, "workflow=support"), thrown.text
    stopped = await served.propose(agent)
    assert (stopped.status, stopped.data["reason"]) == (403, "stopped")
    assert [each["id"] for each in (await served.ask("GET", "/v1/switches", operator)).data["switches"]] == [
        thrown.data["id"]
    ]
    back = await served.ask("DELETE", f"/v1/switches/{thrown.data['id']}", operator)
    assert (back.status, back.data["still_thrown"]) == (200, [])
    assert (await served.propose(agent)).status == 200
    assert (await served.ask("DELETE", f"/v1/switches/{thrown.data['id']}", operator)).status == 404


async def test_a_switch_of_the_whole_tenant_takes_a_role_of_the_whole_tenant(served: Served) -> None:
    one, all = await served.service("operator@support"), await served.service("operator")
    assert (await served.ask("POST", "/v1/switches", one, {"kind": "stop"})).status == 403
    assert (await served.ask("POST", "/v1/switches", one, {"kind": "stop", "workflow": "billing"})).status == 403
    id = (await served.ask("POST", "/v1/switches", all, {"kind": "read_only"})).data["id"]
    seen = (await served.ask("GET", "/v1/switches", one)).data["switches"]
    assert [each["id"] for each in seen] == [id]
    assert (await served.ask("DELETE", f"/v1/switches/{id}", one)).status == 403
    assert (await served.ask("DELETE", f"/v1/switches/{id}", all)).status == 200


async def test_a_stop_lists_what_is_in_flight(served: Served) -> None:
    tool = served.world.tool
    tool.may_answer = asyncio.Event()
    call = asyncio.create_task(served.propose(await served.agent()))
    await tool.begun.wait()
    operator = await served.service("operator")
    thrown = await served.ask("POST", "/v1/switches", operator, {"kind": "stop"})
    assert [each["tool"] for each in thrown.data["in_flight"]] == ["mail.send"]
    tool.may_answer.set()
    assert (await call).status == 200


async def test_contracts_are_shown_to_those_of_the_workflow_and_published_by_nobody(served: Served) -> None:
    viewer, admin = await served.service("viewer@support"), await served.service("admin")
    (place,) = (await served.ask("GET", "/v1/contracts", viewer)).data["contracts"]
    assert (place["workflow"], place["environment"], place["mode"]) == ("support", "prod", "act")
    whole = await served.ask("GET", "/v1/contracts/support/prod", viewer)
    assert "mail.send" in whole.data["yaml"]
    stranger = await served.service("viewer@billing")
    assert (await served.ask("GET", "/v1/contracts", stranger)).data["contracts"] == []
    assert (await served.ask("GET", "/v1/contracts/support/prod", stranger)).status == 404
    for method in ("POST", "PUT"):
        assert (await served.ask(method, "/v1/contracts", admin, {"yaml": "x"})).status == 405
