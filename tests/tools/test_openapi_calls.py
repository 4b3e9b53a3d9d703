"""Operations that are called through a gateway, on a server that misbehaves."""

import json
import re
from typing import Any

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock.core.effect import EffectClass
from interlock.core.errors import UpstreamFailed
from interlock.core.outcome import Done, Failed, Outcome, Refused, Uncertain
from interlock.tool.openapi_plan import Credential, Plan, Sent
from interlock.tool.openapi_request import request
from loopback import http
from tools.operations import Api, an_answer, body, one, parameter

pytestmark = pytest.mark.anyio

TEXT = {"type": "string"}


def done(outcome: Outcome) -> Any:
    assert isinstance(outcome, Done), outcome
    return outcome.result


async def test_every_argument_goes_to_its_place(api: Api) -> None:
    await api.publish(
        one(
            "post",
            "/t/{id}/x",
            parameters=[
                parameter("id", "path"),
                parameter("q"),
                parameter("each", schema={"type": "array", "items": {"type": "integer"}}),
                parameter("all", schema={"type": "array", "items": TEXT}, explode=False),
                parameter("yes", schema={"type": "boolean"}),
                parameter("X-Why", "header"),
            ],
            requestBody=body({"type": "object", "properties": {"usd": {"type": "number"}}}),
        )
    )
    given = {"id": "a b", "q": "x&y=z", "each": [1, 2], "all": ["a,b", "c"], "yes": True, "X-Why": "so", "usd": 1.5}
    assert done(await api.call(given)) == "{}"
    line, headers, sent = api.asked()
    assert line == "POST /v1/t/a%20b/x?q=x%26y%3Dz&each=1&each=2&all=a%2Cb,c&yes=true HTTP/1.1"
    assert (headers["x-why"], headers["content-type"], headers["accept"]) == (
        "so",
        "application/json",
        "application/json, text/plain;q=0.5",
    )
    assert json.loads(sent) == {"usd": 1.5}


async def test_what_is_not_said_is_not_sent_and_defaults_are(api: Api) -> None:
    parameters = [parameter("a"), parameter("b", schema={"type": "string", "default": "x"})]
    await api.publish(one("post", parameters=parameters, requestBody=body({"properties": {"c": TEXT}}, required=False)))
    await api.call()
    line, headers, sent = api.asked()
    assert (line, sent, "content-type" in headers) == ("POST /v1/things?b=x HTTP/1.1", b"", False)


async def test_a_text_has_the_format_that_the_document_names_or_is_not_sent(api: Api) -> None:
    day = {"type": "string", "format": "date"}
    answer = an_answer({"type": "object", "properties": {"paid_on": day}})
    more = {"day": {**day, "default": "tomorrow"}, "by": {"type": "string", "format": "iban"}}
    asked = body({"type": "object", "properties": {"on": day, **more}}, required=True)
    await api.publish(one("post", requestBody=asked, responses=answer))
    refused = await api.call({"on": "2026-02-30"})
    assert isinstance(refused, Refused)
    assert [(each.path, each.kind) for each in refused.wrong] == [("$.on", "Format")]
    assert api.peer.questions == []
    api.peer.answer = lambda _: http("200 OK", b'{"paid_on":"2026-02-30"}', "application/json")
    outcome = await api.call({"on": "2026-02-28", "by": "no such format is known"})
    assert isinstance(outcome, Done)
    assert (outcome.result, outcome.check) == ({"paid_on": "2026-02-30"}, "failed")
    assert json.loads(api.asked()[2]) == {"on": "2026-02-28", "by": "no such format is known"}


async def test_the_key_of_the_action_goes_along_where_the_other_side_knows_it(api: Api) -> None:
    named = [parameter(name, "header", required=True) for name in ("The-Key", "the_key")]
    await api.publish(one("post", parameters=named), ", idempotency_header: The-Key")
    outcome = await api.call()
    assert isinstance(outcome, Done)
    assert api.asked()[1]["the-key"] == f"{api.world.tenant}.{outcome.action}"
    assert (await api.world.row(outcome.action)).action.effect is EffectClass.IDEMPOTENT_KEY


PATH = Plan(operation="it", method="GET", url="https://h.example/v1", path="/t/{id}/x",
            sent=(Sent(argument="id", place="path", name="id"),))  # fmt: skip


