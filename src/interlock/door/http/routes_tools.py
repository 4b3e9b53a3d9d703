"""Tools: what the contract behind a token lets agents call, and how."""

from typing import Any

from interlock.contract.ir import Tool
from interlock.door.http import shapes
from interlock.door.http.permissions import AGENTS
from interlock.door.http.route import Answer, Route
from interlock.door.http.visit import Visit
from interlock.door.offered import force_of, offered


async def listed(visit: Visit[None, None]) -> Answer:
    """List the tools that a call of whoever asks could carry out."""
    bearer = visit.bearer
    assert bearer.workflow is not None and bearer.environment is not None, "the token of an agent is for one workflow"
    force = await force_of(visit.gateway, bearer.tenant, bearer.workflow, bearer.environment, fresh=True)
    return Answer(data={"tools": [_shown(tool) for tool in offered(force)]})


def _shown(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description or "",
        "effect": tool.effect.value,
        "arguments": {"type": "object", **(tool.schema or {})},
        "result": tool.result_schema,
    }


ROUTES = (
    Route(
        method="GET",
        path="/v1/tools",
        name="list_tools",
        needs=AGENTS,
        says="List the tools that the contract behind this token lets agents call, with the schemas of what goes in "
        "and comes out. A call of one of them may still be refused, or wait for a person.",
        does=listed,
        answers={200: shapes.Tools},
    ),
)
