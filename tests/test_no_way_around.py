"""Nothing is carried out but by the spine: by the imports of every module, and by what every way in does when asked."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doors.asked_over import Over
from interlock.core.value import replace
from interlock.door.mcp.front import METHODS
from world import MAIL, World, a_rule, a_tool

pytestmark = pytest.mark.slow

SRC = Path(__file__).parent.parent / "src" / "interlock"
SPINE = ("gateway",)
"""Who asks performers to perform."""
MAKERS = ("app.py", "tool", "verify")
"""Who makes performers and hands them to a gateway, and a world of its own to verify with."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SRC.rglob("*.py")):
        yield path.relative_to(SRC).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls_of(tree: ast.Module, name: str) -> list[int]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [node.lineno for node in found if isinstance(node.func, ast.Attribute) and node.func.attr == name]


def test_only_the_spine_has_anything_performed() -> None:
    around = [name for name, tree in modules() if calls_of(tree, "perform") and not name.startswith(SPINE)]
    assert [name for name in around if not name.startswith(MAKERS)] == []


def test_only_the_spine_begins_an_action() -> None:
    """`started` entries are made in one function of one module."""
    makers = [name for name, tree in modules() if calls_of(tree, "started")]
    assert makers == ["gateway/begin.py"]


def test_no_door_knows_a_tool() -> None:
    doors = [
        f"{name}: {module}"
        for name, tree in modules()
        if name.startswith("door/")
        for module in _imported(tree)
        if module.startswith("interlock.tool.") and module not in _DESCRIBING
    ]
    assert doors == []


_DESCRIBING = frozenset(
    {"interlock.tool.manifest", "interlock.tool.mcp.listed", "interlock.tool.mcp.lock", "interlock.tool.mcp.review"}
)
"""What a door may know of tools: what a source says of itself, and what was reviewed of that."""


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


@pytest.mark.anyio
@pytest.mark.promise("door")
@pytest.mark.parametrize("method", sorted(METHODS))
async def test_no_method_of_mcp_carries_out_what_policy_denies(world: World, method: str) -> None:
    """Every method is asked with everything that could make it do something; the contract says no to all of it."""
    sources = ("script:mail", "mcp:desk/resources/*", "mcp:desk/prompts/*", "mcp:desk/send")
    tools = tuple(replace(a_tool(f"t{n}"), source=source) for n, source in enumerate(sources))
    await world.publish(*(a_rule(f"deny.t{n}", "deny", f"t{n}") for n in range(len(tools))), tools=tools)
    over = await Over.to(world)
    await over.begin(sampling={}, elicitation={}, roots={})
    everything = {
        "name": "t0",
        "uri": "file:///etc/passwd",
        "arguments": {"to": "eve"},
        "level": "debug",
        "cursor": None,
    }
    for name in ("t0", "t3", str(MAIL)):
        said: dict[str, Any] = {**everything, "name": name}
        await over.ask(method, **said, protocolVersion="2025-11-25", capabilities={})
        await over.ask_stateless(method, **said)
    assert world.tool.performed == []
    assert not [entry for entry in await world.entries() if entry.get("kind") == "started"]
