"""The pooled HTTP client against a server on this machine that says exactly what it is told to."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
import pytest

from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.tool.address import is_public
from interlock.tool.http_client import HttpClient, Question
from loopback import http
from tools.http_peer import Peer, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def peer(anyio_backend: str) -> AsyncGenerator[Peer]:
    async with serving(Peer()) as found:
        yield found


@pytest.fixture
async def client(anyio_backend: str) -> AsyncGenerator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


async def wrong(client: HttpClient, question: Question, kind: type[UpstreamError]) -> str:
    with anyio.fail_after(5), pytest.raises(UpstreamError) as raised:
        await client.ask(question)
    assert type(raised.value) is kind, raised.value
    assert raised.value.fix
    return str(raised.value)


async def test_many_questions_share_a_connection_and_one_tls_context(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    real = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        made.append(real())
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    for each in range(20):
        answer = await client.ask(peer.question("POST", body=b"%d" % each))
        assert (answer.status, answer.body, answer.headers["content-TYPE"]) == (200, b"{}", "text/plain")
    assert (peer.connections, len(peer.questions), len(made)) == (1, 20, 1)


async def test_what_is_sent_is_what_was_said_and_nothing_of_this_machine(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    peer.answer = lambda _: http("200 OK", b"", "text/plain", "Set-Cookie: a=b")
    for _ in range(2):
        await client.ask(peer.question("POST", "/a%2Fb?q=%41", headers={"X-Key": "k"}, body=b"{}"))
    lines = peer.questions[1].split(b"\r\n")
    assert lines[0] == b"POST /a%2Fb?q=%41 HTTP/1.1"
    assert sorted(line.partition(b":")[0] for line in lines[1:-2]) == [
        b"Accept",
        b"Accept-Encoding",
        b"Content-Length",
        b"Host",
        b"User-Agent",
        b"X-Key",
    ]


async def test_an_address_of_this_machine_is_refused_unless_it_is_allowed(client: HttpClient, peer: Peer) -> None:
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"):
        question = Question(method="GET", url=peer.url(host=host))
        assert "is in a private network" in await wrong(client, question, UpstreamFailed)
    for odd in ("2130706433", "127.1"):
        await wrong(client, Question(method="GET", url=peer.url(host=odd)), UpstreamFailed)
    assert peer.connections == 0
    await client.ask(peer.question())
    # The connection that is open now belongs to those that may.
    await wrong(client, peer.question(private=False), UpstreamFailed)


async def test_what_a_name_stands_for_is_looked_at_when_it_is_connected_to(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def rebound(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(str(host))
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebound)
    url = peer.url(host="desk.example")
    assert "private" in await wrong(client, Question(method="GET", url=url), UpstreamFailed)
    assert (asked, peer.connections) == (["desk.example"], 0)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("192.88.99.1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:7f00:1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b:1::a00:1", False),
        ("fec0::1", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("2606:4700::5efe:a00:1", False),
        ("2001:0:a00:1::f7f7:f7f7", False),
        ("no address", False),
    ],
)
async def test_an_address_is_outside_if_everybody_reaches_the_same_by_it(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_nothing_was_sent_where_nobody_listens(client: HttpClient, peer: Peer) -> None:
    async with serving(Peer()) as gone:
        question = gone.question()
    assert "nothing was sent" in await wrong(client, question, UpstreamFailed)


async def test_what_the_lease_says_just_before_the_first_byte_goes_through(client: HttpClient, peer: Peer) -> None:
    def passed() -> None:
        raise UpstreamFailed("the lease passed before anything was sent", fix="call again")

    await client.ask(peer.question())
    with pytest.raises(UpstreamFailed, match="the lease passed"):
        await client.ask(peer.question(), before=passed)
    assert len(peer.questions) == 1
    await client.ask(peer.question())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_a_question_that_broke_off_is_never_sent_again(client: HttpClient, peer: Peer, method: str) -> None:
    await client.ask(peer.question())
    peer.answer = lambda _: None
    assert "broke off" in await wrong(client, peer.question(method), UpstreamSilent)
    assert len(peer.questions) == 2


async def test_an_answer_that_does_not_come_is_silence(client: HttpClient, peer: Peer) -> None:
    never = asyncio.Event()

    async def wait(_: bytes) -> None:
        await never.wait()

    peer.answer = wait
    assert "within 0.05 s" in await wrong(client, peer.question(seconds=0.05), UpstreamSilent)
    never.set()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (http("200 OK", b"x" * 101), "more than 100 bytes"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"40\r\n"
            + b"x" * 64
            + b"\r\n"
            + b"40\r\n"
            + b"x" * 64,
            "100",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        (b"\x00\xff\xfe\r\n\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "broke off"),
        (http("200 OK", b"\x1f\x8b", "text/plain", "Content-Encoding: gzip"), "encoding"),
    ],
)
async def test_what_cannot_be_read_is_silence(client: HttpClient, peer: Peer, raw: bytes, says: str) -> None:
    peer.answer = lambda _: raw
    peer.closes = b"half" in raw
    assert says in await wrong(client, peer.question("POST", bytes_max=100, seconds=5), UpstreamSilent)


@pytest.mark.parametrize(
    ("status", "kind"), [(301, UpstreamSilent), (303, UpstreamSilent), (307, UpstreamFailed), (308, UpstreamFailed)]
)
async def test_nobody_follows_a_redirect(
    client: HttpClient, peer: Peer, status: int, kind: type[UpstreamError]
) -> None:
    peer.answer = lambda _: http(f"{status} Elsewhere", b"", "text/plain", f"Location: {peer.url('/other')}")
    assert "sends elsewhere" in await wrong(client, peer.question("POST"), kind)
    assert len(peer.questions) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://desk.example/",
        "https://ann:secret@desk.example/",
        "https://desk.example/a b",
        "https://desk.example/\r\nX: y",
        "https://desk.example/#a",
        "https:///path",
        "https://desk.example:99999/",
        "file:///etc/passwd",
        "https://désk.example/",
    ],
)
async def test_what_is_no_address_is_not_asked(client: HttpClient, url: str) -> None:
    said = await wrong(client, Question(method="GET", url=url, private=True), UpstreamFailed)
    assert "secret" not in said


async def test_a_header_cannot_bring_another_one(client: HttpClient, peer: Peer) -> None:
    said = await wrong(client, peer.question(headers={"X": "a\r\nY: hush"}), UpstreamFailed)
    assert "hush" not in said
    assert peer.questions == []


async def test_an_answer_is_read_as_it_comes_and_whoever_leaves_frees_the_connection(
    client: HttpClient, peer: Peer
) -> None:
    peer.answer = lambda _: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
    async with client.answering(peer.question()) as answering:
        assert await _first(answering.chunks()) == b"data: 1\n\n"
    peer.answer = lambda _: http("200 OK", b"{}")
    assert (await client.ask(peer.question())).body == b"{}"


async def _first(chunks: AsyncIterator[bytes]) -> bytes:
    return await anext(aiter(chunks))


def test_a_client_outlives_the_loop_that_it_was_first_used_on() -> None:
    client = HttpClient()

    async def ask() -> int:
        async with serving(Peer()) as peer:
            answer = await client.ask(peer.question())
            client.close()
            return answer.status

    assert [asyncio.run(ask()) for _ in range(2)] == [200, 200]
