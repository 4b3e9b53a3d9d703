"""Whatever bytes come to the API, it answers from its table, and carries nothing out that was not asked."""

import asyncio
import json
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from served import Served, serving

from interlock.door.http.problem import KINDS, PREFIX
from interlock.door.http.routes import ROUTES
from world import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ODD: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'{"tool": "mail.send"',
    b'{"tool": "mail.send", "tool": "mail.purge"}',
    b'{"tool": "mail.send", "arguments": {"a": 1, "a": 2}}',
    b'{"tool": "\xc3\x28"}',
    b'{"tool": "mail.send\\u0000"}',
    b'{"tool": "\\ud800"}',
    b'{"tool": "mail.send", "arguments": ' + b"[" * 100_000 + b"}",
    b'{"tool": "mail.send", "arguments": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    b'{"tool": "mail.send", "occurrence": 1' + b"0" * 5_000 + b"}",
    b'{"tool": "mail.send", "occurrence": 1e400}',
    b'{"tool": "mail.send", "occurrence": NaN}',
    b'{"tool": "mail.send", "arguments": {"n": 1e999999}}',
    b'{"tool": "mail.send", "arguments": {"n": ' + b"9" * 5_000 + b"}}",
    b'{"tool": "mail.send", "arguments": "to"}',
    b'{"tool": "mail.send", "run": "' + b"r" * 70 + b'"}',
    b'{"tool": "' + b"t" * 5_000 + b'"}',
    b'{"tool": "mail.send", "zebra-7000042": "zebra-7000042"}',
    b'{"verdict": "zebra-7000042"}',
    b'{"seen": "zebra-7000042\\u0000"}',
]


def a_body(each: dict[str, Any]) -> bytes:
    return json.dumps(each).encode()


LEAVES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NAMES = st.sampled_from(["tool", "arguments", "run", "occurrence", "agent", "seen", "verdict", "budget", "by", "kind"])
OBJECTS = st.dictionaries(NAMES | st.text(max_size=8), LEAVES | st.lists(LEAVES, max_size=3), max_size=5)
BODIES = st.binary(max_size=100) | st.builds(a_body, OBJECTS) | st.sampled_from(ODD)
POSTED = st.sampled_from([route.path for route in ROUTES if route.body is not None])
IDS = st.sampled_from(["a1kdwpvng001c9fxjytq", "x", "%00", "%ff", "..", "a b", "z" * 300, "\u00e9", "1", "-1"])
QUERIES = st.sampled_from(
    [
        "limit=0",
        "limit=x",
        "limit=1&limit=2",
        "cursor=%ff",
        "state=%00",
        "wait=nan",
        "wait=-1",
        "wait=1e400",
        "&&",
        "=",
        "%",
    ]
    + [
        "after=-1",
        "after=99999999999999999999",
        "from=1",
        "from=x&root=zz",
        "run=%00",
        "tenant=%00",
        "x=" + "y" * 9_000,
    ]
)


def told_well(status: int, text: str) -> None:
    """Hold an answer against what the table has: never a bug, and nothing of what was sent."""
    assert status < 500, text
    assert "Traceback" not in text and "zebra" not in text
    if status >= 400:
        problem = json.loads(text)
        assert problem["type"].removeprefix(PREFIX) in KINDS and problem["fix"]


@given(st.lists(st.tuples(POSTED, IDS, BODIES), min_size=1, max_size=8))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
async def test_any_body_is_answered(world: World, sent: list[tuple[str, str, bytes]]) -> None:
    if not await world.store.entries(limit=1):
        await world.publish()
    async with serving(world) as served:
        tokens = [await served.agent(), await served.service("operator", "admin")]
        eve = served.person("eve", "approver", "operator")
        for path, id, body in sent:
            for token in (*tokens, eve):
                reply = await served.ask(
                    "POST", path.replace("{id}", id), token, data=body, headers={"Content-Type": "application/json"}
                )
                told_well(reply.status, reply.text)