@settings(deadline=None)
@given(st.text() | st.lists(st.text(), min_size=1))
@example("..")
@example("../../admin")
@example("a?b#c")
@example("%2e%2e%2f")
@example("a\\b")
@example("a;/../b")
@example("..;")
def test_no_argument_leaves_its_part_of_the_path(value: Any) -> None:
    try:
        url = request(PATH, {"id": value}, {}).url
    except UpstreamFailed:
        return
    head, part, tail = url.removeprefix("https://h.example/v1").split("/")[1:]
    assert (head, tail) == ("t", "x")
    assert part not in ("", ".", "..")
    assert not set(part) & set("?#\\ \r\n")
    assert url.isascii()


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a\\b", "\x00", "a\nb", [], None, {"a": 1}])
async def test_an_argument_that_would_leave_the_path_is_not_sent(value: Any) -> None:
    with pytest.raises(UpstreamFailed):
        request(PATH, {"id": value}, {})


@settings(deadline=None)
@given(st.text())
@example("a\r\nHost: evil.example")
def test_no_argument_adds_a_header(value: str) -> None:
    plan = Plan(operation="it", method="GET", url="https://h.example", path="/",
                sent=(Sent(argument="h", place="header", name="X-H"),))  # fmt: skip
    try:
        headers = request(plan, {"h": value}, {}).headers
    except UpstreamFailed:
        return
    assert set(headers) == {"Accept", "X-H"}
    assert headers["X-H"].isprintable()


@settings(deadline=None)
@given(st.text() | st.text('ab;,= "\\%\r\n\x7fä') | st.integers(1 - 2**53, 2**53 - 1) | st.booleans())
@example("a; sid=mine")
@example('"a; sid=mine"')
@example("a\r\nCookie: sid=mine")
@example("a,sid=mine")
def test_no_argument_adds_a_cookie(value: Any) -> None:
    key = Credential(place="cookie", name="sid")
    plan = Plan(operation="it", method="GET", url="https://h.example", path="/", credentials=(key,),
                sent=(Sent(argument="c", place="cookie", name="c"),))  # fmt: skip
    try:
        headers = request(plan, {"c": value}, {"": "s3cret"}).headers
    except UpstreamFailed:
        return
    assert set(headers) == {"Accept", "Cookie"}
    assert headers["Cookie"].isprintable()
    assert headers["Cookie"].isascii()
    assert re.split("[;, ]+", headers["Cookie"]) == [
        "sid=s3cret",
        f"c={value if isinstance(value, str) else json.dumps(value)}",
    ]


READS, WRITES = "get", "post"


@pytest.mark.parametrize(
    ("status", "reads", "writes"),
    [
        ("200 OK", Done, Done),
        ("201 Created", Done, Done),
        ("202 Accepted", Done, Done),
        ("204 No Content", Done, Done),
        ("301 Moved Permanently", Failed, Uncertain),
        ("303 See Other", Failed, Uncertain),
        ("307 Temporary Redirect", Failed, Failed),
        ("400 Bad Request", Failed, Failed),
        ("401 Unauthorized", Failed, Failed),
        ("404 Not Found", Failed, Failed),
        ("408 Request Timeout", Failed, Uncertain),
        ("409 Conflict", Failed, Failed),
        ("422 Unprocessable Content", Failed, Failed),
        ("425 Too Early", Failed, Failed),
        ("429 Too Many Requests", Failed, Failed),
        ("499 Whatever", Failed, Uncertain),
        ("500 Internal Server Error", Failed, Uncertain),
        ("503 Service Unavailable", Failed, Uncertain),
        ("600 Odd", Failed, Uncertain),
    ],
)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_a_status_says_how_it_ended(api: Api, status: str, reads: type, writes: type) -> None:
    api.peer.answer = lambda _: http(status, b"" if status.startswith("204") else b'{"a":1}', "application/json")
    ends: list[type] = []
    for method in (READS, WRITES):
        await api.publish(one(method))
        ends.append(type(await api.call()))
    assert ends == [reads, writes]


async def test_what_it_says_of_its_failure_is_told_within_a_bound(api: Api) -> None:
    api.peer.answer = lambda _: http("422 Unprocessable Content", b"no \xff" + b"y" * 100_000)
    await api.publish(one("post"))
    outcome = await api.call()
    assert isinstance(outcome, Failed)
    assert outcome.why == f"`127.0.0.1:{api.peer.port}` says no: 422 Unprocessable Entity"
    assert outcome.said.startswith("no �yyy")
    assert len(outcome.said) == 2_000


GARBAGE = [
    (b"\xff\xfe{}", "application/json"),
    (b"{", "application/json"),
    (b'{"a":1,"a":2}', "application/json"),
    (b"NaN", "application/json"),
    (b"0.10000000000000000001", "application/json"),
    (b"[" * 100_000, "application/json"),
    (b"<html>", "application/octet-stream"),
    (b"\xff", "text/plain"),
    (b"\xe9", "text/plain; charset=latin-1"),
]


