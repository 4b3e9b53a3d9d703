"""What publishing makes of an operation: its arguments, where they go, what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid
from interlock.core.limits import OPENAPI_BYTES_MAX
from interlock.tool.openapi_document import read_document
from tools.operations import a_document, an_answer, body, described, one, parameter

TEXT = {"type": "string"}
A = "#/components/schemas/A"
CLOSED = {"type": "object", "additionalProperties": False}


def refused(folder: Path, document: Any, tool: str = "", **more: Any) -> str:
    with pytest.raises(ContractInvalid) as error:
        described(folder, document, tool, **more)
    assert error.value.fix
    return str(error.value)


def test_parameters_and_the_members_of_a_body_stand_side_by_side(tmp_path: Path) -> None:
    operation = one(
        "post",
        "/invoices/{id}/refunds",
        summary="Refund it.",
        description="All of it.",
        parameters=[
            parameter("id", "path"),
            parameter("dry", schema={"type": "boolean"}),
            parameter("X-Why", "header"),
        ],
        requestBody=body(
            {
                "type": "object",
                "properties": {"amount": {"type": "number"}, "to": {"type": "object", "properties": {"iban": TEXT}}},
                "required": ["amount"],
            }
        ),
        responses=an_answer({"type": "object", "properties": {"ok": {"type": "boolean"}}}, status="201"),
    )
    found = described(tmp_path, operation)
    assert found.schema == {
        **CLOSED,
        "properties": {
            "id": TEXT,
            "dry": {"type": "boolean"},
            "X-Why": TEXT,
            "amount": {"type": "number"},
            "to": {**CLOSED, "properties": {"iban": TEXT}},
        },
        "required": ["amount", "id"],
    }
    assert found.description == "Refund it.\n\nAll of it."
    assert found.result_schema == {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    assert found.how == {
        "operation": "it",
        "method": "POST",
        "url": "https://api.acme.example/v1",
        "path": "/invoices/{id}/refunds",
        "sent": [
            {"argument": "id", "place": "path", "name": "id"},
            {"argument": "dry", "place": "query", "name": "dry", "explode": True},
            {"argument": "X-Why", "place": "header", "name": "X-Why"},
            {"argument": "amount", "place": "body", "name": "amount"},
            {"argument": "to", "place": "body", "name": "to"},
        ],
        "body": "members",
        "body_type": "application/json",
        "body_needed": True,
    }


@pytest.mark.parametrize(
    ("schema", "becomes"),
    [
        # of OpenAPI 3.0                                                    as JSON Schema 2020-12
        ({"type": "string", "nullable": True},                              {"type": ["string", "null"]}),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True},        {"type": "number", "exclusiveMinimum": 0}),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": False},       {"type": "number", "maximum": 9}),
        ({"allOf": [{"$ref": A}], "nullable": True},                         {"type": ["string", "null"]}),
        ({"$ref": A, "nullable": True},                                      {"type": "string"}),
        ({"type": "string", "example": "x", "x-own": 1, "xml": {}},         {"type": "string"}),
        ({"type": "string", "format": "date"},                              {"type": "string", "format": "date"}),
        ({"type": "string", "pattern": "^a"},                               {"type": "string", "pattern": "^a"}),
        ({"type": "string", "pattern": "(?=a)b"},                           {"type": "string"}),
        ({"type": "string", "default": "x"},                                {"type": "string", "default": "x"}),
        ({"type": "integer", "default": "x"},                               {"type": "integer"}),
        ({"oneOf": [{"type": "string"}], "discriminator": {}},              {"anyOf": [{"type": "string"}]}),
        ({"type": "array", "items": {"$ref": A}},                            {"type": "array", "items": TEXT}),
    ],
)  # fmt: skip
def test_schemas_of_the_older_version_are_written_as_json_schema(tmp_path: Path, schema: Any, becomes: Any) -> None:
    document = one("post", version="3.0.3", requestBody=body({"type": "object", "properties": {"a": schema}}))
    document["components"] = {"schemas": {"A": {"type": "string"}}}
    assert described(tmp_path, document).schema["properties"] == {"a": becomes}


def test_what_one_side_alone_may_set_or_see_is_left_out(tmp_path: Path) -> None:
    thing = {
        "type": "object",
        "properties": {"id": {**TEXT, "readOnly": True}, "key": {**TEXT, "writeOnly": True}, "name": TEXT},
        "required": ["id", "key", "name"],
    }
    found = described(tmp_path, one("post", requestBody=body(thing), responses=an_answer(thing)))
    assert found.schema == {**CLOSED, "properties": {"key": TEXT, "name": TEXT}, "required": ["key", "name"]}
    assert found.result_schema == {
        "type": "object",
        "properties": {"id": TEXT, "name": TEXT},
        "required": ["id", "name"],
    }


def test_a_whole_made_of_parts_is_one_object_and_what_repeats_itself_is_referred_to(tmp_path: Path) -> None:
    document = one(
        "post", requestBody=body({"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"b": TEXT}}]})
    )
    node = {"properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    document["components"] = {
        "schemas": {
            "Base": {
                "type": "object",
                "properties": {"node": {"$ref": "#/components/schemas/Node"}},
                "required": ["node"],
            },
            "Node": node,
        }
    }
    again = {**CLOSED, "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert described(tmp_path, document).schema == {
        **CLOSED,
        "properties": {"node": again, "b": TEXT},
        "required": ["node"],
        "$defs": {"Node": again},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": TEXT},
        {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": True},
        {"oneOf": [{"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}, TEXT]},
    ],
)
def test_a_body_that_is_no_plain_object_is_one_argument(tmp_path: Path, schema: Any) -> None:
    found = described(tmp_path, one("put", requestBody=body(schema)))
    assert found.schema == {**CLOSED, "properties": {"body": schema}, "required": ["body"]}


@pytest.mark.parametrize(
    ("more", "note"),
    [
        (
            {"style": "deepObject", "schema": {"type": "object", "properties": {"a": False}}},
            "`x` is no argument: it has parts that repeat themselves, or a part that takes no value",
        ),
        ({"style": "spaceDelimited"}, "`x` is no argument: it is written in the style `spaceDelimited`"),
        ({"schema": {"type": "object"}}, "`x` is no argument: it has parts, which an address or a header cannot hold"),
        (
            {"in": "cookie", "schema": {"type": "array", "items": TEXT}},
            "`x` is no argument: it has parts, which a cookie cannot hold",
        ),
        ({"in": "cookie", "name": "a=b"}, "`a=b` is no argument: it is no name of a cookie"),
        ({"content": {"application/json": {}}}, "`x` is no argument: it is JSON inside of an address or a header"),
        ({"in": "header", "name": "Host"}, "`Host` is no argument: it is a header that no agent may set"),
        (
            {"in": "header", "name": "X-HTTP-Method-Override"},
            "`X-HTTP-Method-Override` is no argument: it is a header that no agent may set",
        ),
        (
            {"in": "header", "name": "X-Forwarded-For"},
            "`X-Forwarded-For` is no argument: it is a header that no agent may set",
        ),
        (
            {"in": "header", "name": "x_forwarded_for"},
            "`x_forwarded_for` is no argument: it is a header that no agent may set",
        ),
        ({"in": "header", "name": "a b"}, "`a b` is no argument: it is no name of a header"),
    ],
)
def test_what_cannot_be_sent_is_no_argument_and_nothing_that_is_needed(tmp_path: Path, more: Any, note: str) -> None:
    optional = {**parameter("x"), **more}
    found = described(tmp_path, one(parameters=[optional]))
    assert note in found.notes
    assert found.schema["properties"] == {}
    said = refused(tmp_path, one(parameters=[{**optional, "required": True}]))
    assert said.startswith("api.json: `it`: its ")


def test_two_arguments_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    document = one(
        "put", "/t/{id}", parameters=[parameter("id", "path")], requestBody=body({"properties": {"id": TEXT}})
    )
    said = refused(tmp_path, document)
    assert said == "api.json: `it`: two of its arguments are named `id`: into the path, and into the body"


def a_part(schema: Any, required: Any = (), **encoding: Any) -> dict[str, Any]:
    whole = {"type": "object", "properties": {"a": schema}, "required": list(required)}
    return {"required": True, "content": {"multipart/form-data": {"schema": whole, "encoding": {"a": encoding}}}}


@pytest.mark.parametrize(
    ("kind", "longest"),
    [({"format": "byte"}, 174_764), ({"format": "binary", "contentMediaType": "text/plain"}, 131_072)],
)
def test_a_length_that_is_none_is_ours(tmp_path: Path, kind: Any, longest: int) -> None:
    made = described(tmp_path, one("post", requestBody=a_part({"type": "string", "maxLength": "x", **kind})))
    assert f"'maxLength': {longest}" in str(made.schema)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (one(path="/t/{id}"), "`it`: its path `/t/{id}` and its parameters disagree about `id`"),
        (
            one(path="/t", parameters=[parameter("id", "path")]),
            "`it`: its path `/t` and its parameters disagree about `id`",
        ),
        (one(path="/t?x=1"), "`it`: `/t?x=1` is no path"),
        (one(path="t"), "`it`: `t` is no path"),
        (
            one("post", requestBody=body(TEXT, "application/xml")),
            "`it`: its body is `application/xml`",
        ),
        (one("post", requestBody=body({"$ref": "other.yaml#/A"})), "`other.yaml#/A` leads out of it"),
        (one("post", requestBody=body({"$ref": "https://evil.example/a"})), "`https://evil.example/a` leads out of it"),
        (one("post", requestBody=body({"$ref": "#/nowhere"})), "`#/nowhere` leads nowhere"),
        (
            one("post", requestBody={"$ref": "#/paths/~1things/post/requestBody"}),
            "`#/paths/~1things/post/requestBody` refers to itself",
        ),
        (one("post", requestBody=body({"$dynamicRef": "#a"})), "`$dynamicRef` is not read here"),
        (one("post", parameters=[{"$ref": "#/servers/" + "9" * 5_000}]), f"`#/servers/{'9' * 5_000}` leads nowhere"),
        (one(parameters=[parameter("q", schema={"type": 5})]), "a schema of the operation is not JSON Schema"),
        (
            one("post", requestBody=a_part({"type": "string"}, required=["a"], headers=5)),
            "`it`: its part `a` wants headers of its own",
        ),
        (one("post", requestBody=body({"type": "file"})), "a schema of the operation is not JSON Schema"),
        (one("post", requestBody=body([])), "there is something else where a schema belongs"),
        (one("trace"), "`it` is a TRACE, which shows what was sent"),
        (a_document({}), "no operation has the id `it`"),
        (
            a_document({"/a": {"get": {"operationId": "it"}}, "/b": {"get": {"operationId": "it"}}}),
            "2 operations have the id `it`",
        ),
    ],
)
def test_an_operation_that_cannot_be_a_tool_says_why(tmp_path: Path, document: Any, says: str) -> None:
    assert refused(tmp_path, document) == f"api.json: {says}"


LAST_TWICE = "{" + ",".join(f'"n{n}":1' for n in (*range(150_001), 150_000)) + "}"
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("[]", "it is not an OpenAPI document"),
        ("a: 1\na: 2\n", "`a` is said twice"),
        ('{"a": 1, "a": 2}', "this is not JSON: `a` is said twice"),
        (LAST_TWICE, "`n150000` is said twice"),
        ("{", "this is not JSON"),
        ("openapi: 2.0.0\n", "it says OpenAPI 2.0.0"),
        ("swagger: '2.0'\n", "it says no version of OpenAPI"),
        ("openapi: !!python/object:os.system x\n", "tags are not allowed"),
        (BOMB, "more than 500,000 values"),
        ("[" * 100 + "]" * 100, "nested more than 64 levels deep"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "d.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ContractInvalid) as error:
        read_document(tmp_path, "d.yaml")
    assert says in str(error.value)
    assert error.value.fix


def test_a_file_elsewhere_or_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "d.yaml").write_text("openapi: 3.1.0\n", encoding="utf-8")
    (tmp_path / "in" / "link.yaml").symlink_to(tmp_path / "d.yaml")
    (tmp_path / "in" / "long.yaml").write_bytes(b" " * (OPENAPI_BYTES_MAX + 1))
    for name, says in [
        ("../d.yaml", "leads out of"),
        (str(tmp_path / "d.yaml"), "leads out of"),
        ("link.yaml", "leads out of"),
        ("long.yaml", "has more than 4,194,304 bytes"),
        ("gone.yaml", "cannot be read"),
        (".", "cannot be read"),
    ]:
        with pytest.raises(ContractInvalid, match=says):
            read_document(tmp_path / "in", name)


def test_yaml_is_read_as_its_newer_version_does_and_numbers_may_be_keys(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(
        "openapi: 3.1.0\nx: [no, on, true, 1, 1.5, 012, 0x1F, ~]\n200: y\n", encoding="utf-8"
    )
    root = read_document(tmp_path, "d.yaml").root
    assert root["x"] == ["no", "on", True, 1, 1.5, 12, "0x1F", None]
    assert root["200"] == "y"


@pytest.mark.parametrize(
    ("method", "tool", "effect", "note"),
    [
        ("get", "", EffectClass.READ, "its method is GET, so it is `read`"),
        ("put", "", EffectClass.IDEMPOTENT, "its method is PUT, so it is `idempotent`"),
        ("delete", "", EffectClass.IDEMPOTENT, "its method is DELETE, so it is `idempotent`"),
        ("post", "", EffectClass.OPAQUE, "its method is POST, so it is `opaque`"),
        ("patch", "", EffectClass.OPAQUE, "its method is PATCH, so it is `opaque`"),
        (
            "post",
            ", idempotency_header: Key",
            EffectClass.IDEMPOTENT_KEY,
            "its method is POST, so it is `idempotent_key`",
        ),
        ("post", ", effect: read", EffectClass.OPAQUE, "the contract says `read`, and a POST is `opaque` by itself"),
        ("get", ", effect: opaque", EffectClass.READ, None),
    ],
)
def test_the_method_says_what_repeating_does(
    tmp_path: Path, method: str, tool: str, effect: EffectClass, note: str | None
) -> None:
    found = described(tmp_path, one(method), tool)
    assert (found.effect, found.notes) == (effect, (note,) if note else ())


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ("", "https://api.acme.example/v1"),
        ("api.json: https://b.example/x/", "https://b.example/x"),
        ("api.json: { url: { dev: 'https://d.example' } }", "https://d.example"),
        ("api.json: { url: 'http://10.0.0.1:80/v1', private: true }", "http://10.0.0.1/v1"),
        ("api.json: { url: 'http://[::1]:8080', private: [dev] }", "http://[::1]:8080"),
    ],
)
def test_the_address_is_that_of_the_document_or_of_the_contract(tmp_path: Path, hosts: str, url: str) -> None:
    more = f"hosts: {{ {hosts} }}\n" if hosts else ""
    how = described(tmp_path, one(), more=more).how
    assert how is not None
    assert how["url"] == url


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ("api.json: http://b.example", "`http://b.example` would be reached without TLS"),
        ("api.json: { url: { test: 'https://d.example' } }", "`api.json` has no address in `dev`"),
        ("api.json: https://u:p@b.example", "it names a user"),
        ("api.json: 'https://b.example/?x=1'", "the address of a server has a query"),
        ("api.json: 'https://b.example/#x'", "it has a fragment"),
        ("api.json: https://b.example/a/../b", "`.` or `..`"),
        ("api.json: https://b.example/%2e%2e/b", "hides a slash or a dot"),
        ("api.json: https://2130706433/", "its host is a number in no usual form"),
        ("api.json: https://bücher.example/", "characters that an address does not have"),
    ],
)
def test_an_address_that_reads_in_two_ways_is_refused(tmp_path: Path, hosts: str, says: str) -> None:
    assert says in refused(tmp_path, one(), more=f"hosts: {{ {hosts} }}\n")


@pytest.mark.parametrize("servers", [[{"url": "/v1"}], [{"url": ""}], []])
def test_a_document_without_a_server_of_its_own_needs_one_in_the_contract(tmp_path: Path, servers: Any) -> None:
    assert "names no server of its own" in refused(tmp_path, {**one(), "servers": servers})


def test_the_variables_of_a_server_have_their_defaults(tmp_path: Path) -> None:
    server = {"url": "https://{region}.acme.example", "variables": {"region": {"default": "eu"}}}
    how = described(tmp_path, {**one(), "servers": [server]}).how
    assert how is not None
    assert how["url"] == "https://eu.acme.example"
