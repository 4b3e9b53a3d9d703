"""What each method of the protocol does. It translates: who may do what is the spine's to decide, call by call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from msgspec import UNSET, Raw, Struct, UnsetType, field

from interlock.core.action import Caller
from interlock.core.errors import InterlockError
from interlock.core.ids import RunId, ToolName
from interlock.core.outcome import Refused
from interlock.core.reason import Reason
from interlock.door.mcp.catalog import tools_page
from interlock.door.mcp.client import STATELESS_VERSIONS, Client, negotiated
from interlock.door.mcp.rendered import tool_result
from interlock.door.mcp.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Message,
    Params,
    WireError,
    params_of,
)
from interlock.gateway.asked import Proposal, open_to_agents
from interlock.gateway.call import Gateway
from interlock.gateway.force import Force
from interlock.gateway.repeated import call_or_recall
from interlock.ports import Needs

NAME = "interlock"
VERSION = "0.1.0"
INSTRUCTIONS = (
    "Every call is checked by policy outside the model, and recorded. A call that needs a person's consent is not "
    "carried out at once: it says whose consent it waits for, and the same call later returns how it ended. "
    "A refusal is final unless its reason has gone: do not rephrase and try again."
)
LISTED_MILLISECONDS = 5_000  # how long a client may keep a list: a contract rarely changes, and a call is judged anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request: who asks, through which client, and what was asked."""

    caller: Caller
    client: Client
    message: Message


class ToolCall(Params, frozen=True, kw_only=True):
    """The parameters of `tools/call`."""

    name: str
    arguments: Raw | UnsetType = UNSET
    request_state: str | None = field(name="requestState", default=None)


class Listing(Params, frozen=True, kw_only=True):
    """The parameters of a list."""

    cursor: str | None = None


class Initialize(Params, frozen=True, kw_only=True):
    """The parameters of `initialize`."""

    version: str = field(name="protocolVersion")
    capabilities: dict[str, Any] = field(default_factory=dict[str, Any])


class Named(Struct, frozen=True, kw_only=True):
    """What a call says of itself in `_meta`: all of it the caller's own word, and believed no further than that."""

    run: RunId | None
    key: str | None
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """An MCP server, made of the contracts in force."""

    gateway: Gateway

    async def answer(self, exchange: Exchange) -> dict[str, Any]:
        """Carry out one request.

        Raises:
            WireError: what the protocol has an error for.
        """
        method = cast("str", exchange.message.method)
        known = METHODS.get(method)
        if known is None or exchange.client.era not in known.eras:
            raise WireError(METHOD_NOT_FOUND, "this method is not there")
        try:
            found = await known.does(self, exchange)
        except InterlockError as down:
            raise WireError(INTERNAL_ERROR, "this cannot be answered now; try again") from down
        if exchange.client.era == "stateless":
            found = {"resultType": "complete", **found, **({} if not known.listed else _MAY_BE_KEPT)}
        return found

    async def initialize(self, exchange: Exchange) -> dict[str, Any]:
        """Agree on a version. Who keeps the session is the transport."""
        asked = params_of(exchange.message, Initialize)
        return {"protocolVersion": negotiated(asked.version), **await self._described(exchange)}

    async def discover(self, exchange: Exchange) -> dict[str, Any]:
        """Say what is here, to a client that keeps no session."""
        return {"supportedVersions": list(STATELESS_VERSIONS), **await self._described(exchange)}

    async def _described(self, exchange: Exchange) -> dict[str, Any]:
        return {
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": NAME, "version": VERSION},
            "instructions": INSTRUCTIONS,
        }

    async def ping(self, exchange: Exchange) -> dict[str, Any]:
        """Say that somebody is here."""
        return {}

    async def list_tools(self, exchange: Exchange) -> dict[str, Any]:
        """Show the tools that the contract lets this caller call."""
        asked = params_of(exchange.message, Listing)
        return tools_page(await self.force(exchange.caller), asked.cursor)

    async def call_tool(self, exchange: Exchange) -> dict[str, Any]:
        """Carry one call from here to the ledger."""
        asked = params_of(exchange.message, ToolCall)
        named = _named(asked.meta)
        force = await self.force(exchange.caller)
        tool = force.contract.tools.get(ToolName(asked.name)) if force is not None else None
        proposal = Proposal(
            tool=ToolName(asked.name),
            arguments=b"{}" if isinstance(asked.arguments, UnsetType) else bytes(asked.arguments),
            run=named.run or exchange.client.run,
            key=named.key,
            occurrence=named.occurrence,
        )
        outcome = await call_or_recall(self.gateway, exchange.caller, proposal, tool)
        shown = force is not None and asked.name in open_to_agents(force)
        if isinstance(outcome, Refused) and outcome.reason is Reason.TOOL_NOT_ALLOWED and not shown:
            data = {"reason": outcome.reason.value, "action": outcome.action}
            raise WireError(INVALID_PARAMS, "there is no such tool", data)
        return tool_result(outcome, tool)

    async def force(self, caller: Caller) -> Force | None:
        """Return the contract that is in force for a caller."""
        store = self.gateway.store.for_tenant(caller.tenant)
        return await self.gateway.forces.of(store, (await store.read(Needs())).door, caller)


def _named(meta: Mapping[str, Any]) -> Named:
    run, key, occurrence = (meta.get(f"interlock/{name}") for name in ("run", "key", "occurrence"))
    if not (isinstance(run, str | None) and isinstance(key, str | None) and isinstance(occurrence, int | None)):
        wanted = "`interlock/run` and `interlock/key` are texts, `interlock/occurrence` is a whole number"
        raise WireError(INVALID_PARAMS, f"in `_meta`, {wanted}")
    return Named(
        run=RunId(run) if run is not None else None, key=key, occurrence=1 if occurrence is None else occurrence
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of the protocol: what it does, and in which eras it is there."""

    does: Callable[[Front, Exchange], Awaitable[dict[str, Any]]]
    eras: tuple[str, ...] = ("handshake", "stateless")
    listed: bool = False
    """Whether a client of the stateless era is told for how long it may keep the answer."""


METHODS: Mapping[str, Method] = {
    "initialize": Method(does=Front.initialize, eras=("handshake",)),
    "server/discover": Method(does=Front.discover, eras=("stateless",), listed=True),
    "ping": Method(does=Front.ping, eras=("handshake",)),
    "tools/list": Method(does=Front.list_tools, listed=True),
    "tools/call": Method(does=Front.call_tool),
}
"""Every method that is answered. Another one is not there."""

_MAY_BE_KEPT = {"ttlMs": LISTED_MILLISECONDS, "cacheScope": "private"}
