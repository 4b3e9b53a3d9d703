"""Whoever misspells a tool or an agent is told which one was meant, and of nothing that is not theirs to call."""

import pytest

from interlock.core.ids import AgentId
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from world import MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.anyio

TOOL_FIX = "name it under `tools` and `permissions.allowed_tools` in the contract"


async def fix_of(world: World, tool: str) -> str:
    outcome = await world.call(tool=tool)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.why) == (Reason.TOOL_NOT_ALLOWED, "the contract does not know this tool")
    return outcome.fix


async def test_a_tool_that_is_nearly_there_is_named(world: World) -> None:
    await world.publish()
    assert await fix_of(world, "mail.sned") == f"did you mean `{MAIL}`? if not, {TOOL_FIX}"
    assert await fix_of(world, "refund") == TOOL_FIX
    assert await fix_of(world, "mail.send" * 100_000) == TOOL_FIX


async def test_a_tool_that_an_agent_may_not_call_is_never_named(world: World) -> None:
    hidden = [
        a_tool("vault.read"),  # no rule allows it
        a_tool("ledger.back", only_as_undo=True),
        a_tool("person.known", only_for_facts=True),
    ]
    rules = [a_rule(f"allow.{tool.name}", "permit", tool.name) for tool in hidden[1:]]
    await world.publish(a_rule("allow.mail", "permit"), *rules, tools=[a_tool(), *hidden])
    assert [await fix_of(world, f"{tool.name}s") for tool in hidden] == [TOOL_FIX] * 3


async def test_an_agent_that_is_nearly_one_of_the_workflow_is_told_which(world: World) -> None:
    await world.publish(agents={AgentId("support-bot"): ""})
    fix = "name it under `agents` in the contract"
    for agent, said in (("suport-bot", f"did you mean `support-bot`? if not, {fix}"), ("eve", fix)):
        outcome = await world.call(caller=world.caller(agent=agent))
        assert isinstance(outcome, Refused)
        assert outcome.fix == said
