"""What a session wants to hear of is known to whichever process it comes to, and heard on the stream that it has."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from asked_over import Over
from test_mcp_listening import LISTS, PROMPTS, RESOURCES, RULES, Desk, Ear, says

from interlock.app import gateway_on
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.ids import Instant, RunId
from interlock.core.mcp import RESOURCE_UPDATED
from interlock.core.value import replace
from interlock.door.mcp import wants
from interlock.door.mcp.wants import Wanted, Wants, at_level, on_stream, watching
from interlock.gateway.sessions import end_session
from interlock.ports import Performer
from interlock.verify.world import Scripts
from world import World, a_rule, a_tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def two(world: World) -> tuple[Over, Over, Desk, Desk]:
    """Open two doors on one store, before a server of their own each, and begin one session."""
    desk, other = await Desk.behind(world), world.another()
    there = Desk(Scripts(other.tool, other.others))
    other.gateway = gateway_on(other.opened, there)
    over, beside = await Over.to(world), await Over.to(other)
    await over.begin()
    beside.headers["mcp-session-id"] = over.headers["mcp-session-id"]
    return over, beside, desk, there


def look(over: Over) -> None:
    over.server.mcp.talk.listening.look()


async def test_a_resource_that_is_watched_by_way_of_one_process_is_heard_of_on_the_stream_at_another(
    world: World,
) -> None:
    over, beside, desk, there = await two(world)
    ear = await Ear(beside).in_session().listens()
    assert (await over.ask("resources/subscribe", uri="file:///a")).result == {}
    look(beside)
    assert await ear.next() == {"jsonrpc": "2.0", "method": RESOURCE_UPDATED, "params": {"uri": "file:///a"}}
    assert desk.asked == there.asked == [{"method": "resources/subscribe", "uri": "file:///a"}]
    says(beside.world, RESOURCE_UPDATED, uri="file:///b")
    says(beside.world, RESOURCE_UPDATED, uri="file:///a")
    assert (await ear.next())["params"] == {"uri": "file:///a"}
    look(beside)
    assert (await over.ask("resources/unsubscribe", uri="file:///a")).result == {}
    look(beside)
    async with asyncio.timeout(5):
        while beside.server.mcp.talk.listening.wanted.known(world.tenant, session_of(over)).watched:
            await asyncio.sleep(0)
    says(beside.world, RESOURCE_UPDATED, uri="file:///a")
    await ear.left()
    assert ear.heard.empty()
    assert len(there.asked) == 1


def session_of(over: Over) -> RunId:
    ((_, session),) = over.server.mcp.talk.listening.wanted._known  # pyright: ignore[reportPrivateUsage]
    return session


async def test_who_opens_a_stream_at_another_process_hears_there_of_all_that_they_watch_and_no_more_at_the_first(
    world: World,
) -> None:
    over, beside, _, there = await two(world)
    first = await Ear(over).in_session().listens()
    for uri in ("file:///a", "file:///b"):
        await over.ask("resources/subscribe", uri=uri)
    second = await Ear(beside).in_session().listens()
    assert [(await second.next())["params"]["uri"] for _ in range(2)] == ["file:///a", "file:///b"]
    assert [each["uri"] for each in there.asked] == ["file:///a", "file:///b"]
    look(over)
    assert (await first.end()).events == []
    says(beside.world, LISTS[1])
    assert (await second.next())["method"] == LISTS[1]
    await over.http("DELETE", "/mcp")
    look(beside)
    assert (await second.end()).status == 200
    assert await world.store.memos("session:", now=world.clock.now()) == ()


async def test_a_session_watches_so_many_resources_at_all_processes_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wants, "WATCHED_MAX", 2)
    over, beside, _, _ = await two(world)
    for each, uri in ((over, "file:///a"), (beside, "file:///b"), (over, "file:///b")):
        assert (await each.ask("resources/subscribe", uri=uri)).result == {}
    assert (await over.ask("resources/subscribe", uri="file:///c")).error["code"] == -32600
    assert (await beside.ask("resources/unsubscribe", uri="file:///a")).result == {}
    assert (await over.ask("resources/subscribe", uri="file:///c")).result == {}


@dataclass
class Talker:
    """An upstream server that looks at what its caller wants to hear."""

    levels: list[str | None] = field(default_factory=list[str | None])

    def find(self, source: str, terms: Terms) -> Performer | None:
        return self

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        assert errand.line is not None
        self.levels.append(errand.line.hears()[1])
        return Performed(result={})


async def test_the_level_that_a_session_set_by_way_of_one_process_counts_at_another_within_seconds(
    world: World,
) -> None:
    here, there, other = Talker(), Talker(), world.another()
    world.gateway, other.gateway = gateway_on(world.opened, here), gateway_on(other.opened, there)
    look_up = replace(RESOURCES, name=a_tool("look").name, source="mcp:desk/look")
    await world.publish(*RULES, a_rule("allow.look", "permit", "look"), tools=(a_tool(), look_up, RESOURCES, PROMPTS))
    over, beside = await Over.to(world), await Over.to(other)
    await over.begin()
    beside.headers["mcp-session-id"] = over.headers["mcp-session-id"]
    calls: list[dict[str, Any]] = [{"name": "look", "arguments": {"n": n}} for n in range(3)]
    await beside.ask("tools/call", **calls[0])
    assert (await over.ask("logging/setLevel", level="error")).result == {}
    assert (await over.ask("logging/setLevel", level="loud")).error["code"] == -32602
    for each in (over, beside):
        await each.ask("tools/call", **calls[1])
    world.clock.forward(seconds=6)
    await beside.ask("tools/call", **calls[2])
    assert (here.levels, there.levels[0], there.levels[-1]) == (["error"], "info", "error")


async def test_what_processes_change_at_the_same_moment_is_all_kept(world: World) -> None:
    session, here, there = RunId("s1"), Wanted(gateway=world.gateway), Wanted(gateway=world.another().gateway)
    uris = [f"file:///{n}" for n in range(20)]
    changes = [each.change(world.tenant, session, watching(uri)) for uri in uris for each in (here, there)]
    await asyncio.gather(*changes, there.change(world.tenant, session, at_level("debug")))
    for each in (here, there):
        found = await each.by(world.tenant, session, fresh=True)
        assert (sorted(found.watched), found.level) == (sorted(uris), "debug")
    await there.forget(world.tenant, session)
    assert await here.by(world.tenant, session, fresh=True) == Wants()


async def test_a_session_that_was_ended_wants_nothing_any_more_whatever_comes_late(world: World) -> None:
    session, here = RunId("s1"), Wanted(gateway=world.gateway)
    assert await here.change(world.tenant, session, on_stream("a"))
    await end_session(world.store, session, until=Instant(world.clock.now() + 1_000_000))
    await here.forget(world.tenant, session)
    assert not await here.change(world.tenant, session, on_stream("b"))
    assert await here.by(world.tenant, session, fresh=True) == Wants()
