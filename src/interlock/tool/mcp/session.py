"""What is known of a server once it has answered: which version it speaks, and what its tools are. Both eras.

Up to 2025-11-25 a handshake comes first. From 2026-07-28 on there is none, and every request says what it would have
said. Which it is, is found out by asking, unless the contract says it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from interlock.core.canonical import Json
from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.limits import MCP_PROBE_SECONDS_MAX, MCP_TOOLS_MAX
from interlock.core.mcp import HANDSHAKES, LISTEN, STATELESS, VERSION_UNSUPPORTED
from interlock.core.mirrored import written
from interlock.tool.mcp import wire
from interlock.tool.mcp.back import Back
from interlock.tool.mcp.link import LISTEN_SECONDS, LOOK, Answer, How, Link, LinkLost, Way, unsent
from interlock.tool.mcp.listed import Offer, offers_of
from interlock.tool.mcp.reach import Reach
from interlock.tool.mcp.wire import RpcError

_ROUNDS_MAX = 8  # of a call that its server wants continued
_PAGES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What a server said when it was met: how it speaks, and what it has."""

    version: str
    capabilities: Mapping[str, Any]


class Session:
    """A server that is there, with its tools as they were listed last."""

    def __init__(self, link: Link, server: str, met: Met, now: Callable[[], float]) -> None:
        self.link = link
        self.version = met.version
        self._capabilities = met.capabilities
        self.offers: Mapping[str, Offer] = {}
        self.listed_at = 0.0
        self._server = server
        self._now = now

    async def list_tools(self) -> None:
        """Ask for the tools, all pages of them.

        Raises:
            UpstreamFailed: it does not say, or never stops.
        """
        self.link.tools_changed = False
        tools: list[msgspec.Raw] = []
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            params = {"cursor": cursor} if cursor is not None else {}
            page = self._page(await self.link.ask("tools/list", self._with_meta(params)))
            tools += page.tools
            if len(tools) > MCP_TOOLS_MAX:
                break
            cursor = page.next_cursor
            if cursor is None:
                self.offers = offers_of(tools)
                self.listed_at = self._now()
                return
        raise unsent(self._server, f"lists more than {MCP_TOOLS_MAX:,} tools, or never stops")

    def _page(self, answer: Answer) -> wire.Page:
        if isinstance(answer, RpcError):
            raise unsent(self._server, f"does not list its tools (error {answer.code})")
        try:
            return wire.page(answer)
        except wire.Unreadable as error:
            raise unsent(self._server, "lists its tools in a way that cannot be read") from error

    async def call(self, tool: str, arguments: bytes, key: str, *, back: Back, before: Callable[[], None]) -> Answer:
        """Have a tool do something.

        Raises:
            Unanswered: it wanted to know something, and was not told.
            UpstreamFailed: nothing was sent, or it was surely not begun.
            UpstreamSilent: nobody knows.
        """
        params: dict[str, Any] = {"name": tool, "arguments": msgspec.Raw(arguments)}
        how = How(name=tool, mirrored=self._mirrored(tool, arguments), before=before, way=back)
        return await self._rounds("tools/call", params, how, back, {wire.KEY_IN_META: key})

    async def look(
        self, method: str, name: str, params: dict[str, Any], *, back: Back, before: Callable[[], None]
    ) -> Answer:
        """Look something up that is no tool.

        Raises:
            Unanswered: it wanted to know something, and was not told.
            UpstreamFailed: nothing was sent, or it was surely not begun.
            UpstreamSilent: nobody knows.
        """
        return await self._rounds(method, params, How(name=name, before=before, way=back), back, {})

    async def _rounds(
        self, method: str, params: dict[str, Any], how: How, back: Back, meta: Mapping[str, Json]
    ) -> Answer:
        """Ask until it is answered, with what a server wants to know in between."""
        stateless = self.version == STATELESS
        more: dict[str, Any] = {}
        for turn in range(_ROUNDS_MAX):
            asked = self._with_meta({**params, **more}, **back.meta(stateless=stateless), **meta)
            try:
                answer = await self.link.ask(method, asked, how)
            except UpstreamFailed as error:
                if turn == 0:
                    raise
                # That nothing was sent is true of this round, and not of the ones before.
                raise back.unanswered(f"had begun, and cannot be asked to go on ({error})", error.fix) from None
            if isinstance(answer, RpcError):
                back.note(answer)
                if turn > 0:
                    raise back.unanswered(f"had begun, and does not go on (error {answer.code})")
            wanted = _wanted(answer) if stateless else None
            if wanted is None:
                return answer
            # It has not done it again: it goes on with what it has begun, as it says.
            more = {"requestState": wanted.request_state} if wanted.request_state is not None else {}
            if wanted.input_requests:
                more["inputResponses"] = await back.ask(wanted.input_requests)
        raise UpstreamSilent(f"`{self._server}/{how.name or method}` wants to go on for ever", fix=LOOK)

    @property
    def tells(self) -> bool:
        """Whether the server says that it would tell of changes."""
        kinds = (self._capabilities.get(kind) for kind in ("tools", "prompts", "resources"))
        said = (cast("dict[str, Any]", kind) for kind in kinds if isinstance(kind, dict))
        return any(kind.get("listChanged") is True or kind.get("subscribe") is True for kind in said)

    async def listen(self, uris: Collection[str], way: Way) -> None:
        """Hear of changes until the server ends that. What it says comes by way of `link.noticed`.

        Raises:
            UpstreamFailed: it does not tell.
            UpstreamSilent: it broke off.
        """
        if self.version != STATELESS:
            return await self.link.listen()
        wanted = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
        watched = {"resourceSubscriptions": sorted(uris)} if uris else {}
        params = self._with_meta({"notifications": {**wanted, **watched}})
        answer = await self.link.ask(LISTEN, params, How(way=way, seconds=LISTEN_SECONDS))
        if isinstance(answer, RpcError):
            raise unsent(self._server, f"does not tell of changes (error {answer.code})")
        return None

    def _mirrored(self, tool: str, arguments: bytes) -> Mapping[str, str]:
        """Return what of the arguments is sent in a header as well, by the name of the header."""
        offer = self.offers.get(tool)
        if offer is None or not offer.mirrored or self.version != STATELESS:
            return {}
        values = msgspec.json.decode(arguments)
        found = {header: written(values, path) for path, header in offer.mirrored.items()}
        return {header: value for header, value in found.items() if value is not None}

    def _with_meta(self, params: dict[str, Any], **meta: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        whole = {**(wire.envelope() if self.version == STATELESS else {}), **meta}
        return {**params, "_meta": whole} if whole else params


def _wanted(answer: Answer) -> wire.Wanted | None:
    """Return what a server wants before it goes on, if that is what it says."""
    if isinstance(answer, RpcError):
        return None
    try:
        wanted = wire.wanted(answer)
    except wire.Unreadable:
        return None
    goes_on = wanted.result_type == "input_required" and (wanted.input_requests or wanted.request_state is not None)
    return wanted if goes_on else None


async def begun(make: Callable[[], Awaitable[Link]], reach: Reach, now: Callable[[], float]) -> Session:
    """Make a link to a server, and find out how to speak to it and what it has.

    Raises:
        UpstreamFailed: it is not there, or does not speak MCP.
    """
    link = await make()
    try:
        if reach.protocol:
            met = await _said(link, reach)
        else:
            met, link = await _found_out(link, make, reach)
        session = Session(link, reach.server, met, now)
        await session.list_tools()
    except UpstreamSilent as error:
        link.close()
        # Nothing but questions was sent.
        raise UpstreamFailed(f"{error}, so no tool was called", fix=error.fix) from error
    except BaseException:
        link.close()
        raise
    return session


async def _said(link: Link, reach: Reach) -> Met:
    """Speak as the contract says."""
    if reach.protocol == STATELESS:
        return await _stateless(link) or Met(version=STATELESS, capabilities={})
    return await _handshake(link, reach, reach.protocol)


async def _found_out(link: Link, make: Callable[[], Awaitable[Link]], reach: Reach) -> tuple[Met, Link]:
    """Ask in the way of the newest version; who does not know that gets a handshake."""
    try:
        met = await _stateless(link)
        if met is not None:
            return met, link
    except LinkLost:
        # Some end themselves over a question that they do not know.
        link.close()
        link = await make()
    return await _handshake(link, reach, HANDSHAKES[-1]), link


async def _stateless(link: Link) -> Met | None:
    """Ask a server what it is, in the way of the newest version; nothing if it does not speak that."""
    link.speak(STATELESS)
    try:
        async with asyncio.timeout(MCP_PROBE_SECONDS_MAX):
            answer = await link.ask("server/discover", {"_meta": wire.envelope()})
    except TimeoutError:
        return None
    except LinkLost:
        raise
    except UpstreamError:
        return None
    if isinstance(answer, RpcError):
        return None
    try:
        found = wire.discovered(answer)
    except wire.Unreadable:
        return None
    if STATELESS not in found.supported_versions:
        return None
    return Met(version=STATELESS, capabilities=found.capabilities)


async def _handshake(link: Link, reach: Reach, offered: str) -> Met:
    server = reach.server
    link.speak("")
    # What the contract lets it ask of anybody; who can be asked is found out call by call.
    capabilities: dict[str, Json] = {kind: {} for kind in reach.asks}
    params = {"protocolVersion": offered, "capabilities": capabilities, "clientInfo": wire.CLIENT}
    answer = await link.ask("initialize", params)
    if isinstance(answer, RpcError):
        if answer.code == VERSION_UNSUPPORTED:
            # It was slow to answer the question before, and has taken it for granted since.
            link.speak(STATELESS)
            return Met(version=STATELESS, capabilities={})
        raise unsent(server, f"refuses the handshake (error {answer.code})")
    try:
        found = wire.initialized(answer)
    except wire.Unreadable as error:
        raise unsent(server, "answers the handshake in a way that cannot be read") from error
    if found.protocol_version not in HANDSHAKES:
        raise unsent(server, "speaks no version that is known here")
    link.speak(found.protocol_version)
    await link.tell("notifications/initialized", {})
    return Met(version=found.protocol_version, capabilities=found.capabilities)
