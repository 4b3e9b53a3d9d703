"""The only way out of a browser: hosts that are allowed, and addresses that may be reached, whoever asks."""

import asyncio
import gc
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing, suppress

import pytest

from interlock.tool.browser_plan import Addresses
from interlock.tool.browser_proxy import Proxy
from loopback import http
from tools.http_peer import Peer, serving

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def a_proxy(*allowed: Addresses) -> AsyncGenerator[tuple[Proxy, list[str]]]:
    refused: list[str] = []
    proxy = Proxy(allowed=allowed, refused=refused.append)
    await proxy.begin()
    try:
        yield proxy, refused
    finally:
        await proxy.end()


async def said(proxy: Proxy, question: str) -> str:
    """What comes back on a connection of its own, until it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(question.encode())
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer.decode()


def shop(peer: Peer, *, private: bool = True, path: str = "/") -> Addresses:
    return Addresses(origin=peer.url(""), path=path, private=private)


@pytest.fixture
async def peer(anyio_backend: str) -> AsyncGenerator[Peer]:
    async with serving(Peer()) as found:
        found.answer = lambda _: http("200 OK", b"hello")
        found.closes = True
        yield found


async def test_what_is_allowed_is_asked_once_on_each_connection(peer: Peer) -> None:
    async with a_proxy(shop(peer)) as (proxy, refused):
        one = (
            f"GET {peer.url('/a?b=1')} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: p\r\nConnection: keep-alive\r\n\r\n"
        )
        answer = await said(proxy, one + one)
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert answer.endswith("hello")
    assert "Connection: close" in answer
    assert [question.split(b"\r\n\r\n")[0] for question in peer.questions] == [
        b"GET /a?b=1 HTTP/1.1\r\nHost: x\r\nConnection: close"
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("GET http://evil.example/ HTTP/1.1\r\n\r\n", "http://evil.example"),
        ("CONNECT evil.example:443 HTTP/1.1\r\n\r\n", "https://evil.example"),
        ("CONNECT {host} HTTP/1.1\r\n\r\n", "https://{host}"),
        ("GET http://{host}/p/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "http://{host}"),
        ("GET http://{host}/q HTTP/1.1\r\n\r\n", "http://{host}"),
        ("GET http://{host}/p/../q HTTP/1.1\r\n\r\n", "http://{host}"),
        ("GET http://{host}@evil.example/p/ HTTP/1.1\r\n\r\n", "http://{host}@evil.example"),
        ("GET http://{host}./p/ HTTP/1.1\r\n\r\n", "http://{host}."),
        ("GET http://a:b@{host}/p/ HTTP/1.1\r\n\r\n", "http://a:b@{host}"),
        ("GET http://0x7f000001:1/p/ HTTP/1.1\r\n\r\n", "http://0x7f000001:1"),
        ("GET http://127.1/p/ HTTP/1.1\r\n\r\n", "http://127.1"),
        ("GET http://[::1]/p/ HTTP/1.1\r\n\r\n", "http://[::1]"),
        ("GET http://[::ffff:127.0.0.1]/p/ HTTP/1.1\r\n\r\n", "http://[::ffff:127.0.0.1]"),
        ("GET http://[fe80::1%25lo]/p/ HTTP/1.1\r\n\r\n", "http://[fe80::1%25lo]"),
        ("GET ftp://{host}/p/ HTTP/1.1\r\n\r\n", "ftp://{host}"),
        ("CONNECT {host}@evil.example:443 HTTP/1.1\r\n\r\n", "https://{host}@evil.example"),
        ("CONNECT evil.example HTTP/1.1\r\n\r\n", "https://evil.example"),
        ("GET /p/ HTTP/1.1\r\nHost: {host}\r\n\r\n", "/p/://"),
    ],
)
async def test_what_is_not_allowed_is_connected_to_by_nobody(peer: Peer, question: str, named: str) -> None:
    host = f"127.0.0.1:{peer.port}"
    async with a_proxy(shop(peer, path="/p/")) as (proxy, refused):
        assert (await said(proxy, question.replace("{host}", host))).startswith("HTTP/1.1 403 ")
    assert refused == [named.replace("{host}", host)]
    assert peer.connections == 0


async def test_a_name_that_leads_to_this_machine_leads_nowhere(peer: Peer) -> None:
    allowed = Addresses(origin=f"http://localhost:{peer.port}", path="/")
    async with a_proxy(allowed) as (proxy, refused):
        answer = await said(proxy, f"GET http://localhost:{peer.port}/ HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403 ")
    assert refused == ["localhost, which is not outside"]
    assert peer.connections == 0


async def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is outside at one look and here at the next one (rebinding)."""
    looks: list[str] = []
    connected: list[str] = []
    answers = iter(["198.18.0.1", "127.0.0.1"])

    async def looked_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        looks.append(host)
        return [(2, 1, 6, "", (next(answers), port))]

    async def opened(address: str, port: int, **_: object) -> object:
        connected.append(address)
        raise OSError("nobody there")

    def is_outside(address: str) -> bool:
        return address == "198.18.0.1"

    monkeypatch.setattr("interlock.tool.browser_proxy.is_public", is_outside)
    async with a_proxy(Addresses(origin=f"http://twice.example:{peer.port}", path="/")) as (proxy, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
        monkeypatch.setattr(asyncio, "open_connection", opened)
        writer.write(f"GET http://twice.example:{peer.port}/ HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 502 ")
        writer.close()
    assert (looks, connected) == (["twice.example"], ["198.18.0.1"])


async def test_what_may_not_be_sent_yet_is_not_sent_where_that_can_be_seen(peer: Peer) -> None:
    async with a_proxy(shop(peer)) as (proxy, refused):
        proxy.may = lambda method, url: method == "GET"
        post = f"POST {peer.url('/a')} HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
        assert (await said(proxy, post)).startswith("HTTP/1.1 403 ")
        assert proxy.sent == 0
        assert (await said(proxy, f"GET {peer.url('/a')} HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200 ")
    assert refused == [peer.url("")]
    assert proxy.sent > 0


async def test_a_tunnel_carries_bytes_both_ways_until_it_ends(peer: Peer) -> None:
    allowed = Addresses(origin=f"https://127.0.0.1:{peer.port}", path="/", private=True)
    async with a_proxy(allowed) as (proxy, _):
        answer = await said(
            proxy, f"CONNECT 127.0.0.1:{peer.port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
    assert answer.startswith("HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 200 OK")
    assert answer.endswith("hello")


@pytest.mark.parametrize("turns", range(16))
async def test_a_connection_that_comes_as_it_ends_is_cut_like_the_others(turns: int) -> None:
    proxy = Proxy(allowed=(), refused=lambda origin: None)
    await proxy.begin()
    await asyncio.sleep(0)  # it waits for the first one
    ours = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(8)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await proxy.end()
    for each in ours:
        with closing(each):
            each.setblocking(False)
            async with asyncio.timeout(5):
                with suppress(ConnectionError):
                    assert await asyncio.get_running_loop().sock_recv(each, 1) == b""
    gc.collect()  # what nobody has closed says so here
