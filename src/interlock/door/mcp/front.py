"""What each method of the protocol does. It translates: who may do what is the spine's to decide, call by call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

from msgspec import UNSET, Raw, Struct, UnsetType, field

from interlock.core.action import Caller, ProposalSignature
from interlock.core.errand import Line
from interlock.core.ids import RunId, ToolName
from interlock.core.mcp import (
    CAPABILITY_MISSING,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
    SET_LEVEL,
    STATELESS,
)
from interlock.core.outcome import Failed, Refused
from interlock.core.reason import Reason
from interlock.door.mcp.catalog import tools_page
from interlock.door.mcp.client import TASK_VERSIONS, Client, negotiated
from interlock.door.mcp.line import LEVELS, Asking
from interlock.door.mcp.rendered import tool_result
from interlock.door.mcp.tasks import Tasks
from interlock.door.mcp.upstream import Behind, Looking
from interlock.door.mcp.wire import Message, Params, WireError, params_of
from interlock.door.offered import force_of
from interlock.gateway.asked import open_to_agents
from interlock.gateway.call import Gateway
from interlock.gateway.force import Force
from interlock.gateway.proposal import Proposal
from interlock.gateway.repeated import call_or_recall
from interlock.identity.signature import from_headers

SERVER = {"name": "interlock", "version": version("interlock")}
INSTRUCTIONS = (
    "Every call is checked by policy outside the model, and recorded. A call that needs a person's consent is not "
    "carried out at once: it says whose consent it waits for, and the same call later returns how it ended. "
    "A refusal is final unless its reason has gone: do not rephrase and try again."
)
KEPT_MILLISECONDS = 5_000
"""How long a client may keep such an answer: a contract rarely changes, and each call is judged anew."""
_TOLD = {"listChanged": True}
_SERVER_KEY = "io.modelcontextprotocol/serverInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request: who asks, through which client, what was asked, and the way back while it is under way."""

    caller: Caller
    client: Client
    message: Message
    asking: Asking | None = None
    line: Line | None = None


class ToolCall(Params, frozen=True, kw_only=True):
    """The parameters of `tools/call`."""

    name: str
    arguments: Raw | UnsetType = UNSET
    task: dict[str, Any] | None = None
    """Whether the client wants a handle, and comes back for the end."""


class OfTask(Params, frozen=True, kw_only=True):
    """The parameters of what is asked of a task."""

    id: str = field(name="taskId")


class Listing(Params, frozen=True, kw_only=True):
    """The parameters of a list."""

    cursor: str | None = None


class Initialize(Params, frozen=True, kw_only=True):
    """The parameters of `initialize`."""

    version: str = field(name="protocolVersion")
    capabilities: dict[str, Any] = field(default_factory=dict[str, Any])


class SetLevel(Params, frozen=True, kw_only=True):
    """The parameters of `logging/setLevel`."""

    level: str


