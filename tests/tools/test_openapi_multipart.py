"""Operations that take parts: texts, JSON and files, none of which says anything outside of itself."""

import base64
import json
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_multipart.multipart import FormParser

from interlock.core.errors import ContractInvalid, UpstreamFailed
from interlock.core.limits import FILE_BYTES_MAX
from interlock.core.outcome import Done, Failed, Refused
from interlock.tool.openapi_plan import Part, Plan, Sent
from interlock.tool.openapi_request import request
from tools.operations import Api, described, one

pytestmark = pytest.mark.anyio

PARTS = "multipart/form-data"
TEXT = {"type": "string"}
FILE = {"type": "string", "format": "binary"}
NAME = {"type": "string", "pattern": r"^[^/\\]+$", "maxLength": 255}
BASE64 = {"type": "string", "contentEncoding": "base64", "maxLength": 174764}
CLAIM = {
    "type": "object",
    "required": ["customer", "receipt"],
    "properties": {
        "customer": TEXT,
        "amount": {"type": "number"},
        "tags": {"type": "array", "items": TEXT},
        "about": {"type": "object", "properties": {"city": TEXT}},
        "receipt": FILE,
        "notes": {"type": "array", "items": FILE},
        "raw": {"type": "string", "format": "byte"},
    },
}
ENCODING = {"notes": {"contentType": "text/plain, text/csv"}, "receipt": {"contentType": "image/png"}}


def parts(schema: Any, encoding: Any = None, *, version: str = "3.1.0") -> dict[str, Any]:
    content: dict[str, Any] = {PARTS: {"schema": schema, "encoding": encoding or {}}}
    return one("post", version=version, requestBody={"required": True, "content": content})


def of(members: Any, encoding: Any = None) -> dict[str, Any]:
    return parts({"type": "object", "properties": members, "required": sorted(members)}, encoding)


def read(content_type: str, body: bytes) -> list[tuple[str, str | None, str, bytes]]:
    """Read parts as the standard library does: the name of each, of its file, the type and the content."""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    assert message.is_multipart()
    assert not message.defects
    found: list[tuple[str, str | None, str, bytes]] = []
    for part in message.iter_parts():
        assert not part.defects
        assert set(map(str.lower, part.keys())) <= {"content-disposition", "content-type"}
        assert part.get_content_disposition() == "form-data"
        name = part.get_param("name", header="content-disposition")
        raw = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(raw, bytes)
        found.append((name, part.get_filename(), part.get_content_type(), raw))
    return found


def seen(content_type: str, body: bytes) -> list[tuple[str, str | None, bytes]]:
    """Read parts as servers in Python do."""
    found: list[tuple[str, str | None, bytes]] = []

    def on_field(field: Any) -> None:
        found.append((field.field_name.decode(), None, field.value or b""))

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        found.append((file.field_name.decode(), file.file_name.decode(), file.file_object.read()))

    boundary = content_type.partition("boundary=")[2]
    parser = FormParser("multipart/form-data", on_field, on_file, boundary=boundary.encode())
    parser.write(body)
    parser.finalize()
    return found


async def test_the_members_leave_as_parts_each_as_the_document_says(api: Api) -> None:
    await api.publish(parts(CLAIM, ENCODING))
    picture = b"\x89PNG\r\n--interlock\xff"
    arguments = {
        "customer": "Ann & Köln\r\n--x",
        "amount": 1.5,
        "tags": ["a", "b"],
        "about": {"city": "Köln"},
        "receipt": {"name": 'a "b" é; c.png', "base64": base64.b64encode(picture).decode()},
        "notes": [
            {"name": "1.txt", "text": "one\n", "type": "text/plain"},
            {"name": "2.csv", "text": "a,b\r\n", "type": "text/csv"},
        ],
        "raw": base64.b64encode(b"raw").decode(),
    }
    outcome = await api.call(arguments)
    assert isinstance(outcome, Done), outcome
    _, headers, sent = api.asked()
    assert [(name, file, content) for name, file, _, content in read(headers["content-type"], sent)] == seen(
        headers["content-type"], sent
    )
    assert sorted(read(headers["content-type"], sent), key=repr) == [
        ("about", None, "application/json", '{"city":"Köln"}'.encode()),
        ("amount", None, "text/plain", b"1.5"),
        ("customer", None, "text/plain", "Ann & Köln\r\n--x".encode()),
        ("notes", "1.txt", "text/plain", b"one\n"),
        ("notes", "2.csv", "text/csv", b"a,b\r\n"),
        ("raw", None, "application/octet-stream", b"cmF3"),
        ("receipt", "a %22b%22 é; c.png", "image/png", picture),
        ("tags", None, "text/plain", b"a"),
        ("tags", None, "text/plain", b"b"),
    ]


