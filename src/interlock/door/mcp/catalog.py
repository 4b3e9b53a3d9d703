"""What an agent is shown: the tools that its contract lets it call, under the names of the contract."""

from typing import Any

from interlock.contract.ir import Tool
from interlock.core.effect import EffectClass
from interlock.core.mcp import INVALID_PARAMS
from interlock.door.mcp.rendered import NOT_DONE
from interlock.door.mcp.wire import WireError
from interlock.door.offered import offered
from interlock.gateway.force import Force

PAGE_TOOLS = 200


def tools_page(force: Force | None, cursor: str | None, *, tasks: bool) -> dict[str, Any]:
    """Return one page of `tools/list`. A cursor is the name behind which it goes on.

    With `tasks`, each tool says that a call of it may be one.

    Raises:
        WireError: the cursor is none of ours.
    """
    tools = {tool.name: tool for tool in offered(force)}
    if cursor is not None and cursor not in tools:
        raise WireError(INVALID_PARAMS, "this cursor leads nowhere")
    after = [name for name in sorted(tools) if cursor is None or name > cursor]
    page, rest = after[:PAGE_TOOLS], after[PAGE_TOOLS:]
    may_be_task = {"execution": {"taskSupport": "optional"}} if tasks else {}
    listed = [{**shown(tools[name]), **may_be_task} for name in page]
    return {"tools": listed, **({"nextCursor": page[-1]} if rest else {})}


def shown(tool: Tool) -> dict[str, Any]:
    """Write a tool as agents see it. Hints come from the contract, never from an upstream server."""
    takes = {"type": "object", **(tool.schema or {})}
    said: dict[str, Any] = {"name": tool.name, "description": tool.description or tool.name, "inputSchema": takes}
    output = tool.result_schema
    # What is not carried out has another shape, and clients check what they get against what was announced.
    if output is not None and output.get("type") == "object" and "$ref" not in output:
        own = {name: value for name, value in output.items() if name not in ("$defs", "$schema")}
        parts = {name: output[name] for name in ("$defs",) if name in output}
        said["outputSchema"] = {"type": "object", "anyOf": [own, NOT_DONE], **parts}
    said["annotations"] = {
        "readOnlyHint": tool.effect is EffectClass.READ,
        "idempotentHint": tool.effect in (EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.IDEMPOTENT_KEY),
        "destructiveHint": tool.effect is not EffectClass.READ and tool.undo is None,
        "openWorldHint": tool.outside,
    }
    return said
