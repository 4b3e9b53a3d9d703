"""Operations that take a form, or a query with parts: `name[part]=value`, as payment services read it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.core.errors import ContractInvalid, UpstreamFailed
from interlock.core.outcome import Done, Failed
from interlock.tool.openapi_plan import Plan, Sent
from interlock.tool.openapi_request import request
from tools.operations import Api, described, one, parameter

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
TEXT = {"type": "string"}
NAMED = {"style": "deepObject", "explode": True}
REFUND = {
    "type": "object",
    "required": ["charge"],
    "properties": {
        "charge": TEXT,
        "amount": {"type": "integer"},
        "expand": {"type": "array", "items": TEXT},
        "tags": {"type": "array", "items": TEXT},
        "metadata": {"type": "object", "additionalProperties": TEXT},
        "address": {"type": "object", "properties": {"city": TEXT, "lines": {"type": "array", "items": TEXT}}},
        "extra": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
ENCODING = {"expand": NAMED, "metadata": NAMED, "address": NAMED, "tags": {"explode": False}}


def form(schema: Any, encoding: Any = None) -> dict[str, Any]:
    return one(
        "post", requestBody={"required": True, "content": {FORM: {"schema": schema, "encoding": encoding or {}}}}
    )


async def test_the_members_of_a_form_are_arguments_and_leave_as_a_form(api: Api) -> None:
    await api.publish(form(REFUND, ENCODING))
    arguments = {
        "charge": "ch_1 & co",
        "amount": 500,
        "expand": ["charge", "refund"],
        "tags": ["a,b", "c"],
        "metadata": {"order id": "7=8"},
        "address": {"city": "Köln", "lines": ["1", "2"]},
        "extra": {"a": 1},
    }
    outcome = await api.call(arguments)
    assert isinstance(outcome, Done), outcome
    _, headers, sent = api.asked()
    assert headers["content-type"] == FORM
    assert sorted(parse_qsl(sent.decode(), strict_parsing=True)) == [
        ("address[city]", "Köln"),
        ("address[lines][0]", "1"),
        ("address[lines][1]", "2"),
        ("amount", "500"),
        ("charge", "ch_1 & co"),
        ("expand[0]", "charge"),
        ("expand[1]", "refund"),
        ("extra", '{"a":1}'),
        ("metadata[order id]", "7=8"),
        ("tags", "a,b,c"),
    ]
    assert b"tags=a%2Cb,c" in sent


async def test_a_query_has_parts_where_the_document_says_so(api: Api) -> None:
    created = {"type": "object", "properties": {"gte": {"type": "integer"}, "lt": {"type": "integer"}}}
    await api.publish(one(parameters=[parameter("created", schema=created, style="deepObject")]))
    await api.call({"created": {"gte": 5, "lt": 9}})
    line, _, _ = api.asked()
    assert line == "GET /v1/things?created%5Bgte%5D=5&created%5Blt%5D=9 HTTP/1.1"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"charge": "c", "metadata": {"a][b": "x"}}, "has a bracket or a control character"),
        ({"charge": "c", "metadata": {"": "x"}}, "of a part of `metadata` is empty"),
        ({"charge": "c", "metadata": {}}, "is empty, which cannot be said by names"),
        ({"charge": "c", "expand": []}, "is empty, which cannot be said by names"),
        ({"charge": "c", "tags": []}, "is an empty list, which a form cannot say"),
    ],
)
async def test_what_a_form_cannot_say_is_not_sent(api: Api, arguments: Any, why: str) -> None:
    await api.publish(form(REFUND, ENCODING))
    outcome = await api.call(arguments)
    assert isinstance(outcome, Failed), outcome
    assert why in outcome.why
    assert api.peer.questions == []


@pytest.mark.parametrize(
    ("schema", "encoding", "says"),
    [
        (TEXT, {}, "its form is not an object of named members"),
        ({"type": "object", "additionalProperties": TEXT}, {}, "its form is not an object of named members"),
        (REFUND, {"charge": {"style": "pipeDelimited"}}, "its member `charge` is written in the style `pipeDelimited`"),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "items": REFUND}}},
            {},
            "its member `a` has parts, which a form holds in the style `deepObject` or as JSON",
        ),
        (
            {"type": "object", "required": ["a"], "properties": {"a": REFUND}},
            {"a": {"contentType": "application/xml"}},
            "its member `a` has parts, which a form holds in the style `deepObject` or as JSON",
        ),
    ],
)
def test_a_form_that_cannot_be_written_is_no_tool(tmp_path: Path, schema: Any, encoding: Any, says: str) -> None:
    with pytest.raises(ContractInvalid) as refused:
        described(tmp_path, form(schema, encoding))
    assert str(refused.value).splitlines()[0] == f"api.json: `it`: {says}"


def test_a_member_that_is_not_needed_and_cannot_be_written_is_no_argument(tmp_path: Path) -> None:
    found = described(tmp_path, form(REFUND, {"extra": {"style": "form"}}))
    assert "extra" not in found.schema["properties"]
    assert (
        "`extra` is no argument: it has parts, which a form holds in the style `deepObject` or as JSON" in found.notes
    )


def test_json_is_taken_before_a_form(tmp_path: Path) -> None:
    content = {FORM: {"schema": REFUND}, "application/json": {"schema": {"properties": {"a": TEXT}}}}
    found = described(tmp_path, one("post", requestBody={"required": True, "content": content}))
    assert list(found.schema["properties"]) == ["a"]


PLAN = Plan(
    operation="it",
    method="POST",
    url="https://h.example",
    path="/",
    body="form",
    body_type=FORM,
    sent=(Sent(argument="a", place="body", name="a", parts="named"), Sent(argument="b", place="body", name="b")),
)
LEAVES = st.text() | st.integers(1 - 2**53, 2**53 - 1) | st.booleans()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


def leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            parts = list(cast("dict[str, Any]", value).items())
        case list():
            parts = [(str(place), inner) for place, inner in enumerate(cast("list[Any]", value))]
        case _:
            yield name, value if isinstance(value, str) else json.dumps(value)
            return
    for part, inner in parts:
        yield from leaves(inner, f"{name}[{part}]")


@given(TREES, st.text())
@example({"x": "1&b=2"}, "&a[x]=3")
@example({"x]&b[": "1"}, "")
def test_a_form_says_what_its_arguments_say_and_nothing_else(a: Any, b: str) -> None:
    try:
        sent = request(PLAN, {"a": a, "b": b}, {}).body
    except UpstreamFailed:
        return
    assert sent is not None
    assert parse_qsl(sent.decode(), keep_blank_values=True, strict_parsing=True) == [*leaves(a, "a"), ("b", b)]