@pytest.mark.parametrize(("answer", "kind"), GARBAGE)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_garbage_after_a_yes_is_done_and_unreadable_and_of_a_read_it_failed(
    api: Api, answer: bytes, kind: str
) -> None:
    api.peer.answer = lambda _: http("200 OK", answer, kind)
    await api.publish(one("post"))
    outcome = await api.call()
    assert isinstance(outcome, Done)
    assert (outcome.result, outcome.check) == (None, "failed")
    await api.publish(one("get"))
    assert isinstance(await api.call(), Failed)


@pytest.mark.parametrize(
    ("answer", "kind", "result"),
    [
        (b'{"a":[1,2.5,null]}', "application/json", {"a": [1, 2.5, None]}),
        (b'\xef\xbb\xbf{"a":1}', "application/problem+json; charset=utf-8", {"a": 1}),
        ("grüße".encode(), "text/plain; charset=UTF-8", "grüße"),
        (b"a,b", "text/csv", "a,b"),
        (b"", "application/json", None),
    ],
)
async def test_json_and_text_are_the_result(api: Api, answer: bytes, kind: str, result: Any) -> None:
    api.peer.answer = lambda _: http("200 OK", answer, kind)
    await api.publish(one())
    assert done(await api.call()) == result


async def test_a_result_that_does_not_fit_the_document_fails_its_check(api: Api) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    await api.publish(one("post", responses=an_answer(schema)))
    api.peer.answer = lambda _: http("200 OK", b'{"a":1,"more":2}', "application/json")
    right = await api.call()
    api.peer.answer = lambda _: http("200 OK", b'{"a":"1"}', "application/json")
    wrong = await api.call()
    assert isinstance(right, Done)
    assert isinstance(wrong, Done)
    assert (right.check, wrong.check) == ("passed", "failed")


@pytest.mark.parametrize(("method", "ends"), [(READS, Failed), (WRITES, Done)])
async def test_fifty_megabytes_are_not_read(api: Api, method: str, ends: type) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 52428800\r\n\r\n"
    api.peer.answer = lambda _: head + b" " * 3_000_000
    await api.publish(one(method))
    with anyio.fail_after(5):
        outcome = await api.call()
    assert isinstance(outcome, ends)
    assert not isinstance(outcome, Done) or outcome.check == "failed"


@pytest.mark.parametrize(("method", "ends"), [(READS, Failed), (WRITES, Uncertain)])
async def test_a_connection_that_breaks_off_and_one_that_hangs(api: Api, method: str, ends: type) -> None:
    await api.publish(one(method), ", timeout: 200ms")
    api.peer.answer = lambda _: None
    assert isinstance(await api.call(), ends)

    async def hang(_: bytes) -> bytes | None:
        await anyio.sleep(30)
        return None

    api.peer.answer = hang
    assert isinstance(await api.call(), ends)


async def test_where_nobody_listens_nothing_has_happened(api: Api) -> None:
    await api.publish(one("post"))
    api.peer.port, port = 1, api.peer.port
    await api.publish(one("post"))
    outcome = await api.call()
    assert isinstance(outcome, Failed)
    assert "cannot be reached, so nothing was sent" in outcome.why
    api.peer.port = port


async def test_a_read_is_tried_again_and_a_write_under_its_key(api: Api) -> None:
    answers = iter(["503 Service Unavailable", "200 OK"] * 2)
    api.peer.answer = lambda _: http(next(answers), b"{}", "application/json")
    await api.publish(one("get"), ", retries: { max: 1, backoff: 1ms }")
    assert isinstance(await api.call(), Done)
    await api.publish(one("post"), ", idempotency_header: Key, retries: { max: 1, backoff: 1ms }")
    assert isinstance(await api.call(), Done)
    keys = [line for each in api.peer.questions[2:] for line in each.split(b"\r\n") if line.startswith(b"Key: ")]
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.slow
async def test_a_private_address_is_refused_unless_the_contract_allows_it(api: Api) -> None:
    document = {**one("post"), "servers": [{"url": f"https://127.0.0.1:{api.peer.port}/"}]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.peer, "url", lambda path="/": f"https://127.0.0.1:{api.peer.port}{path}")
        publish = api.publish
        await publish(document)
    outcome = await api.call()
    assert isinstance(outcome, Failed)
    assert api.peer.questions == []


async def test_what_was_published_is_asked_whatever_becomes_of_the_document(api: Api) -> None:
    await api.publish(one(path="/old"))
    (api.folder / "api.json").write_text(json.dumps(one("delete", "/new")), encoding="utf-8")
    done(await api.call())
    assert api.asked()[0] == "GET /v1/old HTTP/1.1"
    again = await api.publish(one("delete", "/new"))
    assert again.changed == ("it",)
