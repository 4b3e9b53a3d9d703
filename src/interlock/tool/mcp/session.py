"""What is known of a server once it has answered: which version it speaks, and what its tools are. Both eras.

Up to 2025-11-25 a handshake comes first. From 2026-07-28 on there is none, and every request says what it would have
said. Which it is, is found out by asking, unless the contract says it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec

from interlock.core.canonical import Json
from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.limits import MCP_PROBE_SECONDS_MAX, MCP_TOOLS_MAX
from interlock.tool.mcp import wire
from interlock.tool.mcp.link import LOOK, Answer, Link, LinkLost, unsent
from interlock.tool.mcp.listed import Offer, offers_of
from interlock.tool.mcp.reach import Reach
from interlock.tool.mcp.wire import RpcError

_ROUNDS_MAX = 8  # of a call that its server wants continued
_PAGES_MAX = 100


class Session:
    """A server that is there, with its tools as they were listed last."""

    def __init__(self, link: Link, server: str, version: str, now: Callable[[], float]) -> None:
        self.link = link
        self.version = version
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

    async def call(self, tool: str, arguments: bytes, key: str, *, before: Callable[[], None]) -> Answer:
        """Have a tool do something.

        Raises:
            UpstreamFailed: nothing was sent, or it was surely not begun.
            UpstreamSilent: nobody knows.
        """
        params: dict[str, Any] = {"name": tool, "arguments": msgspec.Raw(arguments)}
        meta = {wire.KEY_IN_META: key}
        mirrored = self._mirrored(tool, arguments)
        for _ in range(_ROUNDS_MAX):
            asked = self._with_meta(params, **meta)
            answer = await self.link.ask("tools/call", asked, name=tool, mirrored=mirrored, before=before)
            state = _to_go_on(answer) if self.version == wire.STATELESS else None
            if state is None:
                return answer
            # It has not done it again: it goes on with what it has begun, as it says.
            params = {**params, "requestState": state}
        raise UpstreamSilent(f"`{self._server}/{tool}` wants to go on for ever", fix=LOOK)

    def _mirrored(self, tool: str, arguments: bytes) -> Mapping[str, Json]:
        """Return what of the arguments is sent in a header as well, by the name of the header."""
        offer = self.offers.get(tool)
        if offer is None or not offer.mirrored or self.version != wire.STATELESS:
            return {}
        values = msgspec.json.decode(arguments)
        found = {header: _at(values, path) for path, header in offer.mirrored.items()}
        return {header: value for header, value in found.items() if value is not None}

    def _with_meta(self, params: dict[str, Any], **meta: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
        whole = {**(wire.envelope() if self.version == wire.STATELESS else {}), **meta}
        return {**params, "_meta": whole} if whole else params


def _at(values: Any, path: tuple[str, ...]) -> str | int | bool | None:  # noqa: ANN401  JSON
    for part in path:
        values = cast("dict[str, Any]", values).get(part) if isinstance(values, dict) else None
    return values if isinstance(values, str | int) else None


def _to_go_on(answer: Answer) -> str | None:
    if isinstance(answer, RpcError):
        return None
    try:
        wanted = wire.wanted(answer)
    except wire.Unreadable:
        return None
    goes_on = wanted.result_type == "input_required" and not wanted.input_requests
    return wanted.request_state if goes_on else None


async def begun(make: Callable[[], Awaitable[Link]], reach: Reach, now: Callable[[], float]) -> Session:
    """Make a link to a server, and find out how to speak to it and what it has.

    Raises:
        UpstreamFailed: it is not there, or does not speak MCP.
    """
    link = await make()
    try:
        if reach.protocol:
            version = await _said(link, reach)
        else:
            version, link = await _found_out(link, make, reach)
        session = Session(link, reach.server, version, now)
        await session.list_tools()
    except UpstreamSilent as error:
        link.close()
        # Nothing but questions was sent.
        raise UpstreamFailed(f"{error}, so no tool was called", fix=error.fix) from error
    except BaseException:
        link.close()
        raise
    return session


async def _said(link: Link, reach: Reach) -> str:
    """Speak as the contract says."""
    if reach.protocol == wire.STATELESS:
        link.speak(wire.STATELESS)
        return wire.STATELESS
    return await _handshake(link, reach.server, reach.protocol)


async def _found_out(link: Link, make: Callable[[], Awaitable[Link]], reach: Reach) -> tuple[str, Link]:
    """Ask in the way of the newest version; who does not know that gets a handshake."""
    try:
        if await _is_stateless(link):
            return wire.STATELESS, link
    except LinkLost:
        # Some end themselves over a question that they do not know.
        link.close()
        link = await make()
    return await _handshake(link, reach.server, wire.OFFERED), link


async def _is_stateless(link: Link) -> bool:
    link.speak(wire.STATELESS)
    try:
        async with asyncio.timeout(MCP_PROBE_SECONDS_MAX):
            answer = await link.ask("server/discover", {"_meta": wire.envelope()})
    except TimeoutError:
        return False
    except LinkLost:
        raise
    except UpstreamError:
        return False
    if isinstance(answer, RpcError):
        return False
    try:
        return wire.STATELESS in wire.discovered(answer).supported_versions
    except wire.Unreadable:
        return False


async def _handshake(link: Link, server: str, offered: str) -> str:
    link.speak("")
    params = {"protocolVersion": offered, "capabilities": {}, "clientInfo": wire.CLIENT}
    answer = await link.ask("initialize", params)
    if isinstance(answer, RpcError):
        if answer.code == wire.VERSION_UNSUPPORTED:
            # It was slow to answer the question before, and has taken it for granted since.
            link.speak(wire.STATELESS)
            return wire.STATELESS
        raise unsent(server, f"refuses the handshake (error {answer.code})")
    try:
        version = wire.initialized(answer).protocol_version
    except wire.Unreadable as error:
        raise unsent(server, "answers the handshake in a way that cannot be read") from error
    if version not in wire.HANDSHAKES:
        raise unsent(server, "speaks no version that is known here")
    link.speak(version)
    await link.tell("notifications/initialized", {})
    return version
