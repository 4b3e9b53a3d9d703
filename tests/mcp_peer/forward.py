"""A way in for clients that cannot send a token: it adds one to each request, and leaves everything else as it came.

A connection carries one request. Of several servers each has its turn, whoever asks: a balancer that remembers nobody.
Its own port is exchanged for that of the server in `Host` and `Origin`; other names
pass as they are, because it is the server that has to refuse them.
"""

import asyncio
import re
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle

_HEAD_BYTES_MAX = 64 * 1024


@contextmanager
def with_token(ports: Sequence[int], token: str) -> Generator[int]:
    """Listen in front of servers on ports of this machine, and yield the port in front of them."""
    loop, turns = asyncio.new_event_loop(), cycle(ports)
    listening: asyncio.Future[asyncio.Server] = loop.create_future()

    async def serve() -> None:
        async def come(reads: asyncio.StreamReader, writes: asyncio.StreamWriter) -> None:
            with suppress(asyncio.CancelledError):  # its end, too, is heard of by nobody
                await _carry(reads, writes, next(turns), token)

        server = await asyncio.start_server(come, "127.0.0.1", 0, limit=_HEAD_BYTES_MAX)
        listening.set_result(server)

    loop.run_until_complete(serve())
    server = listening.result()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _carry(reads: asyncio.StreamReader, writes: asyncio.StreamWriter, port: int, token: str) -> None:
    there: asyncio.StreamWriter | None = None
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reads.readuntil(b"\r\n\r\n")
        back, there = await asyncio.open_connection("127.0.0.1", port)
        own = writes.get_extra_info("sockname")[1]
        there.write(_head(head, own, port, token))
        ways = [asyncio.ensure_future(_flow(reads, there)), asyncio.ensure_future(_flow(back, writes))]
        # Whichever side hangs up, the other one hears of it.
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    for each in (writes, there):
        if each is not None:
            each.close()
            with suppress(OSError):
                await each.wait_closed()


def _head(head: bytes, own: int, port: int, token: str) -> bytes:
    lines = [
        line for line in head.removesuffix(b"\r\n\r\n").split(b"\r\n") if not line.lower().startswith(b"connection:")
    ]
    named = re.compile(rb"^((?:host|origin):.*):%d$" % own, re.IGNORECASE)
    mended = [named.sub(rb"\1:%d" % port, line) for line in lines]
    return b"\r\n".join([*mended, b"Authorization: Bearer " + token.encode(), b"Connection: close", b"", b""])


async def _flow(reads: asyncio.StreamReader, writes: asyncio.StreamWriter) -> None:
    while piece := await reads.read(65_536):
        writes.write(piece)
        await writes.drain()
