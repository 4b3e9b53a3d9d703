"""What a server has beside its tools: resources, prompts, and what it may ask of whoever calls. Each is a source too.

`mcp:SERVER/resources/*` and `mcp:SERVER/prompts/*` look something up at the server. `mcp:SERVER/sampling/*`,
`.../elicitation/*` and `.../roots/*` put a question of the server to the client in whose call it came up.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from interlock.core.canonical import Json, JsonObject, Unreadable
from interlock.core.errand import Errand, Performed, Question
from interlock.core.errors import UpstreamFailed
from interlock.core.mcp import UNWATCH, WATCH
from interlock.tool.mcp import wire
from interlock.tool.mcp.back import KINDS
from interlock.tool.mcp.link import LOOK, Answer
from interlock.tool.mcp.reach import Definition
from interlock.tool.mcp.wire import RpcError

_TEXT: JsonObject = {"type": "string"}
_TABLE: JsonObject = {"type": "object", "additionalProperties": True}
_COMPLETION: Mapping[str, JsonObject] = {"ref": _TABLE, "argument": _TABLE, "context": _TABLE}


def _schema(methods: tuple[str, ...], properties: Mapping[str, JsonObject]) -> JsonObject:
    whole = {"method": {"enum": list(methods)}, "cursor": _TEXT, **properties, **_COMPLETION}
    return {"type": "object", "properties": whole, "required": ["method"], "additionalProperties": False}


LOOKED_UP: Mapping[str, tuple[str, JsonObject]] = {
    "resources/*": (
        "Look at the resources of a server.",
        _schema(
            ("resources/list", "resources/templates/list", "resources/read", WATCH, UNWATCH, "completion/complete"),
            {"uri": _TEXT},
        ),
    ),
    "prompts/*": (
        "Look at the prompts of a server.",
        _schema(("prompts/list", "prompts/get", "completion/complete"), {"name": _TEXT, "arguments": _TABLE}),
    ),
}
"""What is looked up at a server, by the name of the source: what it is, and what is asked with."""

PUT: Mapping[str, tuple[str, str]] = {
    f"{kind}/*": (method, f"Put a question of a server to whoever calls ({method}).") for method, kind in KINDS.items()
}
"""What a server asks of whoever calls, by the name of the source: the method, and what it is."""


def described(tool: str) -> tuple[str, JsonObject] | None:
    """Return the description and the schema of what is no tool; nothing for what is one."""
    if tool in LOOKED_UP:
        return LOOKED_UP[tool]
    return (PUT[tool][1], _TABLE) if tool in PUT else None


def asked_for(errand: Errand) -> tuple[str, str, dict[str, Any]]:
    """Return what an errand looks up: the method, the name or address that it is about, and the rest."""
    given = cast("dict[str, Any]", msgspec.json.decode(errand.arguments))
    method = cast("str", given.pop("method"))
    about = given.get("uri", "") if method == "resources/read" else given.get("name", "")
    return method, about, given


def looked_up(answer: Answer, definition: Definition, method: str) -> Performed:
    """Say what a look came to.

    Raises:
        UpstreamFailed: there is nothing to see.
    """
    if isinstance(answer, RpcError):
        what = f"has no answer to `{method}` (error {answer.code})"
        raise UpstreamFailed(f"`{definition.reach.server}` {what}", fix=LOOK, said=answer.message)
    try:
        found = wire.table(answer)
    except wire.Unreadable:
        return Performed(result=Unreadable())
    return Performed(result=cast("Json", {name: value for name, value in found.items() if name not in _OF_THE_WIRE}))


async def put(errand: Errand, tool: str) -> Performed:
    """Put a question to whoever calls.

    Raises:
        UpstreamFailed: nobody is there to be asked, or it is not answered.
    """
    if errand.line is None:
        raise UpstreamFailed("nobody is there to be asked", fix="call by way of an MCP client that can be asked")
    params = cast("JsonObject", msgspec.json.decode(errand.arguments))
    question = Question(source=f"{errand.action.tool}", method=PUT[tool][0], params=params)
    errand.check_lease()
    return Performed(result=await errand.line.relay(question))


_OF_THE_WIRE = frozenset({"_meta", "resultType", "ttlMs", "cacheScope"})
"""What of a result belongs to its way here, and is said anew on the way on."""
