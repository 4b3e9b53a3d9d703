"""Who connects and does not say what they want leaves room for others."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from asked_over import Over

from cards import issued
from interlock.core.credential import CredentialKind, Held
from interlock.core.limits import HEAD_BYTES_MAX
from interlock.door import asgi
from interlock.door.asgi import Receive
from interlock.door.http import prompt
from interlock.door.http.prompt import Prompt
from interlock.door.mcp.reply import Reply
from world import World

pytestmark = pytest.mark.anyio

NOWHERE: dict[str, Any] = {"workflow": None, "environment": None}


async def app(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A server: where it is, and who is connected to it."""

    where: Any
    connections: Collection[object]

    async def is_left_open_by(self, count: int) -> None:
        """Wait until so many are connected."""
        while len(self.connections) != count:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(app: Any) -> AsyncGenerator[Listening]:
    """Serve an application."""
    config = uvicorn.Config(app, http=Prompt, ws="none", lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    door = await asyncio.get_running_loop().create_server(
        lambda: Prompt(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    yield Listening(where=door.sockets[0].getsockname(), connections=server.server_state.connections)
    door.close()


@pytest.mark.parametrize(
    "said", [b"", b"POST /mcp HT", b"POST /mcp HTTP/1.1\r\nHost: x\r\nX: ", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
async def test_a_connection_on_which_no_request_comes_to_its_end_is_closed(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "HEAD_SECONDS_MAX", 0.05)
    async with listening(app) as door, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*door.where)
        writer.write(said)
        heard = await reader.read()
        assert heard.startswith(b"HTTP/1.1 204") == said.startswith(b"GET")
        writer.close()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"x"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", b"123456789"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
    ],
)
async def test_a_connection_that_says_no_more_than_was_answered_is_closed(
    first: bytes, then: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "HEAD_SECONDS_MAX", 0.05)
    async with listening(app) as door, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*door.where)
        writer.write(first)
        assert (await reader.readline()).startswith(b"HTTP/1.1 204")
        writer.write(then)
        await reader.read()
        writer.close()


@pytest.mark.parametrize(
    "first", ["GET / HTTP/1.1", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0"]
)
@pytest.mark.parametrize("then", ["\r\nX: v", "v"], ids=["many-fields", "a-long-field"])
async def test_nobody_fills_memory_with_a_head_or_with_what_stands_behind_a_body(first: str, then: str) -> None:
    async def reads(scope: object, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await app(scope, receive, send)

    sent, part = 0, then.encode() * 1_000
    async with listening(reads) as door, asyncio.timeout(20):
        _, writer = await asyncio.open_connection(*door.where)
        writer.write(f"{first}\r\nX: ".encode())
        with suppress(ConnectionError):
            while sent < 10_000_000:
                writer.write(part)
                sent += len(part)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()
    assert sent < 10_000_000, "all of it was taken"


@pytest.mark.parametrize("begins", ["", "GET / HTTP/1.1\r\nX: "])
async def test_whose_head_is_too_long_hears_so(begins: str) -> None:
    async with listening(app) as door, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(*door.where)
        writer.write(begins.encode().ljust(HEAD_BYTES_MAX + 1, b"v" if begins else b"\n"))
        heard = await reader.read()
        assert heard.startswith(b"HTTP/1.1 400") and b"at most 65536 bytes" in heard
        writer.close()


async def test_what_stands_behind_a_body_is_no_field_of_the_head() -> None:
    heard = list[Any]()

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        heard.extend(scope["headers"])
        await app(scope, receive, send)

    said = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer y\r\n\r\n"
    async with listening(reads) as door, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*door.where)
        writer.write(said)
        assert (await reader.readline()).startswith(b"HTTP/1.1 204")
        writer.close()
    assert heard == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("requests", [1, 40])
async def test_who_takes_nothing_of_an_answer_is_cut_off(requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "TAKE_SECONDS_MAX", 0.1)

    async def says_much(scope: object, receive: object, send: Any) -> None:
        await asgi.answer(send, 200, bytes(200_000))

    async with listening(says_much) as door, asyncio.timeout(20):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(door.where)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * requests)
            await door.is_left_open_by(1)
            await door.is_left_open_by(0)


def begins(*, leaves: bool) -> Receive:
    """Send the beginning of a body; then leave, or say nothing any more."""
    parts: list[dict[str, Any]] = [{"type": "http.request", "body": b'{"tool"', "more_body": True}]

    async def receive() -> Any:
        if parts:
            return parts.pop()
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


@pytest.mark.parametrize("path", ["/mcp", "/v1/actions"])
@pytest.mark.parametrize("leaves", [False, True])
async def test_a_body_that_does_not_come_to_its_end_is_waited_for_in_vain_and_not_for_ever(
    world: World, path: str, leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS_MAX", 0.05)
    await world.publish()
    over, said = await Over.to(world), list[Any]()

    async def send(message: Any) -> None:
        said.append(message)

    headers = {"host": "localhost", "authorization": f"Bearer {over.token}", "content-type": "application/json"}
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with asyncio.timeout(10):
        await over.server(scope, begins(leaves=leaves), send)
    assert [message["status"] for message in said if "status" in message] == ([] if leaves else [408])


class Stuck:
    """A client that takes the beginning of an answer, and nothing more."""

    def __init__(self) -> None:
        self.took: list[Any] = []

    async def send(self, message: Any) -> None:
        if self.took:
            await asyncio.Event().wait()
        self.took.append(message)


async def test_whoever_does_not_read_an_answer_in_parts_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "TAKE_SECONDS_MAX", 0.05)
    await world.publish()
    auditor, _ = await issued(world, kind=CredentialKind.SERVICE, roles=(Held.read("auditor"),), **NOWHERE)
    over, stuck, client = await Over.to(world), Stuck(), Stuck()
    headers = {"host": "localhost", "authorization": f"Bearer {auditor.text}"}
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/ledger/export", "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    async with asyncio.timeout(10):
        await over.server(scope, begins(leaves=False), stuck.send)
        with Reply(send=client.send, streams=True) as reply:
            assert reply.push(b"{}")
            assert not reply.push(b"x" * 5_000_000), "what nobody reads is not kept without end"
            await reply.finish(200, b"{}")
            assert not reply.push(b"{}")
    assert [each.took[0]["status"] for each in (stuck, client)] == [200, 200]
