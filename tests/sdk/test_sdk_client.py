"""The client against a real server: what is asked for, what waits for a person, and what gets lost on the way."""

import json
import logging
import pickle
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from desk import Desk

import interlock_sdk
from interlock_sdk import (
    AsyncInterlock,
    Done,
    Failed,
    Interlock,
    InterlockError,
    NotLetIn,
    NotThere,
    NotWanted,
    Parked,
    Refused,
    Retry,
    Unreachable,
)

pytestmark = pytest.mark.slow
QUICK = Retry(first_seconds=0.01)


@pytest.fixture(scope="module")
def client(shop: Desk) -> Generator[Interlock]:
    with Interlock(shop.url, shop.token, agent="bot", principal="sam", retry=QUICK) as opened:
        yield opened


def refund(order: str, usd: int = 5) -> dict[str, Any]:
    return {"order": order, "amount_usd": usd}


def notes(shop: Desk, text: str) -> int:
    return sum(each.get("text") == text for each in shop.done())


def test_a_call_that_may_go_on_is_done_and_gives_its_result(client: Interlock) -> None:
    outcome = client.call("find_order", {"order": "O-1"})
    assert isinstance(outcome, Done)
    assert outcome.result == {"order": "O-1", "amount_usd": 120}
    assert outcome.receipt is not None


def test_what_says_no_is_raised(client: Interlock) -> None:
    with pytest.raises(Refused) as refused:
        client.call("delete_order", {"order": "O-1"})
    assert (refused.value.reason, refused.value.action[:1]) == ("tool_not_allowed", "a")
    with pytest.raises(Refused) as wrong:
        client.call("add_note", {"order": 7_000_042})
    assert {each.path for each in wrong.value.wrong} == {"$.order", "$.text"}
    assert "7000042" not in str(wrong.value)
    with pytest.raises(NotThere):
        client.action("a1m8kczv5pe08dacwyzv")


def test_two_that_wait_at_once_go_on_by_themselves_each_by_its_own_consent(shop: Desk, client: Interlock) -> None:
    first, second = client.call("refund", refund("O-1")), client.call("refund", refund("O-2"))
    assert isinstance(first, Parked) and isinstance(second, Parked)
    shop.approve(second.action)
    done = client.wait(second, timeout=120)
    assert isinstance(done, Done) and done.action == second.action
    assert [each["refund"] for each in shop.done() if "refund" in each] == ["O-2"]
    assert isinstance(client.wait(first, timeout=0.1), Parked)
    shop.deny(first.action)
    with pytest.raises(Refused) as refused:
        client.wait(first.action, timeout=120)
    assert (refused.value.reason, refused.value.action) == ("approval_denied", first.action)
    assert isinstance(client.action(first.action).outcome, Refused)


def test_a_call_may_wait_for_its_consent(shop: Desk, client: Interlock) -> None:
    before = set(shop.parked())
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(client.call("refund", refund("O-3"), wait=300)))
    thread.start()
    while not (waiting := set(shop.parked()) - before):
        assert thread.is_alive()
    shop.approve(waiting.pop())
    thread.join(300)
    assert isinstance(found[0], Done) and found[0].result == "refund written"


def test_what_surely_did_not_happen_has_failed(shop: Desk, client: Interlock) -> None:
    parked = client.call("refund", refund("O-9"))
    shop.approve(parked.action)
    with pytest.raises(Failed) as failed:
        client.wait(parked.action, timeout=120)
    assert failed.value.said == "there is no such order"


def test_the_same_key_is_the_same_action_and_another_call_under_it_is_refused(shop: Desk, client: Interlock) -> None:
    first = client.call("add_note", {"order": "O-1", "text": "once"}, key="k1")
    again = client.call("add_note", {"text": "once", "order": "O-1"}, key="k1")
    assert (first.action, again.recalled, notes(shop, "once")) == (again.action, True, 1)
    with pytest.raises(Refused) as refused:
        client.call("add_note", {"order": "O-1", "text": "other"}, key="k1")
    assert refused.value.reason == "duplicate"
    client.call("add_note", {"order": "O-1", "text": "once"})
    assert notes(shop, "once") == 2