async def test_the_same_arguments_are_the_same_bytes(api: Api) -> None:
    await api.publish(parts(CLAIM, ENCODING))
    for _ in range(2):
        await api.call({"customer": "a", "receipt": {"name": "a.png", "base64": ""}})
    first, second = api.peer.questions
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"receipt": {"name": "a.png", "base64": "a"}}, "`receipt` is not in base64"),
        ({"receipt": {"name": "a\r\n.png", "base64": ""}}, "has a name that is empty, too long, a folder or"),
        ({"receipt": {"name": "..", "base64": ""}}, "has a name that is empty, too long, a folder or"),
        ({"raw": "a-b_"}, "`raw` is not in base64"),
        ({"tags": []}, "`tags` is no list, or an empty one, which parts cannot say"),
        (
            {"notes": [{"name": "a", "type": "text/csv", "text": "a" * (FILE_BYTES_MAX - 2) + "ää"}]},
            "the file `notes` has more than 131,072 bytes",
        ),
    ],
)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_what_no_part_can_say_is_not_sent(api: Api, arguments: Any, why: str) -> None:
    await api.publish(parts(CLAIM, ENCODING))
    outcome = await api.call({"customer": "c", "receipt": {"name": "a", "base64": ""}, **arguments})
    assert isinstance(outcome, Failed), outcome
    assert why in outcome.why
    assert outcome.why.endswith(", so nothing was sent")
    assert api.peer.questions == []


@pytest.mark.parametrize(
    "receipt",
    [
        "a.png",
        {"name": "a.png"},
        {"name": "a.png", "text": "a"},
        {"name": "a.png", "base64": "", "type": "text/html"},
        {"name": "../a.png", "base64": ""},
        {"name": "a\\b", "base64": ""},
        {"name": "", "base64": ""},
        {"name": "a.png", "base64": "A" * 174_765},
    ],
)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_a_file_is_its_name_and_what_is_in_it(api: Api, receipt: Any) -> None:
    await api.publish(parts(CLAIM, ENCODING))
    assert isinstance(await api.call({"customer": "c", "receipt": receipt}), Refused)