class Named(Struct, frozen=True, kw_only=True):
    """What a call says of itself in `_meta`: all of it the caller's own word, and believed no further than that."""

    run: RunId | None
    key: str | None
    occurrence: int | None
    signature: ProposalSignature | None
    """What the agent signed its proposal with, if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """An MCP server, made of the contracts in force."""

    gateway: Gateway
    tasks: Tasks

    @classmethod
    def of(cls, gateway: Gateway) -> "Front":
        """Make a front of a gateway."""
        return cls(gateway=gateway, tasks=Tasks(gateway=gateway))

    async def answer(self, exchange: Exchange) -> dict[str, Any]:
        """Carry out one request.

        Raises:
            WireError: what the protocol has an error for.
        """
        known = METHODS.get(cast("str", exchange.message.method))
        if known is None or exchange.client.era not in known.eras:
            raise WireError(METHOD_NOT_FOUND, "this method is not there")
        found = await known.does(self, exchange)
        if exchange.client.era == "stateless":
            found = {"resultType": "complete", **found, **(_MAY_BE_KEPT if known.kept else {})}
        return found

    async def force(self, caller: Caller, *, fresh: bool = True) -> Force | None:
        """Return the contract that is in force for a caller; unless it has to be `fresh`, by the door read last."""
        return await force_of(self.gateway, caller.tenant, caller.workflow, caller.environment, fresh=fresh)

    async def initialize(self, exchange: Exchange) -> dict[str, Any]:
        """Agree on a version. Who keeps the session is the transport."""
        asked = params_of(exchange.message, Initialize)
        described = await self._described(exchange)
        return {"protocolVersion": negotiated(asked.version), "serverInfo": SERVER, **described}

    async def discover(self, exchange: Exchange) -> dict[str, Any]:
        """Say what is here, to a client that keeps no session."""
        described = await self._described(exchange)
        return {"supportedVersions": [STATELESS], **described, "_meta": {_SERVER_KEY: SERVER}}

    async def _described(self, exchange: Exchange) -> dict[str, Any]:
        behind = Behind.of(await self.force(exchange.caller))
        can: dict[str, Any] = {"tools": _TOLD}
        if behind.resources:
            can["resources"] = {**_TOLD, "subscribe": True}
        if behind.prompts:
            can |= {"prompts": _TOLD, "completions": {}}
        if behind.servers and exchange.client.era == "handshake":
            can["logging"] = {}
        if exchange.client.version in TASK_VERSIONS:
            can["tasks"] = {"list": {}, "requests": {"tools": {"call": {}}}}
        return {"capabilities": can, "instructions": INSTRUCTIONS}

    async def ping(self, exchange: Exchange) -> dict[str, Any]:
        """Say that somebody is here."""
        return {}

    async def set_level(self, exchange: Exchange) -> dict[str, Any]:
        """Say whether there is such a level. Who keeps what a session wants is the transport."""
        asked = params_of(exchange.message, SetLevel)
        if asked.level not in LEVELS:
            raise WireError(INVALID_PARAMS, f"the level is one of {', '.join(LEVELS)}")
        return {}

    async def list_tools(self, exchange: Exchange) -> dict[str, Any]:
        """Show the tools that the contract lets this caller call."""
        asked = params_of(exchange.message, Listing)
        tasks = exchange.client.version in TASK_VERSIONS
        return tools_page(await self.force(exchange.caller), asked.cursor, tasks=tasks)

    async def call_tool(self, exchange: Exchange) -> dict[str, Any]:
        """Carry one call from here to the ledger."""
        asked = params_of(exchange.message, ToolCall)
        named = named_in(asked.meta)
        force = await self.force(exchange.caller, fresh=False)
        tool = force.contract.tools.get(ToolName(asked.name)) if force is not None else None
        proposal = Proposal(
            tool=ToolName(asked.name),
            arguments=b"{}" if isinstance(asked.arguments, UnsetType) else bytes(asked.arguments),
            run=named.run,
            session=exchange.client.run,
            key=named.key,
            occurrence=1 if named.occurrence is None else named.occurrence,
            signature=named.signature,
            line=exchange.line,
        )
        counted = named.occurrence is not None
        if asked.task is not None and exchange.client.version in TASK_VERSIONS:
            return await self.tasks.begin(exchange.caller, proposal, counted=counted)
        outcome = await call_or_recall(self.gateway, exchange.caller, proposal, counted=counted)
        shown = force is not None and asked.name in open_to_agents(force)
        if isinstance(outcome, Refused) and outcome.reason is Reason.TOOL_NOT_ALLOWED and not shown:
            data = {"reason": outcome.reason.value, "action": outcome.action}
            raise WireError(INVALID_PARAMS, "there is no such tool", data)
        if isinstance(outcome, Failed) and exchange.asking is not None and exchange.asking.missing:
            data = {"requiredCapabilities": {name: dict[str, str]() for name in sorted(exchange.asking.missing)}}
            raise WireError(CAPABILITY_MISSING, "the tool asks for what this client cannot do", data)
        return tool_result(outcome, tool.effect if tool is not None else None)

    async def task(self, exchange: Exchange) -> dict[str, Any]:
        """Say where a task stands."""
        return await self.tasks.shown(exchange.caller, params_of(exchange.message, OfTask).id)

    async def task_result(self, exchange: Exchange) -> dict[str, Any]:
        """Return what a task came to, once it has ended."""
        return await self.tasks.result(exchange.caller, params_of(exchange.message, OfTask).id)

    async def list_tasks(self, exchange: Exchange) -> dict[str, Any]:
        """Say where the tasks of this caller stand."""
        return await self.tasks.listed(exchange.caller, params_of(exchange.message, Listing).cursor)

    async def behind(self, exchange: Exchange) -> dict[str, Any]:
        """Ask an upstream server for a resource or a prompt, as an action of the contract."""
        force = await self.force(exchange.caller, fresh=False)
        not_found = RESOURCE_NOT_FOUND if exchange.client.era == "handshake" else INVALID_PARAMS
        looking = Looking(
            gateway=self.gateway,
            caller=exchange.caller,
            line=exchange.line,
            not_found=not_found,
            session=exchange.client.run,
            named=named_in(params_of(exchange.message, Params).meta).run,
        )
        return await looking.answer(force, exchange.message)


def named_in(meta: Mapping[str, Any]) -> Named:
    """Read what a call says of itself.

    Raises:
        WireError: it is of another type.
    """
    run, key, occurrence = (meta.get(f"interlock/{name}") for name in ("run", "key", "occurrence"))
    texts = isinstance(run, str | None) and isinstance(key, str | None)
    if not texts or not isinstance(occurrence, int | None) or isinstance(occurrence, bool):
        wanted = "`interlock/run` and `interlock/key` are texts, `interlock/occurrence` is a whole number"
        raise WireError(INVALID_PARAMS, f"in `_meta`, {wanted}")
    return Named(
        run=RunId(run) if run is not None else None,
        key=key,
        occurrence=occurrence,
        signature=from_headers(_text(meta.get("interlock/signature")), _text(meta.get("interlock/signed-at"))),
    )


def _text(said: object) -> str | None:
    return str(said) if isinstance(said, str | int) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of the protocol: what it does, and in which eras it is there."""

    does: Callable[[Front, Exchange], Awaitable[dict[str, Any]]]
    eras: tuple[str, ...] = ("handshake", "stateless")
    kept: bool = False
    """Whether a client of the stateless era may keep the answer for a while, and is told so."""
    asks: bool = False
    """Whether the client may be asked something before it is answered."""


