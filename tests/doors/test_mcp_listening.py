"""Clients that listen hear of what changes on what they see, of nothing else, and for as long as they may be here."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from asked_over import VERSION, Heard, Over

from interlock.app import gateway_on
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.hint import Hint
from interlock.core.ids import ActionId, RunId, TenantId
from interlock.core.mcp import RESOURCE_UPDATED
from interlock.core.reason import Reason
from interlock.core.unit import Unit
from interlock.core.value import replace
from interlock.door.mcp import listening
from interlock.gateway import access
from interlock.ports import Needs, Performer, Wanted
from interlock.verify.world import Scripts
from world import ALLOW, KIM, World, a_budget, a_rule, a_tool

pytestmark = pytest.mark.anyio

RESOURCES = replace(a_tool("files", effect=EffectClass.READ), source="mcp:desk/resources/*")
PROMPTS = replace(a_tool("prompts", effect=EffectClass.READ), source="mcp:desk/prompts/*")
RULES = (ALLOW, a_rule("allow.files", "permit", "files"), a_rule("allow.prompts", "permit", "prompts"))
EVERYTHING = {
    "toolsListChanged": True,
    "promptsListChanged": True,
    "resourcesListChanged": True,
    "resourceSubscriptions": ["file:///a"],
}
SUBSCRIPTION = {"io.modelcontextprotocol/subscriptionId": "listen-1"}
LISTS = [f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")]


@dataclass
class Desk:
    """An upstream server that has resources to watch, and prompts."""

    scripts: Scripts
    asked: list[Any] = field(default_factory=list[Any])

    @classmethod
    async def behind(cls, world: World) -> "Desk":
        desk = cls(Scripts(world.tool, world.others))
        world.gateway = gateway_on(world.opened, desk)
        await world.publish(*RULES, tools=(a_tool(), RESOURCES, PROMPTS))
        return desk

    def find(self, source: str, terms: Terms) -> Performer | None:
        return self if source.startswith("mcp:desk/") else self.scripts.find(source, terms)

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        self.asked.append(json.loads(errand.arguments))
        return Performed(result={})


@dataclass
class Ear:
    """A client that listens, message by message."""

    over: Over
    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    heard: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue[Any])
    answered: "asyncio.Task[Heard] | None" = None

    def _told(self, part: bytes) -> None:
        for line in part.decode().splitlines():
            if line.startswith("data: "):
                self.heard.put_nowait(json.loads(line.removeprefix("data: ")))

    def stateless(self, **wanted: Any) -> "Ear":
        said = "io.modelcontextprotocol"
        envelope: dict[str, Any] = {f"{said}/protocolVersion": VERSION, f"{said}/clientCapabilities": {}}
        params: dict[str, Any] = {"_meta": envelope, "notifications": wanted}
        message: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": "listen-1",
            "method": "subscriptions/listen",
            "params": params,
        }
        headers = {"mcp-protocol-version": VERSION, "mcp-method": "subscriptions/listen"}
        post = self.over.post(message, headers, told=self._told, leaves=self.leaves)
        self.answered = asyncio.create_task(post)
        return self

    def in_session(self, **headers: str) -> "Ear":
        said = {"accept": "text/event-stream", **headers}
        get = self.over.http("GET", "/mcp", headers=said, told=self._told, leaves=self.leaves)
        self.answered = asyncio.create_task(get)
        return self

    async def next(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), 5)

    async def end(self) -> Heard:
        assert self.answered is not None
        return await asyncio.wait_for(self.answered, 5)

    async def left(self) -> None:
        self.leaves.set()
        await self.end()

    async def listens(self) -> "Ear":
        """Wait until it is heard of."""
        async with asyncio.timeout(5):
            while not self.over.world.gateway.hints.heard:
                await asyncio.sleep(0)
        return self


def says(world: World, method: str, **fields: Any) -> None:
    given: dict[str, Any] = {"tenant": world.tenant, "server": "desk", **fields}
    world.gateway.hints.tell(Hint(method=method, **given))


async def test_a_stateless_client_is_told_first_what_it_will_hear_of(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    ear = Ear(over).stateless(**EVERYTHING)
    first = await ear.next()
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"] == {"_meta": SUBSCRIPTION, "notifications": {"toolsListChanged": True}}
    await ear.left()
    await Desk.behind(world)
    over = await Over.to(world)
    ear = Ear(over).stateless(**EVERYTHING)
    assert (await ear.next())["params"]["notifications"] == EVERYTHING
    await ear.left()


async def test_a_contract_that_is_published_anew_is_heard_of(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    ear = Ear(over).stateless(toolsListChanged=True)
    await ear.next()
    await ear.listens()
    over.server.mcp.talk.listening.look()
    await world.publish(tools=(a_tool(), a_tool("another")))
    over.server.mcp.talk.listening.look()
    assert await ear.next() == {"jsonrpc": "2.0", "method": LISTS[0], "params": {"_meta": SUBSCRIPTION}}
    await ear.left()
    assert ear.heard.empty()


async def test_what_an_upstream_server_says_is_heard_by_whom_it_is_about(world: World) -> None:
    await Desk.behind(world)
    over = await Over.to(world)
    ear = Ear(over).stateless(promptsListChanged=True, resourceSubscriptions=["file:///a"])
    await ear.next()
    await ear.listens()
    says(world, LISTS[0])
    says(world, LISTS[1], server="elsewhere")
    says(world, LISTS[1], tenant=TenantId("another"))
    says(world, RESOURCE_UPDATED, uri="file:///b")
    says(world, RESOURCE_UPDATED, uri="file:///a")
    says(world, LISTS[1])
    heard = [await ear.next(), await ear.next()]
    assert [each["method"] for each in heard] == [RESOURCE_UPDATED, LISTS[1]]
    assert heard[0]["params"] == {"_meta": SUBSCRIPTION, "uri": "file:///a"}
    await ear.left()
    assert ear.heard.empty()


async def test_a_token_that_is_revoked_hears_nothing_any_more(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    ear = Ear(over).stateless(toolsListChanged=True)
    await ear.next()
    await ear.listens()
    (card,) = (await world.store.read(Needs())).door.credentials
    await access.revoke(world.store, card, KIM)
    await world.publish(tools=(a_tool(), a_tool("another")))
    over.server.mcp.talk.listening.look()
    last = (await ear.end()).events[-1]
    assert last["result"] == {"resultType": "complete", "_meta": SUBSCRIPTION}


async def test_whoever_listens_takes_a_place_until_it_leaves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LISTENERS_OF_ONE_MAX", 1)
    await world.publish()
    over = await Over.to(world)
    ear = Ear(over).stateless(toolsListChanged=True)
    await ear.next()
    refused = await Ear(over).stateless(toolsListChanged=True).end()
    assert refused.error["code"] == -32603
    await ear.left()
    assert not world.gateway.hints.heard
    again = Ear(over).stateless(toolsListChanged=True)
    assert (await again.next())["method"] == "notifications/subscriptions/acknowledged"
    await again.left()


async def test_listening_takes_a_stream(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    over.headers["accept"] = "application/json"
    assert (await Ear(over).stateless(toolsListChanged=True).end()).error["code"] == -32600


async def test_a_server_that_is_told_to_stop_lets_go_of_whoever_listens(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    await over.begin()
    ears = [Ear(over).stateless(toolsListChanged=True), Ear(over).in_session()]
    await ears[0].next()
    over.server.stop.set()
    assert [(await ear.end()).status for ear in ears] == [200, 200]


async def test_a_session_hears_of_every_list_on_the_stream_that_it_opened_last(world: World) -> None:
    await world.publish()
    over = await Over.to(world)
    assert (await Ear(over).in_session().end()).status == 400
    await over.begin()
    assert (await Ear(over).in_session(accept="application/json").end()).status == 406
    first = await Ear(over).in_session().listens()
    second = Ear(over).in_session()
    assert (await first.end()).events == []
    await second.listens()
    await world.publish(tools=(a_tool(), a_tool("another")))
    over.server.mcp.talk.listening.look()
    assert [(await second.next())["method"] for _ in LISTS] == LISTS
    await over.http("DELETE", "/mcp")
    assert (await second.end()).status == 200


async def test_watching_a_resource_is_an_action_and_what_is_watched_is_heard_of(world: World) -> None:
    desk = await Desk.behind(world)
    over = await Over.to(world)
    await over.begin()
    ear = await Ear(over).in_session().listens()
    assert (await over.ask("resources/subscribe", uri="file:///a")).result == {}
    assert desk.asked == [{"method": "resources/subscribe", "uri": "file:///a"}]
    says(world, RESOURCE_UPDATED, uri="file:///b")
    says(world, RESOURCE_UPDATED, uri="file:///a")
    assert (await ear.next())["params"] == {"uri": "file:///a"}
    assert (await over.ask("resources/unsubscribe", uri="file:///a")).result == {}
    says(world, RESOURCE_UPDATED, uri="file:///a")
    await ear.left()
    assert ear.heard.empty()


async def test_a_look_belongs_to_the_run_of_its_session_and_the_budget_of_a_run_holds_it(world: World) -> None:
    desk = await Desk.behind(world)
    budget = a_budget(5, Unit.TOOL_CALLS, period="run")
    await world.publish(*RULES, tools=(a_tool(), RESOURCES, PROMPTS), budgets=(budget,))
    over = await Over.to(world)
    await over.begin()
    for _ in range(4):
        assert (await over.ask("resources/read", uri="file:///a")).result == {}
    called = (await over.ask("tools/call", name="mail.send", arguments={"to": "sam"})).result
    run = (await world.row(ActionId(called["_meta"]["interlock/outcome"]["action"]))).action.run
    refused = await world.row(ActionId((await over.ask("prompts/get", name="p")).error["data"]["action"]))
    assert (refused.action.run, refused.reason) == (run, Reason.TOO_MANY_TOOL_CALLS)
    assert len(desk.asked) == 4
    assert (await over.ask("prompts/get", name="p", _meta={"interlock/run": "r-9"})).result == {}
    rows = await world.store.actions(Wanted(run=RunId("r-9")))
    assert [row.action.tool for row in rows] == ["prompts"]