def a_file(**more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": more, "required": sorted(more), "additionalProperties": False}


KIND = {"type": "string", "pattern": r"^(?:image/[A-Za-z0-9!#$&^_.+-]+)$", "maxLength": 122}


@pytest.mark.parametrize(
    ("schema", "encoding", "part", "said"),
    [
        (TEXT, {}, Part(given="text"), TEXT),
        (TEXT, {"contentType": "application/xml"}, Part(given="text", type="application/xml"), TEXT),
        (TEXT, {"contentType": "application/json"}, Part(given="json", type="application/json"), TEXT),
        ({"type": "boolean"}, {}, Part(given="text"), {"type": "boolean"}),
        (
            {**TEXT, "contentMediaType": "application/json"},
            {},
            Part(given="text", type="application/json"),
            {**TEXT, "contentMediaType": "application/json"},
        ),
        ({"type": "array"}, {"contentType": "application/json"}, Part(given="json", type="application/json"),
         {"type": "array"}),
        (FILE, {}, Part(given="base64 file", type="application/octet-stream"), a_file(name=NAME, base64=BASE64)),
        ({**FILE, "description": "d"}, {}, Part(given="base64 file", type="application/octet-stream"),
         {"description": "d", **a_file(name=NAME, base64=BASE64)}),
        ({}, {"contentType": "image/png"}, Part(given="base64 file", type="image/png"),
         a_file(name=NAME, base64=BASE64)),
        ({**TEXT, "contentMediaType": "image/png"}, {}, Part(given="base64 file", type="image/png"),
         a_file(name=NAME, base64=BASE64)),
        ({**FILE, "maxLength": 9}, {"contentType": "text/csv"}, Part(given="text file", type="text/csv"),
         a_file(name=NAME, text={"type": "string", "maxLength": 9})),
        (FILE, {"contentType": "image/*"}, Part(given="base64 file"), a_file(name=NAME, base64=BASE64, type=KIND)),
        (
            {**TEXT, "contentEncoding": "base64", "contentMediaType": "image/png"},
            {},
            Part(given="base64", type="image/png"),
            {**BASE64, "contentMediaType": "image/png"},
        ),
    ],
)  # fmt: skip
def test_as_what_a_member_leaves_and_what_is_said_for_it(
    tmp_path: Path, schema: Any, encoding: Any, part: Part, said: Any
) -> None:
    found = described(tmp_path, of({"a": schema}, {"a": encoding}))
    (sent,) = (found.how or {})["sent"]
    assert sent["part"] == {"given": part.given, **({"type": part.type} if part.type else {})}
    assert found.schema["properties"]["a"] == said


@pytest.mark.parametrize(
    ("members", "encoding", "says"),
    [
        ({"a": {"type": "object"}}, {"contentType": "application/xml"}, "is written as `application/xml`"),
        ({"a": {"anyOf": [TEXT, {"type": "object"}]}}, {}, "has parts, and no type of content"),
        ({"a": {"type": "array", "items": {"type": "array"}}}, {}, "has parts, and no type of content"),
        ({"a": TEXT}, {"headers": {"X-Sum": {"required": True}}}, "wants headers of its own"),
        ({"a": TEXT}, {"contentType": "text/csv\r\nX: y"}, "is of a type of content that cannot be read"),
        ({"a": {**TEXT, "contentEncoding": "quoted-printable"}}, {}, "is encoded as `quoted-printable`"),
        ({"a\nb": TEXT}, {}, "has a name that no part can have"),
    ],
)
def test_a_member_that_cannot_be_a_part_is_none(tmp_path: Path, members: Any, encoding: Any, says: str) -> None:
    (name,) = members
    with pytest.raises(ContractInvalid) as refused:
        described(tmp_path, of(members, {name: encoding}))
    assert str(refused.value) == f"api.json: `it`: its part `{name}` {says}"
    found = described(tmp_path, parts({"type": "object", "properties": {**members, "b": TEXT}}, {name: encoding}))
    assert list(found.schema["properties"]) == ["b"]
    assert f"`{name}` is no argument: it {says}" in found.notes


def test_a_form_is_taken_before_parts(tmp_path: Path) -> None:
    media = {"schema": {"type": "object", "properties": {"a": TEXT}}}
    content = {PARTS: media, "application/x-www-form-urlencoded": media}
    found = described(tmp_path, one("post", requestBody={"required": True, "content": content}))
    assert (found.how or {})["body"] == "form"


PLAN = Plan(
    operation="it",
    method="POST",
    url="https://h.example",
    path="/",
    body="multipart",
    body_type=PARTS,
    sent=(
        Sent(argument="text", place="body", name="text", part=Part(given="text")),
        Sent(argument="json", place="body", name='j"s\u00f6n', part=Part(given="json", type="application/json")),
        Sent(argument="list", place="body", name="list", explode=True, part=Part(given="text")),
        Sent(argument="file", place="body", name="file", part=Part(given="text file")),
        Sent(argument="bytes", place="body", name="bytes", part=Part(given="base64 file", type="image/png")),
    ),
)
TEXTS = st.text() | st.text('ab"\\;=%\r\n-: interlock') | st.sampled_from(["\r\n--", '"\r\nX: y', "\u2028", "\x85"])
TYPES = st.sampled_from(["text/plain", "text/csv; charset=utf-8"]) | TEXTS


@settings(deadline=None)
@given(TEXTS, TEXTS, st.lists(TEXTS, min_size=1, max_size=3), TEXTS, TYPES, TEXTS, st.binary())
@example("\r\n--interlock", "", ["a"], 'a"; filename="b', "text/plain", "\r\n\r\n--interlock--", b"\r\n--interlock--")
@example("", "", [""], "a.txt\r\nX-More: y", "text/plain", "", b"")
@example("", "", [""], " ", "text/plain", "", b"")
@example("", "", [""], "a\\", "text/plain", "", b"")
@example("", "", [""], "a", "text/plain\r\nX-More: y", "", b"")
def test_whatever_the_arguments_are_a_strict_reader_sees_exactly_the_parts_of_the_schema(
    text: str, inner: str, items: list[str], name: str, kind: str, inside: str, raw: bytes
) -> None:
    arguments: dict[str, Any] = {
        "text": text,
        "json": {inner: inner},
        "list": items,
        "file": {"name": name, "text": inside, "type": kind},
        "bytes": {"name": "b", "base64": base64.b64encode(raw).decode()},
    }
    try:
        made = request(PLAN, arguments, {})
    except UpstreamFailed:
        return
    assert made.body is not None
    said = json.dumps({inner: inner}, ensure_ascii=False, separators=(",", ":")).encode()
    expected = [
        ("text", None, text.encode()),
        ("j%22s\u00f6n", None, said),
        *(("list", None, item.encode()) for item in items),
        ("file", name.replace('"', "%22"), inside.encode()),
        ("bytes", "b", raw),
    ]
    assert seen(made.headers["Content-Type"], made.body) == expected
    found = [(name, file, content) for name, file, _, content in read(made.headers["Content-Type"], made.body)]
    assert found == expected
