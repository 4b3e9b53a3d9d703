"""Which tools there are, over HTTP: those that a rule lets agents call, and no other."""

import pytest
from served import Served

from world import ALLOW, a_rule, a_tool

pytestmark = pytest.mark.anyio


async def test_the_tools_that_agents_may_call_are_listed_with_their_schemas(served: Served) -> None:
    schema = {"properties": {"to": {"type": "string"}}, "required": ["to"]}
    await served.world.publish(
        ALLOW, a_rule("ask.mail", "ask"), tools=[a_tool(schema=schema, description="sends a mail")]
    )
    reply = await served.ask("GET", "/v1/tools", await served.agent())
    (tool,) = reply.data["tools"]
    assert (tool["name"], tool["description"]) == ("mail.send", "sends a mail")
    assert tool["arguments"]["type"] == "object"
    assert tool["arguments"]["properties"] == schema["properties"]


async def test_what_no_rule_permits_is_nothing_to_tell_of(served: Served) -> None:
    await served.world.publish(a_rule("deny.mail", "deny"))
    reply = await served.ask("GET", "/v1/tools", await served.agent())
    assert (reply.status, reply.data) == (200, {"tools": []})


async def test_what_another_process_has_published_is_listed_at_once(served: Served) -> None:
    token = await served.agent()
    await served.propose(token)
    await served.world.another().publish(ALLOW, a_rule("allow.b", "permit", "b"), tools=[a_tool(), a_tool("b")])
    reply = await served.ask("GET", "/v1/tools", token)
    assert {each["name"] for each in reply.data["tools"]} == {"mail.send", "b"}


async def test_services_and_people_call_no_tools(served: Served) -> None:
    reply = await served.ask("GET", "/v1/tools", await served.service("admin"))
    assert reply.status == 403