@pytest.mark.parametrize("body", ODD, ids=[str(n) for n in range(len(ODD))])
async def test_odd_bodies_of_a_proposal_are_told_what_is_wrong(served: Served, body: bytes) -> None:
    kind = {"Content-Type": "application/json"}
    reply = await served.ask("POST", "/v1/actions", await served.agent(), data=body, headers=kind)
    assert reply.status in (400, 403, 422), reply.text
    told_well(reply.status, reply.text)
    assert served.world.tool.performed == []


@given(st.lists(st.tuples(st.sampled_from([r.path for r in ROUTES]), IDS, QUERIES), min_size=1, max_size=12))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
async def test_any_path_and_query_is_answered(world: World, sent: list[tuple[str, str, str]]) -> None:
    if not await world.store.entries(limit=1):
        await world.publish()
    async with serving(world) as served:
        token = await served.service("operator", "viewer", "auditor")
        for path, id, query in sent:
            if path != "/v1/events":
                for name in ("id", "index", "kind", "workflow", "environment"):
                    path = path.replace(f"{{{name}}}", id)
                reply = await served.ask("GET", f"{path}?{query}", token)
                told_well(reply.status, reply.text)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/json; x=y", 200)],
)
async def test_a_body_says_that_it_is_json(served: Served, kind: str, status: int) -> None:
    body, token = b'{"tool": "mail.send", "arguments": {"to": "sam"}}', await served.agent()
    reply = await served.ask("POST", "/v1/actions", token, data=body, headers={"Content-Type": kind})
    assert reply.status == status


async def test_a_name_that_a_route_does_not_know_is_answered_with_those_that_it_knows(served: Served) -> None:
    token = await served.agent()
    body: dict[str, object] = {"tool": "mail.send", "arguments": {}, "zebra": 1}
    reply = await served.ask("POST", "/v1/actions", token, json=body)
    told_well(reply.status, reply.text)
    assert "`tool`, `arguments`" in reply.data["fix"]
    reply = await served.ask("GET", "/v1/actions?zebra=1", token)
    told_well(reply.status, reply.text)
    assert "`state`" in reply.data["fix"]
    reply = await served.ask("GET", "/v1/tools?zebra=1", token)
    assert reply.data["fix"] == "this route takes no query"


async def test_a_body_beyond_the_limit_is_not_read_to_its_end(served: Served) -> None:
    body = b'{"tool": "mail.send", "arguments": {"to": "' + b"x" * 600_000 + b'"}}'
    kind = {"Content-Type": "application/json"}
    reply = await served.ask("POST", "/v1/actions", await served.agent(), data=body, headers=kind)
    assert (reply.status, reply.data["type"]) == (413, "/v1/problems/too-large")


async def test_a_page_of_somebody_else_and_a_name_that_is_not_ours_get_nowhere(served: Served) -> None:
    token = await served.agent()
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        reply = await served.ask("GET", "/v1/tools", token, headers=headers)
        assert (reply.status, reply.data["type"]) == (403, "/v1/problems/not-from-here")


async def test_a_token_that_comes_too_often_hears_when_there_is_room(served: Served) -> None:
    token = await served.agent(rate=2)
    statuses = [(await served.ask("GET", "/v1/tools", token)).status for _ in range(3)]
    reply = await served.ask("GET", "/v1/tools", token)
    assert (statuses, reply.status) == ([200, 200, 429], 429)
    assert int(reply.headers["Retry-After"]) >= 1
    served.world.clock.forward(minutes=1)
    assert (await served.ask("GET", "/v1/tools", token)).status == 200


@pytest.mark.parametrize(
    "raw", [b"Idempotency-Key: a\r\nIdempotency-Key: b", b"Idempotency-Key: ", b"Idempotency-Key: \xff"]
)
async def test_a_key_that_could_be_read_in_two_ways_is_none(served: Served, raw: bytes) -> None:
    token, body = await served.agent(), b'{"tool": "mail.send", "arguments": {"to": "sam"}}'
    host, port = served.url.removeprefix("http://").split(":")
    head = b"POST /v1/actions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    auth = f"Authorization: Bearer {token.text}\r\nContent-Length: {len(body)}\r\n".encode()
    reader, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
    writer.write(head + auth + raw + b"\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert served.world.tool.performed == []
