"""What the tests of tools share: a function as a tool of a contract, an errand for one, and waiting for an end."""

import asyncio
from pathlib import Path
from typing import Any

import anyio

from interlock.contract.ir import Tool
from interlock.core.action import Action, ActionState, Caller
from interlock.core.effect import EffectClass, Tier
from interlock.core.errand import Errand
from interlock.core.ids import (
    ActionId,
    AgentId,
    Digest,
    Environment,
    Instant,
    Key,
    PayloadId,
    PrincipalId,
    RunId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.core.outcome import Outcome
from interlock.core.value import replace
from interlock.ports import ActionRow, Needs
from interlock.tool.function import function_of
from interlock.tool.manifest import Manifest, described
from world import World, a_rule, a_tool

ROOT = Path(__file__).parent.parent.parent


def manifest_of(source: str) -> Manifest:
    """Import a function and describe it, as publishing does."""
    return described(source, function_of(source))


def a_function(name: str, **fields: Any) -> Tool:
    source = f"python:tools.sample_tools:{name}"
    manifest = manifest_of(source)
    return replace(a_tool(name, schema=manifest.schema, pin=manifest.pin, **fields), source=source)


async def publish(world: World, *tools: Tool, **fields: Any) -> None:
    await world.publish(*(a_rule(f"allow.{tool.name}", "permit", tool.name) for tool in tools), tools=tools, **fields)


async def until(event: Any) -> None:
    with anyio.fail_after(5):
        while not event.is_set():
            await asyncio.sleep(0.001)


async def row(world: World, outcome: Outcome) -> ActionRow:
    found = (await world.store.read(Needs(actions=frozenset({outcome.action})))).actions[outcome.action]
    assert found is not None
    return found


async def in_state(world: World, outcome: Outcome, state: ActionState) -> ActionRow:
    with anyio.fail_after(5):
        while (found := await row(world, outcome)).state is not state:
            await asyncio.sleep(0.001)
    return found


def an_errand(arguments: str) -> Errand:
    caller = Caller(
        tenant=TenantId("t"),
        workflow=WorkflowId("w"),
        environment=Environment("dev"),
        agent=AgentId("a"),
        principal=PrincipalId("p"),
    )
    action = Action(
        id=ActionId("a1"),
        key=Key("k"),
        digest=Digest("d"),
        what="",
        caller=caller,
        run=RunId("r"),
        tool=ToolName("x"),
        effect=EffectClass.OPAQUE,
        tier=Tier.GREEN,
        arguments=PayloadId(""),
        asked_at=Instant(0),
    )
    return Errand(action=action, arguments=arguments.encode(), key="key", check_lease=lambda: None)
