"""MCP over streamable HTTP: one endpoint, both eras.

See https://modelcontextprotocol.io/specification/2025-11-25/basic/transports and its successor of 2026-07-28.
A session is in its id, so that any process of several answers it; policy reads the body, and what headers mirror of it
must agree.
"""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from msgspec import field as named

from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.errors import InterlockError
from interlock.core.ids import AgentId, PrincipalId, RunId, ToolName
from interlock.core.limits import REQUEST_BYTES_MAX
from interlock.core.mcp import (
    CAPABILITY_MISSING,
    HANDSHAKES,
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LISTEN,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    STATELESS,
    VERSION_KEY,
    VERSION_UNSUPPORTED,
)
from interlock.door.asgi import Left, Receive, Scope, Send, TooLarge, TooSlow, answer, body_of, header, while_here
from interlock.door.entrance import Entrance, TooOften, is_for_others
from interlock.door.mcp import wire
from interlock.door.mcp.client import Session, capabilities, negotiated, session_id, session_of, unsupported
from interlock.door.mcp.front import Initialize
from interlock.door.mcp.listening import Still
from interlock.door.mcp.mirror import Called, check_argument_mirrors, check_mirrors
from interlock.door.mcp.protected import challenge
from interlock.door.mcp.reply import Reply
from interlock.door.mcp.talk import Talk, here, meta_of, unless_away
from interlock.door.mcp.wire import Message, Params, RequestId, WireError, params_of
from interlock.gateway import fresh
from interlock.gateway.call import Gateway
from interlock.gateway.sessions import end_session, has_ended
from interlock.identity.bearer import GONE, Bearer, NotKnown

_STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    CAPABILITY_MISSING: 400,
    VERSION_UNSUPPORTED: 400,
    METHOD_NOT_FOUND: 404,
}
"""The status of an error in the stateless era; that of any other, and of all in a session, is 200."""
_UNNAMED = AgentId("mcp")
"""Who asks where neither the token nor the contract names an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The endpoint `/mcp`."""

    talk: Talk
    entrance: Entrance
    streams: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    """What ends the stream on which a session listens to this process."""

    @classmethod
    def of(cls, gateway: Gateway, entrance: Entrance) -> "Endpoint":
        """Make the endpoint of a gateway."""
        return cls(talk=Talk.of(gateway), entrance=entrance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of HTTP."""
        if not self.entrance.from_here(scope):
            return await _refuse(send, 403, "this server is not reached by that name, or from that page")
        # What is posted is held against the door of now once it is known what it is.
        bearer = await self.entrance.bearer(scope, fresh=scope["method"] != "POST")
        if isinstance(bearer, NotKnown):
            return await self._not_let_in(scope, send, bearer)
        if isinstance(bearer, TooOften):
            return await _refuse(send, 429, TooOften.WHY, (bearer.retry_after,))
        caller = await self._caller(scope, bearer)
        if isinstance(caller, NotKnown):
            return await self._not_let_in(scope, send, caller)
        if scope["method"] == "POST":
            return await self._posted(scope, receive, send, caller)
        if scope["method"] == "GET":
            return await self._listened(scope, receive, send, caller)
        if scope["method"] == "DELETE":
            return await self._end_session(scope, send, caller)
        return await _refuse(send, 405, "messages come by POST", ((b"allow", b"GET, POST, DELETE"),))

    async def _not_let_in(self, scope: Scope, send: Send, why: NotKnown) -> None:
        others = is_for_others(why)
        more = () if others else (await challenge(self.entrance, scope, why),)
        await _refuse(send, 403 if others else 401, f"{why.why}; {why.fix}", more)

    async def _caller(self, scope: Scope, bearer: Bearer) -> Caller | NotKnown:
        agent, behalf = _name_in(scope, b"interlock-agent"), _name_in(scope, b"interlock-for")
        return await self.entrance.caller(
            bearer,
            agent=AgentId(agent) if agent is not None else None,
            principal=PrincipalId(behalf) if behalf is not None else None,
            unnamed=_UNNAMED,
        )

    async def _posted(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        try:
            raw = await body_of(receive, most=REQUEST_BYTES_MAX)
        except Left:
            return None
        except TooSlow:
            return await _refuse(send, 408, "a message comes to its end in time")
        except TooLarge:
            return await _refuse(send, 413, f"a message has at most {REQUEST_BYTES_MAX:,} bytes")
        try:
            message = wire.read(raw)
            meta = meta_of(message)
        except WireError as wrong:
            return await answer(send, 400, wire.error(wire.id_of(raw), wrong))
        if not judged_as_it_starts(message) and not await self.entrance.still(scope):
            return await self._not_let_in(scope, send, GONE)
        said = header(scope, b"mcp-protocol-version")
        if said == STATELESS or VERSION_KEY in meta or message.method == "server/discover":
            return await self._stateless(scope, receive, send, caller, message, meta)
        return await self._in_session(scope, send, caller, message, said)

    async def _stateless(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller, message: Message, meta: Mapping[str, Any]
    ) -> None:
        said = header(scope, b"mcp-protocol-version") or ""
        if message.is_notification:
            if said == STATELESS:
                return await answer(send, 202)
            return await _wrong(send, None, unsupported(said))
        if not message.is_request:
            return await _wrong(send, None, WireError(INVALID_REQUEST, "only requests and notifications come in"))
        id = cast("RequestId", message.id)
        try:
            check_mirrors(scope, message, meta)
            check_argument_mirrors(scope, message, await self._schema_of(caller, message))
        except WireError as wrong:
            return await _wrong(send, id, wrong)
        with Reply.to(scope, send) as reply:
            try:
                answering = self.talk.stateless(caller, message, reply.push, self._still(scope))
                with self._told_if_cut_off():
                    # Whoever listens has to be missed; any other call goes on without its client, and ends by itself.
                    found = await (while_here(receive, answering) if message.method == LISTEN else answering)
            except WireError as wrong:
                return await reply.finish(_STATUS.get(wrong.code, 200), wire.error(id, wrong))
            if found is None:
                return await reply.close()
            return await reply.finish(200, wire.result(id, found))

    def _still(self, scope: Scope) -> Still:
        """Say, whenever it is asked, whether the token of a request is still one that is let in."""

        async def still() -> bool:
            return await self.entrance.still(scope)

        return still

    async def _schema_of(self, caller: Caller, message: Message) -> JsonObject:
        """Return the schema of the tool that is called; an empty one where there is none."""
        if message.method != "tools/call":
            return {}
        force = await self.talk.front.force(caller, fresh=False)
        tool = force.contract.tools.get(ToolName(params_of(message, Called).name)) if force is not None else None
        return (tool.schema if tool is not None else None) or {}

    async def _in_session(self, scope: Scope, send: Send, caller: Caller, message: Message, said: str | None) -> None:
        if said is not None and said not in HANDSHAKES:
            return await answer(
                send, 400, wire.error(None, WireError(INVALID_REQUEST, "no version that is spoken here"))
            )
        if message.method == "initialize" and message.is_request:
            return await self._initialize(scope, send, caller, message)
        # Where a call begins, whether its session was ended is looked at in the transaction that starts it.
        session = await self._session(scope, caller, known_to_last=judged_as_it_starts(message))
        if isinstance(session, int):
            return await _refuse(send, session, _NO_SESSION[session])
        if message.is_answer:
            await self.talk.answers.come(caller.tenant, session.run, message)
        if not message.is_request:
            return await answer(send, 202)
        still = self._still(scope) if message.method == "tasks/result" else here
        with Reply.to(scope, send) as reply:
            return await self._answered(reply, caller, session, message, still=still)

    async def _answered(
        self,
        reply: Reply,
        caller: Caller,
        session: Session,
        message: Message,
        still: Still = here,
    ) -> None:
        id = cast("RequestId", message.id)

        try:
            with self._told_if_cut_off():
                found = await self.talk.in_session(caller, session.client(), message, reply.push, session=session.run)
                with unless_away():
                    is_here = await still()
            said, failed = wire.result(id, found), found.get("isError") is True
        except WireError as wrong:
            said, failed, is_here = wire.error(id, wrong), True, True
        if failed and judged_as_it_starts(message) and await self._was_over(caller, session):
            return await reply.finish(404, wire.error(id, WireError(INVALID_REQUEST, _NO_SESSION[404])))
        if not is_here:
            return await reply.finish(401, wire.error(id, WireError(INVALID_REQUEST, f"{GONE.why}; {GONE.fix}")))
        return await reply.finish(200, said)

    @contextmanager
    def _told_if_cut_off(self) -> Generator[None]:
        """Answer with an error of the protocol where this process ends before the answer is there.

        Raises:
            WireError: so it is.
        """
        try:
            yield
        except asyncio.CancelledError as cut:
            if not self.talk.listening.stop.is_set():
                raise
            raise WireError(INTERNAL_ERROR, _CUT_OFF) from cut

    async def _initialize(self, scope: Scope, send: Send, caller: Caller, message: Message) -> None:
        secrets, now = self.talk.front.gateway.secrets, self.talk.front.gateway.clock.now()
        try:
            asked = params_of(message, Initialize)
        except WireError as wrong:
            return await answer(send, 400, wire.error(cast("RequestId", message.id), wrong))
        session = Session(
            version=negotiated(asked.version),
            can=tuple(sorted(capabilities(asked.capabilities))),
            run=RunId(f"mcp-{fresh.run_id(now)}"),
            of=_who(caller),
            since=now,
        )
        given = session_id(secrets, caller.tenant, session)
        with Reply.to(scope, send, ((b"mcp-session-id", given.encode()),)) as reply:
            return await self._answered(reply, caller, session, message)

    async def _session(self, scope: Scope, caller: Caller, *, known_to_last: bool = False) -> Session | int:
        """Return the session that a request names, or the status that says why there is none.

        Whether it was ended says the store, unless it is `known_to_last` as far as it matters.
        """
        session = self._said(scope, caller)
        if isinstance(session, int) or known_to_last:
            return session
        return 404 if await self._is_over(caller, session) else session

    def _said(self, scope: Scope, caller: Caller) -> Session | int:
        """Return the session that a request names, whether or not it was ended."""
        said = header(scope, b"mcp-session-id")
        if said is None:
            return 400
        gateway = self.talk.front.gateway
        session = session_of(gateway.secrets, caller.tenant, said, of=_who(caller), now=gateway.clock.now())
        return session if session is not None else 404

    async def _is_over(self, caller: Caller, session: Session) -> bool:
        """Whether a session was ended, at whichever process."""
        store = self.talk.front.gateway.store.for_tenant(caller.tenant)
        return await has_ended(store, session.run)

    async def _was_over(self, caller: Caller, session: Session) -> bool:
        """Whether that may be why a call was refused; where nobody can tell, the refusal says what there is to say."""
        with suppress(InterlockError):
            return await self._is_over(caller, session)
        return False

    async def _listened(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """Tell the client of a session what changes, for as long as it stays. The last stream that it opens counts."""
        session = await self._session(scope, caller)
        if isinstance(session, int):
            return await _refuse(send, session, _NO_SESSION[session])
        if "text/event-stream" not in (header(scope, b"accept") or ""):
            return await _refuse(send, 406, "what is heard here is a stream: accept `text/event-stream`")
        id, reply, over = session.run, Reply(send=send, streams=True), asyncio.Event()
        before = self.streams.get(id)
        if before is not None:
            before.set()
        self.streams[id] = over
        known = self._still(scope)

        async def still() -> bool:
            return not isinstance(self._said(scope, caller), int) and await known()

        try:
            listening = self.talk.listening.in_session(caller, id, reply, still, over)
            await while_here(receive, listening)
        except WireError as wrong:
            return await _refuse(send, 429, wrong.message)
        finally:
            if self.streams.get(id) is over:
                del self.streams[id]
        return await reply.close()

    async def _end_session(self, scope: Scope, send: Send, caller: Caller) -> None:
        session = await self._session(scope, caller)
        if isinstance(session, int):
            return await _refuse(send, session, _NO_SESSION[session])
        store = self.talk.front.gateway.store.for_tenant(caller.tenant)
        await end_session(store, session.run, until=session.until)
        if session.run in self.streams:
            self.streams[session.run].set()
        await self.talk.listening.forget(caller, session.run)
        return await answer(send, 204)


class _GoesOn(Params, frozen=True, kw_only=True):
    state: Any = named(name="requestState", default=None)


def judged_as_it_starts(message: Message) -> bool:
    """Whether a message is a call that begins: whoever makes it is looked at in the transaction that starts it."""
    if message.method != "tools/call" or not message.is_request:
        return False
    try:
        return params_of(message, _GoesOn).state is None
    except WireError:
        return False


_CUT_OFF = "this server ends, and what came of this is not known yet; the same call tells later"
_NO_SESSION = {400: "begin with `initialize`, and send `Mcp-Session-Id` from then on", 404: "there is no such session"}


def _name_in(scope: Scope, name: bytes) -> str | None:
    """Return whom a header names: clients write names that are not ASCII as UTF-8."""
    said = header(scope, name)
    try:
        return said.encode("latin-1").decode() if said is not None else None
    except UnicodeDecodeError:
        return said


def _who(caller: Caller) -> str:
    """Name whose session it is. Another token may go on with it, as long as it speaks for the same."""
    return "\0".join((caller.workflow, caller.environment, caller.agent, caller.principal))


async def _wrong(send: Send, id: RequestId | None, wrong: WireError) -> None:
    await answer(send, _STATUS.get(wrong.code, 200), wire.error(id, wrong))


async def _refuse(send: Send, status: int, says: str, more: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    await answer(send, status, wire.error(None, WireError(INVALID_REQUEST, says)), more=more)
