"""Resources and prompts of several upstream servers: one list after the other; who lists a name is asked for it."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from asked_over import Over

from interlock.app import gateway_on
from interlock.core.effect import EffectClass
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.value import replace
from interlock.ports import Performer
from world import ALLOW, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

TOOLS = [
    replace(a_tool(f"{server}_{kind}", effect=EffectClass.READ), source=f"mcp:{server}/{kind}/*")
    for server in ("attic", "desk")
    for kind in ("prompts", "resources")
]
RULES = (ALLOW, *(a_rule(f"allow.{tool.name}", "permit", tool.name) for tool in TOOLS))
KEYS = {"resources": "uri", "prompts": "name"}
PAGES = {"attic": [["a:1"], ["a:2", "both"], ["a:3"]], "desk": [["d:1", "both"], ["d:2"]]}


@dataclass
class Servers:
    """Two of them, which list page by page, and say of what they are asked for that they were asked."""

    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    endless: bool = False

    def find(self, source: str, terms: Terms) -> Performer | None:
        return self if source.startswith("mcp:") else None

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        errand.check_lease()
        server, _, kind = errand.action.tool.partition("_")
        question = json.loads(errand.arguments)
        self.asked.append((server, question["method"]))
        if question["method"] != f"{kind}/list":
            return Performed(result={"from": server})
        at = int(question.get("cursor", "0"))
        rows: list[Any] = [{KEYS[kind]: name} for name in PAGES[server][at % len(PAGES[server])]]
        more = {"nextCursor": str(at + 1)} if self.endless or at + 1 < len(PAGES[server]) else {}
        return Performed(result={kind: rows, **more})


@pytest.fixture
async def servers(world: World) -> Servers:
    found = Servers()
    world.gateway = gateway_on(world.opened, found)
    await world.publish(*RULES, tools=(a_tool(), *TOOLS))
    return found


async def over(world: World) -> Over:
    client = await Over.to(world)
    await client.begin()
    return client


@pytest.mark.parametrize("kind", ["resources", "prompts"])
async def test_their_lists_are_one_list(world: World, servers: Servers, kind: str) -> None:
    client, listed, more = await over(world), list[str](), dict[str, Any]()
    while True:
        page = (await client.ask(f"{kind}/list", **more)).result
        listed += [row[KEYS[kind]] for row in page[kind]]
        if "nextCursor" not in page:
            break
        more = {"cursor": page["nextCursor"]}
    assert listed == ["a:1", "a:2", "both", "a:3", "d:1", "both", "d:2"]


@pytest.mark.parametrize(
    ("name", "server"), [("a:1", "attic"), ("a:3", "attic"), ("both", "attic"), ("d:2", "desk"), ("new", "desk")]
)
async def test_whoever_lists_it_is_asked_for_it(world: World, servers: Servers, name: str, server: str) -> None:
    client = await over(world)
    assert (await client.ask("resources/read", uri=name)).result["from"] == server
    assert (await client.ask("prompts/get", name=name)).result["from"] == server


async def test_a_list_that_never_ends_is_read_to_an_end(world: World, servers: Servers) -> None:
    servers.endless = True
    assert (await (await over(world)).ask("resources/read", uri="d:1")).result["from"] == "desk"
    assert len(servers.asked) == 21