def test_a_body_that_is_replayed_does_nothing_twice(shop: Desk, client: Interlock) -> None:
    def body() -> list[str]:
        run = client.run("r-replayed")
        said = [{"order": "O-1", "text": "a"}, {"text": "a", "order": "O-1"}, {"order": "O-1", "text": "b"}]
        return [run.call("add_note", arguments).action for arguments in said]

    first = body()
    assert body() == first
    assert len(set(first)) == 3
    assert [notes(shop, "a"), notes(shop, "b")] == [2, 1]


@pytest.mark.anyio
async def test_whoever_waits_for_people_stands_in_no_calls_way(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock_sdk.carried.CONNECTIONS_MAX", 2)
    async with (
        AsyncInterlock(shop.url, shop.token, agent="bot", principal="sam") as client,
        anyio.create_task_group() as waiting,
    ):
        parked = await client.call("refund", refund("O-2"))
        assert isinstance(parked, Parked)
        for _ in range(4):
            waiting.start_soon(client.wait, parked)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(10):
            assert isinstance(await client.call("find_order", {"order": "O-1"}), Done)
        waiting.cancel_scope.cancel()


FORKS = """
import os, sys
from interlock_sdk import Interlock

interlock = Interlock(sys.argv[1], sys.argv[2], agent="bot", principal="sam")
interlock.call("find_order", {"order": "parent"})
children = []
for child in range(4):
    children.append(os.fork())
    if not children[-1]:
        told = [interlock.call("find_order", {"order": f"{child}-{n}"}).result["order"] for n in range(5)]
        os._exit(told != [f"{child}-{n}" for n in range(5)])
assert all(os.waitpid(each, 0)[1] == 0 for each in children), "a child heard what was said to another"
assert interlock.call("find_order", {"order": "parent"}).result["order"] == "parent"
"""


def test_a_process_that_was_forked_hears_its_own_answers(shop: Desk) -> None:
    words = [sys.executable, "-c", FORKS, shop.url, shop.token]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


LOOPS = """
import asyncio, sys
from interlock_sdk import AsyncInterlock, Done, NotWanted

client = AsyncInterlock(sys.argv[1], sys.argv[2], agent="bot", principal="sam")
for _ in range(3):
    assert isinstance(asyncio.run(client.call("add_note", {"order": "O-1", "text": "loops"})), Done)
asyncio.run(client.close())
try:
    asyncio.run(client.tools())
except NotWanted as closed:
    print(closed)
"""


def test_a_client_that_awaits_goes_on_in_another_event_loop(shop: Desk) -> None:
    words = [sys.executable, "-c", LOOPS, shop.url, shop.token]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "this client is closed; nothing was sent" in ran.stdout
    assert notes(shop, "loops") == 3


def test_the_tools_are_those_that_the_contract_allows(client: Interlock) -> None:
    tools = {tool.name: tool for tool in client.tools()}
    assert set(tools) == {"find_order", "add_note", "refund"}
    assert tools["refund"].takes["required"] == ["amount_usd", "order"] or tools["refund"].takes["required"]
    assert "Give money back" in tools["refund"].description
    assert [tools["find_order"].read_only, tools["refund"].read_only] == [True, False]


@pytest.mark.anyio
async def test_whoever_awaits_hears_the_same(shop: Desk) -> None:
    async with AsyncInterlock(shop.url, shop.token, principal="sam") as client:
        done = await client.call("find_order", {"order": "O-2"})
        parked = await client.call("refund", refund("O-2", 7))
        assert isinstance(done, Done) and isinstance(parked, Parked)
        assert isinstance(await client.wait(parked, timeout=0.1), Parked)
        shop.approve(parked.action)
        assert isinstance(await client.wait(parked.action, timeout=120), Done)
        assert (await client.action(parked.action)).state == "done"
        run = client.run("r-awaited")
        first, second = [await run.call("add_note", {"order": "O-1", "text": "c"}) for _ in range(2)]
        assert first.action != second.action
        assert {tool.name for tool in await client.tools()} == {"find_order", "add_note", "refund"}
        with pytest.raises(Refused):
            await client.call("delete_order", {"order": "O-1"})


Passes = Callable[[int, bytes], bytes | None]


@contextmanager
def between(url: str, passes: Passes) -> Generator[str]:
    """Stand between a client and a server: pass on what comes, and of what comes back only what `passes` returns."""
    host, port = url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        number = 0
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, socket.create_connection((host, int(port))) as server:
                server.sendall(_whole(client).replace(b"Connection: keep-alive", b"Connection: close"))
                said = b"".join(iter(lambda: server.recv(65_536), b""))
                number += 1
                back = passes(number, said)
                if back is not None:
                    client.sendall(back)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


def _whole(client: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += client.recv(65_536)
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += client.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.mark.parametrize("in_a_run", [False, True])
@pytest.mark.parametrize("kept", [0, 100, None])
def test_an_answer_that_gets_lost_has_no_second_effect(shop: Desk, in_a_run: bool, kept: int | None) -> None:
    """Nothing of the answer comes, or its beginning, or a proxy says instead that it has none."""
    text = f"lost {in_a_run} {kept}"
    gateway_error = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def passes(number: int, said: bytes) -> bytes | None:
        return said if number > 2 else gateway_error if kept is None else said[:kept]

    with between(shop.url, passes) as way, Interlock(way, shop.token, principal="sam", retry=QUICK) as client:
        outcome = client.call("add_note", {"order": "O-1", "text": text}, run="r-lost" if in_a_run else None)
    assert isinstance(outcome, Done)
    assert (outcome.recalled, notes(shop, text)) == (True, 1)


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Interlock(f"http://127.0.0.1:{port}", "ilk_x", retry=QUICK) as client, pytest.raises(Unreachable) as caught:
        client.call("find_order", {"order": "O-1"})
    assert caught.value.fix


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://interlock.acme.example", "in the open"),
        ("ftp://127.0.0.1", "no address"),
        ("https://user:pass@acme.example", "no address"),
        ("https://", "no address"),
        ("https://a:99999", "no address"),
        ("http://127.0.0.1:7400/mcp", "of a door"),
        ("https://acme.example/interlock/v1/", "of a door"),
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused_and_not_repeated(url: str, says: str) -> None:
    with pytest.raises(NotWanted, match=says) as caught:
        Interlock(url, "ilk_x")
    assert "pass" not in str(caught.value)
    Interlock("http://interlock.acme.example", "ilk_x", unsafe_plaintext=True).close()


@pytest.mark.parametrize("token", ["", " ", "ilk_x\n", "ilk x", "ilk_\u00f6", "ilk_\x00"])
def test_a_token_that_cannot_be_sent_is_refused_before_anything_is(token: str) -> None:
    for client in (Interlock, AsyncInterlock):
        with pytest.raises(NotWanted, match="the token is empty"):
            client("http://127.0.0.1:1", token)


def test_the_token_stands_in_no_text_that_comes_from_here(shop: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forged = shop.token[:-1] + ("0" if shop.token[-1] != "0" else "1")
    said = list[str]()
    with Interlock(shop.url, forged) as client:
        try:
            client.call("find_order", {"order": "O-1"})
        except NotLetIn as error:
            said += [str(error), repr(error), pickle.dumps(error.__dict__).decode("latin-1"), repr(error.__context__)]
            said += traceback.format_exception(error)
        said += [repr(client), repr(client.__dict__), repr(client.run("r"))]
    said += [record.getMessage() for record in caplog.records]
    assert len(said) > 6
    assert not [text for text in said if forged[20:] in text]


def test_the_sdk_has_nothing_of_the_server_and_no_framework_in_it() -> None:
    code = "import sys, interlock_sdk; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(ran.stdout.replace("'", '"'))
    assert not {"interlock", "langchain_core", "agents", "pydantic_ai", "llama_index", "semantic_kernel"} & set(loaded)
    assert not {"cryptography", "rfc8785", "pydantic", "msgspec", "aiohttp"} & set(loaded)


def test_what_it_exports_is_a_list() -> None:
    modules = {"asking", "asynchronous", "carried", "client", "errors", "outcome", "run", "talk", "wire", "adapters"}
    public = {name for name in vars(interlock_sdk) if not name.startswith("_")} - modules - {"signing"}
    assert interlock_sdk.__all__ == sorted(public)
    assert issubclass(InterlockError, Exception)