METHODS: Mapping[str, Method] = {
    "initialize": Method(does=Front.initialize, eras=("handshake",)),
    "server/discover": Method(does=Front.discover, eras=("stateless",), kept=True),
    "ping": Method(does=Front.ping, eras=("handshake",)),
    SET_LEVEL: Method(does=Front.set_level, eras=("handshake",)),
    "tools/list": Method(does=Front.list_tools, kept=True),
    "tools/call": Method(does=Front.call_tool, asks=True),
    "tasks/get": Method(does=Front.task, eras=("handshake",)),
    "tasks/result": Method(does=Front.task_result, eras=("handshake",)),
    "tasks/list": Method(does=Front.list_tasks, eras=("handshake",)),
    "resources/list": Method(does=Front.behind, kept=True),
    "resources/templates/list": Method(does=Front.behind, kept=True),
    "resources/read": Method(does=Front.behind, kept=True, asks=True),
    "resources/subscribe": Method(does=Front.behind, eras=("handshake",)),
    "resources/unsubscribe": Method(does=Front.behind, eras=("handshake",)),
    "prompts/list": Method(does=Front.behind, kept=True),
    "prompts/get": Method(does=Front.behind, asks=True),
    "completion/complete": Method(does=Front.behind),
}
"""Every method that is answered. Another one is not there."""

_MAY_BE_KEPT = {"ttlMs": KEPT_MILLISECONDS, "cacheScope": "private"}
