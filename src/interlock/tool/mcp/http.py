"""A server over HTTP: one POST a message, answered in JSON or as a stream of events. Both eras.

Until 2025-11-25 the server may give a session, whose id goes along from then on. From 2026-07-28 on a request stands
for itself, and what routes it stands in headers too.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

from interlock.core.challenge import Challenge, challenge_in
from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.limits import MCP_MESSAGE_BYTES_MAX, PERFORM_SECONDS_MAX, SAID_CHARS_MAX
from interlock.core.mcp import STATELESS, TOOLS_CHANGED
from interlock.core.mirrored import in_header
from interlock.tool.content_type import kind_of
from interlock.tool.http_client import Answering, HttpClient, Question
from interlock.tool.mcp import wire
from interlock.tool.mcp.link import (
    CHANGES,
    DEAF,
    LISTEN_SECONDS,
    LOOK,
    PLAINLY,
    Answer,
    How,
    LoginWanted,
    Noticed,
    Way,
    answer_to,
    nobody_noticed,
    unsent,
)
from interlock.tool.mcp.reach import Reach, Revealed, Whose, revealed
from interlock.tool.mcp.sse import Event, Events

_NOT_BEGUN = frozenset({400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 414, 415, 421, 429, 431})
"""What HTTP says of a request that was not even looked at."""
_PLAIN_SCOPE = re.compile(r"[A-Za-z0-9._:/-]{1,128}(?: [A-Za-z0-9._:/-]{1,128}){0,31}")
_RETURNS_MAX = 8  # to a stream that its server closed before the answer
_RETURN_SECONDS = (0.05, 5.0)
_END_SECONDS = 0.05
_ASKED_BACK_MAX = 100  # questions of a server during one call


class HttpLink:
    """Where to post, and what goes along with each message."""

    def __init__(self, reach: Reach, secrets: Revealed, client: HttpClient, whose: Whose | None = None) -> None:
        self.tools_changed = False
        self.noticed: Noticed = nobody_noticed
        self._reach = reach
        self._whose = whose
        self._client = client
        self._headers = {
            **revealed(reach.headers, secrets),
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if reach.secret:
            self._headers["Authorization"] = f"Bearer {secrets[reach.secret]}"
        self._version = ""
        self._session = ""
        self._gone = False
        self._last = 0

    @property
    def alive(self) -> bool:
        return not self._gone

    def speak(self, version: str) -> None:
        self._version = version
        if not version:
            self._session = ""

    async def ask(self, method: str, params: Mapping[str, Any], how: How = PLAINLY) -> Answer:
        """Post a request and read until its answer."""
        id = self._last = self._last + 1
        headers = self._for(method, how)
        question = self._question("POST", headers, wire.request(id, method, params), how.seconds)
        stream = _Stream(how.way)
        try:
            async with self._client.answering(question, before=how.before) as answering:
                if answering.status not in (200, 202):
                    return await self._refusal(answering, id)
                if method == "initialize":
                    self._session = answering.headers.get("Mcp-Session-Id", "")[:1024]
                if not _is_stream(answering):
                    return self._only(await answering.body(), id)
                answer = await self._from_stream(stream, answering.chunks(), id)
            return answer if answer is not None else await self._gone_back(stream, id)
        finally:
            stream.end()

    async def listen(self) -> None:
        """Read what a server says by itself in a session, until it ends. Many servers have nothing to say there."""
        headers = {**self._for(""), "Accept": "text/event-stream"}
        async with self._client.answering(self._question("GET", headers, None, LISTEN_SECONDS)) as answering:
            if answering.status != 200 or not _is_stream(answering):
                raise unsent(self._reach.server, "says nothing by itself")
            await self._from_stream(_Stream(DEAF), answering.chunks(), 0)

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        await self._post(method, wire.notification(method, params))

    async def _post(self, method: str, body: bytes) -> None:
        """Send what wants no answer. That it did not arrive shows soon enough."""
        try:
            await self._client.ask(self._question("POST", self._for(method), body))
        except UpstreamError:
            return

    def _question(
        self, method: str, headers: Mapping[str, str], body: bytes | None, seconds: float = PERFORM_SECONDS_MAX
    ) -> Question:
        return Question(
            method=method,
            url=self._reach.url,
            headers={**self._headers, **headers},
            body=body,
            private=self._reach.private,
            seconds=seconds,
            bytes_max=MCP_MESSAGE_BYTES_MAX,
        )

    def _for(self, method: str, how: How = PLAINLY) -> dict[str, str]:
        """Return the headers that a message has of its own."""
        headers = {"MCP-Protocol-Version": self._version} if self._version else {}
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        if self._version == STATELESS:
            headers["Mcp-Method"] = method
            if how.name:
                headers["Mcp-Name"] = in_header(how.name)
            headers |= {header: in_header(value) for header, value in how.mirrored.items()}
        return headers

    async def _refusal(self, answering: Answering, id: int) -> Answer:
        """Say what a status means that is not a yes."""
        status = answering.status
        if status not in _NOT_BEGUN:
            raise UpstreamSilent(f"`{self._reach.server}` answers with the status {status}", fix=LOOK)
        if status == 404 and self._session:
            # It has forgotten us. Whoever comes next begins anew.
            self._gone = True
        said = await _said(answering)
        try:
            message = wire.incoming(said)
        except wire.Unreadable:
            message = wire.Incoming()
        if message.error is not None and message.id in (id, None) and message.error.code in wire.NOT_BEGUN:
            return message.error
        words = said.decode("utf-8", "replace")[:SAID_CHARS_MAX]
        what = f"`{self._reach.server}` refuses with the status {status}, so nothing was done"
        challenge = challenge_in(answering.headers.get("WWW-Authenticate", "")) if status in (401, 403) else None
        if challenge is None:
            raise UpstreamFailed(what, fix="look at its credential" if status in (401, 403) else LOOK, said=words)
        more = ", and asks for more than the login gave" if status == 403 else ""
        fix = _login(self._reach, self._whose, challenge, status)
        raise LoginWanted(f"{what}{more}: {fix}", fix=fix, said=words, taken=status == 403)

    def _only(self, body: bytes, id: int) -> Answer:
        try:
            message = wire.incoming(body)
        except wire.Unreadable as error:
            raise UpstreamSilent(f"`{self._reach.server}` answers something that is no message", fix=LOOK) from error
        answer = _answer_in(message, id)
        if answer is None:
            raise UpstreamSilent(f"`{self._reach.server}` answers something that was not asked", fix=LOOK)
        return answer

    async def _from_stream(self, stream: "_Stream", chunks: AsyncIterator[bytes], id: int) -> Answer | None:
        """Read events until the answer is among them; nothing if the stream ends before and can be gone back to."""
        try:
            async for chunk in chunks:
                for event in stream.events.feed(chunk):
                    answer = await self._event(stream, event, id)
                    if answer is not None:
                        await _read_to_end(chunks)
                        return answer
        except UpstreamSilent:
            if not stream.last_id:
                raise
        if not stream.last_id:
            raise UpstreamSilent(f"`{self._reach.server}` ended before it answered", fix=LOOK)
        return None

    async def _event(self, stream: "_Stream", event: Event, id: int) -> Answer | None:
        stream.last_id = event.id or stream.last_id
        stream.retry_millis = stream.retry_millis if event.retry_millis is None else event.retry_millis
        if not event.data:
            return None
        try:
            message = wire.incoming(event.data)
        except wire.Unreadable as error:
            raise UpstreamSilent(f"`{self._reach.server}` says something that is no message", fix=LOOK) from error
        if message.method is None:
            return _answer_in(message, id)
        if message.id is not None:
            stream.asked_back += 1
            if stream.asked_back > _ASKED_BACK_MAX:
                raise UpstreamSilent(f"`{self._reach.server}` asks instead of answering", fix=LOOK)
            stream.answers(self._answered(message, stream.way))
            return None
        if message.method in CHANGES:
            self.tools_changed |= message.method == TOOLS_CHANGED
            self.noticed(message.method, wire.params_of(message))
        else:
            stream.way.hear(message.method, wire.params_of(message))
        return None

    async def _answered(self, message: wire.Incoming, way: Way) -> None:
        await self._post("", await answer_to(message, way))

    async def _gone_back(self, stream: "_Stream", id: int) -> Answer:
        """Go back to a stream that was closed before the answer. It is read on; nothing is done again by it."""
        low, high = _RETURN_SECONDS
        for _ in range(_RETURNS_MAX):
            await asyncio.sleep(min(max(stream.retry_millis / 1000, low), high))
            stream.events = Events()
            headers = {**self._for(""), "Last-Event-ID": stream.last_id}
            try:
                async with self._client.answering(self._question("GET", headers, None)) as answering:
                    if answering.status != 200 or not _is_stream(answering):
                        break
                    answer = await self._from_stream(stream, answering.chunks(), id)
            except UpstreamFailed:
                continue  # that nothing was sent is true of this look, and not of the call
            if answer is not None:
                return answer
        raise UpstreamSilent(f"`{self._reach.server}` ended before it answered", fix=LOOK)

    def retire(self) -> None:
        self._gone = True

    def close(self) -> None:
        self._gone = True


def _login(reach: Reach, whose: Whose | None, challenge: Challenge, status: int) -> str:
    """Say how a person logs in. What a server says stands in a command only where it is plain."""
    name = reach.secret or "NAME"
    _, workflow, environment = whose if whose is not None else ("", "W", "E")
    scope = challenge.scope if status == 403 and _PLAIN_SCOPE.fullmatch(challenge.scope) else ""
    more = f" --scope '{scope}'" if scope else ""
    first = "give the server a `secret: NAME`, and log in"
    if reach.secret:
        first = "log in" if status == 403 else "if a second call fails too, log in"
    how = f"`interlock secret login {name} --workflow {workflow} --env {environment} --url {reach.url}{more}`"
    return f"{first}: {how}"


class _Stream:
    """What is known of a stream of events, over all connections on which it came."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.events = Events()
        self.last_id = ""
        self.retry_millis = 1_000
        self.asked_back = 0
        self._answering: set[asyncio.Task[None]] = set()

    def answers(self, work: Coroutine[Any, Any, None]) -> None:
        """Answer a question of the server while its stream is read on."""
        task = asyncio.create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def end(self) -> None:
        """Answer nothing any more."""
        for task in self._answering:
            task.cancel()


def _answer_in(message: wire.Incoming, id: int) -> Answer | None:
    if message.method is not None or message.id != id:
        return None
    return message.error if message.error is not None else message.result


async def _read_to_end(chunks: AsyncIterator[bytes]) -> None:
    """See the stream end, as it does at once, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            async for _ in chunks:
                pass
    except (UpstreamSilent, TimeoutError):
        return


async def _said(answering: Answering) -> bytes:
    try:
        return await answering.body()
    except UpstreamSilent:
        return b""


def _is_stream(answering: Answering) -> bool:
    return kind_of(answering.headers.get("Content-Type", "")) == "text/event-stream"
