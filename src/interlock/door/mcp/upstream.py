"""Resources and prompts of upstream servers: each look at one is an action of the contract, like a call of a tool.

A contract names a server's resources as a tool `from: mcp:SERVER/resources/*`, its prompts as `mcp:SERVER/prompts/*`.
Without one there are none. Where several servers have some, the first that lists a name has it, in the order of the
names of these tools; one that none lists is asked of the last.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from interlock.contract.ir import Tool
from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.errand import Line
from interlock.core.ids import RunId
from interlock.core.mcp import INVALID_PARAMS, METHOD_NOT_FOUND, WATCH
from interlock.core.outcome import Done, Outcome
from interlock.door.mcp.wire import Message, WireError, params_of
from interlock.door.offered import offered
from interlock.gateway.call import Gateway
from interlock.gateway.force import Force
from interlock.gateway.proposal import Proposal

_SOURCE = re.compile(r"mcp:(?P<server>[^/]+)/(?P<kind>resources|prompts)/\*")
_PAGES_MAX = 20
"""Of a server's list, when one name is looked for in it: each page is an action, which is recorded and counted."""
_LISTS = {"resources/list": "resources", "resources/templates/list": "resourceTemplates", "prompts/list": "prompts"}


def servers_of(force: Force | None) -> frozenset[str]:
    """Name the upstream servers that a contract uses."""
    sources = (tool.source for tool in force.contract.tools.values()) if force is not None else ()
    return frozenset(source.removeprefix("mcp:").partition("/")[0] for source in sources if source.startswith("mcp:"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What a contract lets an agent see of upstream servers beside their tools."""

    resources: tuple[Tool, ...] = ()
    prompts: tuple[Tool, ...] = ()
    servers: bool = False
    """Whether any tool is carried out by an upstream server."""

    @classmethod
    def of(cls, force: Force | None) -> "Behind":
        """Find them in the contract that is in force."""
        tools = offered(force)
        kinds = {tool.name: found["kind"] for tool in tools if (found := _SOURCE.fullmatch(tool.source))}
        return cls(
            resources=tuple(tool for tool in tools if kinds.get(tool.name) == "resources"),
            prompts=tuple(tool for tool in tools if kinds.get(tool.name) == "prompts"),
            servers=any(tool.source.startswith("mcp:") for tool in tools),
        )

    def for_method(self, method: str, params: JsonObject) -> tuple[Tool, ...]:
        """Name the tools that may answer a method, in the order of their names."""
        reference = params.get("ref")
        kind = cast("Mapping[str, Any]", reference).get("type") if isinstance(reference, Mapping) else None
        if method.startswith("resources/") or kind == "ref/resource":
            return self.resources
        return self.prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """One look at resources or prompts: who looks, and what it is called when there is nothing."""

    gateway: Gateway
    caller: Caller
    line: Line | None
    not_found: int
    session: RunId | None = None
    """The run of the session that it is made in, and belongs to, unless it names one."""
    named: RunId | None = None

    async def answer(self, force: Force | None, message: Message) -> dict[str, Any]:
        """Answer a request about resources or prompts.

        Raises:
            WireError: there is no such thing, or the contract does not let this caller see it.
        """
        method = cast("str", message.method)
        params = params_of(message, dict[str, Any])
        tools = Behind.of(force).for_method(method, params)
        if not tools:
            raise WireError(METHOD_NOT_FOUND, "this method is not there")
        question = {name: value for name, value in params.items() if name not in _NOT_PASSED_ON}
        if method in _LISTS:
            return await self._listed(tools, method, question)
        tool = tools[0] if len(tools) == 1 else await self._owner(tools, question)
        outcome = await self._call(tool, {"method": method, **question})
        if isinstance(outcome, Done) and isinstance(outcome.result, dict):
            return dict(outcome.result)
        raise self._nothing(outcome, method, question)

    async def watched(self, force: Force | None, uri: str) -> bool:
        """Have a resource watched, as an action; say whether it is."""
        tools = Behind.of(force).resources
        if not tools:
            return False
        tool = tools[0] if len(tools) == 1 else await self._owner(tools, {"uri": uri})
        return isinstance(await self._call(tool, {"method": WATCH, "uri": uri}), Done)

    async def _call(self, tool: Tool, arguments: JsonObject) -> Outcome:
        proposal = Proposal(
            tool=tool.name,
            arguments=msgspec.json.encode(arguments),
            run=self.named or self.session,
            session=self.session,
            line=self.line,
            # A list that is read again and again is no loop.
            beside=True,
        )
        return await self.gateway.call(self.caller, proposal)

    async def _listed(self, tools: tuple[Tool, ...], method: str, question: JsonObject) -> dict[str, Any]:
        """Return a page of one server; behind its last page comes the first of the next server."""
        at, cursor = _place(question.get("cursor"), tools)
        outcome = await self._call(tools[at], {"method": method, **({"cursor": cursor} if cursor else {})})
        if not isinstance(outcome, Done) or not isinstance(outcome.result, dict):
            raise self._nothing(outcome, method, {})
        result: dict[str, Any] = {_LISTS[method]: _rows(outcome, method)}
        more = _more(outcome)
        if more is not None:
            return {**result, "nextCursor": f"{at}:{more}"}
        return {**result, "nextCursor": f"{at + 1}:"} if at + 1 < len(tools) else result

    async def _owner(self, tools: tuple[Tool, ...], question: JsonObject) -> Tool:
        """Find the server that lists what is asked for; the last one where none does: it may be made of a template."""
        reference = question.get("ref")
        named = cast("Mapping[str, Any]", reference) if isinstance(reference, Mapping) else question
        method, key = ("resources/list", "uri") if "uri" in named else ("prompts/list", "name")
        for tool in tools[:-1]:
            if await self._lists(tool, method, (key, named.get(key))):
                return tool
        return tools[-1]

    async def _lists(self, tool: Tool, method: str, wanted: tuple[str, object]) -> bool:
        key, name = wanted
        cursor: JsonObject = {}
        for _ in range(_PAGES_MAX):
            outcome = await self._call(tool, {"method": method, **cursor})
            if any(row.get(key) == name for row in _rows(outcome, method)):
                return True
            more = _more(outcome)
            if more is None:
                break
            cursor = {"cursor": more}
        return False

    def _nothing(self, outcome: Outcome, method: str, question: JsonObject) -> WireError:
        """Say that there is nothing to see. What is not there and what may not be seen look the same."""
        named = {name: question[name] for name in ("uri", "name") if isinstance(question.get(name), str)}
        code = self.not_found if method == "resources/read" else INVALID_PARAMS
        return WireError(code, "there is nothing of that name", {**named, "action": outcome.action})


def _rows(outcome: Outcome, method: str) -> list[dict[str, Any]]:
    result = outcome.result if isinstance(outcome, Done) else None
    found = result.get(_LISTS[method]) if isinstance(result, dict) else None
    return [dict(row) for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _more(outcome: Outcome) -> str | None:
    result = outcome.result if isinstance(outcome, Done) else None
    more = result.get("nextCursor") if isinstance(result, dict) else None
    return more if isinstance(more, str) else None


def _place(cursor: object, tools: tuple[Tool, ...]) -> tuple[int, str]:
    if cursor is None:
        return 0, ""
    number, colon, rest = str(cursor).partition(":")
    places = {str(at): at for at in range(len(tools))}
    if not colon or number not in places:
        raise WireError(INVALID_PARAMS, "this cursor leads nowhere")
    return places[number], rest


_NOT_PASSED_ON = frozenset({"_meta", "inputResponses", "requestState"})
