"""A server on this machine that keeps connections and questions, and says exactly what it is told to."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from interlock.tool.http_client import Question
from loopback import http

Answers = Callable[[bytes], "bytes | None | Awaitable[bytes | None]"]


class Peer:
    """A server that keeps connections, counts them, and keeps every question."""

    def __init__(self) -> None:
        self.questions: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.answer: Answers = lambda _: http("200 OK", b"{}")
        self.closes = False
        """Whether a connection ends with its first answer."""

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def question(self, method: str = "GET", path: str = "/", **more: Any) -> Question:
        return Question(method=method, url=self.url(path), **{"private": True, **more})  # pyright: ignore[reportArgumentType]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
                body = await reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else b""
                self.questions.append(head + body)
                said = self.answer(head + body)
                said = said if said is None or isinstance(said, bytes) else await said
                if said is None:
                    return
                writer.write(said)
                await writer.drain()
                if self.closes:
                    return writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            if not self.closes:
                writer.transport.abort()


@asynccontextmanager
async def serving(peer: Peer) -> AsyncGenerator[Peer]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    async with server:
        yield peer
